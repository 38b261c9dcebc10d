// Convolution, pooling and dense layers of the CUDA device against those of the CPU device, forward and backward.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/cuda/device/device_pair.h"

namespace xrai {
namespace plans_test {

using testing::expect_near;
using testing::findings;
using testing::get;
using testing::get_floats;
using testing::new_cuda;
using testing::put;
using testing::random_values;
using testing::roundoff;
using testing::Values;
using testing::widened;

struct Results {
  Values y, dx, dweights, dbias;
};

/// Values that the narrow types hold exactly, so that both devices compute with the same ones.
Values exact_values(std::int64_t n, std::uint64_t stream) {
  Values values = random_values(n, stream);
  for (float& value : values) value = std::round(value * 32) / 32;
  return values;
}

template <class Spec>
struct Weighted {
  Spec spec;
  std::int64_t x, weights, bias, y;  // elements
};

template <class Spec>
Results run(Device& device, const Weighted<Spec>& layer) {
  const auto plan = device.plan(layer.spec);
  const Buffer x = put(device, exact_values(layer.x, 1)), weights = put(device, exact_values(layer.weights, 2)),
               bias = put(device, exact_values(std::max<std::int64_t>(1, layer.bias), 3)),
               y = put(device, Values(static_cast<std::size_t>(layer.y), NAN)),
               dy = put(device, exact_values(layer.y, 4)),
               dx = put(device, Values(static_cast<std::size_t>(layer.x), NAN)),
               dweights = device.allocate(static_cast<std::size_t>(layer.weights) * 4),
               dbias = device.allocate(static_cast<std::size_t>(layer.bias) * 4),
               workspace = device.allocate(plan->workspace_bytes());
  plan->forward(x.data(), weights.data(), layer.bias > 0 ? bias.data() : nullptr, y.data(), workspace.data());
  Results results{get(device, y.data(), layer.y), {}, {}, {}};
  plan->backward(x.data(), weights.data(), y.data(), dy.data(), layer.spec.input_gradient ? dx.data() : nullptr,
                 dweights.as<float>(), layer.bias > 0 ? dbias.as<float>() : nullptr, workspace.data());
  if (layer.spec.input_gradient) results.dx = get(device, dx.data(), layer.x);
  results.dweights = get_floats(device, dweights.as<float>(), layer.weights);
  results.dbias = get_floats(device, dbias.as<float>(), layer.bias);
  return results;
}

template <class Spec>
void expect_alike(const Weighted<Spec>& layer, const std::string& precision) {
  const auto cuda = new_cuda(precision);
  const auto cpu = make_cpu_device(1);
  const Results on_cuda = run(*cuda, layer), on_cpu = run(*cpu, layer);
  // A result is rounded to its type; the sums in front of it are float in another order.
  const double tolerance = roundoff(cuda->activation_type()) + 3e-6;
  expect_near(on_cuda.y, widened(on_cpu.y), tolerance, "y");
  expect_near(on_cuda.dx, widened(on_cpu.dx), tolerance, "dx");
  expect_near(on_cuda.dweights, widened(on_cpu.dweights), tolerance, "dweights");
  expect_near(on_cuda.dbias, widened(on_cpu.dbias), tolerance, "dbias");
  EXPECT_EQ(findings(), "");
}

const std::vector<std::string> kPrecisions{"fp32", "tf32", "bf16", "fp16"};

struct ConvolutionCase {
  const char* name;
  ConvolutionSpec spec;
};

class Convolutions : public ::testing::TestWithParam<std::tuple<ConvolutionCase, std::string>> {};

TEST_P(Convolutions, AgreeWithTheCpuDevice) {
  ConvolutionSpec spec = std::get<0>(GetParam()).spec;
  spec.training = true;
  expect_alike(Weighted<ConvolutionSpec>{spec, spec.input.count(), spec.weight_count(), spec.bias ? spec.filters : 0,
                                         spec.output().count()},
               std::get<1>(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, Convolutions,
    ::testing::Combine(
        ::testing::Values(
            ConvolutionCase{"FirstLayer", {{2, 12, 10, 1}, 16, {3, 3, 1, 1, 1, 1, 1, 1}, 1, false, false}},
            ConvolutionCase{"BiasAndRelu", {{2, 7, 9, 16}, 24, {3, 3, 1, 1, 1, 1, 1, 1}, 1, true, true, true, true}},
            ConvolutionCase{"Bias", {{1, 6, 6, 8}, 8, {1, 1, 1, 1, 0, 0, 0, 0}, 1, true, false, true, true}},
            ConvolutionCase{"Strided", {{2, 11, 9, 8}, 16, {3, 3, 2, 2, 1, 1, 1, 1}, 1, false, false, true, true}},
            ConvolutionCase{"AsymmetricPadding",
                            {{2, 9, 8, 8}, 8, {5, 3, 2, 1, 1, 2, 0, 1}, 1, false, false, true, true}},
            ConvolutionCase{"OddChannels", {{1, 5, 7, 17}, 31, {3, 3, 1, 1, 1, 1, 1, 1}, 1, true, true, true, true}},
            ConvolutionCase{"OnePlace", {{3, 1, 1, 8}, 8, {1, 1, 1, 1, 0, 0, 0, 0}, 1, false, false, true, true}},
            ConvolutionCase{"NoInputGradient",
                            {{2, 8, 8, 8}, 8, {3, 3, 1, 1, 1, 1, 1, 1}, 1, true, true, true, false}}),
        ::testing::ValuesIn(kPrecisions)),
    [](const auto& p) { return std::get<0>(p.param).name + ("_" + std::get<1>(p.param)); });

struct DenseCase {
  const char* name;
  DenseSpec spec;
};

class DenseLayers : public ::testing::TestWithParam<std::tuple<DenseCase, std::string>> {};

TEST_P(DenseLayers, AgreeWithTheCpuDevice) {
  DenseSpec spec = std::get<0>(GetParam()).spec;
  spec.training = true;
  expect_alike(Weighted<DenseSpec>{spec, spec.n * spec.inputs, spec.inputs * spec.outputs, spec.bias ? spec.outputs : 0,
                                   spec.n * spec.outputs},
               std::get<1>(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, DenseLayers,
    ::testing::Combine(::testing::Values(DenseCase{"OneLogit", {5, 33, 1, true, false, true, true}},
                                         DenseCase{"OneImage", {1, 16, 10, true, false, true, true}},
                                         DenseCase{"BiasAndRelu", {6, 24, 40, true, true, true, true}},
                                         DenseCase{"Relu", {6, 24, 8, false, true, true, true}},
                                         // Gradients of the bias are summed in two launches, with a workspace.
                                         DenseCase{"ManyImages", {1100, 4, 3, true, false, true, true}},
                                         DenseCase{"Bare", {3, 7, 5, false, false, true, false}}),
                       ::testing::ValuesIn(kPrecisions)),
    [](const auto& p) { return std::get<0>(p.param).name + ("_" + std::get<1>(p.param)); });

struct PoolingCase {
  const char* name;
  PoolingSpec spec;
};

class Poolings : public ::testing::TestWithParam<std::tuple<PoolingCase, std::string>> {};

std::pair<Values, Values> pooled(Device& device, const PoolingSpec& spec) {
  const auto plan = device.plan(spec);
  const Buffer x = put(device, exact_values(spec.input.count(), 1)),
               y = put(device, Values(static_cast<std::size_t>(spec.output().count()), NAN)),
               dy = put(device, exact_values(spec.output().count(), 2)),
               dx = put(device, Values(static_cast<std::size_t>(spec.input.count()), NAN)),
               saved = device.allocate(plan->saved_bytes());
  plan->forward(x.data(), y.data(), saved.data());
  plan->backward(dy.data(), dx.data(), saved.data());
  return {get(device, y.data(), spec.output().count()), get(device, dx.data(), spec.input.count())};
}

TEST_P(Poolings, AgreeWithTheCpuDevice) {
  PoolingSpec spec = std::get<0>(GetParam()).spec;
  spec.training = true;
  const auto cuda = new_cuda(std::get<1>(GetParam()));
  const auto cpu = make_cpu_device(1);
  const auto [y, dx] = pooled(*cuda, spec);
  const auto [expected_y, expected_dx] = pooled(*cpu, spec);
  const double tolerance = roundoff(cuda->activation_type()) + 1e-6;
  expect_near(y, widened(expected_y), tolerance, "y");
  expect_near(dx, widened(expected_dx), 2 * tolerance, "dx");  // windows that overlap add up
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, Poolings,
    ::testing::Combine(
        ::testing::Values(PoolingCase{"Max2x2", {{2, 8, 6, 8}, PoolingKind::kMax, {2, 2, 2, 2}}},
                          PoolingCase{"Max3x3Padded", {{2, 9, 7, 8}, PoolingKind::kMax, {3, 3, 2, 2, 1, 1, 1, 1}}},
                          PoolingCase{"Average2x2", {{1, 6, 6, 16}, PoolingKind::kAverage, {2, 2, 2, 2}}},
                          PoolingCase{"Average3x3Padded",
                                      {{1, 7, 7, 8}, PoolingKind::kAverage, {3, 3, 2, 2, 1, 1, 1, 1}}}),
        ::testing::Values("fp32", "bf16", "fp16")),
    [](const auto& p) { return std::get<0>(p.param).name + ("_" + std::string(std::get<1>(p.param))); });

}  // namespace plans_test
}  // namespace xrai
