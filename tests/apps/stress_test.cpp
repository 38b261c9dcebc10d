// Stress, clusters and shortcuts on pictures and networks made for the purpose, so that what must come out is known.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numeric>

#include "apps/stress/clusters.h"
#include "apps/stress/shortcut_words.h"
#include "apps/stress/shortcuts.h"
#include "apps/stress/stress_options.h"
#include "apps/stress/stress_section.h"
#include "apps/stress/stress_suite.h"
#include "apps/stress/stress_words.h"
#include "apps/stress/variant_scores.h"
#include "runtime/core/error.h"
#include "tests/apps/page_checks.h"
#include "tests/apps/stress_fixture.h"

namespace xrai {
namespace stress_test {

using ::testing::HasSubstr;

using testing::by_exposure;
using testing::kPixels;
using testing::kSide;
using testing::MadeUpData;
using testing::not_told;
using testing::of;
class Stress : public testing::StressFixture {};

TEST_F(Stress, FailsANetworkThatGoesByExposureWhereExposureChangesAndNowhereElse) {
  std::int64_t done = 0;
  const StressResult result = stress([&](std::int64_t n) { done = n; });
  EXPECT_EQ(done, 23 * stress_variants());
  EXPECT_EQ(result.clean.auroc, 1.0);
  EXPECT_EQ(result.clean.balanced_accuracy, 1.0);
  const auto& brighter = of(result, CorruptionKind::kBrighter);
  EXPECT_LT(*brighter.by_severity[4].specificity, 0.1) << "everything is called PNEUMONIA";
  EXPECT_EQ(brighter.by_severity[4].sensitivity, 1.0);
  EXPECT_EQ(brighter.by_severity[4].auroc, 1.0) << "the order of the pictures stays";
  EXPECT_LE(*brighter.by_severity[4].specificity, *brighter.by_severity[1].specificity);
  const auto& darker = of(result, CorruptionKind::kDarker);
  EXPECT_LT(*darker.by_severity[4].sensitivity, 0.5);
  EXPECT_EQ(darker.by_severity[4].specificity, 1.0);
  for (const auto kind : {CorruptionKind::kBlur, CorruptionKind::kJpeg, CorruptionKind::kNoise})
    EXPECT_EQ(of(result, kind).mean.balanced_accuracy, 1.0);
  EXPECT_LT(*result.stressed.auroc, 1.0) << "each picture by its own draw";
}

TEST_F(Stress, MeansAreOverSeveritiesCorruptionsAndBoth) {
  const StressResult result = stress();
  double all = 0, third = 0, draws = 0;
  for (const CorruptionResult& c : result.corruptions) {
    double sum = 0;
    for (const StressFigures& f : c.by_severity) sum += *f.specificity;
    EXPECT_NEAR(*c.mean.specificity, sum / 5, 1e-12);
    all += sum;
    third += *c.by_severity[2].specificity;
  }
  const auto n = static_cast<double>(result.corruptions.size());
  EXPECT_NEAR(*result.mean.specificity, all / (5 * n), 1e-12);
  EXPECT_NEAR(*result.by_severity[2].specificity, third / n, 1e-12);
  ASSERT_EQ(result.stressed_draws.size(), 5u);
  for (const StressFigures& draw : result.stressed_draws) draws += *draw.auroc / 5;
  EXPECT_NEAR(*result.stressed.auroc, draws, 1e-12);
  EXPECT_FALSE(mean_figures({{}, {}}).auroc);
  EXPECT_EQ(
      mean_figures({{}, {.auroc = 0.5, .accuracy = {}, .balanced_accuracy = {}, .sensitivity = {}, .specificity = {}}})
          .auroc,
      0.5);
}

TEST_F(Stress, VariantsAreScoredOnTheSamePicturesInTheSameOrder) {
  const auto copies = score_variants(
      data, "val",
      {[](const PictureBlock& b) { std::copy_n(b.in, b.n * kPixels, b.out); },
       [](const PictureBlock& b) { std::fill_n(b.out, b.n * kPixels, static_cast<std::uint8_t>(b.first_sample)); }},
      by_exposure, not_told);
  ASSERT_EQ(copies.size(), 2u);
  EXPECT_EQ(copies[0], clean.probabilities);
  EXPECT_EQ(copies[1].size(), 46u);
}

TEST_F(Stress, ClustersHoldEveryPictureOnceAndJudgeEachPartAlone) {
  const auto clusterings = clusters_by_statistics(clean, columns, 0.5);
  ASSERT_FALSE(clusterings.empty());
  EXPECT_EQ(clusterings[0].name, "mean_grey");
  for (const Clustering& clustering : clusterings) {
    std::int64_t n = 0;
    for (const ClusterPart& part : clustering.parts) {
      n += part.n_of_class[0] + part.n_of_class[1];
      EXPECT_EQ(part.accuracy.of, part.n_of_class[0] + part.n_of_class[1]);
      EXPECT_LE(part.from, part.to);
    }
    EXPECT_EQ(n, 23) << clustering.name;
  }
  // Exposure tells the classes apart here, so the darkest third has one class and no AUROC.
  EXPECT_EQ(clusterings[0].parts.front().n_of_class[1], 0);
  EXPECT_FALSE(clusterings[0].parts.front().auroc.value);
  EXPECT_LT(clusterings[0].parts[0].to, clusterings[0].parts[1].from);
}

TEST_F(Stress, EqualValuesStayInOnePart) {
  const auto parts = clusters_by_statistics(clean, {{"rim", "rim", std::vector<double>(23, 0.0)}}, 0.5);
  EXPECT_TRUE(parts.empty()) << "a constant makes no parts";
  std::vector<double> values(23, 0.0);
  for (std::size_t i = 18; i < 23; ++i) values[i] = 1.0;
  const auto two = clusters_by_statistics(clean, {{"rim", "rim", values}}, 0.5);
  EXPECT_TRUE(two.empty()) << "more than two thirds are equal: nothing is left to compare them with";
  for (std::size_t i = 12; i < 23; ++i) values[i] = 1.0;
  const auto halves = clusters_by_statistics(clean, {{"rim", "rim", values}}, 0.5);
  ASSERT_EQ(halves.size(), 1u);
  ASSERT_EQ(halves[0].parts.size(), 2u);
  EXPECT_EQ(halves[0].parts[0].accuracy.of, 12);
}

TEST_F(Stress, AFamilyOfOneClassIsHeldAgainstTheOtherClass) {
  const Clustering families = clusters_by_family(clean, 0.5);
  ASSERT_EQ(families.parts.size(), 4u);
  for (const ClusterPart& part : families.parts) {
    EXPECT_EQ(part.auroc.value, 1.0) << part.name;
    EXPECT_EQ(std::min(part.n_of_class[0], part.n_of_class[1]), 0) << part.name;
  }
  clean.sources.clear();
  EXPECT_TRUE(clusters_by_family(clean, 0.5).parts.empty());
}

TEST_F(Stress, ShortcutsAreFoundInANetworkThatTakesThem) {
  const ShortcutResult result = shortcuts();
  const StatisticResult& grey = result.statistics[0];
  EXPECT_EQ(grey.name, "mean_grey");
  EXPECT_EQ(grey.auroc, 1.0);
  EXPECT_TRUE(grey.higher_when_positive);
  for (const auto& correlation : grey.with_score) EXPECT_NEAR(correlation->value, 1.0, 1e-9);
  ASSERT_TRUE(result.model);
  EXPECT_EQ(result.model->auroc, 1.0);
  EXPECT_EQ(result.model->n_trained, 23);
  EXPECT_GT(result.model->weights[0], 0.0);
  for (const MaskResult& mask : result.masks) EXPECT_EQ(mask.auroc, 1.0) << mask.mask.name;
  const ShortcutSentences words = shortcut_sentences(result);
  EXPECT_THAT(words.statistics, HasSubstr("without seeing a lung"));
  EXPECT_THAT(words.masks, HasSubstr("does not come from there"));
  EXPECT_THAT(words.correlation, HasSubstr("so will the score"));
}

TEST_F(Stress, FewPicturesAreNoGroundForAVerdict) {
  ShortcutResult result = shortcuts();
  const Interval wide{0.3, 1.0};
  for (StatisticResult& s : result.statistics) s.ci95 = wide;
  for (MaskResult& m : result.masks) m.ci95 = wide;
  for (AcquisitionResult& a : result.acquisitions) a.ci95 = {wide, wide};
  const ShortcutSentences words = shortcut_sentences(result);
  for (const std::string& sentence : {words.statistics, words.masks, words.acquisition}) {
    EXPECT_THAT(sentence, HasSubstr("too few to say"));
    EXPECT_THAT(sentence, Not(AnyOf(HasSubstr("without seeing a lung"), HasSubstr("does not come from there"),
                                    HasSubstr("part of what the network calls"))));
  }
}

TEST_F(Stress, DirectionIsTurnedWithItsInterval) {
  for (double& value : columns[0].values) value = -value;
  const StatisticResult turned = shortcuts().statistics[0];
  EXPECT_EQ(turned.auroc, 1.0);
  EXPECT_FALSE(turned.higher_when_positive);
  EXPECT_LE(turned.ci95->low, *turned.auroc);
  EXPECT_GE(turned.ci95->high, *turned.auroc);
}

TEST_F(Stress, MaskedScoresAreComparedPictureByPicture) {
  // A network that sees the upper left pixel only: the corner mask takes it, the middle mask leaves it.
  const Predict corner = [](const std::uint8_t* pixels, std::int64_t n, std::int64_t height, std::int64_t width) {
    std::vector<float> probabilities;
    for (std::int64_t i = 0; i < n; ++i) {
      const float p = static_cast<float>(pixels[i * height * width]) / 255.0f;
      probabilities.insert(probabilities.end(), {1.0f - p, p});
    }
    return probabilities;
  };
  const Predictions seen = score_split(data, "val", {}, data.names, "best.h5", corner);
  const auto masks = measure_shortcuts(data, "val", seen, 0.4, columns, corner, not_told).masks;
  EXPECT_GT(masks[0].mean_change, 0.05);
  ASSERT_TRUE(masks[0].change_ci95);
  EXPECT_LT(masks[0].change_ci95->low, masks[0].mean_change);
  EXPECT_GT(masks[0].change_ci95->high, masks[0].mean_change);
  EXPECT_EQ(masks[2].mask.mask, Mask::kMiddle);
  EXPECT_EQ(masks[2].mean_change, 0.0);
  EXPECT_EQ(masks[2].flipped.hits, 0);
}

TEST_F(Stress, OneClassTakenOtherwiseIsAPlainMixtureOfTwoScorings) {
  const auto found = shortcuts().acquisitions;
  ASSERT_EQ(found.size(), acquisitions().size());
  for (const AcquisitionResult& a : found) {
    Predictions changed = clean;
    changed.probabilities = score_variants(
        data, "val", {[&](const PictureBlock& b) { change_acquisition(a.acquisition, b); }}, by_exposure, not_told)[0];
    for (const std::int32_t label : {0, 1}) {
      double pairs = 0, right = 0, change = 0, n = 0;
      const auto score = [&](std::size_t i) {
        return (clean.labels[i] == label ? changed : clean).probabilities[2 * i + 1];
      };
      for (std::size_t i = 0; i < clean.labels.size(); ++i) {
        if (clean.labels[i] == label) change += score(i) - clean.probabilities[2 * i + 1], ++n;
        for (std::size_t j = 0; j < clean.labels.size(); ++j)
          if (clean.labels[i] == 0 && clean.labels[j] == 1) {
            ++pairs;
            right += score(i) < score(j) ? 1.0 : score(i) == score(j) ? 0.5 : 0.0;
          }
      }
      const auto at = static_cast<std::size_t>(label);
      EXPECT_NEAR(*a.auroc[at], right / pairs, 1e-12) << a.acquisition.name << " " << label;
      EXPECT_NEAR(a.mean_change[at], change / n, 1e-6) << a.acquisition.name << " " << label;
    }
  }
  const auto named = [&](std::string_view name) {
    return *std::find_if(found.begin(), found.end(), [&](const auto& a) { return a.acquisition.name == name; });
  };
  EXPECT_LT(*named("brighter").auroc[0], 0.9) << "bright NORMAL are what this network calls PNEUMONIA";
  EXPECT_EQ(*named("brighter").auroc[1], 1.0);
  EXPECT_GT(named("brighter").mean_change[0], 0.3);
  EXPECT_LT(*named("brighter").right[0].value(), 0.5) << "specificity, of brighter NORMAL";
  EXPECT_EQ(*named("brighter").right[1].value(), 1.0) << "sensitivity, of brighter PNEUMONIA";
  EXPECT_EQ(*shortcuts().right[0].value(), 1.0) << "as they are";
  EXPECT_THAT(shortcut_sentences(shortcuts()).acquisition, HasSubstr("specificity falls to"));
  EXPECT_THAT(shortcut_sentences(shortcuts()).acquisition, HasSubstr("part of what the network calls"));
}

TEST_F(Stress, MistakesAreCountedByClassAndFamily) {
  // Threshold 0.12: those NORMAL that are a little brighter are mistaken, whatever their family.
  const auto errors = measure_shortcuts(data, "val", clean, 0.12, columns, by_exposure, not_told).errors;
  ASSERT_EQ(errors.size(), 2u);
  std::int64_t n_wrong = 0;
  std::vector<Rate> rates;
  for (const FamilyErrors& family : errors[0].families) {
    n_wrong += family.errors.hits;
    rates.push_back(family.errors);
  }
  const Evaluation e = evaluate(clean, {.threshold = 0.12, .n_resamples = 0});
  EXPECT_EQ(n_wrong, e.confusion(0, 1));
  ASSERT_GT(n_wrong, 0);
  ASSERT_TRUE(errors[0].test);
  EXPECT_EQ(errors[0].test->p_value, rates_differ(rates)->p_value);
  EXPECT_FALSE(errors[1].test) << "no PNEUMONIA is mistaken";
}

TEST_F(Stress, ShortcutsNeedTwoClassesAndATrainingSplitForTheModel) {
  Predictions three = clean;
  three.classes.push_back("COVID");
  try {
    require_two_classes(data, three);
    FAIL() << "compared three classes";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_THAT(error.what(), HasSubstr("made-up.h5 has 3 (NORMAL, PNEUMONIA, COVID)"));
  }
  const auto on_train = measure_shortcuts(data, "train", clean, 0.5, columns, by_exposure, not_told);
  EXPECT_FALSE(on_train.model);
  EXPECT_THAT(shortcut_sentences(on_train).model, HasSubstr("no training split"));
}

TEST_F(Stress, TextJsonAndPageSayTheSame) {
  const StressResult result = stress();
  const auto json = stress_json(result);
  EXPECT_EQ(json["corruptions"].size(), corruption_suite().size());
  EXPECT_EQ(json["corruptions"][0]["name"], "brighter");
  EXPECT_EQ(json["corruptions"][0]["severities"][4]["severity"], 5);
  EXPECT_EQ(json["corruptions"][0]["severities"][4]["amount"], 0.2);
  EXPECT_EQ(json["corruptions"][0]["severities"][4]["specificity"], *result.corruptions[0].by_severity[4].specificity);
  EXPECT_EQ(json["stressed"]["draws"].size(), 5u);
  const auto clusterings = clusters_by_statistics(clean, columns, 0.5);
  const std::string text = stress_text(result) + clusters_text(clusterings, clean.classes);
  for (const char* part :
       {"stressed, 5 draws", "JPEG artefacts", "mean of the suite", "AUROC at severity", "mean grey"})
    EXPECT_THAT(text, HasSubstr(part));
  const auto found = shortcuts();
  const auto words = shortcuts_json(found);
  EXPECT_EQ(words["statistics"][0]["rank_correlation"]["NORMAL"]["value"].get<double>(),
            found.statistics[0].with_score[0]->value);
  EXPECT_EQ(words["masks"][0]["name"], "corners");
  EXPECT_EQ(clusters_json(clusterings, clean.classes)[0]["by"], "mean_grey");
  EXPECT_THAT(shortcuts_text(found), HasSubstr("corners masked"));
}

TEST_F(Stress, SectionsAreWellFormedWhateverTheNames) {
  clean.classes = data.names = {"<b>NORMAL", "PNEU&MONIA"};
  for (std::string& source : clean.sources) source = "<script>/" + source.substr(2, 3) + "/x.png";
  const std::string page = "<html><body>" + stress_section(stress()) +
                           clusters_section({clusters_by_family(clean, 0.5)}, 1.0) + shortcuts_section(shortcuts()) +
                           "</body></html>";
  EXPECT_EQ(not_well_formed(page), "");
  EXPECT_EQ(page.find("<script>"), std::string::npos);
  EXPECT_EQ(page.find("<b>NORMAL"), std::string::npos);
  EXPECT_THAT(page, HasSubstr("&lt;b&gt;NORMAL"));
  EXPECT_EQ(clusters_section({}, 1.0), "");
}

}  // namespace stress_test
}  // namespace xrai
