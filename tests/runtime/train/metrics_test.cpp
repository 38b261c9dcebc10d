// Point values against what scikit-learn recorded (tests/goldens/make_metric_goldens.py), against naive loops over all
// pairs and thresholds, and on data that leave a value undefined.
#include "runtime/train/metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <random>

#include "runtime/core/error.h"
#include "tests/runtime/train/metric_goldens.h"

namespace xrai {
namespace metrics_test {

struct Scored {
  std::vector<float> scores;
  std::vector<std::uint8_t> positive;
};

Scored random_scores(std::size_t n, int n_levels, unsigned seed) {
  std::mt19937 random(seed);
  Scored s;
  for (std::size_t i = 0; i < n; ++i) {
    s.positive.push_back(random() % 3 == 0 ? 1 : 0);
    s.scores.push_back(static_cast<float>(random() % n_levels + s.positive.back()) / static_cast<float>(n_levels));
  }
  return s;
}

double pairwise_auroc(const Scored& s) {
  double right = 0.0, pairs = 0.0;
  for (std::size_t i = 0; i < s.scores.size(); ++i) {
    for (std::size_t j = 0; j < s.scores.size(); ++j) {
      if (!s.positive[i] || s.positive[j]) continue;
      pairs += 1.0;
      right += s.scores[i] > s.scores[j] ? 1.0 : s.scores[i] == s.scores[j] ? 0.5 : 0.0;
    }
  }
  return right / pairs;
}

double average_precision_by_thresholds(const Scored& s) {
  double sum = 0.0, recall_before = 0.0, n_positive = 0.0;
  for (const auto p : s.positive) n_positive += p;
  std::vector<float> thresholds = s.scores;
  std::sort(thresholds.begin(), thresholds.end(), std::greater<>());
  thresholds.erase(std::unique(thresholds.begin(), thresholds.end()), thresholds.end());
  for (const float threshold : thresholds) {
    double hits = 0.0, called = 0.0;
    for (std::size_t i = 0; i < s.scores.size(); ++i) {
      if (s.scores[i] < threshold) continue;
      called += 1.0;
      hits += s.positive[i];
    }
    sum += (hits / n_positive - recall_before) * hits / called;
    recall_before = hits / n_positive;
  }
  return sum;
}

TEST(RankedScores, AurocCountsPairsAndHalvesTies) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    const Scored s = random_scores(60 + seed, 1 + static_cast<int>(seed) * 3, seed);
    EXPECT_NEAR(*RankedScores(s.scores, s.positive).auroc(), pairwise_auroc(s), 1e-12) << "seed " << seed;
  }
}

TEST(RankedScores, AveragePrecisionSumsOverDistinctThresholds) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    const Scored s = random_scores(60 + seed, 1 + static_cast<int>(seed) * 3, seed);
    EXPECT_NEAR(*RankedScores(s.scores, s.positive).average_precision(), average_precision_by_thresholds(s), 1e-12);
  }
}

TEST(RankedScores, WeightsCountLikeRepeatedImages) {
  const Scored s = random_scores(40, 7, 3);
  std::vector<std::int32_t> weights;
  Scored repeated;
  for (std::size_t i = 0; i < s.scores.size(); ++i) {
    weights.push_back(static_cast<std::int32_t>(i % 4));
    for (std::int32_t w = 0; w < weights.back(); ++w) {
      repeated.scores.push_back(s.scores[i]);
      repeated.positive.push_back(s.positive[i]);
    }
  }
  const RankedScores ranked(s.scores, s.positive), long_hand(repeated.scores, repeated.positive);
  EXPECT_DOUBLE_EQ(*ranked.auroc(weights), *long_hand.auroc());
  EXPECT_DOUBLE_EQ(*ranked.average_precision(weights), *long_hand.average_precision());
}

TEST(RankedScores, ReversedScoresGiveOneMinusAuroc) {
  Scored s = random_scores(80, 9, 5);
  const double forward = *RankedScores(s.scores, s.positive).auroc();
  for (float& score : s.scores) score = -score;
  EXPECT_NEAR(*RankedScores(s.scores, s.positive).auroc(), 1.0 - forward, 1e-12);
}

TEST(RankedScores, OneClassOnlyOrNoImagesLeavesValuesAbsent) {
  const std::vector<float> scores = {0.1f, 0.7f};
  const std::vector<std::uint8_t> none = {0, 0}, all = {1, 1};
  EXPECT_FALSE(RankedScores(scores, none).auroc());
  EXPECT_FALSE(RankedScores(scores, none).average_precision());
  EXPECT_TRUE(RankedScores(scores, none).precision_recall_curve().empty());
  EXPECT_FALSE(RankedScores(scores, all).auroc());
  EXPECT_FALSE(RankedScores(scores, all).average_precision());
  EXPECT_FALSE(RankedScores({}, {}).auroc());
  EXPECT_TRUE(RankedScores({}, {}).roc_curve().empty());
}

TEST(RankedScores, ScoresThatAreNotFiniteAreRefused) {
  const std::vector<float> scores = {0.1f, std::numeric_limits<float>::quiet_NaN()};
  const std::vector<std::uint8_t> positive = {0, 1};
  EXPECT_THROW(RankedScores(scores, positive), Error);
}

TEST(RankedScores, RocCurveIsMonotoneAndItsAreaIsTheAuroc) {
  const Scored s = random_scores(300, 40, 11);
  const RankedScores ranked(s.scores, s.positive);
  const auto curve = ranked.roc_curve();
  double area = 0.0;
  for (std::size_t i = 1; i < curve.size(); ++i) {
    EXPECT_GE(curve[i].false_positive_rate, curve[i - 1].false_positive_rate);
    EXPECT_GE(curve[i].true_positive_rate, curve[i - 1].true_positive_rate);
    EXPECT_LT(curve[i].threshold, curve[i - 1].threshold);
    area += (curve[i].false_positive_rate - curve[i - 1].false_positive_rate) * 0.5 *
            (curve[i].true_positive_rate + curve[i - 1].true_positive_rate);
  }
  EXPECT_DOUBLE_EQ(curve.front().true_positive_rate, 0.0);
  EXPECT_DOUBLE_EQ(curve.back().false_positive_rate, 1.0);
  EXPECT_NEAR(area, *ranked.auroc(), 1e-12);
}

TEST(Decide, ThresholdItselfIsPositiveAndTheFirstOfEqualsWins) {
  EXPECT_EQ(decide(std::vector<float>{0.5f, 0.5f, 0.6f, 0.4f}, 2, 0.5), (std::vector<std::int32_t>{1, 0}));
  EXPECT_EQ(decide(std::vector<float>{0.5f, 0.5f, 0.6f, 0.4f}, 2, 0.3), (std::vector<std::int32_t>{1, 1}));
  EXPECT_EQ(decide(std::vector<float>{0.4f, 0.4f, 0.2f}, 3), (std::vector<std::int32_t>{0}));
}

TEST(ConfusionMatrix, RatesWithNothingToCountAreAbsent) {
  ConfusionMatrix only_negatives(2);
  only_negatives.add(0, 0, 5);
  EXPECT_FALSE(sensitivity(only_negatives, 1).value());
  EXPECT_FALSE(positive_predictive_value(only_negatives, 1).value());
  EXPECT_FALSE(f1_score(only_negatives, 1).value());
  EXPECT_FALSE(balanced_accuracy(only_negatives));
  EXPECT_DOUBLE_EQ(*specificity(only_negatives, 1).value(), 1.0);
  EXPECT_FALSE(accuracy(ConfusionMatrix(2)).value());
}

TEST(Losses, StayFiniteWhenTheNetworkIsSureAndWrong) {
  const std::vector<std::int32_t> labels = {1};
  const std::vector<float> probabilities = {1.0f, 0.0f};
  EXPECT_NEAR(*mean(log_losses(labels, probabilities, 2)), -std::log(1e-15), 1e-9);
  EXPECT_DOUBLE_EQ(*mean(brier_scores(labels, probabilities, 2)), 1.0);
  EXPECT_FALSE(mean({}));
}

TEST(Reliability, BothEndsOfTheScaleFallIntoABin) {
  const std::vector<std::int32_t> labels = {0, 1, 1};
  const std::vector<float> probabilities = {1.0f, 0.0f, 0.0f, 1.0f, 0.45f, 0.55f};
  const auto bins = reliability_bins(labels, probabilities, 2);
  ASSERT_EQ(bins.size(), 10u);
  EXPECT_EQ(bins.front().n_images, 1);
  EXPECT_EQ(bins.back().n_images, 1);
  EXPECT_EQ(bins[5].n_images, 1);
  EXPECT_NEAR(*expected_calibration_error(bins), 0.45 / 3.0, 1e-7);
}

TEST(RocCurve, HasItsCornersWhereScikitLearnHasThem) {
  for (const auto& golden : metric_goldens()) {
    if (!golden.contains("roc")) continue;
    const Predictions p = predictions_of(golden);
    std::vector<float> scores;
    std::vector<std::uint8_t> positive;
    for (std::size_t i = 0; i < p.labels.size(); ++i) {
      scores.push_back(p.probabilities[2 * i + 1]);
      positive.push_back(p.labels[i] == 1 ? 1 : 0);
    }
    // scikit-learn keeps some points within straight lines; every corner of ours must be among its points.
    std::size_t at = 0;
    for (const RocPoint& corner : RankedScores(scores, positive).roc_curve()) {
      while (at < golden["roc"][0].size() &&
             std::hypot(golden["roc"][0][at].get<double>() - corner.false_positive_rate,
                        golden["roc"][1][at].get<double>() - corner.true_positive_rate) > 1e-12) {
        ++at;
      }
      EXPECT_LT(at, golden["roc"][0].size()) << golden["name"] << ", threshold " << corner.threshold;
    }
  }
}

}  // namespace metrics_test
}  // namespace xrai
