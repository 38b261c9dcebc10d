// Intervals: the formulas on cases with a known answer, and what must hold of any interval.
#include "runtime/train/confidence.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>

namespace xrai {
namespace {

TEST(Wilson, GivesTheIntervalsThatThePaperOfNewcombePrints) {
  // Newcombe, Stat. Med. 17:857 (1998), table I, method 3.
  const auto close = [](const Interval& i, double low, double high) {
    EXPECT_NEAR(i.low, low, 5e-5);
    EXPECT_NEAR(i.high, high, 5e-5);
  };
  close(*wilson_interval({81, 263}), 0.2553, 0.3662);
  close(*wilson_interval({15, 148}), 0.0624, 0.1605);
  close(*wilson_interval({0, 20}), 0.0, 0.1611);
  close(*wilson_interval({1, 29}), 0.0061, 0.1718);
}

TEST(Wilson, EndsAtTheEndsOfTheScaleAndIsAbsentWithoutImages) {
  EXPECT_EQ(wilson_interval({0, 7})->low, 0.0);
  EXPECT_EQ(wilson_interval({7, 7})->high, 1.0);
  EXPECT_FALSE(wilson_interval({0, 0}));
}

TEST(AurocInterval, StaysInsideTheScaleForAPerfectRanking) {
  const std::vector<float> scores = {0.1f, 0.2f, 0.3f, 0.8f, 0.9f, 0.95f};
  const std::vector<std::uint8_t> positive = {0, 0, 0, 1, 1, 1};
  const auto interval = auroc_interval(scores, positive);
  ASSERT_TRUE(interval);
  EXPECT_EQ(interval->high, 1.0);
  EXPECT_GT(interval->low, 0.3) << "three against three says little, but not nothing";
  EXPECT_LT(interval->low, 0.8);
}

TEST(AurocInterval, OfReversedScoresIsTheMirrorImage) {
  const std::vector<float> scores = {0.1f, 0.4f, 0.3f, 0.8f, 0.35f, 0.95f, 0.5f};
  const std::vector<std::uint8_t> positive = {0, 0, 0, 1, 1, 1, 0};
  std::vector<float> reversed;
  for (const float score : scores) reversed.push_back(1.0f - score);
  const auto forward = *auroc_interval(scores, positive), backward = *auroc_interval(reversed, positive);
  EXPECT_NEAR(forward.low, 1.0 - backward.high, 1e-9);
  EXPECT_NEAR(forward.high, 1.0 - backward.low, 1e-9);
}

TEST(AurocInterval, ExistsWithASinglePositiveAndNotWithoutAny) {
  const std::vector<float> scores = {0.1f, 0.4f, 0.3f, 0.35f};
  EXPECT_TRUE(auroc_interval(scores, std::vector<std::uint8_t>{0, 0, 0, 1}));
  EXPECT_FALSE(auroc_interval(scores, std::vector<std::uint8_t>{0, 0, 0, 0}));
  EXPECT_FALSE(auroc_interval({}, {}));
}

TEST(AurocInterval, CoversTheTruthAboutAsOftenAsItPromises) {
  // Two normal distributions 2 apart: AUROC = Phi(2 / sqrt 2) = 0.92135. 40 images of each kind, 1000 data sets:
  // the coverage's own standard error is 0.7 %.
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  const double truth = 0.5 * std::erfc(-1.0);
  int covered = 0;
  for (int set = 0; set < 1000; ++set) {
    std::vector<float> scores;
    std::vector<std::uint8_t> positive;
    for (int i = 0; i < 80; ++i) {
      positive.push_back(i < 40 ? 1 : 0);
      scores.push_back(normal(random) + (i < 40 ? 2.0f : 0.0f));
    }
    const auto interval = *auroc_interval(scores, positive);
    covered += interval.low <= truth && truth <= interval.high ? 1 : 0;
  }
  EXPECT_GE(covered, 920);
  EXPECT_LE(covered, 975);
}

TEST(GroupBootstrap, TakesAllImagesOfAPatientTogether) {
  const std::vector<std::string> groups = {"a", "b", "a", "c", "b", "a", "", ""};
  const GroupBootstrap bootstrap(8, groups, 1);
  EXPECT_EQ(bootstrap.n_groups(), 5) << "a nameless image is a patient of its own";
  std::vector<std::int32_t> weights(8);
  for (std::int64_t r = 0; r < 50; ++r) {
    bootstrap.resample(r, weights);
    EXPECT_EQ(weights[0], weights[2]);
    EXPECT_EQ(weights[0], weights[5]);
    EXPECT_EQ(weights[1], weights[4]);
    EXPECT_EQ(weights[0] + weights[1] + weights[3] + weights[6] + weights[7], 5) << "as many draws as patients";
  }
}

TEST(GroupBootstrap, DrawsEveryImageOnceOnAverageAndTheSameEveryTime) {
  const GroupBootstrap bootstrap(10, {}, 7), again(10, {}, 7), other(10, {}, 8);
  std::vector<std::int32_t> weights(10), same(10), different(10);
  std::vector<double> sums(10, 0.0);
  int n_different = 0;
  for (std::int64_t r = 0; r < 4000; ++r) {
    bootstrap.resample(r, weights);
    again.resample(r, same);
    other.resample(r, different);
    EXPECT_EQ(weights, same);
    n_different += weights != different ? 1 : 0;
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += weights[i];
  }
  EXPECT_GT(n_different, 3900);
  for (const double sum : sums) EXPECT_NEAR(sum / 4000.0, 1.0, 0.08) << "5 standard errors of a binomial(10, 0.1)";
}

TEST(Percentiles, AreInterpolatedAndNeedHalfOfTheResamples) {
  std::vector<std::optional<double>> values;
  for (int i = 0; i <= 1000; ++i) values.push_back(static_cast<double>(1000 - i));
  EXPECT_NEAR(percentile_interval(values)->low, 25.0, 1e-12);
  EXPECT_NEAR(percentile_interval(values)->high, 975.0, 1e-12);
  values.resize(2100, std::nullopt);
  EXPECT_FALSE(percentile_interval(values));
  EXPECT_FALSE(percentile_interval({}));
}

}  // namespace
}  // namespace xrai
