// The whole table: every value and interval against the recorded ones, and predictions that nobody wishes to get.
#include "runtime/train/evaluation.h"

#include <gtest/gtest.h>

#include <chrono>
#include <limits>

#include "runtime/core/error.h"
#include "tests/runtime/train/metric_goldens.h"

namespace xrai {
namespace {

class Goldens : public testing::TestWithParam<int> {
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
    EXPECT_EQ(metric.ci_method, "bootstrap");
    // An end of 2000 resamples scatters by about 1/25 of the interval's width; four of that.
    const double tolerance = 0.16 * (interval[1].get<double>() - interval[0].get<double>());
    EXPECT_NEAR(metric.ci95->low, interval[0].get<double>(), tolerance) << name << ", " << golden["name"];
    EXPECT_NEAR(metric.ci95->high, interval[1].get<double>(), tolerance) << name << ", " << golden["name"];
  }
}

TEST_P(Goldens, EveryIntervalHoldsItsValue) {
  for (const Metric& metric : evaluation.metrics) {
    if (metric.name == "ece") {
      EXPECT_FALSE(metric.ci95);
      continue;
    }
    ASSERT_TRUE(metric.ci95) << metric.name;
    EXPECT_LE(metric.ci95->low, *metric.value) << metric.name;
    EXPECT_GE(metric.ci95->high, *metric.value) << metric.name;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Goldens, testing::Range(0, 4));

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

}  // namespace
}  // namespace xrai
