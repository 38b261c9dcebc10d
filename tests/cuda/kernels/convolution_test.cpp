// Our own convolution against the loop in double: all three passes, sizes with and without vectors, and with more
// places than one part of a sum.
#include "kernels/convolution.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kernel_test.h"
#include "runtime/cuda/window_sizes.h"
#include "tests/support/reference.h"

namespace xrai {
namespace convolution_test {

using testing::Activations;
using testing::Array;
using testing::Doubles;
using testing::Values;

struct Case {
  const char* name;
  ConvolutionSpec spec;
  std::size_t offset = 0;  // elements beside an address that suits vectors
};
const Case kCases[] = {
    {"grey pictures", {{2, 9, 7, 1}, 16, {3, 3, 1, 1, 1, 1, 1, 1}, 1, true, true}},
    {"vectors", {{1, 6, 5, 16}, 24, {3, 3, 1, 1, 1, 1, 1, 1}, 1, true, true}},
    {"vectors beside their addresses", {{1, 4, 5, 8}, 8, {3, 3, 1, 1, 1, 1, 1, 1}, 1, true, false}, 1},
    {"several tiles both ways", {{1, 9, 8, 72}, 80, {1, 1, 1, 1}, 1, false, false}},
    {"asymmetric padding, strides", {{2, 9, 8, 3}, 5, {5, 3, 2, 1, 1, 2, 0, 1}, 1, true, false}},
    {"a stride larger than the kernel", {{1, 9, 10, 8}, 8, {1, 2, 3, 3}, 1, false, true}},
    {"groups with vectors", {{1, 5, 5, 16}, 32, {3, 3, 2, 2, 1, 1, 1, 1}, 2, true, false}},
    {"a group for each channel", {{1, 6, 5, 6}, 12, {3, 3, 1, 1, 1, 1, 1, 1}, 6, false, false}},
    {"one place", {{3, 1, 1, 17}, 3, {1, 1, 1, 1}, 1, true, true}},
    {"a kernel larger than the map", {{1, 2, 3, 4}, 2, {5, 5, 1, 1, 2, 2, 2, 2}, 1, false, false}},
    {"many places, in parts", {{2, 30, 31, 1}, 3, {2, 2, 1, 1, 1, 0, 0, 1}, 1, false, false}},
};

kernels::ConvolutionSizes sizes_of(const ConvolutionSpec& s) {
  return {window_sizes(s.window, s.input, s.output()), static_cast<std::int32_t>(s.input.channels),
          static_cast<std::int32_t>(s.filters), static_cast<std::int32_t>(s.groups)};
}

/// What a float sum of so many products of numbers below one may be off by: each addition rounds a sum that stays near
/// the root of their number.
double summing_error(std::int64_t products) {
  return static_cast<double>(products + 2) * 0x1p-23;
}

/// The operands of a case in device memory, and what the passes should make of them.
struct Operands {
  Operands(const Case& c, DataType type)
      : x(type, testing::random_values(c.spec.input.count(), 1), c.offset),
        weights(type, testing::random_values(c.spec.weight_count(), 2), c.offset),
        bias(type, testing::random_values(c.spec.filters, 3), c.offset),
        dy(type, testing::random_values(c.spec.output().count(), 4), c.offset) {
    ConvolutionSpec plain = c.spec;
    plain.relu = false;  // its gate in the gradients is another kernel's
    reference = testing::convolution_reference(plain, testing::widened(x.values()), testing::widened(weights.values()),
                                               c.spec.bias ? testing::widened(bias.values()) : Doubles{},
                                               testing::widened(dy.values()));
    for (double& value : reference.y) value = c.spec.relu ? std::max(value, 0.0) : value;
  }
  Activations x, weights, bias, dy;
  testing::ConvolutionReference reference;
};

class Convolution : public testing::KernelTest {};
XRAI_FOR_TYPES_AND_ORDERS(Convolution);

TEST_P(Convolution, ForwardIsTheSumOverTheWindowWithBiasAndRelu) {
  for (const Case& c : kCases) {
    const Operands d(c, type());
    const Activations y(type(), d.reference.y.size(), c.offset);
    kernels::cuda::convolution(sizes_of(c.spec), d.x.data(), d.weights.data(), c.spec.bias ? d.bias.data() : nullptr,
                               c.spec.relu, y.data(), type(), nullptr);
    const std::int64_t products = c.spec.weight_count() / c.spec.filters;
    testing::expect_rounded(type(), y.values(), d.reference.y, 0, summing_error(products), c.name);
  }
}

TEST_P(Convolution, DataGradientReachesEveryPlaceThatAWindowSaw) {
  for (const Case& c : kCases) {
    const Operands d(c, type());
    const Activations dx(type(), d.reference.dx.size(), c.offset);
    kernels::cuda::convolution_data_gradient(sizes_of(c.spec), d.dy.data(), d.weights.data(), dx.data(), type(),
                                             nullptr);
    const std::int64_t products = c.spec.weight_count() / c.spec.channels_per_group() / c.spec.groups;
    testing::expect_rounded(type(), dx.values(), d.reference.dx, 0, summing_error(products), c.name);
  }
}

TEST_P(Convolution, FilterGradientIsTheSumOverAllPlaces) {
  for (const Case& c : kCases) {
    const Operands d(c, type());
    const auto sizes = sizes_of(c.spec);
    const Array<float> dweights(d.reference.dweights.size());
    const Array<float> workspace(
        static_cast<std::size_t>(kernels::cuda::convolution_filter_gradient_workspace_floats(sizes)));
    kernels::cuda::convolution_filter_gradient(sizes, d.x.data(), d.dy.data(), dweights.data(), workspace.data(),
                                               type(), nullptr);
    const Shape out = c.spec.output();
    testing::expect_rounded(DataType::kFloat32, dweights.values(), d.reference.dweights, 0,
                            summing_error(out.n * out.height * out.width), c.name);
  }
}

TEST_P(Convolution, AnInfinityOrANaNStaysInItsWindow) {
  const ConvolutionSpec spec{{1, 5, 5, 8}, 8, {3, 3, 1, 1, 1, 1, 1, 1}, 1, false, true};
  Values values(static_cast<std::size_t>(spec.input.count()), 1);
  values[0] = NAN;
  const Activations x(type(), values), y(type(), values.size()),
      weights(type(), Values(static_cast<std::size_t>(spec.weight_count()), 1));
  kernels::cuda::convolution(sizes_of(spec), x.data(), weights.data(), nullptr, true, y.data(), type(), nullptr);
  const Values computed = y.values();
  for (std::size_t place = 0; place < 25; ++place)
    EXPECT_EQ(std::isnan(computed[place * 8 + 3]), place / 5 < 2 && place % 5 < 2) << place;
}

TEST(ConvolutionParts, ALargeSumIsSharedAmongBlocksAndASmallOneIsNot) {
  const ConvolutionSpec small{{1, 8, 8, 16}, 16, {3, 3, 1, 1, 1, 1, 1, 1}}, large{{32, 96, 96, 1}, 16, {3, 3}};
  EXPECT_EQ(kernels::cuda::convolution_filter_gradient_workspace_floats(sizes_of(small)), 0);
  const std::int64_t floats = kernels::cuda::convolution_filter_gradient_workspace_floats(sizes_of(large));
  EXPECT_GE(floats, 100 * large.weight_count());
  EXPECT_LE(floats, 512 * large.weight_count());
}

}  // namespace convolution_test
}  // namespace xrai
