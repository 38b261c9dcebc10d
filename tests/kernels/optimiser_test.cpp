// Optimisers at arena lengths that vectors and threads do not divide, against one-line formulas in double.
#include "kernels/optimiser.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/parallel.h"
#include "tests/support/compare.h"

namespace xrai {
namespace {

using testing::Doubles;
using testing::expect_near;
using testing::random_values;
using testing::Values;
using testing::widened;

// A step's handful of float32 roundings; the terms of a moment may cancel.
constexpr double kOneStep = 2e-6;

struct Arena {
  explicit Arena(std::int64_t count)
      : n(count),
        w(random_values(n, 1)),
        g(random_values(n, 2)),
        m(random_values(n, 3, -0.1, 0.1)),
        v(random_values(n, 4, 0.0, 0.1)) {}
  std::int64_t n;
  Values w, g, m, v;
};

kernels::AdamWArguments adamw_of(Arena& a, std::int64_t n_decayed) {
  return {a.w.data(), a.g.data(), a.m.data(), a.v.data(), a.n, n_decayed, 3, 0.01f, 0.9f, 0.999f, 1e-8f, 0.2f, {}};
}

kernels::SgdArguments sgd_of(Arena& a, std::int64_t n_decayed) {
  return {a.w.data(), a.g.data(), a.m.data(), a.n, n_decayed, 0.01f, 0.9f, 0.2f, {}};
}

class Lengths : public ::testing::TestWithParam<std::int64_t> {};

TEST_P(Lengths, AdamWIsAlgorithmTwoOfThePaper) {
  const std::int64_t n = GetParam(), n_decayed = n / 3;
  Arena a(n);
  const Arena before = a;
  kernels::cpu::adamw(adamw_of(a, n_decayed));
  // The coefficients as the kernel is given them, in float32: 1 - 0.999f is 1.3e-5 off 0.001.
  const double rate = 0.01f, beta1 = 0.9f, beta2 = 0.999f, epsilon = 1e-8f;
  Doubles w(before.w.size()), m(w.size()), v(w.size());
  for (std::size_t i = 0; i < w.size(); ++i) {
    const double g = before.g[i], decay = static_cast<std::int64_t>(i) < n_decayed ? 0.2 : 0.0;
    m[i] = beta1 * before.m[i] + (1 - beta1) * g;
    v[i] = beta2 * before.v[i] + (1 - beta2) * g * g;
    const double m_hat = m[i] / (1 - std::pow(beta1, 3)), v_hat = v[i] / (1 - std::pow(beta2, 3));
    w[i] = before.w[i] - rate * (m_hat / (std::sqrt(v_hat) + epsilon) + decay * before.w[i]);
  }
  expect_near(a.w, w, kOneStep, "weights");
  expect_near(a.m, m, kOneStep, "first moment");
  expect_near(a.v, v, kOneStep, "second moment");
}

TEST_P(Lengths, SgdIsNesterovsMomentum) {
  const std::int64_t n = GetParam(), n_decayed = n / 3;
  Arena a(n);
  const Arena before = a;
  kernels::cpu::sgd(sgd_of(a, n_decayed));
  Doubles w(before.w.size()), velocity(w.size());
  for (std::size_t i = 0; i < w.size(); ++i) {
    const double g = before.g[i] + (static_cast<std::int64_t>(i) < n_decayed ? 0.2 * before.w[i] : 0.0);
    velocity[i] = 0.9 * before.m[i] + g;
    w[i] = before.w[i] - 0.01 * (g + 0.9 * velocity[i]);
  }
  expect_near(a.w, w, kOneStep, "weights");
  expect_near(a.m, velocity, kOneStep, "velocity");
}

TEST_P(Lengths, SumOfSquaresIsThatOfDoubleArithmetic) {
  const Values x = random_values(GetParam(), 5, -100, 100);
  double expected = 0, computed = -1;
  for (const float value : x) expected += static_cast<double>(value) * value;
  kernels::cpu::sum_of_squares(x.data(), GetParam(), &computed);
  EXPECT_NEAR(computed / expected, 1.0, 1e-12);  // the reference's own sum of 200,001 terms
}

TEST_P(Lengths, TheBitsDoNotDependOnTheNumberOfThreads) {
  const int before = kernels::thread_count();
  const auto run = [&](int threads) {
    kernels::set_thread_count(threads);
    Arena a(GetParam()), s(GetParam());
    double sum = 0;
    kernels::cpu::adamw(adamw_of(a, GetParam() / 2));
    kernels::cpu::sgd(sgd_of(s, GetParam() / 2));
    kernels::cpu::sum_of_squares(a.g.data(), GetParam(), &sum);
    return std::tuple(a.w, a.m, a.v, s.w, s.m, sum);
  };
  const auto one = run(1);
  for (const int threads : {2, 3, 5}) EXPECT_TRUE(one == run(threads)) << threads << " threads";
  kernels::set_thread_count(before);
}

// 65536 elements are one partial sum, 67,108,864 one round of them; the long one crosses the first border.
INSTANTIATE_TEST_SUITE_P(Odd, Lengths, ::testing::Values(1, 15, 16, 17, 100003, 200001));

TEST(SumOfSquares, OfNothingIsZeroAndOfNaNIsNaN) {
  double sum = 5;
  kernels::cpu::sum_of_squares(nullptr, 0, &sum);
  EXPECT_EQ(sum, 0.0);
  Values x(1000, 1.0f);
  x[999] = NAN;
  kernels::cpu::sum_of_squares(x.data(), 1000, &sum);
  EXPECT_TRUE(std::isnan(sum));
}

TEST(Decay, ActsOnTheFirstPartOnly) {
  for (const std::int64_t n_decayed : {0, 1, 17, 39, 40}) {
    Arena adamw(40), sgd(40);
    for (Arena* a : {&adamw, &sgd})
      for (Values* zero : {&a->g, &a->m, &a->v}) zero->assign(40, 0.0f);
    const Values before = adamw.w;
    kernels::cpu::adamw(adamw_of(adamw, n_decayed));
    kernels::cpu::sgd(sgd_of(sgd, n_decayed));
    for (std::size_t i = 0; i < 40; ++i) {
      const bool decays = static_cast<std::int64_t>(i) < n_decayed;
      EXPECT_EQ(adamw.w[i] != before[i], decays) << i;
      EXPECT_EQ(sgd.w[i] != before[i], decays) << i;
    }
  }
}

TEST(Clipping, ShortensLongGradientsOnly) {
  // One step of plain SGD with rate 1 from zero leaves minus the gradient that was used.
  const auto used = [](float scale, float max_norm) {
    Values g{3 * scale, 4 * scale}, w(2), velocity(2);
    double sum = 0;
    kernels::cpu::sum_of_squares(g.data(), 2, &sum);
    kernels::cpu::sgd({w.data(), g.data(), velocity.data(), 2, 0, 1, 0, 0, {&sum, max_norm}});
    return w;
  };
  EXPECT_EQ(used(1, 6), (Values{-3, -4}));
  EXPECT_EQ(used(1, 5), (Values{-3, -4}));  // the norm itself is not too long
  EXPECT_EQ(used(1, 0), (Values{-3, -4}));  // 0: no clipping
  expect_near(used(1, 1), {-0.6, -0.8}, 1e-6, "gradient");
  expect_near(used(1e15f, 1), {-0.6, -0.8}, 1e-6, "gradient");
}

}  // namespace
}  // namespace xrai
