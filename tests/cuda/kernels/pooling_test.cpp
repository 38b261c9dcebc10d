// Our own pooling against the loop in double.
#include "kernels/pooling.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kernel_test.h"
#include "runtime/cuda/window_sizes.h"
#include "tests/support/reference.h"

namespace xrai {
namespace pooling_test {

using testing::Activations;
using testing::Array;
using testing::Values;

struct Case {
  const char* name;
  Shape input;
  Window window;
};
const Case kCases[] = {{"2x2", {2, 8, 6, 8}, {2, 2, 2, 2}},
                       {"windows that overlap, padded", {2, 9, 7, 5}, {3, 3, 2, 2, 1, 1, 1, 1}},
                       {"asymmetric", {1, 8, 9, 3}, {3, 2, 1, 2, 2, 0, 1, 0}},
                       {"places that no window sees", {1, 7, 7, 4}, {2, 2, 3, 3}},
                       {"the whole map", {3, 4, 5, 17}, {4, 5, 1, 1}}};

class Pooling : public testing::KernelTest {};
XRAI_FOR_TYPES_AND_ORDERS(Pooling);

/// Values of which no two of a window are equal in any type.
Values distinct_values(std::int64_t n) {
  Values values(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) values[static_cast<std::size_t>(i)] = static_cast<float>(i * 37 % 251 - 125);
  return values;
}

TEST_P(Pooling, MaximaAndTheirGradientGoToTheFirstOfTheLargest) {
  for (const Case& c : kCases) {
    const PoolingSpec spec{c.input, PoolingKind::kMax, c.window, true};
    const kernels::WindowSizes sizes = window_sizes(c.window, c.input, spec.output());
    const auto outputs = static_cast<std::size_t>(spec.output().count());
    const Activations x(type(), distinct_values(c.input.count()), 1), y(type(), outputs, 1),
        dy(type(), testing::random_values(spec.output().count(), 2), 1),
        dx(type(), static_cast<std::size_t>(c.input.count()), 1);
    const Array<std::int32_t> places(outputs);
    kernels::cuda::max_pool(sizes, c.input.channels, x.data(), y.data(), places.data(), type(), nullptr);
    kernels::cuda::max_pool_backward(sizes, c.input.channels, dy.data(), places.data(), dx.data(), type(), nullptr);
    const auto r = testing::pooling_reference(spec, testing::widened(x.values()), testing::widened(dy.values()));
    testing::expect_rounded(type(), y.values(), r.y, 0, 0, c.name);
    testing::expect_rounded(type(), dx.values(), r.dx, 0x1p-22, 1e-6, c.name);
  }
}

TEST_P(Pooling, AveragesCountPlacesInsideTheMapOnly) {
  for (const Case& c : kCases) {
    const PoolingSpec spec{c.input, PoolingKind::kAverage, c.window, true};
    const kernels::WindowSizes sizes = window_sizes(c.window, c.input, spec.output());
    const Activations x(type(), testing::random_values(c.input.count(), 1), 1),
        dy(type(), testing::random_values(spec.output().count(), 2), 1),
        y(type(), static_cast<std::size_t>(spec.output().count()), 1),
        dx(type(), static_cast<std::size_t>(c.input.count()), 1);
    kernels::cuda::average_pool(sizes, c.input.channels, x.data(), y.data(), type(), nullptr);
    kernels::cuda::average_pool_backward(sizes, c.input.channels, dy.data(), dx.data(), type(), nullptr);
    const auto r = testing::pooling_reference(spec, testing::widened(x.values()), testing::widened(dy.values()));
    testing::expect_rounded(type(), y.values(), r.y, 0x1p-20, 1e-6, c.name);
    testing::expect_rounded(type(), dx.values(), r.dx, 0x1p-20, 1e-6, c.name);
  }
}

TEST_P(Pooling, OfEqualMaximaTheFirstGetsTheGradientAndANaNIsLargest) {
  const kernels::WindowSizes sizes = window_sizes({2, 2, 2, 2}, {1, 2, 4, 1}, {1, 1, 2, 1});
  const Activations x(type(), {5, 5, 1, NAN, 5, 2, INFINITY, NAN}), y(type(), 2);
  const Array<std::int32_t> places(2);
  kernels::cuda::max_pool(sizes, 1, x.data(), y.data(), places.data(), type(), nullptr);
  EXPECT_EQ(y.values()[0], 5);
  EXPECT_TRUE(std::isnan(y.values()[1]));
  EXPECT_EQ(places.values(), (std::vector<std::int32_t>{0, 1}));
}

TEST_P(Pooling, MaximaWithoutPlacesAreTheSame) {
  const kernels::WindowSizes sizes = window_sizes({3, 3, 2, 2, 1, 1, 1, 1}, {1, 7, 7, 4}, {1, 4, 4, 4});
  const Activations x(type(), testing::random_values(196, 1)), with(type(), 64), without(type(), 64);
  const Array<std::int32_t> places(64);
  kernels::cuda::max_pool(sizes, 4, x.data(), with.data(), places.data(), type(), nullptr);
  kernels::cuda::max_pool(sizes, 4, x.data(), without.data(), nullptr, type(), nullptr);
  testing::expect_same(without.values(), with.values(), "y");
}

}  // namespace pooling_test
}  // namespace xrai
