// What is chosen on validation pictures: the temperature against SciPy's minimum, thresholds against a look at every
// one of a fine grid, and what no pictures can decide.
#include "runtime/train/operating_point.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "runtime/core/error.h"
#include "runtime/train/calibration.h"
#include "tests/runtime/train/metric_goldens.h"
#include "tests/support/errors.h"

namespace xrai {
namespace operating_point_test {

using ::testing::HasSubstr;
using testing::refused;

struct Scored {
  std::vector<std::int32_t> labels;
  std::vector<float> probabilities;  // (n, 2)
  void add(std::int32_t label, float score) {
    labels.push_back(label);
    probabilities.push_back(1.0f - score);
    probabilities.push_back(score);
  }
  [[nodiscard]] double rate(std::int32_t of, double threshold) const {  // called rightly, of this class
    double hits = 0, n = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      if (labels[i] != of) continue;
      n += 1;
      hits += (static_cast<double>(probabilities[2 * i + 1]) >= threshold) == (of == 1) ? 1 : 0;
    }
    return hits / n;
  }
  [[nodiscard]] double threshold(const std::string& rule) const {
    return choose_operating_point(rule, labels, probabilities, "these").threshold;
  }
};

Scored random_scores(unsigned seed, int n, int n_levels) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  Scored s;
  for (int i = 0; i < n; ++i) {
    const double p = 1.0 / (1.0 + std::exp(-(normal(random) + 1.5 * (i % 3 == 0 ? -1 : 1))));
    s.add(i % 3 == 0 ? 0 : 1, static_cast<float>(std::round(p * n_levels) / n_levels));
  }
  return s;
}

TEST(OperatingRule, KnowsItsFourWordsAndNoOthers) {
  for (const char* text : {"default", "youden", "sens=0.95", "spec=.9", "sens=1", "spec=1.0"})
    EXPECT_EQ(operating_rule_problem(text), "") << text;
  EXPECT_DOUBLE_EQ(operating_rule("sens=0.95").target, 0.95);
  for (const char* text : {"", "Youden", "sens", "sens=", "sens=0", "sens=1.01", "sens=95", "spec=-0.9", "sens=0.9x",
                           "sens= 0.9", "spec=nan", "spec=inf", "acc=0.9"}) {
    EXPECT_THAT(operating_rule_problem(text), HasSubstr("youden")) << text;
    EXPECT_THAT(refused(ExitCode::kUsage, [&] { (void)operating_rule(text); }), HasSubstr("operating point")) << text;
  }
}

TEST(OperatingPoint, ByDefaultIsAHalfWhateverThePictures) {
  const OperatingPoint point = choose_operating_point("default", {}, {}, "none");
  EXPECT_EQ(point.threshold, 0.5);
  EXPECT_EQ(point.chosen_on, "");
}

TEST(OperatingPoint, OfYoudenIsAsGoodAsAnyThresholdOfAFineGrid) {
  for (unsigned seed = 0; seed < 12; ++seed) {
    const Scored s = random_scores(seed, 90, seed % 2 == 0 ? 20 : 100000);
    double best = 0;
    for (int i = 10; i <= 990; ++i) best = std::max(best, s.rate(1, i / 1000.0) + s.rate(0, i / 1000.0));
    const double chosen = s.threshold("youden");
    EXPECT_GE(s.rate(1, chosen) + s.rate(0, chosen), best - 1e-12) << "seed " << seed;
  }
}

TEST(OperatingPoint, OfASensitivityOrSpecificityReachesItAndTheNextOneDoesNot) {
  for (unsigned seed = 0; seed < 12; ++seed) {
    const Scored s = random_scores(seed, 90, seed % 2 == 0 ? 20 : 100000);
    for (const double target : {0.8, 0.9, 0.95}) {
      const double by_sensitivity = s.threshold("sens=" + std::to_string(target));
      const double by_specificity = s.threshold("spec=" + std::to_string(target));
      EXPECT_GE(s.rate(1, by_sensitivity), target);
      EXPECT_GE(s.rate(0, by_specificity), target);
      for (int i = 10; i <= 990; ++i) {  // no grid point does the same with a better other rate
        const double t = i / 1000.0;
        if (s.rate(1, t) >= target) {
          EXPECT_LE(s.rate(0, t), s.rate(0, by_sensitivity) + 1e-12) << t;
        }
        if (s.rate(0, t) >= target) {
          EXPECT_LE(s.rate(1, t), s.rate(1, by_specificity) + 1e-12) << t;
        }
      }
    }
  }
}

TEST(OperatingPoint, LiesMidwayBetweenNeighbours) {
  Scored s;
  for (const float score : {0.05f, 0.1f, 0.2f}) s.add(0, score);
  for (const float score : {0.6f, 0.9f, 0.95f}) s.add(1, score);
  EXPECT_NEAR(s.threshold("youden"), 0.4, 1e-7);
  EXPECT_NEAR(s.threshold("sens=1"), 0.4, 1e-7);
  EXPECT_NEAR(s.threshold("spec=1"), 0.4, 1e-7);
  EXPECT_NEAR(s.threshold("sens=0.6"), 0.75, 1e-7) << "two of three";
}

TEST(OperatingPoint, OfSaturatedScoresStaysWhereDifferencesMeanSomething) {
  Scored s;
  for (int i = 0; i < 50; ++i) s.add(0, 1e-6f * static_cast<float>(i + 1));
  for (int i = 0; i < 50; ++i) s.add(1, 1.0f - 1e-6f * static_cast<float>(i + 1));
  EXPECT_EQ(s.threshold("sens=0.9"), kHighestThreshold);
  EXPECT_EQ(s.threshold("spec=0.9"), kLowestThreshold);
  EXPECT_NEAR(s.threshold("youden"), 0.5, 1e-4) << "the gap's middle, not an end of it";
}

TEST(OperatingPoint, OfEquallyGoodOnesIsTheOneNearestAHalf) {
  Scored s;
  for (const auto& [label, score] : {std::pair{0, 0.05f}, {1, 0.15f}, {0, 0.45f}, {1, 0.85f}}) s.add(label, score);
  // One of each is right below 0.15 and above 0.45 alike; 0.1 and 0.65 both reach 1.5.
  EXPECT_NEAR(s.threshold("youden"), 0.65, 1e-7);
}

TEST(OperatingPoint, SaysOnWhatItWasChosenAndWhatItReachedThere) {
  Scored s;
  for (const float score : {0.1f, 0.2f, 0.7f, 0.3f}) s.add(0, score);
  for (const float score : {0.6f, 0.9f}) s.add(1, score);
  const OperatingPoint point = choose_operating_point("youden", s.labels, s.probabilities, "6 validation pictures");
  EXPECT_EQ(point.rule, "youden");
  EXPECT_EQ(point.chosen_on, "6 validation pictures: sensitivity 100.0 %, specificity 75.0 % there");
}

TEST(OperatingPoint, OutOfReachOrWithoutAClassIsRefusedInASentence) {
  Scored hopeless;
  for (int i = 0; i < 10; ++i) hopeless.add(0, 0.999f);
  for (int i = 0; i < 10; ++i) hopeless.add(1, 0.0005f);
  EXPECT_THAT(refused(ExitCode::kBadData, [&] { (void)hopeless.threshold("sens=0.9"); }),
              HasSubstr("sensitivity of 0.000"));
  EXPECT_THAT(refused(ExitCode::kBadData, [&] { (void)hopeless.threshold("spec=0.9"); }), HasSubstr("ask for less"));
  Scored one_class;
  one_class.add(1, 0.5f);
  EXPECT_THAT(refused(ExitCode::kBadData, [&] { (void)one_class.threshold("youden"); }), HasSubstr("only one class"));
  EXPECT_THAT(refused(ExitCode::kBadData, [&] { (void)Scored{}.threshold("youden"); }), HasSubstr("neither class"));
}

class Temperatures : public ::testing::TestWithParam<int> {
 protected:
  const nlohmann::json golden = metric_goldens("temperatures")[static_cast<std::size_t>(GetParam())];
  const std::int64_t n_classes = golden["n_classes"].get<std::int64_t>();
  const std::vector<std::int32_t> labels = golden["labels"].get<std::vector<std::int32_t>>();
  std::vector<float> probabilities = golden["probabilities"].get<std::vector<float>>();
  const std::vector<float> weights = golden["weights"].get<std::vector<float>>();
};

TEST_P(Temperatures, AreTheMinimumThatSciPyFinds) {
  const TemperatureFit fit = fit_temperature(labels, probabilities, n_classes, weights);
  ASSERT_TRUE(fit.temperature) << fit.remark;
  // The class weights are float32 here.
  EXPECT_NEAR(*fit.temperature, golden["temperature"].get<double>(), 1e-6 * *fit.temperature);
  EXPECT_NEAR(fit.ci95->low, golden["ci95"][0].get<double>(), 1e-4);
  EXPECT_NEAR(fit.ci95->high, golden["ci95"][1].get<double>(), 1e-4);
}

TEST_P(Temperatures, GiveTheProbabilitiesThatSciPyGives) {
  apply_temperature(probabilities, n_classes, golden["temperature"].get<double>());
  for (std::size_t i = 0; i < golden["calibrated"].size(); ++i)
    EXPECT_NEAR(probabilities[i], golden["calibrated"][i].get<double>(), 1e-6) << i;
}

TEST_P(Temperatures, OfCalibratedProbabilitiesAreOne) {
  apply_temperature(probabilities, n_classes, golden["temperature"].get<double>());
  EXPECT_NEAR(*fit_temperature(labels, probabilities, n_classes, weights).temperature, 1.0, 1e-5);
}

INSTANTIATE_TEST_SUITE_P(All, Temperatures, ::testing::Range(0, 2));

TEST(ApplyTemperature, KeepsTheRankingAHalfAndTheEndsAndIsTakenBackByItsInverse) {
  std::vector<float> p;
  const std::vector<float> scores = {0.0f, 1e-30f, 1e-6f, 0.1f, 0.3f, 0.5f, 0.8f, 0.99f, 1.0f};
  for (const float score : scores) p.insert(p.end(), {1.0f - score, score});
  std::vector<float> q = p;
  apply_temperature(q, 2, 2.5);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    EXPECT_NEAR(q[2 * i] + q[2 * i + 1], 1.0f, 1e-6f);
    if (i > 0) {
      EXPECT_GE(q[2 * i + 1], q[2 * i - 1]);
    }
  }
  EXPECT_EQ(q[1], 0.0f);
  EXPECT_FLOAT_EQ(q[11], 0.5f);
  EXPECT_EQ(q.back(), 1.0f);
  EXPECT_GT(q[3], 1e-13f) << "softer: 1e-30 becomes 1e-12";
  apply_temperature(q, 2, 1.0 / 2.5);
  for (std::size_t i = 0; i < p.size(); ++i) EXPECT_NEAR(q[i], p[i], 1e-6f * (p[i] + 1e-3f)) << i;
}

TEST(FitTemperature, SaysWhyThereIsNone) {
  const std::vector<float> weights = {1.0f, 1.0f};
  const auto remark = [&](const Scored& s) {
    const TemperatureFit fit = fit_temperature(s.labels, s.probabilities, 2, weights);
    EXPECT_FALSE(fit.temperature);
    return fit.remark;
  };
  EXPECT_THAT(remark({}), HasSubstr("no validation pictures"));
  Scored perfect, upside_down, chance, small;
  for (int i = 0; i < 40; ++i) {
    perfect.add(i % 2, i % 2 == 1 ? 0.8f : 0.3f);
    upside_down.add(i % 2, i % 2 == 1 ? 0.3f : 0.8f);
    chance.add(i % 2, 0.5f);
  }
  for (const auto& [label, score] : {std::pair{0, 0.2f}, {0, 0.6f}, {1, 0.7f}, {1, 0.9f}}) small.add(label, score);
  EXPECT_THAT(remark(perfect), HasSubstr("called wrongly"));
  EXPECT_THAT(remark(upside_down), HasSubstr("no better than chance"));
  EXPECT_THAT(remark(chance), HasSubstr("no better than chance"));
  EXPECT_THAT(remark(small), HasSubstr("do not determine"));
}

}  // namespace operating_point_test
}  // namespace xrai
