// Intervals: the formulas on cases with a known answer, and what must hold of any interval.
#include "runtime/train/confidence.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>

#include "tests/runtime/train/metric_goldens.h"

namespace xrai {
namespace confidence_test {

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

// Of rankings whose variance by DeLong says nothing: perfect ones, and a single image of a kind. The script solves the
// equation as the paper has it, with SciPy.
TEST(AurocInterval, IsNewcombesWhereDeLongsVarianceSaysNothing) {
  for (const auto& golden : metric_goldens("newcombe")) {
    const int n_positive = golden["n_positive"], n_negative = golden["n_negative"];
    const double area = golden["auroc"];
    std::vector<float> scores;
    std::vector<std::uint8_t> positive;
    for (int i = 0; i < n_negative; ++i) scores.push_back(static_cast<float>(i)), positive.push_back(0);
    // Above that share of the negative ones.
    const auto place = static_cast<float>(area * n_negative - 0.5);
    for (int i = 0; i < n_positive; ++i) scores.push_back(place), positive.push_back(1);
    ASSERT_NEAR(*RankedScores(scores, positive).auroc(), area, 1e-12);
    const auto interval = *auroc_interval(scores, positive);
    EXPECT_NEAR(interval.low, golden["ci95"][0].get<double>(), 1e-9) << golden;
    EXPECT_NEAR(interval.high, golden["ci95"][1].get<double>(), 1e-9) << golden;
  }
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

TEST(McNemar, IsSciPysBinomialTestUpToTwentyFourDisagreementsAndChiSquareBeyond) {
  for (const auto& golden : metric_goldens("comparisons")) {
    const McNemar test =
        mcnemar(golden["only_first_right"].get<std::int64_t>(), golden["only_second_right"].get<std::int64_t>());
    EXPECT_NEAR(test.p_value, golden["mcnemar_p"].get<double>(), 1e-10) << golden["name"];
  }
  EXPECT_TRUE(mcnemar(20, 4).exact);
  EXPECT_FALSE(mcnemar(20, 5).exact);
  // 2 (1 + 10 + 45) / 2^10 by hand; (|20 - 5| - 1)^2 / 25.
  EXPECT_DOUBLE_EQ(mcnemar(8, 2).p_value, 112.0 / 1024.0);
  EXPECT_DOUBLE_EQ(mcnemar(20, 5).statistic, 196.0 / 25.0);
}

TEST(McNemar, EqualNumbersSayNothingAndTheOrderDoesNotMatter) {
  for (const std::int64_t n : {0, 1, 7, 12, 13, 400}) EXPECT_DOUBLE_EQ(mcnemar(n, n).p_value, 1.0) << n;
  EXPECT_DOUBLE_EQ(mcnemar(3, 11).p_value, mcnemar(11, 3).p_value);
  EXPECT_DOUBLE_EQ(mcnemar(30, 11).p_value, mcnemar(11, 30).p_value);
}

struct Pair {
  std::vector<float> a, b;
  std::vector<std::uint8_t> positive;
};

Pair pair_of(const nlohmann::json& golden) {
  Pair pair{golden["first"].get<std::vector<float>>(), golden["second"].get<std::vector<float>>(), {}};
  for (const auto& label : golden["labels"]) pair.positive.push_back(label == 1 ? 1 : 0);
  return pair;
}

TEST(PairedDeLong, AgreesWithTheDefinitionOverAllPairs) {
  for (const auto& golden : metric_goldens("comparisons")) {
    const Pair p = pair_of(golden);
    const auto test = *paired_delong(p.a, p.b, p.positive);
    const auto& expected = golden["delong"];
    EXPECT_NEAR(test.difference, expected["difference"].get<double>(), 1e-12) << golden["name"];
    EXPECT_NEAR(test.standard_error, expected["standard_error"].get<double>(), 1e-12);
    EXPECT_NEAR(test.z, expected["z"].get<double>(), 1e-8);
    EXPECT_NEAR(test.p_value, expected["p_value"].get<double>(), 1e-8);
    EXPECT_NEAR(test.ci95.low, expected["ci95"][0].get<double>(), 1e-12);
    EXPECT_NEAR(test.ci95.high, expected["ci95"][1].get<double>(), 1e-12);
  }
}

TEST(PairedDeLong, AgainstItselfIsNoDifferenceAndSwappedItsMirrorImage) {
  const Pair p = pair_of(metric_goldens("comparisons")[1]);
  EXPECT_EQ(paired_delong(p.a, p.a, p.positive)->difference, 0.0);
  EXPECT_EQ(paired_delong(p.a, p.a, p.positive)->p_value, 1.0);
  const auto forward = *paired_delong(p.a, p.b, p.positive), backward = *paired_delong(p.b, p.a, p.positive);
  EXPECT_DOUBLE_EQ(forward.difference, -backward.difference);
  EXPECT_DOUBLE_EQ(forward.p_value, backward.p_value);
}

TEST(PairedDeLong, IsAbsentWithASingleImageOfAKind) {
  const std::vector<float> a = {0.1f, 0.4f, 0.3f}, b = {0.2f, 0.1f, 0.6f};
  EXPECT_FALSE(paired_delong(a, b, std::vector<std::uint8_t>{0, 0, 1}));
  EXPECT_FALSE(paired_delong(a, b, std::vector<std::uint8_t>{0, 0, 0}));
  EXPECT_FALSE(paired_delong({}, {}, {}));
}

TEST(PairedDeLong, RejectsTrueEqualityAboutOnceInTwenty) {
  // Two scores of equal worth with a shared part; 600 data sets: the share's own standard error is 0.9 %.
  std::mt19937 random(4);
  std::normal_distribution<float> normal;
  int rejected = 0;
  for (int set = 0; set < 600; ++set) {
    Pair p;
    for (int i = 0; i < 120; ++i) {
      p.positive.push_back(i % 2 == 1 ? 1 : 0);
      const float shared = normal(random) + (i % 2 == 1 ? 1.5f : 0.0f);
      p.a.push_back(shared + 0.7f * normal(random));
      p.b.push_back(shared + 0.7f * normal(random));
    }
    rejected += paired_delong(p.a, p.b, p.positive)->p_value < 0.05 ? 1 : 0;
  }
  EXPECT_GE(rejected, 12);
  EXPECT_LE(rejected, 50);
}

TEST(BasicInterval, TakesTheUpwardPushOffAndHoldsItsValue) {
  std::vector<std::optional<double>> pushed;
  for (int i = 0; i <= 1000; ++i) pushed.push_back(0.09 + 0.00004 * i);  // around 0.11, of a value of 0.10
  const auto interval = *basic_interval(0.10, pushed);
  EXPECT_NEAR(interval.low, 0.2 - (0.09 + 0.00004 * 975), 1e-12);
  EXPECT_NEAR(interval.high, 0.2 - (0.09 + 0.00004 * 25), 1e-12);
  EXPECT_EQ(basic_interval(0.01, pushed)->low, 0.0) << "no error is below 0";
  EXPECT_EQ(basic_interval(0.05, pushed)->high, 0.05) << "a value outside its own interval would not be understood";
  EXPECT_FALSE(basic_interval(0.1, {}));
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
  EXPECT_FALSE(percentile_interval(std::vector<std::optional<double>>(100, 1.0))) << "alike, they tell of no spread";
}

}  // namespace confidence_test
}  // namespace xrai
