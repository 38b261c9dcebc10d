// The CPU device's plans against values recorded from PyTorch.
#include <gtest/gtest.h>

#include "runtime/cpu/cpu_device.h"
#include "tests/support/golden.h"

namespace xrai {
namespace plan_goldens_test {

using testing::expect_near_golden;
using testing::golden_cases;
using testing::GoldenCase;
using Values = std::vector<float>;

// The recorded numbers are multiples of 1/64 that float32 sums without rounding in any order (see convolution.json).
constexpr double kExact = 0;
// A division by the number of counted pixels rounds once or twice.
constexpr double kTwoRoundings = 2.4e-7;

Window window_of(const GoldenCase& golden) {
  const auto numbers = [&](const char* key) { return golden.attributes.at(key).get<std::vector<std::int64_t>>(); };
  const auto kernel = numbers("kernel"), stride = numbers("stride"), padding = numbers("padding");
  Window window;
  window.kernel_height = kernel[0], window.kernel_width = kernel[1];
  window.stride_height = stride[0], window.stride_width = stride[1];
  window.pad_top = padding[0], window.pad_left = padding[1];
  window.pad_bottom = padding[2], window.pad_right = padding[3];
  return window;
}

class PlanGoldens : public ::testing::TestWithParam<GoldenCase> {
 protected:
  std::unique_ptr<Device> device_ = make_cpu_device(2);
};

class ConvolutionGoldens : public PlanGoldens {};

TEST_P(ConvolutionGoldens, ForwardAndGradientsAreExact) {
  const GoldenCase& golden = GetParam();
  ConvolutionSpec spec;
  spec.input = golden.map_shape("x");
  spec.filters = golden.shape("w")[0];
  spec.window = window_of(golden);
  spec.groups = golden.attributes.at("groups");
  spec.bias = golden.attributes.at("has_bias");
  spec.training = spec.input_gradient = true;
  const auto plan = device_->plan(spec);
  const Buffer workspace = device_->allocate(std::max<std::size_t>(plan->workspace_bytes(), 64));
  const Values x = golden.values("x"), w = golden.values("w"), b = spec.bias ? golden.values("b") : Values();
  Values dy = golden.values("dy"), y(dy.size()), dx(x.size()), dw(w.size()), db(b.size());

  plan->forward(x.data(), w.data(), spec.bias ? b.data() : nullptr, y.data(), workspace.data());
  expect_near_golden(y, golden, "y", kExact);
  plan->backward(x.data(), w.data(), y.data(), dy.data(), dx.data(), dw.data(), spec.bias ? db.data() : nullptr,
                 workspace.data());
  expect_near_golden(dx, golden, "dx", kExact);
  expect_near_golden(dw, golden, "dw", kExact);
  if (spec.bias) expect_near_golden(db, golden, "db", kExact);
}

INSTANTIATE_TEST_SUITE_P(Recorded, ConvolutionGoldens, ::testing::ValuesIn(golden_cases("convolution")),
                         testing::golden_name);

class PoolingGoldens : public PlanGoldens {
 protected:
  void compare(PoolingKind kind, double tolerance) {
    const GoldenCase& golden = GetParam();
    PoolingSpec spec;
    spec.input = golden.map_shape("x");
    spec.kind = kind;
    spec.window = window_of(golden);
    spec.training = true;
    const auto plan = device_->plan(spec);
    const Buffer saved = device_->allocate(std::max<std::size_t>(plan->saved_bytes(), 64));
    const Values x = golden.values("x"), dy = golden.values("dy");
    Values y(dy.size()), dx(x.size());
    plan->forward(x.data(), y.data(), saved.data());
    expect_near_golden(y, golden, "y", tolerance);
    plan->backward(dy.data(), dx.data(), saved.data());
    expect_near_golden(dx, golden, "dx", tolerance);
  }
};

class MaxPoolingGoldens : public PoolingGoldens {};
TEST_P(MaxPoolingGoldens, TheFirstOfEqualMaximaGetsTheGradient) {
  compare(PoolingKind::kMax, kExact);
}
INSTANTIATE_TEST_SUITE_P(Recorded, MaxPoolingGoldens, ::testing::ValuesIn(golden_cases("max_pooling")),
                         testing::golden_name);

class AveragePoolingGoldens : public PoolingGoldens {};
TEST_P(AveragePoolingGoldens, OnlyPixelsOfThePictureAreCounted) {
  compare(PoolingKind::kAverage, kTwoRoundings);
}
INSTANTIATE_TEST_SUITE_P(Recorded, AveragePoolingGoldens, ::testing::ValuesIn(golden_cases("average_pooling")),
                         testing::golden_name);

class DenseGoldens : public PlanGoldens {};

TEST_P(DenseGoldens, ForwardAndGradientsAreExact) {
  const GoldenCase& golden = GetParam();
  DenseSpec spec;
  spec.n = golden.shape("x")[0];
  spec.inputs = golden.shape("w")[1];
  spec.outputs = golden.shape("w")[0];
  spec.training = spec.input_gradient = true;
  const auto plan = device_->plan(spec);
  const Buffer workspace = device_->allocate(std::max<std::size_t>(plan->workspace_bytes(), 64));
  const Values x = golden.values("x"), w = golden.values("w"), b = golden.values("b");
  Values dy = golden.values("dy"), y(dy.size()), dx(x.size()), dw(w.size()), db(b.size());
  plan->forward(x.data(), w.data(), b.data(), y.data(), workspace.data());
  expect_near_golden(y, golden, "y", kExact);
  plan->backward(x.data(), w.data(), y.data(), dy.data(), dx.data(), dw.data(), db.data(), workspace.data());
  expect_near_golden(dx, golden, "dx", kExact);
  expect_near_golden(dw, golden, "dw", kExact);
  expect_near_golden(db, golden, "db", kExact);
}

INSTANTIATE_TEST_SUITE_P(Recorded, DenseGoldens, ::testing::ValuesIn(golden_cases("dense")), testing::golden_name);

}  // namespace plan_goldens_test
}  // namespace xrai
