// The loss at its limits, and its gradient against finite differences of the textbook in double.
#include "kernels/loss.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "tests/support/compare.h"
#include "tests/support/reference.h"

namespace xrai {
namespace loss_test {

using testing::Doubles;
using testing::expect_near;
using testing::Values;
using testing::widened;

struct Outcome {
  kernels::LossResult result;
  Values dlogits, probabilities;
};

Outcome run(const Values& logits, const std::vector<std::int32_t>& labels, const Values& weights, float smoothing,
            const Values& log_priors = {}) {
  const auto n = static_cast<std::int64_t>(labels.size()), n_logits = static_cast<std::int64_t>(logits.size()) / n;
  Outcome o;
  o.dlogits.assign(logits.size(), NAN);
  o.probabilities.assign(static_cast<std::size_t>(n * (n_logits == 1 ? 2 : n_logits)), NAN);
  kernels::cpu::loss({logits.data(), labels.data(), weights.data(), o.dlogits.data(), &o.result, n, n_logits, smoothing,
                      nullptr, nullptr, log_priors.empty() ? nullptr : log_priors.data()});
  kernels::cpu::probabilities({logits.data(), o.probabilities.data(), n, n_logits});
  return o;
}

struct Case {
  std::int64_t n, n_logits;
  float smoothing;
};

class Loss : public ::testing::TestWithParam<Case> {};

TEST_P(Loss, GradientIsThatOfTheReference) {
  const auto [n, n_logits, smoothing] = GetParam();
  const std::int64_t n_classes = n_logits == 1 ? 2 : n_logits;
  const Values logits = testing::random_values(n * n_logits, 1, -4, 4);
  const Values weights = testing::random_values(n_classes, 2, 0.2, 3);
  testing::Random random(3);
  std::vector<std::int32_t> labels;
  for (std::int64_t i = 0; i < n; ++i) labels.push_back(static_cast<std::int32_t>(random.whole(0, n_classes - 1)));
  for (const Values& log_priors : {Values{}, testing::random_values(n_classes, 4, -6, 0)}) {
    const Outcome o = run(logits, labels, weights, smoothing, log_priors);
    const auto f = [&, s = static_cast<double>(smoothing)](const Doubles& at) {
      return testing::loss_reference(at, labels, widened(weights), s, widened(log_priors));
    };
    EXPECT_NEAR(o.result.loss_sum / static_cast<double>(n), f(widened(logits)), 1e-6);
    expect_near(o.dlogits, testing::numerical_gradient(f, widened(logits)), 1e-6, "dlogits");
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, Loss,
                         ::testing::Values(Case{1, 1, 0}, Case{64, 1, 0}, Case{64, 1, 0.1f}, Case{1, 3, 0},
                                           Case{33, 5, 0}, Case{33, 5, 0.2f}, Case{4, 2, 0.1f}));

TEST(LossLimits, FiniteAtExtremeLogits) {
  for (const float extreme : {1e4f, -1e4f, 3e38f, -3e38f})
    for (const std::int32_t label : {0, 1}) {
      const Outcome binary = run({extreme}, {label}, {1, 1}, 0.1f);
      EXPECT_TRUE(std::isfinite(binary.result.loss_sum)) << extreme;
      EXPECT_TRUE(std::abs(binary.dlogits[0]) <= 1.0f);
      const Outcome softmax = run({extreme, 0, -extreme}, {label}, {1, 1, 1}, 0.1f);
      EXPECT_TRUE(std::isfinite(softmax.result.loss_sum)) << extreme;
      for (const float g : softmax.dlogits) EXPECT_TRUE(std::abs(g) <= 1.0f);
      for (const float p : softmax.probabilities) EXPECT_TRUE(p >= 0.0f && p <= 1.0f);
      EXPECT_TRUE(std::isfinite(run({extreme}, {label}, {1, 1}, 0, {-14, -1e-6f}).result.loss_sum)) << extreme;
      EXPECT_TRUE(std::isfinite(run({extreme, 0, -extreme}, {label}, {1, 1, 1}, 0, {-14, -1, -0.5f}).result.loss_sum));
    }
  EXPECT_NEAR(run({-1e4f}, {1}, {1, 1}, 0).result.loss_sum, 1e4, 1e-6);
  EXPECT_NEAR(run({1e4f}, {1}, {1, 1}, 0).result.loss_sum, 0, 1e-12);
}

TEST(LossLimits, ANaNLogitIsANaNLoss) {
  EXPECT_TRUE(std::isnan(run({NAN}, {1}, {1, 1}, 0).result.loss_sum));
  EXPECT_TRUE(std::isnan(run({0, NAN, 1}, {0}, {1, 1, 1}, 0).result.loss_sum));
}

TEST(LossLimits, EveryCallStartsFromZero) {
  const Values logits{2, -1};
  const std::vector<std::int32_t> labels{1, 1};
  const Values weights{1, 1};
  kernels::LossResult result{99, 99};
  kernels::cpu::loss({logits.data(), labels.data(), weights.data(), nullptr, &result, 2, 1, 0});
  EXPECT_LT(result.loss_sum, 3);
  EXPECT_EQ(result.n_correct, 1);
}

TEST(Loss, OneLogitIsTwoLogitsOfWhichOneIsZero) {
  const Values one{0.3f, -2, 5}, two{0, 0.3f, 0, -2, 0, 5};
  const std::vector<std::int32_t> labels{1, 0, 0};
  const Outcome sigmoid = run(one, labels, {0.5f, 2}, 0.1f), softmax = run(two, labels, {0.5f, 2}, 0.1f);
  EXPECT_NEAR(sigmoid.result.loss_sum, softmax.result.loss_sum, 1e-6);
  EXPECT_EQ(sigmoid.result.n_correct, softmax.result.n_correct);
  expect_near(sigmoid.probabilities, widened(softmax.probabilities), 1e-7, "probabilities");
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(sigmoid.dlogits[i], softmax.dlogits[2 * i + 1], 1e-7);
}

// A picture whose logits are no better than the shares of the classes pulls at nothing; what is counted as right is
// what the logits say without them.
TEST(Loss, PriorsAreTakenOffTheLogitsAndDoNotDecide) {
  const Values nine_of_ten{std::log(0.1f), std::log(0.9f)};
  const Outcome o = run({0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, {0, 1, 1, 1, 1, 1, 1, 1, 1, 1}, {1, 1}, 0, nine_of_ten);
  EXPECT_NEAR(std::accumulate(o.dlogits.begin(), o.dlogits.end(), 0.0), 0, 1e-7);
  EXPECT_NEAR(o.result.loss_sum, -std::log(0.1) - 9 * std::log(0.9), 1e-6);
  EXPECT_EQ(run({-1, 1}, {0, 1}, {1, 1}, 0, nine_of_ten).result.n_correct, 2);
  EXPECT_EQ(run({1, 0, 0, 1}, {0, 1}, {1, 1}, 0, nine_of_ten).result.n_correct, 2);
}

TEST(Loss, CountsRightAnswers) {
  EXPECT_EQ(run({1, -1, 2, -2}, {1, 0, 0, 1}, {1, 1}, 0).result.n_correct, 2);
  EXPECT_EQ(run({1, 2, 3, 3, 2, 1, 0, 5, 0}, {2, 0, 0}, {1, 1, 1}, 0).result.n_correct, 2);
}

}  // namespace loss_test
}  // namespace xrai
