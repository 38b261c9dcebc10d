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
#include "kernels/parallel.h"
#include "runtime/core/error.h"
#include "tests/apps/page_checks.h"

namespace xrai {
namespace stress_test {

using ::testing::HasSubstr;

constexpr std::int64_t kSide = 20, kPixels = kSide * kSide;

/// Pictures with a smooth ramp; those of class 1 are brighter. Two families a class.
class MadeUpData : public DatasetReader {
 public:
  explicit MadeUpData(std::int64_t n) {
    for (const char* split : {"train", "val"})
      for (std::int64_t i = 0; i < n; ++i) {
        Split& held = splits_[split];
        const auto label = static_cast<std::int32_t>(i % 2);
        held.labels.push_back(label);
        const std::string number = std::to_string(100 + i);
        const bool first = i % 4 < 2;
        held.sources.push_back(label == 0 ? (first ? "N/IM-" : "N/NORMAL2-IM-") + number + "-0001.jpeg"
                                          : "P/person" + number + (first ? "_bacteria_1.jpeg" : "_virus_1.jpeg"));
        for (std::int64_t p = 0; p < kPixels; ++p)
          held.pixels.push_back(static_cast<std::uint8_t>(85 + 30 * label + i % 13 + 2 * (p % kSide) + p / kSide));
      }
  }
  [[nodiscard]] const std::filesystem::path& path() const override { return path_; }
  [[nodiscard]] const Layout& layout() const override { return layout_; }
  [[nodiscard]] std::vector<std::string> splits() const override { return {"train", "val"}; }
  [[nodiscard]] std::int64_t n_images(std::string_view s) const override { return std::ssize(labels(s)); }
  [[nodiscard]] std::int64_t height(std::string_view) const override { return kSide; }
  [[nodiscard]] std::int64_t width(std::string_view) const override { return kSide; }
  [[nodiscard]] std::int64_t rows_per_chunk(std::string_view) const override { return 4; }
  [[nodiscard]] const std::vector<std::string>& classes() const override { return names; }
  [[nodiscard]] const std::vector<std::int32_t>& labels(std::string_view s) const override { return at(s).labels; }
  [[nodiscard]] std::vector<std::string> groups(std::string_view) const override { return {}; }
  [[nodiscard]] std::vector<std::string> sources(std::string_view s) const override { return at(s).sources; }
  [[nodiscard]] std::optional<hdf5::Attribute> attribute(const std::string&) const override { return std::nullopt; }
  void read_rows(std::string_view s, std::span<const std::int64_t> rows, std::uint8_t* pixels) override {
    for (const std::int64_t row : rows) pixels = std::copy_n(at(s).pixels.begin() + row * kPixels, kPixels, pixels);
  }

  std::vector<std::string> names = {"NORMAL", "PNEUMONIA"};

 private:
  struct Split {
    std::vector<std::int32_t> labels;
    std::vector<std::string> sources;
    std::vector<std::uint8_t> pixels;
  };
  [[nodiscard]] const Split& at(std::string_view s) const { return splits_.find(s)->second; }

  std::map<std::string, Split, std::less<>> splits_;
  std::filesystem::path path_ = "made-up.h5";
  Layout layout_;
};

/// A network that looks at nothing but exposure: surely class 1 above a mean grey of 137.
std::vector<float> by_exposure(const std::uint8_t* pixels, std::int64_t n, std::int64_t height, std::int64_t width) {
  std::vector<float> probabilities;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::uint8_t* const first = pixels + i * height * width;
    const double mean = std::accumulate(first, first + height * width, 0.0) / static_cast<double>(height * width);
    const auto p = static_cast<float>(1.0 / (1.0 + std::exp(-(mean - 137.0) / 8.0)));
    probabilities.insert(probabilities.end(), {1.0f - p, p});
  }
  return probabilities;
}

void not_told(std::int64_t) {}

struct Stress : ::testing::Test {
  // One thread: on a busy machine more of them wait for each other.
  Stress() { kernels::set_thread_count(1); }
  ~Stress() override { kernels::set_thread_count(threads_before); }

  const int threads_before = kernels::thread_count();
  MadeUpData data{23};
  Predictions clean = score_split(data, "val", {}, data.names, "best.h5", by_exposure);
  std::vector<StatisticColumn> columns = varying_columns(split_statistics(data, "val"));

  StressResult stress(const std::function<void(std::int64_t)>& on_images = not_told) {
    return measure_stress(data, "val", clean, 0.5, 1, by_exposure, on_images);
  }
  ShortcutResult shortcuts() { return measure_shortcuts(data, "val", clean, 0.5, columns, by_exposure, not_told); }
};

const CorruptionResult& of(const StressResult& result, CorruptionKind kind) {
  return *std::find_if(result.corruptions.begin(), result.corruptions.end(),
                       [&](const CorruptionResult& c) { return c.corruption.kind == kind; });
}

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

TEST_F(Stress, EveryFigureHasItsInterval) {
  const StressResult result = stress();
  const auto expect_around = [](const JudgedFigures& f, std::string_view what) {
    for (std::size_t i = 0; i < kStressFigures.size(); ++i) {
      ASSERT_TRUE(f.ci95[i]) << what << " " << i;
      EXPECT_LE(f.ci95[i]->low, *(f.*kStressFigures[i]) + 1e-12) << what << " " << i;
      EXPECT_GE(f.ci95[i]->high, *(f.*kStressFigures[i]) - 1e-12) << what << " " << i;
    }
  };
  expect_around(result.stressed, "stressed");
  expect_around(result.mean, "mean");
  expect_around(result.clean, "clean");
  for (const CorruptionResult& c : result.corruptions) {
    expect_around(c.mean, c.corruption.name);
    for (const JudgedFigures& f : c.by_severity) expect_around(f, c.corruption.name);
  }
  // Of one variant they are those of an evaluation.
  const Evaluation alone = evaluate(clean, {.threshold = 0.5, .n_resamples = 0});
  EXPECT_EQ(result.clean.ci95[0]->low, alone.metric("auroc").ci95->low);
  EXPECT_EQ(result.clean.ci95[1]->low, alone.metric("accuracy").ci95->low);
  EXPECT_EQ(result.clean.ci95[3]->low, alone.metric("sensitivity").ci95->low);
  EXPECT_EQ(result.clean.ci95[4]->low, alone.metric("specificity").ci95->low);
}

/// Says the same of picture i whatever was done to it; wrong about every fifth.
Predict by_place(const std::vector<std::int32_t>& labels) {
  return [labels, next = std::size_t{0}](const std::uint8_t*, std::int64_t n, std::int64_t, std::int64_t) mutable {
    std::vector<float> probabilities;
    for (std::int64_t i = 0; i < n; ++i) {
      const std::size_t place = next++ % labels.size();
      const bool positive = (labels[place] == 1) != (place % 5 == 0);
      const float p = (positive ? 0.7f : 0.2f) + 0.01f * static_cast<float>(place % 7);
      probabilities.insert(probabilities.end(), {1.0f - p, p});
    }
    return probabilities;
  };
}

// Patients that are drawn once are drawn for every variant: means over equal variants are as uncertain as one of them,
// and not by the root of their number less.
TEST_F(Stress, MeansOfVariantsAreResampledTogether) {
  const Predict predict = by_place(data.labels("val"));
  const Predictions same = score_split(data, "val", {}, data.names, "best.h5", predict);
  const StressResult result = measure_stress(data, "val", same, 0.5, 1, predict, not_told);
  ASSERT_TRUE(result.clean.ci95[2]);
  EXPECT_LT(result.clean.ci95[2]->low, result.clean.ci95[2]->high);
  for (const JudgedFigures& mean : {result.stressed, result.mean, result.by_severity[3], result.corruptions[7].mean}) {
    EXPECT_NEAR(mean.ci95[2]->low, result.clean.ci95[2]->low, 1e-12);
    EXPECT_NEAR(mean.ci95[2]->high, result.clean.ci95[2]->high, 1e-12);
  }
}

TEST_F(Stress, APerfectNetworkIsNotPerfectlyKnown) {
  const StressResult result = stress();
  const auto& blur = of(result, CorruptionKind::kBlur);
  ASSERT_EQ(blur.mean.sensitivity, 1.0);
  for (std::size_t i = 0; i < kStressFigures.size(); ++i) {
    ASSERT_TRUE(blur.mean.ci95[i]) << i;
    EXPECT_LT(blur.mean.ci95[i]->low, 0.97) << i;
    EXPECT_NEAR(blur.mean.ci95[i]->high, 1.0, 1e-12) << i;
  }
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
