// The loops of the fake cuDNN under the project's own plans, against the references in double. The plans themselves are
// the real library's.
#include "tests/cuda/fake/fake_cudnn_fixture.h"

namespace xrai::fake {
namespace fake_cudnn_test {

using testing::Doubles;
using testing::expect_near;
using testing::widened;

/// What is left of values after being stored.
Values rounded(const Values& values, DataType type) {
  return decoded(encoded(values, type), type);
}
/// Twice the half distance of neighbouring numbers: the reference sums what was stored, so one rounding is left.
double tolerance(DataType type) {
  return type == DataType::kFloat32 ? 1e-6 : type == DataType::kFloat16 ? 1e-3 : 8e-3;
}

struct ConvolutionCase {
  const char* name;
  ConvolutionSpec spec;
};
void PrintTo(const ConvolutionCase& one, std::ostream* out) {
  *out << one.name;
}
const ConvolutionCase kConvolutions[] = {
    {"BiasAndRelu",
     {.input = {2, 7, 8, 3}, .filters = 8, .window = {3, 3, 1, 1, 1, 1, 1, 1}, .bias = true, .relu = true}},
    {"OneChannel", {.input = {2, 9, 9, 1}, .filters = 4, .window = {5, 5, 1, 1, 2, 2, 2, 2}, .bias = true}},
    {"AsymmetricPaddingAndStrides", {.input = {2, 8, 12, 8}, .filters = 8, .window = {3, 5, 2, 3, 0, 1, 2, 0}}},
    {"Groups", {.input = {2, 6, 5, 8}, .filters = 16, .window = {3, 3, 1, 1, 1, 1, 1, 1}, .groups = 4}},
};

class FakeCudnnConvolution : public FakeCudnn,
                             public ::testing::WithParamInterface<std::tuple<ConvolutionCase, Precision>> {
 protected:
  void SetUp() override {
    FakeCudnn::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    type_ = activation_type_of(mode_);
    x_ = rounded(random_values(spec_.input.count(), 1), type_);
    weights_ = rounded(random_values(spec_.weight_count(), 2), type_);
    if (spec_.bias) bias_ = rounded(random_values(spec_.filters, 3), type_);
    dy_ = rounded(random_values(spec_.output().count(), 4), type_);
    ConvolutionSpec linear = spec_;  // the gradients of cuDNN begin behind the ReLU's
    linear.relu = false;
    const Doubles bias = widened(bias_);
    forward_ = testing::convolution_reference(spec_, widened(x_), widened(weights_), bias, widened(dy_));
    backward_ = testing::convolution_reference(linear, widened(x_), widened(weights_), bias, widened(dy_));
  }

  const ConvolutionSpec spec_ = std::get<0>(GetParam()).spec;
  const Precision mode_ = std::get<1>(GetParam());
  DataType type_{};
  Values x_, weights_, bias_, dy_;
  testing::ConvolutionReference forward_, backward_;
};

TEST_P(FakeCudnnConvolution, ForwardIsTheReference) {
  const auto make = [&](const CudnnTarget& gpu) {
    return cuda::convolution_forward(spec_, mode_, cuda::epilogue_of(spec_), gpu);
  };
  CudnnPlan planned = plan(make, mode_);
  auto* y = on_device<std::byte>(static_cast<std::size_t>(spec_.output().count()) * xrai::size_of(type_));
  run(planned,
      {bind(Operand::kX, upload(encoded(x_, type_))), bind(Operand::kWeights, upload(encoded(weights_, type_))),
       bind(Operand::kBias, spec_.bias ? upload(encoded(bias_, type_)) : nullptr), bind(Operand::kY, y)});
  expect_near(read(y, spec_.output().count(), type_), forward_.y, tolerance(type_), "y");
  EXPECT_EQ(findings(), "");
}

TEST_P(FakeCudnnConvolution, DataGradientIsTheReference) {
  CudnnPlan planned =
      plan([&](const CudnnTarget& gpu) { return cuda::convolution_data_gradient(spec_, mode_, gpu); }, mode_);
  auto* dx = on_device<std::byte>(static_cast<std::size_t>(spec_.input.count()) * xrai::size_of(type_));
  run(planned, {bind(Operand::kDy, upload(encoded(dy_, type_))),
                bind(Operand::kWeights, upload(encoded(weights_, type_))), bind(Operand::kDx, dx)});
  expect_near(read(dx, spec_.input.count(), type_), backward_.dx, tolerance(type_), "dx");
  EXPECT_EQ(findings(), "");
}

TEST_P(FakeCudnnConvolution, FilterGradientIsTheReference) {
  CudnnPlan planned =
      plan([&](const CudnnTarget& gpu) { return cuda::convolution_filter_gradient(spec_, mode_, gpu); }, mode_);
  auto* dweights = on_device<std::byte>(static_cast<std::size_t>(spec_.weight_count()) * xrai::size_of(type_));
  run(planned, {bind(Operand::kX, upload(encoded(x_, type_))), bind(Operand::kDy, upload(encoded(dy_, type_))),
                bind(Operand::kDweights, dweights)});
  expect_near(read(dweights, spec_.weight_count(), type_), backward_.dweights, tolerance(type_), "dweights");
  EXPECT_EQ(findings(), "");
}

INSTANTIATE_TEST_SUITE_P(Cases, FakeCudnnConvolution,
                         ::testing::Combine(::testing::ValuesIn(kConvolutions), ::testing::ValuesIn(kPrecisions)),
                         [](const auto& one) {
                           return std::string(std::get<0>(one.param).name) + "_" +
                                  std::string(precision_name(std::get<1>(one.param)));
                         });

struct PoolingCase {
  const char* name;
  PoolingSpec spec;
};
void PrintTo(const PoolingCase& one, std::ostream* out) {
  *out << one.name;
}
const PoolingCase kPoolings[] = {
    {"Max2", {{2, 6, 7, 8}, PoolingKind::kMax, {2, 2, 2, 2}, true}},
    {"Max3Padded", {{2, 7, 9, 8}, PoolingKind::kMax, {3, 3, 2, 2, 1, 1, 1, 1}, true}},
    {"Average2", {{2, 6, 6, 8}, PoolingKind::kAverage, {2, 2, 2, 2}, true}},
    {"Average3AsymmetricPadding", {{2, 8, 8, 8}, PoolingKind::kAverage, {3, 3, 2, 1, 1, 0, 1, 1}, true}},
};

class FakeCudnnPooling : public FakeCudnn, public ::testing::WithParamInterface<PoolingCase> {};

TEST_P(FakeCudnnPooling, ForwardAndGradientAreTheReference) {
  const PoolingSpec& spec = GetParam().spec;
  const Values x = random_values(spec.input.count(), 5), dy = random_values(spec.output().count(), 6);
  const auto reference = testing::pooling_reference(spec, widened(x), widened(dy));
  CudnnPlan forward = plan([&](const CudnnTarget& gpu) { return cuda::pooling_forward(spec, DataType::kFloat32, gpu); },
                           Precision::kTf32);
  CudnnPlan backward = plan(
      [&](const CudnnTarget& gpu) { return cuda::pooling_backward(spec, DataType::kFloat32, gpu); }, Precision::kTf32);
  auto* y = on_device(static_cast<std::size_t>(spec.output().count()));
  auto* dx = on_device(static_cast<std::size_t>(spec.input.count()));
  auto* places = on_device<std::int8_t>(static_cast<std::size_t>(spec.output().count()));
  run(forward, {bind(Operand::kX, upload(x)), bind(Operand::kY, y), bind(Operand::kPlaces, places)});
  run(backward, {bind(Operand::kDy, upload(dy)), bind(Operand::kPlaces, places), bind(Operand::kDx, dx)});
  expect_near(download(y, reference.y.size()), reference.y, 1e-6, "y");
  expect_near(download(dx, reference.dx.size()), reference.dx, 1e-6, "dx");
  EXPECT_EQ(findings(), "");
}

INSTANTIATE_TEST_SUITE_P(Cases, FakeCudnnPooling, ::testing::ValuesIn(kPoolings),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace fake_cudnn_test
}  // namespace xrai::fake
