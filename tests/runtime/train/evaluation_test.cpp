// The whole table: every value and interval against the recorded ones, and predictions that nobody wishes to get.
#include "runtime/train/evaluation.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <limits>
#include <random>

#include "runtime/core/error.h"
#include "runtime/train/calibration.h"
#include "runtime/train/comparison.h"
#include "tests/runtime/train/metric_goldens.h"

namespace xrai {
namespace evaluation_test {

class Goldens : public ::testing::TestWithParam<int> {
 protected:
  const nlohmann::json golden = metric_goldens()[static_cast<std::size_t>(GetParam())];
  const Evaluation evaluation =
      evaluate(predictions_of(golden), {.threshold = golden["threshold"].get<double>(), .n_resamples = 2000});
};

TEST_P(Goldens, ValuesAgreeWithScikitLearn) {
  for (const auto& [name, value] : golden["values"].items()) {
    ASSERT_TRUE(evaluation.metric(name).value) << name;
    // Probabilities are float32; sums of a few hundred of them agree to 1e-6.
    EXPECT_NEAR(*evaluation.metric(name).value, value.get<double>(), 1e-6) << name << ", " << golden["name"];
  }
  const auto k = static_cast<std::int64_t>(golden["classes"].size());
  for (std::int64_t i = 0; i < k * k; ++i) {
    EXPECT_EQ(evaluation.confusion(i / k, i % k), golden["confusion"][static_cast<std::size_t>(i)]);
  }
}

TEST_P(Goldens, WilsonAndDeLongIntervalsAgreeWithSciPyAndTheDefinition) {
  for (const auto& [name, interval] : golden["wilson"].items()) {
    EXPECT_EQ(evaluation.metric(name).ci_method, "wilson");
    EXPECT_NEAR(evaluation.metric(name).ci95->low, interval[0].get<double>(), 1e-9) << name;
    EXPECT_NEAR(evaluation.metric(name).ci95->high, interval[1].get<double>(), 1e-9) << name;
  }
  if (!golden.contains("delong")) return;
  EXPECT_EQ(evaluation.metric("auroc").ci_method, "delong");
  EXPECT_NEAR(evaluation.metric("auroc").ci95->low, golden["delong"]["auroc"][0].get<double>(), 1e-9);
  EXPECT_NEAR(evaluation.metric("auroc").ci95->high, golden["delong"]["auroc"][1].get<double>(), 1e-9);
}

TEST_P(Goldens, BootstrapIntervalsAgreeWithNumPysUpToSampling) {
  if (!golden.contains("bootstrap")) return;
  for (const auto& [name, interval] : golden["bootstrap"].items()) {
    const Metric& metric = evaluation.metric(name);
    EXPECT_EQ(metric.ci_method, name == "ece" ? "basic bootstrap" : "bootstrap");
    // An end of 2000 resamples scatters by about 1/25 of the interval's width; four of that.
    const double tolerance = 0.16 * (interval[1].get<double>() - interval[0].get<double>());
    EXPECT_NEAR(metric.ci95->low, interval[0].get<double>(), tolerance) << name << ", " << golden["name"];
    EXPECT_NEAR(metric.ci95->high, interval[1].get<double>(), tolerance) << name << ", " << golden["name"];
  }
}

TEST_P(Goldens, EveryIntervalHoldsItsValue) {
  for (const Metric& metric : evaluation.metrics) {
    ASSERT_TRUE(metric.ci95) << metric.name;
    EXPECT_LE(metric.ci95->low, *metric.value) << metric.name;
    EXPECT_GE(metric.ci95->high, *metric.value) << metric.name;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Goldens, ::testing::Range(0, 4));

Predictions four_images() {
  return {{"NORMAL", "PNEUMONIA"}, {0, 0, 1, 1}, {0.9f, 0.1f, 0.4f, 0.6f, 0.3f, 0.7f, 0.2f, 0.8f}, {}, {}};
}

TEST(Evaluate, NamesComeInAFixedOrder) {
  std::string names;
  for (const Metric& metric : evaluate(four_images()).metrics) names += metric.name + " ";
  EXPECT_EQ(names, "auroc auprc accuracy balanced_accuracy sensitivity specificity ppv npv f1 brier ece log_loss ");
}

TEST(Evaluate, ThresholdMovesTheConfusionMatrixAndNotTheRanking) {
  const auto half = evaluate(four_images()), strict = evaluate(four_images(), {.threshold = 0.75});
  EXPECT_EQ(half.confusion(0, 1), 1);
  EXPECT_EQ(strict.confusion(0, 1), 0);
  EXPECT_EQ(strict.confusion(1, 0), 1);
  EXPECT_EQ(half.metric("auroc").value, strict.metric("auroc").value);
}

TEST(Evaluate, NoImagesGiveAnEmptyTableAndNoCrash) {
  const auto evaluation = evaluate({{"NORMAL", "PNEUMONIA"}, {}, {}, {}, {}});
  EXPECT_EQ(evaluation.n_images, 0);
  for (const Metric& metric : evaluation.metrics) {
    EXPECT_FALSE(metric.value) << metric.name;
    EXPECT_FALSE(metric.ci95) << metric.name;
  }
}

TEST(Evaluate, OneClassOnlyLeavesRankingAbsentAndAccuracyThere) {
  Predictions p = four_images();
  p.labels = {0, 0, 0, 0};
  const auto evaluation = evaluate(p);
  EXPECT_FALSE(evaluation.metric("auroc").value);
  EXPECT_FALSE(evaluation.metric("sensitivity").value);
  EXPECT_FALSE(evaluation.metric("balanced_accuracy").value);
  EXPECT_DOUBLE_EQ(*evaluation.metric("accuracy").value, 0.25);
  EXPECT_DOUBLE_EQ(*evaluation.metric("specificity").value, 0.25);
}

TEST(Evaluate, OnePatientGivesNoBootstrapInterval) {
  Predictions p = four_images();
  p.groups = {"person1", "person1", "person1", "person1"};
  const auto evaluation = evaluate(p);
  EXPECT_EQ(evaluation.n_groups, 1);
  EXPECT_FALSE(evaluation.metric("f1").ci95);
  EXPECT_TRUE(evaluation.metric("accuracy").ci95);
}

TEST(Evaluate, RepeatedImagesOfAPatientDoNotNarrowTheInterval) {
  const auto golden = metric_goldens()[1];
  const Predictions once = predictions_of(golden);
  Predictions five_times;
  five_times.classes = once.classes;
  for (std::size_t i = 0; i < once.labels.size(); ++i) {
    for (int copy = 0; copy < 5; ++copy) {
      five_times.labels.push_back(once.labels[i]);
      five_times.groups.push_back(once.groups[i]);
      for (std::size_t c = 0; c < 2; ++c) five_times.probabilities.push_back(once.probabilities[2 * i + c]);
    }
  }
  const auto a = evaluate(once).metric("f1"), b = evaluate(five_times).metric("f1");
  EXPECT_DOUBLE_EQ(a.ci95->low, b.ci95->low);
  EXPECT_DOUBLE_EQ(a.ci95->high, b.ci95->high);
}

TEST(Evaluate, AbsentClassIsLeftOutOfTheMeanOverClasses) {
  Predictions p = predictions_of(metric_goldens()[3]);
  for (std::int32_t& label : p.labels) label = label == 2 ? 0 : label;
  const auto evaluation = evaluate(p, {.n_resamples = 0});
  EXPECT_TRUE(evaluation.metric("auroc").value);
  EXPECT_FALSE(evaluation.curves[2].auroc);
  EXPECT_DOUBLE_EQ(*evaluation.metric("auroc").value,
                   0.5 * (*evaluation.curves[0].auroc + *evaluation.curves[1].auroc));
}

TEST(Evaluate, PredictionsThatDoNotFitTogetherAreRefusedWithTheImagesName) {
  Predictions p = four_images();
  p.sources = {"a.jpeg", "b.jpeg", "c.jpeg", "d.jpeg"};
  p.probabilities[5] = std::numeric_limits<float>::quiet_NaN();
  try {
    (void)evaluate(p);
    FAIL() << "NaN was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadData);
    EXPECT_NE(std::string(error.what()).find("c.jpeg"), std::string::npos) << error.what();
  }
  p = four_images();
  p.labels[3] = 2;
  EXPECT_THROW((void)evaluate(p), Error);
  p = four_images();
  p.groups = {"one"};
  EXPECT_THROW((void)evaluate(p), Error);
}

TEST(Evaluate, TwoThousandResamplesOfTheTestSplitAreQuick) {
  const Predictions p = predictions_of(metric_goldens()[0]);
  const auto start = std::chrono::steady_clock::now();
  (void)evaluate(p);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  RecordProperty("milliseconds", static_cast<int>(seconds.count() * 1000));
  // About 40 ms in a release build; the limit leaves room for sanitizers and a busy machine.
  EXPECT_LT(seconds.count(), 3.0);
}

TEST(Evaluate, WhatTheTemperatureChangedIsJudgedBesideIt) {
  Predictions raw = predictions_of(metric_goldens()[0]);
  const Evaluation before = evaluate(raw, {.n_resamples = 200});
  apply_temperature(raw.probabilities, 2, 1.6);
  const Evaluation after = evaluate(raw, {.temperature = 1.6, .n_resamples = 200});
  EXPECT_FALSE(before.uncalibrated);
  ASSERT_TRUE(after.uncalibrated);
  ASSERT_EQ(after.uncalibrated->metrics.size(), 3u);
  for (const Metric& metric : after.uncalibrated->metrics) {
    EXPECT_NEAR(*metric.value, *before.metric(metric.name).value, 1e-5) << metric.name;
    EXPECT_GT(std::abs(*metric.value - *after.metric(metric.name).value), 1e-3) << metric.name;
    EXPECT_NEAR(metric.ci95->low, before.metric(metric.name).ci95->low, 1e-5) << metric.name;
  }
  EXPECT_NEAR(*after.metric("auroc").value, *before.metric("auroc").value, 1e-5);
  EXPECT_EQ(after.metric("accuracy").value, before.metric("accuracy").value);
}

TEST(Evaluate, TheCalibrationErrorOfACalibratedNetworkMayBeZeroAndOfAnOverconfidentOneNot) {
  std::mt19937 random(5);
  std::normal_distribution<double> normal;
  int n_zero = 0;
  for (int set = 0; set < 20; ++set) {
    Predictions p{{"NORMAL", "PNEUMONIA"}, {}, {}, {}, {}};
    for (int i = 0; i < 200; ++i) {
      const double truth = 1.0 / (1.0 + std::exp(-1.5 * normal(random)));
      p.labels.push_back(static_cast<double>(random()) / 4294967296.0 < truth ? 1 : 0);
      p.probabilities.push_back(static_cast<float>(1.0 - truth));
      p.probabilities.push_back(static_cast<float>(truth));
    }
    n_zero += evaluate(p, {.n_resamples = 200}).metric("ece").ci95->low == 0.0 ? 1 : 0;
    apply_temperature(p.probabilities, 2, 0.3);
    EXPECT_GT(evaluate(p, {.n_resamples = 200}).metric("ece").ci95->low, 0.0);
  }
  EXPECT_GE(n_zero, 17) << "a true value of 0 is inside 19 of 20 times, by design a little more often";
}

Predictions scored_by(const nlohmann::json& golden, const char* network, int images_a_patient) {
  Predictions p{{"NORMAL", "PNEUMONIA"}, golden["labels"].get<std::vector<std::int32_t>>(), {}, {}, {}};
  for (const auto& score : golden[network]) {
    p.probabilities.push_back(1.0f - score.get<float>());
    p.probabilities.push_back(score.get<float>());
  }
  for (std::size_t i = 0; i < p.labels.size(); ++i)
    p.groups.push_back("person" + std::to_string(i / static_cast<std::size_t>(images_a_patient)));
  return p;
}

class Comparisons : public ::testing::TestWithParam<int> {
 protected:
  const nlohmann::json golden = metric_goldens("comparisons")[static_cast<std::size_t>(GetParam())];
  [[nodiscard]] Comparison compared(int images_a_patient = 1, std::int64_t n_resamples = 0) const {
    const double threshold = golden["threshold"].get<double>();
    return compare(scored_by(golden, "first", images_a_patient), scored_by(golden, "second", images_a_patient),
                   {.first_threshold = threshold, .second_threshold = threshold, .n_resamples = n_resamples});
  }
};

TEST_P(Comparisons, CountWhoIsRightAndTestTheDifferences) {
  const Comparison c = compared();
  EXPECT_EQ(c.both_right, golden["both_right"]);
  EXPECT_EQ(c.only_first_right, golden["only_first_right"]);
  EXPECT_EQ(c.only_second_right, golden["only_second_right"]);
  EXPECT_EQ(c.both_right + c.only_first_right + c.only_second_right + c.both_wrong, c.n_images);
  EXPECT_NEAR(c.mcnemar.p_value, golden["mcnemar_p"].get<double>(), 1e-10);
  EXPECT_NEAR(c.delong->p_value, golden["delong"]["p_value"].get<double>(), 1e-8);
  EXPECT_NEAR(*c.of("auroc").difference, golden["delong"]["difference"].get<double>(), 1e-12);
  EXPECT_NEAR(*c.of("accuracy").difference, golden["accuracy_difference"].get<double>(), 1e-12);
  EXPECT_FALSE(c.of("auroc").ci95) << "without resamples";
}

TEST_P(Comparisons, OfOneImageAPatientTheBootstrapAndDeLongAgree) {
  const Comparison c = compared(1, 2000);
  const Interval delong = c.delong->ci95, drawn = *c.of("auroc").ci95;
  // Percentiles of a skewed distribution against a normal one: a fifth of the width.
  const double tolerance = 0.2 * (delong.high - delong.low);
  EXPECT_NEAR(drawn.low, delong.low, tolerance);
  EXPECT_NEAR(drawn.high, delong.high, tolerance);
  EXPECT_LE(drawn.low, *c.of("auroc").difference);
  EXPECT_GE(drawn.high, *c.of("auroc").difference);
}

INSTANTIATE_TEST_SUITE_P(All, Comparisons, ::testing::Range(0, 2));

TEST(Compare, ManyImagesAPatientWidenTheDrawnIntervalAndNotDeLongs) {
  const auto golden = metric_goldens("comparisons")[1];
  // The same patient photographed eight times over says nothing new.
  const auto repeated = [&](const char* network) {
    const Predictions once = scored_by(golden, network, 1);
    Predictions p{once.classes, {}, {}, {}, {}};
    for (int copy = 0; copy < 8; ++copy) {
      p.labels.insert(p.labels.end(), once.labels.begin(), once.labels.end());
      p.probabilities.insert(p.probabilities.end(), once.probabilities.begin(), once.probabilities.end());
      p.groups.insert(p.groups.end(), once.groups.begin(), once.groups.end());
    }
    return p;
  };
  const auto width = [](const Interval& i) { return i.high - i.low; };
  const Comparison once = compare(scored_by(golden, "first", 1), scored_by(golden, "second", 1), {.n_resamples = 300});
  const Comparison many = compare(repeated("first"), repeated("second"), {.n_resamples = 300});
  EXPECT_EQ(many.n_groups, once.n_groups);
  EXPECT_NEAR(width(*many.of("auroc").ci95), width(*once.of("auroc").ci95), 1e-9);
  EXPECT_NEAR(width(many.delong->ci95), width(once.delong->ci95) / std::sqrt(8.0), 1e-3 * width(once.delong->ci95));
}

TEST(Compare, OtherImagesOrOtherClassesAreRefused) {
  Predictions other = four_images();
  other.labels[0] = 1;
  EXPECT_THROW((void)compare(four_images(), other), Error);
  other = four_images();
  other.classes[0] = "HEALTHY";
  EXPECT_THROW((void)compare(four_images(), other), Error);
  EXPECT_EQ(compare(four_images(), four_images()).mcnemar.p_value, 1.0);
}

TEST(Compare, OfThreeClassesHasNoDeLongButEveryDifference) {
  const Predictions p = predictions_of(metric_goldens()[3]);
  Predictions softer = p;
  apply_temperature(softer.probabilities, 3, 2.0);
  const Comparison c = compare(p, softer, {.n_resamples = 50});
  EXPECT_FALSE(c.delong);
  EXPECT_EQ(c.differences.size(), 12u);
  EXPECT_EQ(c.only_first_right + c.only_second_right, 0) << "a temperature does not change who is named";
  EXPECT_TRUE(c.of("log_loss").ci95);
  EXPECT_THROW((void)c.of("other"), Error);
}

}  // namespace evaluation_test
}  // namespace xrai
