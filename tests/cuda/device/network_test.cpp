// Whole networks on the CUDA device against the CPU device: probabilities, every gradient, running statistics, and ten
// steps of the optimiser, in every precision.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "runtime/nn/grad_cam.h"
#include "runtime/train/optimiser.h"
#include "tests/cuda/device/device_pair.h"

namespace xrai {
namespace network_test {

using testing::Doubles;
using testing::findings;
using testing::get_floats;
using testing::new_cuda;
using testing::Values;

constexpr std::int64_t kSide = 12, kImages = 5;

struct NetworkCase {
  const char* name;
  std::int64_t n_classes;
  const char* layers;
};

// Together they have every kind of layer and every fusing.
const NetworkCase kNetworks[] = {
    {"Blocks", 2,
     "[[layer]]\ntype = 'convolution'\nfilters = 16\nkernel = 3\npadding = 'same'\nbias = false\n"
     "[[layer]]\ntype = 'batch_norm'\n[[layer]]\ntype = 'relu'\n[[layer]]\ntype = 'max_pool'\nkernel = 2\n"
     "[[layer]]\ntype = 'convolution'\nfilters = 24\nkernel = 3\npadding = 'same'\nbias = false\n"
     "[[layer]]\ntype = 'batch_norm'\n[[layer]]\ntype = 'relu'\n"
     "[[layer]]\ntype = 'global_average_pool'\n[[layer]]\ntype = 'dense'\n"},
    {"DenseOnFlattenedMaps", 3,
     "[[layer]]\ntype = 'convolution'\nfilters = 8\nkernel = 5\npadding = 2\n[[layer]]\ntype = 'relu'\n"
     "[[layer]]\ntype = 'max_pool'\nkernel = 3\nstride = 2\npadding = 1\n"
     "[[layer]]\ntype = 'convolution'\nfilters = 8\nkernel = 3\n[[layer]]\ntype = 'average_pool'\nkernel = 2\n"
     "[[layer]]\ntype = 'flatten'\n[[layer]]\ntype = 'dense'\nunits = 10\n[[layer]]\ntype = 'relu'\n"
     "[[layer]]\ntype = 'dropout'\nprobability = 0.3\n[[layer]]\ntype = 'dense'\n"},
    {"Residual", 2,
     "[[layer]]\ntype = 'convolution'\nfilters = 8\nkernel = 3\npadding = 'same'\n[[layer]]\ntype = 'relu'\nname = "
     "'before'\n"
     "[[layer]]\ntype = 'convolution'\nfilters = 8\nkernel = 3\npadding = 'same'\nbias = false\n"
     "[[layer]]\ntype = 'batch_norm'\n[[layer]]\ntype = 'add'\nwith = 'before'\n[[layer]]\ntype = 'relu'\n"
     "[[layer]]\ntype = 'global_average_pool'\n[[layer]]\ntype = 'dense'\n"}};

/// A network on a device with all that a step needs.
class Learner {
 public:
  Learner(Device& device, const NetworkCase& network, bool gradient_checkpointing = false)
      : device_(device),
        model_(device, parse_model_toml(std::string("name = 'case'\n") + network.layers, "case.toml"),
               {1, kSide, kSide, 1}, network.n_classes, gradient_checkpointing),
        optimiser_(device, model_.parameters(), {}),
        plan_(model_.prepare(kImages, true)) {
    model_.parameters().initialise(5);
    if (optimiser_.loss_scale() != nullptr) optimiser_.set_loss_scale({1024});
    const Values pixels = testing::random_values(kImages * kSide * kSide, 17);
    x_ = testing::put(device, pixels);
    std::vector<std::int32_t> labels;
    for (std::int64_t i = 0; i < kImages; ++i) labels.push_back(static_cast<std::int32_t>(i % network.n_classes));
    labels_ = device.allocate(labels.size() * sizeof(std::int32_t));
    device.upload(labels_.data(), labels.data(), labels_.size_bytes(), Queue::kCompute);
    const Values weights(static_cast<std::size_t>(network.n_classes), 1.0f);
    weights_ = device.allocate(weights.size() * sizeof(float));
    device.upload(weights_.data(), weights.data(), weights_.size_bytes(), Queue::kCompute);
    numbers_ = device.allocate(sizeof(kernels::StepNumbers));
    result_ = device.allocate(sizeof(kernels::LossResult));
    probabilities_ = device.allocate(static_cast<std::size_t>(kImages * network.n_classes) * sizeof(float));
  }

  double compute_gradients(std::uint64_t step = 0) {
    const kernels::StepNumbers numbers{3, 0, step, 0, 0.01f};
    device_.upload(numbers_.data(), &numbers, sizeof numbers, Queue::kCompute);
    device_.copy(plan_.input(), x_.data(),
                 static_cast<std::size_t>(kImages * kSide * kSide) * size_of(device_.activation_type()));
    const auto* at = numbers_.as<kernels::StepNumbers>();
    optimiser_.begin_step();
    plan_.forward(at);
    device_.probabilities({plan_.logits(), probabilities_.as<float>(), kImages, model_.n_logits()});
    device_.loss({plan_.logits(), labels_.as<std::int32_t>(), weights_.as<float>(), plan_.logit_gradients(),
                  result_.as<kernels::LossResult>(), kImages, model_.n_logits(), 0.1f, at, optimiser_.loss_scale()});
    plan_.backward(at);
    kernels::LossResult result;
    device_.download(&result, result_.data(), sizeof result);
    return result.loss_sum / kImages;
  }
  double take_step(std::uint64_t step) {
    const double loss = compute_gradients(step);
    optimiser_.step(numbers_.as<kernels::StepNumbers>());
    return loss;
  }

  Values probabilities() { return get_floats(device_, probabilities_.as<float>(), kImages * model_.n_classes()); }
  Values statistics() {
    return get_floats(device_, model_.parameters().statistics(), model_.parameters().statistics_count());
  }
  std::map<std::string, Doubles> slices(const float* arena, double factor = 1) {
    std::map<std::string, Doubles> slices;
    for (const ParameterSpec& spec : model_.parameters().specs()) {
      Doubles& slice = slices[spec.name];
      for (const float value : get_floats(device_, arena + spec.offset, spec.count())) slice.push_back(value * factor);
    }
    return slices;
  }
  std::map<std::string, Doubles> gradients() {
    const auto scale = optimiser_.read_loss_scale();
    return slices(model_.parameters().gradients(), scale ? 1.0 / static_cast<double>(scale->scale) : 1.0);
  }
  std::map<std::string, Doubles> weights() { return slices(model_.parameters().values()); }
  Optimiser& optimiser() { return optimiser_; }

 private:
  Device& device_;
  Model model_;
  Optimiser optimiser_;
  ModelPlan& plan_;
  Buffer x_, labels_, weights_, numbers_, result_, probabilities_;
};

/// |a - b| over |b| of a whole tensor, or over `floor` where b is next to nothing.
double relative_distance(const Doubles& a, const Doubles& b, double floor) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    size += b[i] * b[i];
  }
  return std::sqrt(difference) / std::max(std::sqrt(size), floor);
}

void expect_alike(const std::map<std::string, Doubles>& computed, const std::map<std::string, Doubles>& expected,
                  double tolerance, double floor, const std::string& what) {
  ASSERT_EQ(computed.size(), expected.size());
  for (const auto& [name, values] : expected)
    EXPECT_LE(relative_distance(computed.at(name), values, floor), tolerance) << what << " of " << name;
}

// What one rounding of an activation (or, in tf32, of a factor) grows to. float32 is held tightly: there every wrong
// operand shows. In the narrow types a gate of a ReLU or a pooling window that is decided by a rounding moves whole
// gradients, so that only gross faults show; kernels and plans are held to their own roundings elsewhere.
struct Bounds {
  double forward, gradient, ten_steps;
};
Bounds bounds_of(const std::string& precision) {
  if (precision == "fp32") return {2e-5, 4e-5, 0.02};
  if (precision == "tf32") return {2e-3, 4e-3, 0.05};
  return precision == "fp16" ? Bounds{4e-3, 6e-2, 0.25} : Bounds{4e-2, 0.25, 0.25};
}

class Networks : public ::testing::TestWithParam<std::tuple<NetworkCase, const char*>> {
 protected:
  const NetworkCase& network_ = std::get<0>(GetParam());
  const Bounds bounds_ = bounds_of(std::get<1>(GetParam()));
  std::unique_ptr<Device> cuda_ = new_cuda(std::get<1>(GetParam()));
  std::unique_ptr<Device> cpu_ = make_cpu_device(1);
};

TEST_P(Networks, ProbabilitiesLossAndEveryGradientAgree) {
  Learner on_cuda(*cuda_, network_), on_cpu(*cpu_, network_);
  EXPECT_NEAR(on_cuda.compute_gradients(), on_cpu.compute_gradients(), bounds_.forward);
  const Values expected = on_cpu.probabilities();
  testing::expect_near(on_cuda.probabilities(), {expected.begin(), expected.end()}, bounds_.forward, "probabilities");
  expect_alike(on_cuda.gradients(), on_cpu.gradients(), bounds_.gradient, 1e-3, "gradient");
  EXPECT_EQ(findings(), "");
}

TEST_P(Networks, RunningStatisticsAgree) {
  Learner on_cuda(*cuda_, network_), on_cpu(*cpu_, network_);
  for (std::uint64_t step = 0; step < 3; ++step) on_cuda.compute_gradients(step), on_cpu.compute_gradients(step);
  const Values expected = on_cpu.statistics();
  testing::expect_near(on_cuda.statistics(), {expected.begin(), expected.end()}, bounds_.forward, "statistics");
}

TEST_P(Networks, TenStepsLeadToTheSameNetwork) {
  Learner on_cuda(*cuda_, network_), on_cpu(*cpu_, network_);
  for (std::uint64_t step = 0; step < 10; ++step)
    EXPECT_NEAR(on_cuda.take_step(step), on_cpu.take_step(step), 10 * bounds_.forward) << "step " << step;
  // AdamW divides by the gradient's size: where a gradient is next to nothing its rounding decides the direction.
  expect_alike(on_cuda.weights(), on_cpu.weights(), bounds_.ten_steps, 0.1, "weights");
}

TEST_P(Networks, AreTheSameBitsWithGradientCheckpointing) {
  Learner kept(*cuda_, network_), again(*cuda_, network_, true);
  for (std::uint64_t step = 0; step < 2; ++step) EXPECT_EQ(again.take_step(step), kept.take_step(step));
  EXPECT_EQ(again.weights(), kept.weights());
  EXPECT_EQ(again.statistics(), kept.statistics());
  EXPECT_EQ(findings(), "");
}

// Evaluation mode, on both devices from the same weights.
TEST_P(Networks, HeatMapsAgree) {
  const Values pixels = testing::random_values(kImages * kSide * kSide, 17);
  std::vector<std::int32_t> classes;
  for (std::int64_t i = 0; i < kImages; ++i) classes.push_back(static_cast<std::int32_t>(i % network_.n_classes));
  const auto maps_on = [&](Device& device) {
    Model model(device, parse_model_toml(std::string("name = 'case'\n") + network_.layers, "case.toml"),
                {1, kSide, kSide, 1}, network_.n_classes);
    model.parameters().initialise(5);
    GradCam grad_cam(model, kImages);
    const Buffer x = testing::put(device, pixels);
    device.copy(grad_cam.input(), x.data(), pixels.size() * size_of(device.activation_type()));
    return testing::widened(grad_cam.maps(classes));
  };
  const Doubles expected = maps_on(*cpu_);
  EXPECT_GT(*std::max_element(expected.begin(), expected.end()), 0);
  EXPECT_LE(relative_distance(maps_on(*cuda_), expected, 1e-6), bounds_.gradient);
  EXPECT_EQ(findings(), "");
}

INSTANTIATE_TEST_SUITE_P(All, Networks,
                         ::testing::Combine(::testing::ValuesIn(kNetworks),
                                            ::testing::Values("fp32", "tf32", "bf16", "fp16")),
                         [](const auto& p) {
                           return std::get<0>(p.param).name + ("_" + std::string(std::get<1>(p.param)));
                         });

// An overflow leaves weights, moments and running statistics as they were, and only halves the scale.
TEST(Float16, AStepThatOverflowsChangesNothing) {
  const auto device = new_cuda("fp16");
  Learner learner(*device, kNetworks[0]);
  learner.optimiser().set_loss_scale({1024});
  learner.take_step(0);
  const auto weights = learner.weights();
  const Values statistics = learner.statistics();
  learner.optimiser().set_loss_scale({16777216.0f * 65536.0f});
  learner.take_step(1);
  EXPECT_EQ(learner.weights(), weights);
  EXPECT_EQ(learner.statistics(), statistics);
  EXPECT_EQ(learner.optimiser().read_loss_scale()->skipped, 1);
  learner.optimiser().set_loss_scale({1024, 0, 1, 1});
  learner.take_step(2);
  EXPECT_NE(learner.weights(), weights);
  EXPECT_NE(learner.statistics(), statistics);
}

}  // namespace network_test
}  // namespace xrai
