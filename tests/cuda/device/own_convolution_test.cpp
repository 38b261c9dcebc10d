// What the libraries have no plan for is computed by our kernels: bfloat16 on a card before Ampere, plan by plan and as
// a whole training.
#include <gtest/gtest.h>

#include <cmath>

#include "runtime/train/device_check.h"
#include "tests/cuda/device/doubled_card.h"
#include "tests/support/reference.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/toy_training.h"

namespace xrai {
namespace own_convolution_test {

using testing::Doubles;
using testing::findings;
using testing::fresh_cuda;
using testing::put;
using testing::Values;

const fake::Settings kT4{.gpu = "T4"};

int executed(const std::string& kernel) {
  int times = 0;
  for (const auto& [name, count] : fake::report().executed)
    if (name.find(kernel) != std::string::npos) times += count;
  return times;
}

/// As the device holds them.
Doubles held(Device& device, const Buffer& activations, std::int64_t count) {
  return testing::widened(testing::get(device, activations.data(), count));
}

TEST(OwnConvolution, GivesThePassesThatCudnnHasNoPlanFor) {
  const auto device = fresh_cuda("bf16", kT4);
  const ConvolutionSpec spec{{2, 30, 21, 16}, 24, {3, 3, 1, 1, 1, 1, 1, 1}, 1, true, true, true, true};
  const std::int64_t inputs = spec.input.count(), outputs = spec.output().count(), n_weights = spec.weight_count();
  const Buffer x = put(*device, testing::random_values(inputs, 1)),
               weights = put(*device, testing::random_values(n_weights, 2)),
               bias = put(*device, testing::random_values(spec.filters, 3)),
               dy = put(*device, testing::random_values(outputs, 4)),
               y = put(*device, Values(static_cast<std::size_t>(outputs), NAN)),
               dx = put(*device, Values(static_cast<std::size_t>(inputs), NAN)),
               dweights = device->allocate(static_cast<std::size_t>(n_weights) * 4),
               dbias = device->allocate(static_cast<std::size_t>(spec.filters) * 4);
  const auto expected =
      testing::convolution_reference(spec, held(*device, x, inputs), held(*device, weights, n_weights),
                                     held(*device, bias, spec.filters), held(*device, dy, outputs));
  const auto plan = device->plan(spec);
  EXPECT_EQ(plan->implementation(), "a kernel of xrai");
  const Buffer workspace = device->allocate(plan->workspace_bytes());
  plan->forward(x.data(), weights.data(), bias.data(), y.data(), workspace.data());
  plan->backward(x.data(), weights.data(), y.data(), dy.data(), dx.data(), dweights.as<float>(), dbias.as<float>(),
                 workspace.data());
  const double rounding = testing::roundoff(DataType::kBfloat16);
  testing::expect_near(testing::get(*device, y.data(), outputs), expected.y, rounding, "y");
  testing::expect_near(testing::get(*device, dx.data(), inputs), expected.dx, rounding, "dx");
  testing::expect_near(testing::get_floats(*device, dweights.as<float>(), n_weights), expected.dweights, rounding,
                       "dweights");
  testing::expect_near(testing::get_floats(*device, dbias.as<float>(), spec.filters), expected.dbias, 1e-5, "dbias");
  EXPECT_EQ(findings(), "");
}

/// Pooled values and the gradient of their sum.
std::pair<Values, Values> pooled(Device& device, const PoolingSpec& spec) {
  const auto plan = device.plan(spec);
  Values pixels = testing::random_values(spec.input.count(), 1);
  for (float& value : pixels) value = std::round(value * 32) / 32;  // the same ones in bfloat16
  const Buffer x = put(device, pixels), y = put(device, Values(static_cast<std::size_t>(spec.output().count()), NAN)),
               dy = put(device, Values(static_cast<std::size_t>(spec.output().count()), 1)),
               dx = put(device, Values(pixels.size(), NAN)), saved = device.allocate(plan->saved_bytes());
  plan->forward(x.data(), y.data(), saved.data());
  plan->backward(dy.data(), dx.data(), saved.data());
  return {testing::get(device, y.data(), spec.output().count()), testing::get(device, dx.data(), spec.input.count())};
}

TEST(OwnPooling, PoolsLikeTheCpuWhereCudnnHasNoPlan) {
  const auto cpu = make_cpu_device(1);
  for (const PoolingKind kind : {PoolingKind::kMax, PoolingKind::kAverage}) {
    const auto cuda = fresh_cuda("bf16", kT4);
    const PoolingSpec spec{{2, 9, 7, 8}, kind, {3, 3, 2, 2, 1, 1, 1, 1}, true};
    const auto [y, dx] = pooled(*cuda, spec);
    const auto [expected_y, expected_dx] = pooled(*cpu, spec);
    const double rounding = testing::roundoff(DataType::kBfloat16);
    testing::expect_near(y, testing::widened(expected_y), rounding, "y");
    testing::expect_near(dx, testing::widened(expected_dx), rounding, "dx");
    EXPECT_GT(executed("pool_kernel"), 0) << "cuDNN has a plan";
    EXPECT_EQ(findings(), "");
  }
}

class T4 : public ::testing::TestWithParam<const char*> {};

TEST_P(T4, ComputesTheNetworkInBfloat16LikeTheCpu) {
  const auto cuda = fresh_cuda("bf16", kT4);
  const auto cpu = make_cpu_device(1);
  const CheckSettings settings{architecture(GetParam()), 32, 2, 1, 3};
  for (const CheckedTensor& tensor : check_device(*cuda, *cpu, settings, check_bounds(Precision::kBfloat16)).tensors)
    EXPECT_TRUE(tensor.holds()) << tensor.what << " is off by " << tensor.distance << ", bound " << tensor.bound;
  EXPECT_GT(executed("convolution_kernel"), 0);
  EXPECT_EQ(findings(), "");
}

INSTANTIATE_TEST_SUITE_P(Shipped, T4, ::testing::Values("lenet", "plain5"), [](const auto& p) { return p.param; });

/// Losses of the epochs.
std::vector<double> train(testing::ToyRun& run) {
  std::vector<double> losses;
  run.listener.on_epoch = [&](const EpochRecord& record, bool) { losses.push_back(record.train_loss); };
  run.run();
  return losses;
}

TEST(OwnConvolution, TrainsLikeTheCpuDevice) {
  const testing::TemporaryFolder folders[2];
  TrainSettings settings = testing::toy_settings();
  settings.epochs = 2;
  testing::ToyRun on_cpu(folders[0].path(), settings);
  const std::vector<double> expected = train(on_cpu);
  testing::ToyRun on_cuda(folders[1].path(), settings, 50,
                          fresh_cuda("bf16", {.policy = {fake::Policy::kRandom, 3}, .gpu = "T4"}));
  const std::vector<double> losses = train(on_cuda);
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(losses.at(i), expected[i], 2e-2) << "epoch " << i + 1;
  EXPECT_GT(executed("filter_gradient_kernel"), 0);
  EXPECT_GT(fake::report().graph_launches, 0);
  EXPECT_EQ(findings(), "");
}

}  // namespace own_convolution_test
}  // namespace xrai
