// report.html without a browser: nothing from names and files gets through unescaped, nothing reaches out, and what a
// reader must be told is told.
#include "apps/report/report.h"

#include <gtest/gtest.h>

#include "apps/report/html.h"
#include "tests/apps/page_checks.h"
#include "tests/apps/report_samples.h"

namespace xrai {
namespace report_test {

bool holds(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(HtmlEscape, LeavesNoWayOutOfTextOrAttributes) {
  EXPECT_EQ(html_escape("<a href=\"x\">&'"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
  EXPECT_EQ(html_escape("Müller Ω 肺"), "Müller Ω 肺");
}

TEST(HtmlEscape, ReplacesBytesThatAreNoTextByAMark) {
  EXPECT_EQ(html_escape("a\xFFz"), "a\xEF\xBF\xBDz");
  EXPECT_EQ(html_escape("\xC0\xAF"), "\xEF\xBF\xBD\xEF\xBF\xBD") << "an overlong form of /";
  EXPECT_EQ(html_escape("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD") << "a surrogate";
  EXPECT_EQ(html_escape("cut \xE8\x82"), "cut \xEF\xBF\xBD\xEF\xBF\xBD") << "the end of a character is missing";
  EXPECT_EQ(html_escape(std::string("a\0b\x1b", 4)),
            "a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD");
}

TEST(Base64, GivesTheExamplesOfRfc4648) {
  const auto of = [](const std::string& s) {
    return base64({reinterpret_cast<const std::uint8_t*>(s.data()), s.size()});
  };
  EXPECT_EQ(of(""), "");
  EXPECT_EQ(of("f"), "Zg==");
  EXPECT_EQ(of("fo"), "Zm8=");
  EXPECT_EQ(of("foo"), "Zm9v");
  EXPECT_EQ(of("foobar"), "Zm9vYmFy");
}

TEST(PngDataUri, IsAPngAndLargePicturesAreAveragedDown) {
  const std::vector<std::uint8_t> small(64 * 64, 100), large(1000 * 900, 100);
  EXPECT_TRUE(png_data_uri(small, 64, 64).starts_with("data:image/png;base64,iVBORw0KGgo"));
  EXPECT_LT(png_data_uri(large, 1000, 900).size(), 20000u);
  EXPECT_THROW((void)png_data_uri(small, 64, 63), std::exception);
  EXPECT_THROW((void)png_data_uri({}, 0, 0), std::exception);
}

TEST(Mistakes, TheMostConfidentComeFirst) {
  const Predictions p = sample_predictions(200, {"NORMAL", "PNEUMONIA"});
  const auto mistakes = most_confident_mistakes(p, 0.5, 7);
  ASSERT_EQ(mistakes.size(), 7u);
  for (std::size_t i = 0; i < mistakes.size(); ++i) {
    EXPECT_NE(mistakes[i].label, mistakes[i].predicted);
    EXPECT_EQ(mistakes[i].label, p.labels[static_cast<std::size_t>(mistakes[i].row)]);
    if (i > 0) {
      EXPECT_LE(mistakes[i].probability, mistakes[i - 1].probability);
    }
  }
}

TEST(Mistakes, ThoseOfARareKindAreShownBesideManyOfAnother) {
  Predictions p;
  p.classes = {"NORMAL", "PNEUMONIA"};
  for (int i = 0; i < 20; ++i) {  // one false alarm, the least confident of 20 mistakes
    p.labels.push_back(i == 13 ? 0 : 1);
    const float called = i == 13 ? 0.55f : 0.6f + 0.01f * static_cast<float>(i);
    p.probabilities.insert(p.probabilities.end(), {i == 13 ? 1 - called : called, i == 13 ? called : 1 - called});
  }
  const auto mistakes = most_confident_mistakes(p, 0.5, 6);
  ASSERT_EQ(mistakes.size(), 6u);
  EXPECT_EQ(mistakes.back().row, 13);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(mistakes[static_cast<std::size_t>(i)].row, 19 - i);
}

TEST(Report, SaysThatCurvesAreOfOneNetworkOfAnEnsemble) {
  ReportInput input = sample_report({"NORMAL", "PNEUMONIA"});
  EXPECT_FALSE(holds(report_html(input), "The first of"));
  input.n_networks = 8;
  EXPECT_TRUE(holds(report_html(input), "The first of 8 networks."));
}

TEST(Report, IsWellFormedAndReachesNowhere) {
  for (const auto& classes : {std::vector<std::string>{"NORMAL", "PNEUMONIA"}, {"BACTERIA", "NORMAL", "VIRUS"}}) {
    const std::string page = report_html(sample_report(classes));
    EXPECT_EQ(not_well_formed(page), "");
    EXPECT_EQ(reaches_out(page), "");
    EXPECT_TRUE(holds(page, "default-src 'none'"));
    EXPECT_FALSE(holds(page, ">nan"));
  }
}

TEST(Report, EscapesEverythingThatComesFromNamesAndFiles) {
  const std::string attack = "\"><script>alert('x')</script><img src=x onerror=alert(1)>";
  ReportInput input = sample_report({"NORMAL" + attack, "PNEUMONIA" + attack});
  input.title = input.checkpoint = input.data_file = input.split = input.split_note = attack;
  input.config_toml = "</pre>" + attack;
  input.env_json = "</details>" + attack;
  for (std::string& source : input.predictions.sources) source = attack + "/" + attack;
  for (std::size_t i = 0; i < 60; ++i) input.predictions.sources[i] = "other" + attack + "/a";
  for (Mistake& m : input.mistakes) m.source = attack;
  const std::string page = report_html(input);
  EXPECT_EQ(not_well_formed(page), "");
  EXPECT_FALSE(holds(page, "<script"));
  EXPECT_FALSE(holds(page, "<img src=x"));
  EXPECT_TRUE(holds(page, "&lt;script&gt;"));
}

TEST(Report, SaysWhatItIsNotAndWhetherTheImagesAreDrawn) {
  ReportInput input = sample_report();
  EXPECT_TRUE(holds(report_html(input), kNotADevice));
  EXPECT_FALSE(holds(report_html(input), "Synthetic images"));
  input.synthetic = true;
  EXPECT_TRUE(holds(report_html(input), "Synthetic images"));
}

TEST(Report, ShowsTheFiguresInWordsAndTheConfusionMatrix) {
  const ReportInput input = sample_report();
  const std::string page = report_html(input);
  EXPECT_TRUE(holds(page, "Shown one PNEUMONIA and one NORMAL image at random"));
  EXPECT_TRUE(holds(page, "<strong>" + std::to_string(input.evaluation->confusion(1, 1)) + "</strong>"));
  for (const char* part : {"ROC curve", "Precision-recall", "Reliability", "Scores by true class", "By family",
                           "Most confident mistakes", "Configuration", "Environment", "epochs = 12", "chest.h5"}) {
    EXPECT_TRUE(holds(page, part)) << part;
  }
}

TEST(Report, WithoutAnEvaluationShowsTheTrainingOnly) {
  ReportInput input = sample_report();
  input.evaluation.reset();
  input.mistakes.clear();
  const std::string page = report_html(input);
  EXPECT_EQ(not_well_formed(page), "");
  EXPECT_TRUE(holds(page, "Training"));
  EXPECT_FALSE(holds(page, "Right and wrong"));
}

TEST(Report, OfASplitWithoutImagesOrWithOneClassIsStillAPage) {
  ReportInput empty = sample_report();
  empty.predictions = {{"NORMAL", "PNEUMONIA"}, {}, {}, {}, {}};
  empty.evaluation = evaluate(empty.predictions);
  empty.mistakes.clear();
  EXPECT_EQ(not_well_formed(report_html(empty)), "");
  EXPECT_TRUE(holds(report_html(empty), "not defined"));
  ReportInput one = sample_report();
  for (std::int32_t& label : one.predictions.labels) label = 1;
  one.evaluation = evaluate(one.predictions, {.n_resamples = 50});
  one.mistakes.clear();
  EXPECT_EQ(not_well_formed(report_html(one)), "");
  EXPECT_FALSE(holds(report_html(one), ">nan"));
}

TEST(Report, ShowsWhatTheTemperatureChangedOrWhyThereIsNone) {
  ReportInput input = sample_report();
  input.temperature_note = "too few mistakes";
  EXPECT_TRUE(holds(report_html(input), "No temperature scaling: too few mistakes"));
  input.evaluation = evaluate(input.predictions, {.temperature = 1.3, .n_resamples = 50});
  input.temperature_note = "1.2 to 1.4 by 100 <pictures>";
  const std::string page = report_html(input);
  EXPECT_EQ(not_well_formed(page), "");
  EXPECT_TRUE(holds(page, "before temperature scaling"));
  EXPECT_TRUE(holds(page, "temperature 1.30 (1.2 to 1.4 by 100 &lt;pictures&gt;)"));
  EXPECT_FALSE(holds(page, "No temperature scaling"));
}

TEST(Report, SaysWhereTheThresholdComesFrom) {
  ReportInput input = sample_report();
  EXPECT_TRUE(holds(report_html(input), "default, not tuned"));
  input.point = {0.4, "youden", "631 validation pictures"};
  EXPECT_TRUE(holds(report_html(input), "youden, chosen on 631 validation pictures"));
}

TEST(Report, ComparesWithAnotherNetworkWhereThereIsOne) {
  ReportInput input = sample_report();
  EXPECT_FALSE(holds(report_html(input), "Against another network"));
  Predictions other = input.predictions;
  for (std::size_t i = 0; i < 20; ++i) std::swap(other.probabilities[2 * i], other.probabilities[2 * i + 1]);
  input.compared = ComparedRun{"runs/<other>", {}, {}, compare(input.predictions, other, {.n_resamples = 100})};
  const std::string page = report_html(input);
  EXPECT_EQ(not_well_formed(page), "");
  EXPECT_TRUE(holds(page, "runs/&lt;other&gt;"));
  EXPECT_TRUE(holds(page, "McNemar (exact binomial)"));
  EXPECT_TRUE(holds(page, "DeLong, paired"));
  EXPECT_TRUE(holds(page, "120 images come from 60 patients or groups"));
}

}  // namespace report_test
}  // namespace xrai
