// Addition, ReLU, dropout and global average pooling.
#include "kernels/elementwise.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/parallel.h"
#include "tests/support/compare.h"
#include "tests/support/reference.h"

namespace xrai {
namespace elementwise_test {

using testing::expect_near;
using testing::random_values;
using testing::Values;
using testing::widened;

constexpr std::int64_t kSizes[] = {1, 15, 16, 17, 100003};

std::int64_t count(const Values& values) {
  return static_cast<std::int64_t>(values.size());
}

TEST(Add, IsExactAndMayOverwriteASummand) {
  for (const std::int64_t n : kSizes) {
    const Values a = random_values(n, 1), b = random_values(n, 2);
    Values sum(a.size()), over_a = a, over_b = b;
    kernels::cpu::add(a.data(), b.data(), sum.data(), n);
    kernels::cpu::add(over_a.data(), b.data(), over_a.data(), n);
    kernels::cpu::add(a.data(), over_b.data(), over_b.data(), n);
    for (std::size_t i = 0; i < sum.size(); ++i) ASSERT_EQ(sum[i], a[i] + b[i]);
    EXPECT_EQ(sum, over_a);
    EXPECT_EQ(sum, over_b);
  }
}

TEST(Relu, PassesPositivesAndGradientsOfPositives) {
  for (const std::int64_t n : kSizes) {
    const Values x = random_values(n, 3), dy = random_values(n, 4);
    Values y(x.size()), dx(x.size()), in_place = x, gradient = dy;
    kernels::cpu::relu(x.data(), y.data(), n);
    kernels::cpu::relu(in_place.data(), in_place.data(), n);
    kernels::cpu::relu_backward(y.data(), dy.data(), dx.data(), n);
    kernels::cpu::relu_backward(y.data(), gradient.data(), gradient.data(), n);
    for (std::size_t i = 0; i < x.size(); ++i) {
      ASSERT_EQ(y[i], x[i] > 0 ? x[i] : 0.0f);
      ASSERT_EQ(dx[i], x[i] > 0 ? dy[i] : 0.0f);
    }
    EXPECT_EQ(y, in_place);
    EXPECT_EQ(dx, gradient);
  }
}

TEST(Relu, LetsNaNThroughSoThatTheTrainerSeesIt) {
  Values x(40, -1.0f), y(40);
  x[3] = x[39] = NAN;
  x[7] = INFINITY;
  kernels::cpu::relu(x.data(), y.data(), count(x));
  EXPECT_TRUE(std::isnan(y[3]));
  EXPECT_TRUE(std::isnan(y[39]));
  EXPECT_EQ(y[7], INFINITY);
  EXPECT_EQ(y[0], 0.0f);
}

Values dropped(const Values& x, float probability, std::uint64_t seed, std::uint64_t step, std::uint32_t layer) {
  Values y(x.size());
  const kernels::StepNumbers numbers{seed, 0, step};
  kernels::cpu::dropout({x.data(), y.data(), count(x), probability, &numbers, layer});
  return y;
}

TEST(Dropout, KeepsTheAskedForFractionAndItsMean) {
  const Values ones(100003, 1.0f);
  for (const float probability : {0.1f, 0.5f, 0.9f}) {
    const Values y = dropped(ones, probability, 1, 2, 3);
    double kept = 0, sum = 0;
    for (const float v : y) {
      kept += v != 0 ? 1 : 0;
      sum += v;
    }
    // Five standard deviations of a binomial count.
    const double n = 100003, scatter = 5 * std::sqrt(probability * (1 - probability) / n);
    EXPECT_NEAR(kept / n, 1 - probability, scatter);
    EXPECT_NEAR(sum / n, 1.0, scatter / (1 - probability));
  }
}

TEST(Dropout, ZeroProbabilityIsTheIdentity) {
  const Values x = random_values(1001, 5);
  EXPECT_EQ(dropped(x, 0, 1, 1, 0), x);
}

TEST(Dropout, BackwardDropsWhatForwardDropped) {
  const Values x = random_values(1003, 6, 0.5, 1.0), dy = random_values(1003, 7, 0.5, 1.0);
  const Values y = dropped(x, 0.4f, 11, 12, 1), dx = dropped(dy, 0.4f, 11, 12, 1);
  for (std::size_t i = 0; i < x.size(); ++i) ASSERT_EQ(y[i] == 0, dx[i] == 0);
}

TEST(Dropout, SeedsStepsAndLayersDrawOtherMasks) {
  const Values ones(1003, 1.0f);
  const Values mask = dropped(ones, 0.5f, 1, 1, 0);
  for (const Values& other :
       {dropped(ones, 0.5f, 2, 1, 0), dropped(ones, 0.5f, 1, 2, 0), dropped(ones, 0.5f, 1, 1, 1)}) {
    int same = 0;
    for (std::size_t i = 0; i < mask.size(); ++i) same += mask[i] == other[i] ? 1 : 0;
    EXPECT_NEAR(same, 501, 80);  // five standard deviations of independent coins
  }
  EXPECT_EQ(mask, dropped(ones, 0.5f, 1, 1, 0));
}

TEST(Dropout, DoesNotDependOnTheNumberOfThreads) {
  const Values x = random_values(100003, 8);
  const int before = kernels::thread_count();
  kernels::set_thread_count(1);
  const Values one = dropped(x, 0.3f, 5, 6, 7);
  kernels::set_thread_count(3);
  EXPECT_EQ(one, dropped(x, 0.3f, 5, 6, 7));
  kernels::set_thread_count(before);
}

TEST(GlobalAveragePool, IsTheMeanAndSpreadsItsGradientEvenly) {
  for (const Shape& shape : {Shape{1, 1, 1, 1}, Shape{3, 7, 5, 17}, Shape{2, 14, 14, 40}}) {
    const Values x = random_values(shape.count(), 9), dy = random_values(shape.n * shape.channels, 10);
    Values y(dy.size()), dx(x.size());
    const std::int64_t positions = shape.height * shape.width;
    kernels::cpu::global_average_pool(x.data(), y.data(), shape.n, positions, shape.channels);
    expect_near(y, testing::global_average_reference(shape, widened(x)), 1e-6, "y");
    kernels::cpu::global_average_pool_backward(dy.data(), dx.data(), shape.n, positions, shape.channels);
    for (std::size_t i = 0; i < dx.size(); ++i) {
      const std::size_t channel = i % static_cast<std::size_t>(shape.channels);
      const std::size_t image = i / static_cast<std::size_t>(shape.per_image());
      const float g = dy[image * static_cast<std::size_t>(shape.channels) + channel];
      ASSERT_NEAR(dx[i], g / static_cast<float>(positions), 1e-7);
    }
  }
}

}  // namespace elementwise_test
}  // namespace xrai
