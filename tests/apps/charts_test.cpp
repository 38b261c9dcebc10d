// Axes with round ticks; curves that can be drawn whatever a run looks like.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

#include "apps/report/curves.h"
#include "apps/report/evaluation_charts.h"
#include "apps/report/plot.h"
#include "apps/report/svg_canvas.h"
#include "tests/apps/page_checks.h"
#include "tests/apps/report_samples.h"

namespace xrai {
namespace charts_test {

TEST(Axis, TicksAreRoundAndEncloseTheValues) {
  for (const auto& [low, high] : {std::pair{0.03, 0.71}, {0.0, 1234.0}, {0.9951, 0.9993}, {-3.0, 2.0}, {5.0, 5.0}}) {
    const Axis axis = round_axis(low, high, 5);
    EXPECT_LE(axis.low, low);
    EXPECT_GE(axis.high, high);
    ASSERT_GE(axis.ticks.size(), 3u);
    EXPECT_LE(axis.ticks.size(), 9u);
    for (std::size_t i = 1; i < axis.ticks.size(); ++i)
      EXPECT_NE(axis.text(axis.ticks[i]), axis.text(axis.ticks[i - 1]));
  }
}

TEST(Axis, RatesNeverPassOne) {
  EXPECT_DOUBLE_EQ(round_axis(0.83, 1.0, 5, 0.0, 1.0).high, 1.0);
  Axis axis = round_axis(0.9, 1.0, 5, 0.0, 1.0);
  axis.percent = true;
  EXPECT_EQ(axis.text(axis.ticks.back()), "100 %");
}

TEST(Axis, EpochsAreWholeNumbers) {
  for (const double last : {1.0, 2.0, 3.0, 12.0, 300.0}) {
    const Axis axis = whole_number_axis(1.0, last, 8);
    ASSERT_FALSE(axis.ticks.empty());
    EXPECT_LE(axis.ticks.size(), 12u);
    for (const double tick : axis.ticks) {
      EXPECT_DOUBLE_EQ(tick, std::round(tick));
      EXPECT_GE(tick, 1.0);
      EXPECT_LE(tick, last);
    }
  }
}

class Curves : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    folder = std::filesystem::path(::testing::TempDir()) / ("xrai_curves_" + std::to_string(GetParam()));
    std::filesystem::create_directories(folder);
  }
  void TearDown() override { std::filesystem::remove_all(folder); }
  [[nodiscard]] std::string text(const char* name) const {
    std::ostringstream all;
    all << std::ifstream(folder / name, std::ios::binary).rdbuf();
    return all.str();
  }
  std::filesystem::path folder;
};

TEST_P(Curves, AreWellFormedWithoutNaNWhateverTheNumberOfEpochs) {
  write_curves(sample_history(GetParam()), folder);
  const std::string svg = text("curves.svg"), png = text("curves.png");
  EXPECT_EQ(not_well_formed(svg), "");
  EXPECT_EQ(reaches_out(svg), "");
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_EQ(svg.find("inf\""), std::string::npos);
  EXPECT_EQ(png.substr(0, 4), "\x89PNG");
  EXPECT_EQ(curve_panels(sample_history(GetParam())).size(), GetParam() == 0 ? 0u : 3u);
  if (GetParam() > 1) {
    EXPECT_NE(svg.find("lowest loss: epoch"), std::string::npos);
  }
}

INSTANTIATE_TEST_SUITE_P(Epochs, Curves, testing::Values(0, 1, 2, 12, 300));

TEST(CurvePanels, GapsAndInfinitiesAreLeftOut) {
  auto history = sample_history(10);
  history[3].val_loss.reset();
  history[4].train_loss = std::numeric_limits<double>::infinity();
  history[5].val_accuracy = std::numeric_limits<double>::quiet_NaN();
  for (const std::string& panel : curve_panels(history)) {
    EXPECT_EQ(panel.find("nan"), std::string::npos);
    EXPECT_EQ(panel.find("inf"), std::string::npos);
    EXPECT_EQ(not_well_formed(panel), "");
  }
}

TEST(CurvePanels, WithoutValidationThereIsNoAurocPanelAndTrainingLossIsMarked) {
  auto history = sample_history(10);
  for (EpochRecord& r : history) {
    r.val_loss.reset();
    r.val_accuracy.reset();
    r.val_auroc.reset();
  }
  const auto panels = curve_panels(history);
  ASSERT_EQ(panels.size(), 2u);
  EXPECT_EQ(panels[0].find(">validation<"), std::string::npos);
  EXPECT_NE(panels[0].find("lowest loss: epoch 10"), std::string::npos);
}

TEST(CurvePanels, MarkTheEpochThatIsScoredRatherThanThatOfTheLowestLoss) {
  auto history = sample_history(10);
  history[3].val_loss = 0.001;
  EXPECT_NE(curve_panels(history)[0].find("lowest loss: epoch 4"), std::string::npos);
  const std::string panel = curve_panels(history, 10)[0];
  EXPECT_NE(panel.find(">scored: epoch 10, "), std::string::npos);
  EXPECT_EQ(panel.find(">lowest loss: epoch"), std::string::npos);
  EXPECT_NE(curve_panels(history, 11)[0].find(">lowest loss: epoch 4"), std::string::npos) << "no such epoch";
}

TEST(CurvePanels, ARunThatNeverHadAFiniteLossIsStillDrawn) {
  auto history = sample_history(3);
  for (EpochRecord& r : history) {
    r.train_loss = std::numeric_limits<double>::quiet_NaN();
    r.val_loss.reset();
  }
  for (const std::string& panel : curve_panels(history)) EXPECT_EQ(panel.find("nan"), std::string::npos);
}

TEST(EvaluationCharts, AreThereForTwoAndMoreClasses) {
  for (const auto& classes : {std::vector<std::string>{"NORMAL", "PNEUMONIA"}, {"BACTERIA", "NORMAL", "VIRUS"}}) {
    const Predictions p = sample_predictions(60, classes);
    const Evaluation e = evaluate(p, {.n_resamples = 0});
    for (const std::string& svg : {roc_chart(e), precision_recall_chart(e), score_chart(e, p), reliability_chart(e)}) {
      EXPECT_FALSE(svg.empty());
      EXPECT_EQ(not_well_formed(svg), "");
      EXPECT_EQ(svg.find("nan"), std::string::npos);
    }
  }
}

TEST(EvaluationCharts, TheCornerOfAGoodCurveIsEnlargedAndTheOperatingPointHasItsBars) {
  const auto chart = [](float gap) {
    Predictions p{{"NORMAL", "PNEUMONIA"}, {}, {}, {}, {}};
    for (int i = 0; i < 60; ++i) {
      const float score = 0.02f + 0.005f * static_cast<float>(i) + (i % 2 == 1 ? gap : 0.0f);
      p.labels.push_back(i % 2);
      p.probabilities.insert(p.probabilities.end(), {1.0f - score, score});
    }
    return roc_chart(evaluate(p, {.threshold = 0.3, .n_resamples = 0}));
  };
  EXPECT_NE(chart(0.25f).find("enlarged, with 95 % bars"), std::string::npos);
  EXPECT_EQ(chart(0.05f).find("enlarged"), std::string::npos) << "nothing happens in the corner of a bad curve";
}

TEST(EvaluationCharts, OfOneClassOnlyLeaveOutWhatIsNotDefined) {
  Predictions p = sample_predictions(20, {"NORMAL", "PNEUMONIA"});
  for (std::int32_t& label : p.labels) label = 0;
  const Evaluation e = evaluate(p, {.n_resamples = 0});
  EXPECT_EQ(roc_chart(e), "");
  EXPECT_EQ(precision_recall_chart(e), "");
  EXPECT_EQ(not_well_formed(score_chart(e, p)), "");
  EXPECT_EQ(not_well_formed(reliability_chart(e)), "");
}

TEST(SvgCanvas, ManyPointsInOnePixelAreOnePoint) {
  SvgCanvas canvas(100, 100, "a", "title", "description");
  std::vector<Point> points;
  for (int i = 0; i < 10000; ++i) points.push_back({50.0 + i * 1e-5, 20.0});
  canvas.line(points, {});
  EXPECT_LT(canvas.inline_svg().size(), 800u);
}

TEST(SvgCanvas, WordsAreEscaped) {
  SvgCanvas canvas(100, 100, "a", "<title>", "\"quoted\" & more");
  canvas.words({1, 1}, "</text><script>", {});
  EXPECT_EQ(not_well_formed(canvas.standalone_svg()), "");
  EXPECT_EQ(reaches_out(canvas.standalone_svg()), "");
}

}  // namespace charts_test
}  // namespace xrai
