// Three AdamW steps of a small network, and the schedules, against values recorded from PyTorch: what single layers
// cannot show is that the model hands the right tensor to the right layer and the optimiser the right decay.
#include <gtest/gtest.h>

#include "runtime/cpu/cpu_device.h"
#include "runtime/nn/model.h"
#include "runtime/train/optimiser.h"
#include "runtime/train/schedule.h"
#include "tests/support/golden.h"
#include "tests/support/random.h"
#include "tests/support/update.h"

namespace xrai {
namespace training_steps_golden_test {

using testing::expect_near_golden;
using testing::golden_cases;
using testing::GoldenCase;
using Values = std::vector<float>;

// PyTorch's own float32 drifts by 2e-6 of the largest value from the recorded double over the three steps.
constexpr double kThreeSteps = 5e-6;

ModelSpec network(const std::vector<std::int64_t>& widths) {
  ModelSpec spec;
  spec.name = "golden";
  const auto append = [&](const std::string& name, const LayerKind& kind) {
    spec.layers.push_back({name, static_cast<int>(spec.layers.size()) - 1, kind});
  };
  Window convolution, pooling;
  convolution.kernel_height = convolution.kernel_width = 3;
  convolution.pad_top = convolution.pad_bottom = convolution.pad_left = convolution.pad_right = 1;
  pooling.kernel_height = pooling.kernel_width = pooling.stride_height = pooling.stride_width = 2;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    const std::string block = std::to_string(i + 1);
    append("convolution" + block, ConvolutionLayer{widths[i], convolution, 1, false});
    append("norm" + block, BatchNormLayer{});
    append("relu" + block, ReluLayer{});
    append("pool" + block, PoolingLayer{PoolingKind::kMax, pooling});
  }
  append("global_average_pool", GlobalAveragePoolLayer{});
  append("dense", DenseLayer{});
  return spec;
}

// The name under which a parameter of network() was recorded.
std::string recorded_name(const ParameterSpec& parameter) {
  const bool weight = parameter.role == ParameterRole::kWeight;
  if (parameter.name.starts_with("dense")) return weight ? "dense.w" : "dense.b";
  const std::string block = "block" + parameter.name.substr(parameter.name.find_first_of("0123456789"), 1);
  return block + (weight ? ".w" : parameter.role == ParameterRole::kNormScale ? ".gamma" : ".beta");
}

Values slice(const float* arena, const ParameterSpec& parameter) {
  return Values(arena + parameter.offset, arena + parameter.offset + parameter.count());
}

class TrainingSteps : public ::testing::Test {
 protected:
  TrainingSteps() {
    model_.parameters().initialise(1);
    for (const ParameterSpec& parameter : model_.parameters().specs()) {
      const Values recorded = golden_.values(recorded_name(parameter));
      EXPECT_EQ(static_cast<std::int64_t>(recorded.size()), parameter.count()) << parameter.name;
      std::copy(recorded.begin(), recorded.end(), model_.parameters().values() + parameter.offset);
    }
  }

  // Forward, loss and backward; returns the mean loss.
  float compute_gradients() {
    ModelPlan& plan = model_.prepare(n_, true);
    std::copy(x_.begin(), x_.end(), static_cast<float*>(plan.input()));
    plan.forward({});
    kernels::LossResult result;
    kernels::LossArguments loss;
    loss.logits = plan.logits(), loss.dlogits = plan.logit_gradients(), loss.labels = labels_.data();
    loss.class_weights = class_weights_.data(), loss.results = &result, loss.n = n_, loss.n_logits = 1;
    device_->loss(loss);
    plan.backward({});
    return static_cast<float>(result.loss_sum / static_cast<double>(n_));
  }

  GoldenCase golden_ = golden_cases("training_steps").at(0);
  std::unique_ptr<Device> device_ = make_cpu_device(2);
  Model model_{*device_, network(golden_.attributes.at("widths")), Shape{1, 16, 16, 1}, 2};
  Values x_ = golden_.values("x"), class_weights_ = golden_.values("class_weights");
  std::vector<std::int32_t> labels_ = golden_.values<std::int32_t>("labels");
  std::int64_t n_ = static_cast<std::int64_t>(labels_.size());
};

TEST_F(TrainingSteps, TheGradientOfEveryParameterAgrees) {
  compute_gradients();
  for (const ParameterSpec& parameter : model_.parameters().specs())
    expect_near_golden(slice(model_.parameters().gradients(), parameter), golden_, "d" + recorded_name(parameter),
                       kThreeSteps);
}

TEST_F(TrainingSteps, ThreeStepsLeadToTheRecordedNetwork) {
  Parameters& parameters = model_.parameters();
  OptimiserSettings settings;
  settings.learning_rate = golden_.attributes.at("learning_rate");
  settings.weight_decay = golden_.attributes.at("weight_decay");
  Optimiser optimiser(*device_, parameters, settings);
  Values losses, norms;
  for (std::int64_t step = 1; step <= golden_.attributes.at("steps").get<std::int64_t>(); ++step) {
    losses.push_back(compute_gradients());
    norms.push_back(static_cast<float>(std::sqrt(
        testing::sum_of_squares(Values(parameters.gradients(), parameters.gradients() + parameters.count())))));
    const kernels::StepNumbers numbers{0, 0, static_cast<std::uint64_t>(step - 1), 0,
                                       static_cast<float>(settings.learning_rate)};
    optimiser.step(&numbers);
  }
  expect_near_golden(losses, golden_, "losses", kThreeSteps);
  expect_near_golden(norms, golden_, "gradient_norms", kThreeSteps);
  for (const ParameterSpec& parameter : parameters.specs())
    expect_near_golden(slice(parameters.values(), parameter), golden_, recorded_name(parameter) + ".after",
                       kThreeSteps);

  ModelPlan& evaluation = model_.prepare(n_, false);
  std::copy(x_.begin(), x_.end(), static_cast<float*>(evaluation.input()));
  evaluation.forward({});
  expect_near_golden(testing::floats_at(evaluation.logits(), n_), golden_, "logits_after", kThreeSteps);
}

class ScheduleGoldens : public ::testing::TestWithParam<GoldenCase> {};

TEST_P(ScheduleGoldens, EveryStepHasTheRecordedRate) {
  const nlohmann::json& attributes = GetParam().attributes;
  const std::string kind = attributes.at("kind");
  ScheduleSettings schedule;
  schedule.kind = kind == "cosine"     ? ScheduleKind::kCosine
                  : kind == "onecycle" ? ScheduleKind::kOneCycle
                                       : ScheduleKind::kStep;
  schedule.warmup_epochs = attributes.value("warmup_steps", 0);  // an epoch of one step
  const std::int64_t steps = attributes.at("steps");
  Values factors;
  for (std::int64_t step = 0; step < steps; ++step)
    factors.push_back(static_cast<float>(learning_rate_at(schedule, 1.0, step, steps, 1)));
  expect_near_golden(factors, GetParam(), "factors", 1e-7);
}

INSTANTIATE_TEST_SUITE_P(Recorded, ScheduleGoldens, ::testing::ValuesIn(golden_cases("schedules")),
                         testing::golden_name);

}  // namespace training_steps_golden_test
}  // namespace xrai
