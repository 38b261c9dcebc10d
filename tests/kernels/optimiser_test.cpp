// Optimisers at arena lengths that vectors and threads do not divide, against one-line formulas in double.
#include "kernels/optimiser.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/parallel.h"
#include "tests/support/compare.h"
#include "tests/support/update.h"

namespace xrai {
namespace optimiser_test {

using testing::decide;
using testing::Doubles;
using testing::expect_near;
using testing::random_values;
using testing::sum_of_squares;
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

const kernels::UpdateDecision kThirdStep = decide(3, {0.01f, 0.9f, 0.999f});

kernels::AdamWArguments adamw_of(Arena& a, std::int64_t n_decayed) {
  return {a.w.data(), a.g.data(), a.m.data(), a.v.data(), nullptr, a.n,
          n_decayed,  0.9f,       0.999f,     1e-8f,      0.2f,    &kThirdStep};
}

kernels::SgdArguments sgd_of(Arena& a, std::int64_t n_decayed) {
  return {a.w.data(), a.g.data(), a.m.data(), nullptr, a.n, n_decayed, 0.9f, 0.2f, &kThirdStep};
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
  double expected = 0;
  for (const float value : x) expected += static_cast<double>(value) * value;
  EXPECT_NEAR(sum_of_squares(x) / expected, 1.0, 1e-12);  // the reference's own sum of 200,001 terms
}

TEST_P(Lengths, TheBitsDoNotDependOnTheNumberOfThreads) {
  const int before = kernels::thread_count();
  const auto run = [&](int threads) {
    kernels::set_thread_count(threads);
    Arena a(GetParam()), s(GetParam());
    kernels::cpu::adamw(adamw_of(a, GetParam() / 2));
    kernels::cpu::sgd(sgd_of(s, GetParam() / 2));
    return std::tuple(a.w, a.m, a.v, s.w, s.m, sum_of_squares(a.g));
  };
  const auto one = run(1);
  for (const int threads : {2, 3, 5}) EXPECT_TRUE(one == run(threads)) << threads << " threads";
  kernels::set_thread_count(before);
}

// 65536 elements are one partial sum; the long ones cross that border.
INSTANTIATE_TEST_SUITE_P(Odd, Lengths, ::testing::Values(1, 15, 16, 17, 100003, 200001));

TEST(SumOfSquares, OfNothingIsZeroAndOfNaNIsNaN) {
  EXPECT_EQ(sum_of_squares({}), 0.0);
  Values x(1000, 1.0f);
  x[999] = NAN;
  EXPECT_TRUE(std::isnan(sum_of_squares(x)));
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
    const kernels::UpdateDecision decision = decide(1, {1, 0, 0, max_norm}, g);
    kernels::cpu::sgd({w.data(), g.data(), velocity.data(), nullptr, 2, 0, 0, 0, &decision});
    return w;
  };
  EXPECT_EQ(used(1, 6), (Values{-3, -4}));
  EXPECT_EQ(used(1, 5), (Values{-3, -4}));  // the norm itself is not too long
  EXPECT_EQ(used(1, 0), (Values{-3, -4}));  // 0: no clipping
  expect_near(used(1, 1), {-0.6, -0.8}, 1e-6, "gradient");
  expect_near(used(1e15f, 1), {-0.6, -0.8}, 1e-6, "gradient");
}

// A gradient that was scaled by 1024 is used as if it had not been.
TEST(LossScaling, IsTakenBackBeforeClipping) {
  const auto used = [](float scale, float max_norm) {
    Values g{3 * scale, 4 * scale}, w(2), velocity(2);
    kernels::LossScale state{scale};
    const kernels::UpdateDecision decision = decide(1, {1, 0, 0, max_norm}, g, &state);
    kernels::cpu::sgd({w.data(), g.data(), velocity.data(), nullptr, 2, 0, 0, 0, &decision});
    return w;
  };
  EXPECT_EQ(used(1024, 0), (Values{-3, -4}));
  expect_near(used(1024, 1), {-0.6, -0.8}, 1e-6, "gradient");
}

TEST(LossScaling, AStepThatOverflowsChangesNothingAndHalvesTheScale) {
  for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    Arena a(40), s(40);
    a.g[39] = s.g[39] = bad;
    const Arena before = a;
    kernels::LossScale state{512, 7, 2, 2};
    const kernels::UpdateDecision decision = decide(5, {0.01f, 0.9f, 0.999f}, a.g, &state);
    kernels::AdamWArguments adamw = adamw_of(a, 20);
    kernels::SgdArguments sgd = sgd_of(s, 20);
    adamw.decision = sgd.decision = &decision;
    kernels::cpu::adamw(adamw);
    kernels::cpu::sgd(sgd);
    EXPECT_TRUE(a.w == before.w && a.m == before.m && a.v == before.v && s.w == before.w && s.m == before.m);
    EXPECT_EQ(state.scale, 256);
    EXPECT_EQ(state.good_steps, 0);
    EXPECT_EQ(state.skipped_in_a_row, 3);
    EXPECT_EQ(state.skipped, 3);
  }
}

TEST(LossScaling, TheScaleDoublesAfterManyGoodStepsAndStaysWithinItsBounds) {
  kernels::LossScale state{8};
  for (int step = 1; step <= 2000; ++step) decide(step, {}, {1.0f}, &state);
  EXPECT_EQ(state.scale, 16);
  EXPECT_EQ(state.good_steps, 0);
  kernels::LossScale floor{1}, ceiling{16777216, 1999};
  decide(1, {}, {INFINITY}, &floor);
  decide(1, {}, {1.0f}, &ceiling);
  EXPECT_EQ(floor.scale, 1);
  EXPECT_EQ(ceiling.scale, 16777216);
}

TEST(LossScaling, ASkippedStepDoesNotCountForTheBiasCorrection) {
  kernels::LossScale two_skipped{1, 0, 0, 2};
  const kernels::UpdateDecision scaled = decide(5, {0.01f, 0.9f, 0.999f}, {1.0f}, &two_skipped);
  EXPECT_EQ(scaled.step_size, kThirdStep.step_size);
  EXPECT_EQ(scaled.inverse_root_correction, kThirdStep.inverse_root_correction);
}

}  // namespace optimiser_test
}  // namespace xrai
