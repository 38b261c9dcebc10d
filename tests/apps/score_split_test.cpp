// From a data set to predictions: rows, names and labels stay together whatever the order of classes; families, JSON
// and CSV of what comes out.
#include "apps/report/score_split.h"

#include <gtest/gtest.h>

#include <map>

#include "apps/report/evaluation_output.h"
#include "apps/report/families.h"
#include "apps/report/scoring_point.h"
#include "apps/support/json_output.h"
#include "apps/training/validation_fit.h"
#include "runtime/core/error.h"
#include "tests/apps/report_samples.h"

namespace xrai {
namespace score_split_test {

/// A data set in memory: picture i of a split is filled with the byte i.
class MemoryData : public DatasetReader {
 public:
  struct Split {
    std::vector<std::int32_t> labels;
    std::vector<std::string> groups, sources;
  };
  std::map<std::string, Split> held;
  std::vector<std::string> names = {"NORMAL", "PNEUMONIA"};
  std::optional<hdf5::Attribute> synthetic;

  [[nodiscard]] const std::filesystem::path& path() const override { return path_; }
  [[nodiscard]] const Layout& layout() const override { return layout_; }
  [[nodiscard]] std::vector<std::string> splits() const override {
    std::vector<std::string> found;
    for (const char* name : {"train", "val", "test"}) {
      if (held.contains(name)) found.emplace_back(name);
    }
    return found;
  }
  [[nodiscard]] std::int64_t n_images(std::string_view s) const override {
    return static_cast<std::int64_t>(labels(s).size());
  }
  [[nodiscard]] std::int64_t height(std::string_view) const override { return 3; }
  [[nodiscard]] std::int64_t width(std::string_view) const override { return 2; }
  [[nodiscard]] std::int64_t rows_per_chunk(std::string_view) const override { return 4; }
  [[nodiscard]] const std::vector<std::string>& classes() const override { return names; }
  [[nodiscard]] const std::vector<std::int32_t>& labels(std::string_view s) const override {
    return held.at(std::string(s)).labels;
  }
  [[nodiscard]] std::vector<std::string> groups(std::string_view s) const override {
    return held.at(std::string(s)).groups;
  }
  [[nodiscard]] std::vector<std::string> sources(std::string_view s) const override {
    return held.at(std::string(s)).sources;
  }
  [[nodiscard]] std::optional<hdf5::Attribute> attribute(const std::string& name) const override {
    return name == "synthetic" ? synthetic : std::nullopt;
  }
  void read_rows(std::string_view, std::span<const std::int64_t> rows, std::uint8_t* pixels) override {
    for (const std::int64_t row : rows) {
      for (int i = 0; i < 6; ++i) *pixels++ = static_cast<std::uint8_t>(row);
    }
  }

 private:
  std::filesystem::path path_ = "memory.h5";
  Layout layout_;
};

/// Says class 1 with the probability (first byte) / 100.
std::vector<float> byte_as_probability(const std::uint8_t* pixels, std::int64_t n, std::int64_t height,
                                       std::int64_t width) {
  std::vector<float> probabilities;
  for (std::int64_t i = 0; i < n; ++i) {
    const float p = static_cast<float>(pixels[i * height * width]) / 100.0f;
    probabilities.insert(probabilities.end(), {1.0f - p, p});
  }
  return probabilities;
}

MemoryData fifty() {
  MemoryData data;
  for (int i = 0; i < 50; ++i) {
    data.held["test"].labels.push_back(i % 2);
    data.held["test"].groups.push_back("g" + std::to_string(i / 2));
    data.held["test"].sources.push_back("NORMAL/IM-" + std::to_string(i) + "-1.jpeg");
  }
  return data;
}

TEST(ScoreSplit, KeepsPicturesLabelsAndNamesTogether) {
  MemoryData data = fifty();
  std::int64_t done = 0;
  const auto p = score_split(data, "test", {}, {"NORMAL", "PNEUMONIA"}, "best.h5", byte_as_probability,
                             [&](std::int64_t n) { done = n; });
  EXPECT_EQ(done, 50);
  ASSERT_EQ(p.n_images(), 50);
  for (std::size_t i = 0; i < 50; ++i) {
    EXPECT_FLOAT_EQ(p.probabilities[2 * i + 1], static_cast<float>(i) / 100.0f);
    EXPECT_EQ(p.labels[i], static_cast<std::int32_t>(i % 2));
  }
  EXPECT_EQ(p.sources[7], "NORMAL/IM-7-1.jpeg");
}

TEST(ScoreSplit, ChosenRowsAreScoredInTheirOrder) {
  MemoryData data = fifty();
  const std::vector<std::int64_t> rows = {9, 4, 31};
  const auto p = score_split(data, "test", rows, data.names, "best.h5", byte_as_probability);
  ASSERT_EQ(p.n_images(), 3);
  EXPECT_FLOAT_EQ(p.probabilities[5], 0.31f);
  EXPECT_EQ(p.groups, (std::vector<std::string>{"g4", "g2", "g15"}));
  EXPECT_EQ(p.labels, (std::vector<std::int32_t>{1, 0, 1}));
  const auto mistakes = mistakes_with_pixels(data, "test", rows, p, 0.5);
  ASSERT_EQ(mistakes.size(), 2u) << "9 and 31 are of class 1 and got less than a half";
  EXPECT_EQ(mistakes[0].row, 9) << "the surer one first";
  EXPECT_EQ(mistakes[0].pixels, std::vector<std::uint8_t>(6, 9));
}

TEST(ScoreSplit, LabelsFollowTheNamesWhenTheFileOrdersThemOtherwise) {
  MemoryData data = fifty();
  data.names = {"PNEUMONIA", "NORMAL"};
  const auto p = score_split(data, "test", {}, {"NORMAL", "PNEUMONIA"}, "best.h5", byte_as_probability);
  EXPECT_EQ(p.labels[0], 1);
  EXPECT_EQ(p.labels[1], 0);
}

TEST(ScoreSplit, NumbersAreNoNamesAndAreMatchedByTheirOrder) {
  const std::vector<std::string> names{"NORMAL", "PNEUMONIA"};
  EXPECT_EQ(class_places({"0", "1"}, names, "x.h5", "best.h5"), (std::vector<std::int32_t>{0, 1}));
  EXPECT_EQ(class_places({"1", "2"}, names, "x.h5", "best.h5"), (std::vector<std::int32_t>{0, 1}));
  EXPECT_EQ(class_places(names, {"0", "1"}, "x.h5", "best.h5"), (std::vector<std::int32_t>{0, 1}));
  EXPECT_THROW((void)class_places({"0", "1", "2"}, names, "x.h5", "best.h5"), Error);
  EXPECT_THROW((void)class_places({"0", "sick"}, names, "x.h5", "best.h5"), Error);
}

TEST(ScoreSplit, OtherClassesAreBadDataAndBothListsAreNamed) {
  MemoryData data = fifty();
  data.names = {"NORMAL", "COVID"};
  try {
    (void)score_split(data, "test", {}, {"NORMAL", "PNEUMONIA"}, "best.h5", byte_as_probability);
    FAIL() << "scored pictures of another class";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadData);
    for (const char* part : {"COVID", "PNEUMONIA", "memory.h5", "best.h5"}) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  }
}

TEST(SplitToScore, IsTestElseValAndTrainOnlyOnRequest) {
  MemoryData data = fifty();
  data.held["train"] = data.held["val"] = data.held["test"];
  EXPECT_EQ(split_to_score(data, ""), "test");
  EXPECT_EQ(split_to_score(data, "train"), "train");
  data.held.erase("test");
  EXPECT_EQ(split_to_score(data, ""), "val");
  EXPECT_THROW((void)split_to_score(data, "test"), Error);
  data.held.erase("val");
  EXPECT_THROW((void)split_to_score(data, ""), Error);
}

TEST(SplitWarning, CountsPicturesOfPatientsThatWereTrainedOn) {
  MemoryData data = fifty();
  EXPECT_EQ(split_warning(data, "test"), "");
  data.held["train"].labels = {0, 1};
  data.held["train"].groups = {"g3", "elsewhere"};
  EXPECT_NE(split_warning(data, "test").find("2 of 50"), std::string::npos) << split_warning(data, "test");
  data.held["train"].groups = {"", "elsewhere"};
  EXPECT_EQ(split_warning(data, "test"), "");
  EXPECT_NE(split_warning(data, "train"), "");
}

TEST(IsSynthetic, ReadsWhatTheFileSays) {
  MemoryData data = fifty();
  EXPECT_FALSE(data_is_synthetic(data));
  data.synthetic = std::int64_t{1};
  EXPECT_TRUE(data_is_synthetic(data));
  data.synthetic = std::int64_t{0};
  EXPECT_FALSE(data_is_synthetic(data));
  data.synthetic = std::string("drawn by xrai_dataset synth");
  EXPECT_TRUE(data_is_synthetic(data));
}

TEST(Families, AreNamePrefixesElseFolders) {
  EXPECT_NE(family_of("NORMAL/IM-0115-0001.jpeg"), family_of("NORMAL/NORMAL2-IM-0115-0001.jpeg"));
  EXPECT_NE(family_of("P/person1_bacteria_2.jpeg"), family_of("P/person1_virus_6.jpeg"));
  EXPECT_EQ(family_of("hospital_a/scan.png"), "hospital_a");
  EXPECT_EQ(family_of("x/hospital_a/scan.png"), "hospital_a");
  EXPECT_EQ(family_of("scan.png"), "other");
  EXPECT_EQ(family_of(""), "other");
}

TEST(Families, AreCountedAndSmallOnesSummedUp) {
  Predictions p = sample_predictions(100, {"NORMAL", "PNEUMONIA"});
  for (std::size_t i = 0; i < 100; ++i) p.sources[i] = "folder" + std::to_string(i % 20) + "/x.png";
  const auto results = family_results(p, 0.5, 6);
  ASSERT_EQ(results.size(), 6u);
  EXPECT_EQ(results.back().name, "others");
  std::int64_t n = 0, hits = 0;
  for (const FamilyResult& family : results) {
    n += family.accuracy.of;
    hits += family.accuracy.hits;
  }
  EXPECT_EQ(n, 100);
  EXPECT_EQ(hits, evaluate(p, {.n_resamples = 0}).confusion.correct());
}

TEST(EvaluationJson, HasTheKeysThatScriptsRelyOn) {
  const Evaluation e = evaluate(sample_predictions(80, {"NORMAL", "PNEUMONIA"}), {.n_resamples = 100});
  const auto json = evaluation_json(e, {"test", "a.h5", "best.h5", "cpu", "", true});
  for (const char* name : {"auroc", "accuracy", "balanced_accuracy", "sensitivity", "specificity", "ppv", "npv", "f1",
                           "auprc", "brier", "ece", "log_loss"}) {
    ASSERT_TRUE(json["metrics"].contains(name)) << name;
    EXPECT_TRUE(json["metrics"][name]["value"].is_number()) << name;
    EXPECT_EQ(json["metrics"][name]["ci95"].size(), 2u) << name;
  }
  EXPECT_EQ(json["metrics"]["auroc"]["ci95"].size(), 2u);
  EXPECT_EQ(json["operating_point"]["rule"], "default");
  EXPECT_TRUE(json["calibration"]["uncalibrated"].is_null());
  EXPECT_EQ(json["reliability"].size(), 10u);
  EXPECT_EQ(json["curves"][0]["roc"].back()[1], 1.0);
  EXPECT_EQ(json["confusion_matrix"][1][0], e.confusion(1, 0));
  EXPECT_EQ(json["n_images"], 80);
  EXPECT_EQ(json["split"], "test");
  EXPECT_EQ(json["classes"][1], "PNEUMONIA");
  EXPECT_EQ(json["threshold"], 0.5);
  EXPECT_EQ(json["synthetic"], true);
}

TEST(EvaluationJson, ScoresAreCountedInTheirBins) {
  const Predictions two{{"A", "B"}, {0, 1, 1}, {0.95f, 0.05f, 0.6f, 0.4f, 0.0f, 1.0f}, {}, {}};
  const auto of_two = score_histogram_json(two);
  EXPECT_EQ(of_two["A"][0], 1);
  EXPECT_EQ(of_two["B"][4], 1);
  EXPECT_EQ(of_two["B"][9], 1);
  const Predictions three{{"A", "B", "C"}, {0, 1}, {0.75f, 0.05f, 0.2f, 0.1f, 0.35f, 0.55f}, {}, {}};
  EXPECT_EQ(score_histogram_json(three)["right"][7], 1);
  EXPECT_EQ(score_histogram_json(three)["wrong"][5], 1);
}

TEST(EvaluationJson, LongCurvesAreThinnedToTheirEnds) {
  Predictions p{{"A", "B"}, {}, {}, {}, {}};
  for (int i = 0; i < 1000; ++i) {
    const float score = static_cast<float>(i) / 1000.0f;
    p.labels.push_back(i % 3 == 0 ? 1 : 0);
    p.probabilities.insert(p.probabilities.end(), {1.0f - score, score});
  }
  const Evaluation e = evaluate(p, {.n_resamples = 0});
  const auto curve = evaluation_json(e, {"test", "a.h5", "best.h5", "cpu", "", true})["curves"][0];
  EXPECT_EQ(curve["roc"].size(), 200u);
  EXPECT_EQ(curve["roc"][0][0], 0.0);
  EXPECT_EQ(curve["roc"].back()[0], 1.0);
  EXPECT_EQ(curve["precision_recall"].back()[0], 1.0);
}

TEST(EvaluationJson, WhatIsNotDefinedIsNull) {
  const auto json = evaluation_json(evaluate({{"NORMAL", "PNEUMONIA"}, {}, {}, {}, {}}), {});
  EXPECT_TRUE(json["metrics"]["auroc"]["value"].is_null());
  EXPECT_TRUE(json["metrics"]["auroc"]["ci95"].is_null());
  EXPECT_NE(json_text(json).find("null"), std::string::npos);
}

TEST(EvaluationText, NamesSplitFileAndEveryMetric) {
  const Evaluation e = evaluate(sample_predictions(80, {"NORMAL", "PNEUMONIA"}), {.n_resamples = 100});
  const std::string text = evaluation_text(e, {"val", "a.h5", "best.h5", "cpu", "", true});
  for (const char* part : {"split 'val' of a.h5", "80 images", "synthetic", "AUROC", "balanced accuracy", "log-loss",
                           "called PNEUMONIA", "really NORMAL"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
}

TEST(PredictionsCsv, QuotesNamesAndHasALineAnImage) {
  Predictions p = sample_predictions(2, {"NORMAL", "PNEU,MONIA"});
  p.labels = {0, 1};
  p.probabilities = {0.75f, 0.25f, 0.5f, 0.5f};
  p.sources = {"a \"b\", c.png", "d.png"};
  p.groups = {"g1", "g2"};
  EXPECT_EQ(predictions_csv(p, 0.5),
            "source,group,label,predicted,p_NORMAL,\"p_PNEU,MONIA\"\n"
            "\"a \"\"b\"\", c.png\",g1,NORMAL,NORMAL,0.75,0.25\n"
            "d.png,g2,\"PNEU,MONIA\",\"PNEU,MONIA\",0.5,0.5\n");
}

TEST(ScoringPoint, IsTheStoredOneUnlessARuleAsksForAnother) {
  MemoryData data;
  data.held["val"] = {std::vector<std::int32_t>(40, 0), {}, {}};
  for (std::size_t i = 20; i < 40; ++i) data.held["val"].labels[i] = 1;
  CheckpointFacts facts;
  facts.classes = data.names;
  facts.threshold = 0.3;
  facts.threshold_rule = "sens=0.9";
  facts.threshold_note = "12 validation pictures";
  const auto point = [&](const std::string& rule) {
    return scoring_point(rule, facts, "best.h5", data, byte_as_probability);
  };
  EXPECT_EQ(point("").threshold, 0.3);
  EXPECT_EQ(point("").rule, "sens=0.9");
  EXPECT_EQ(point("default").threshold, 0.5);
  // Nothing kept: picture i of the val split scores i / 100, the positive ones from 0.20 on.
  EXPECT_NEAR(point("youden").threshold, 0.195, 1e-6);
  EXPECT_NE(point("youden").chosen_on.find("val split of memory.h5"), std::string::npos);
  facts.validation = {{0, 0, 1, 1}, {0.9f, 0.1f, 0.8f, 0.2f, 0.2f, 0.8f, 0.1f, 0.9f}};
  EXPECT_NEAR(point("youden").threshold, 0.5, 1e-6);
  EXPECT_NE(point("youden").chosen_on.find("the run's 4 validation pictures"), std::string::npos);
  facts.temperature = 0.5;  // 0.2 and 0.8 become 1/17 and 16/17, 0.1 and 0.9 become 1/82 and 81/82
  EXPECT_NEAR(point("sens=0.5").threshold, 0.5 * (16.0 / 17.0 + 81.0 / 82.0), 1e-6);
}

TEST(ScoringPoint, WithoutTwoClassesOrPicturesToChooseOnIsRefused) {
  MemoryData data;
  data.held["test"] = {{0, 1}, {}, {}};
  CheckpointFacts facts;
  facts.classes = data.names;
  const auto code = [&](const std::string& rule) {
    try {
      (void)scoring_point(rule, facts, "best.h5", data, byte_as_probability);
    } catch (const Error& error) {
      return error.code();
    }
    return ExitCode::kDone;
  };
  EXPECT_EQ(code("youden"), ExitCode::kBadData);
  EXPECT_EQ(code(""), ExitCode::kDone);
  facts.classes = {"BACTERIA", "NORMAL", "VIRUS"};
  EXPECT_EQ(code("youden"), ExitCode::kUsage);
  EXPECT_EQ(code("default"), ExitCode::kUsage);
  EXPECT_EQ(code(""), ExitCode::kDone);
}

TEST(ScoringPoint, WarnsWhenValidationPicturesChoseAndAreScored) {
  const OperatingPoint tuned{0.4, "youden", "9 validation pictures"};
  EXPECT_NE(scoring_point_warning(tuned, true, "val").find("threshold"), std::string::npos);
  EXPECT_EQ(scoring_point_warning(tuned, true, "test"), "");
  EXPECT_NE(scoring_point_warning({}, true, "val").find("temperature"), std::string::npos);
  EXPECT_EQ(scoring_point_warning({}, true, "test"), "");
  EXPECT_EQ(scoring_point_warning({}, false, "val"), "");
}

TEST(RefuseImpossibleRule, BeforeTrainingRatherThanBehindIt) {
  const auto code = [](const std::string& rule, std::vector<std::string> classes, std::vector<std::int32_t> labels) {
    const auto reader = std::make_shared<MemoryData>();
    reader->names = std::move(classes);
    reader->held["val"] = {std::move(labels), {}, {}};
    TrainingData data;
    data.file = data.reader = reader;
    data.validation_split = "val";
    data.validation_rows = {0, 1};
    try {
      refuse_impossible_rule(rule, data);
    } catch (const Error& error) {
      return error.code();
    }
    return ExitCode::kDone;
  };
  EXPECT_EQ(code("youden", {"NORMAL", "PNEUMONIA"}, {0, 1, 1}), ExitCode::kDone);
  EXPECT_EQ(code("youden", {"NORMAL", "PNEUMONIA"}, {0, 0, 1}), ExitCode::kBadData);
  EXPECT_EQ(code("sens=0.9", {"NORMAL", "PNEUMONIA"}, {1, 1, 0}), ExitCode::kBadData);
  EXPECT_EQ(code("default", {"NORMAL", "PNEUMONIA"}, {0, 0, 1}), ExitCode::kDone);
  EXPECT_EQ(code("youden", {"BACTERIA", "NORMAL", "VIRUS"}, {0, 1, 2}), ExitCode::kUsage);
}

}  // namespace score_split_test
}  // namespace xrai
