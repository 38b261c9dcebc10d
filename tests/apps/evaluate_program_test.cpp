// xrai_evaluate as people run it: on a small synthetic set, with a network of four steps. What it says is not good;
// that it says it, in which form and where, is what is tested.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "runtime/hdf5/file.h"
#include "tests/apps/page_checks.h"
#include "tests/support/started_program.h"

namespace xrai {
namespace evaluate_program_test {

namespace fs = std::filesystem;

struct Answer {
  int exit_code = -1;
  std::string output;
};

class EvaluateProgram : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder() = fs::path(::testing::TempDir()) / ("xrai_evaluate_" + std::to_string(getpid()));
    fs::create_directories(folder());
    ASSERT_EQ(run("xrai_dataset synth " + data() + " --images 60 --size 32 --seed 3").exit_code, 0);
    ASSERT_EQ(
        run("xrai_gpu_train --data " + data() + " --out " + run_folder() + " --device cpu --fast-dev-run").exit_code,
        0);
    ASSERT_EQ(run("xrai_gpu_train --data " + data() + " --out " + other_run() +
                  " --device cpu --fast-dev-run --seed 2 --operating-point youden")
                  .exit_code,
              0);
  }
  static void TearDownTestSuite() { fs::remove_all(folder()); }

  static fs::path& folder() {
    static fs::path path;
    return path;
  }
  static std::string data() { return (folder() / "set.h5").string(); }
  static std::string run_folder() { return (folder() / "run").string(); }
  static std::string other_run() { return (folder() / "other_run").string(); }
  static std::string messages() { return text(folder() / "messages"); }
  static Answer run(const std::string& command) {
    Answer answer;
    FILE* pipe = popen((std::string(XRAI_BIN) + "/" + command + " 2>" + (folder() / "messages").string()).c_str(), "r");
    if (pipe == nullptr) return answer;
    std::array<char, 4096> bytes{};
    for (std::size_t n; (n = fread(bytes.data(), 1, bytes.size(), pipe)) > 0;) answer.output.append(bytes.data(), n);
    answer.exit_code = WEXITSTATUS(pclose(pipe));
    return answer;
  }
  static Answer evaluate(const std::string& more) {
    return run("xrai_evaluate --checkpoint " + run_folder() + " --data " + data() + " --device cpu " + more);
  }
  static std::string text(const fs::path& path) {
    std::ostringstream all;
    all << std::ifstream(path, std::ios::binary).rdbuf();
    return all.str();
  }
};

TEST_F(EvaluateProgram, JsonIsAllThatIsOnStandardOutputAndIsKeptInTheRunFolder) {
  const Answer answer = evaluate("--json");
  ASSERT_EQ(answer.exit_code, 0) << text(folder() / "messages");
  const auto json = nlohmann::json::parse(answer.output);
  EXPECT_EQ(json["split"], "test");
  EXPECT_EQ(json["data"], data());
  EXPECT_TRUE(json["synthetic"].get<bool>());
  EXPECT_EQ(json["metrics"]["auroc"]["ci95"].size(), 2u);
  std::int64_t n = 0;
  for (const auto& row : json["confusion_matrix"]) n += row[0].get<std::int64_t>() + row[1].get<std::int64_t>();
  EXPECT_EQ(n, json["n_images"]);
  EXPECT_EQ(nlohmann::json::parse(text(fs::path(run_folder()) / "eval" / "test.json")), json);
}

// Drawn sets say where the lesions are. A network of four steps points nowhere in particular.
TEST_F(EvaluateProgram, PlaysThePointingGameWhereLesionsAreKnown) {
  const Answer answer = evaluate("--split train --json");
  ASSERT_EQ(answer.exit_code, 0) << text(folder() / "messages");
  const auto game = nlohmann::json::parse(answer.output)["pointing_game"];
  const hdf5::File file = hdf5::File::open(data());
  const auto lesions = file.read<float>("/train/lesion");
  std::int64_t n = 0;
  for (std::size_t i = 2; i < lesions.size(); i += 3) n += lesions[i] > 0 ? 1 : 0;
  EXPECT_EQ(game["n_lesions"], n);
  EXPECT_GT(n, 0);
  EXPECT_EQ(game["layer"], "relu5");
  EXPECT_EQ(game["accuracy"]["ci95"].size(), 2u);
  for (const char* share : {"chance", "heat_inside", "area"}) {
    EXPECT_GE(game[share], 0.0) << share;
    EXPECT_LT(game[share], 0.6) << share;
  }
  EXPECT_GT(game["chance"], game["area"]);
  const std::string page = text(fs::path(run_folder()) / "report.html");
  EXPECT_NE(page.find("Does it look at the lesion?"), std::string::npos);
  EXPECT_NE(page.find("class=\"heat\""), std::string::npos);
  EXPECT_EQ(not_well_formed(page), "");
  EXPECT_NE(evaluate("--split train").output.find("pointing game: "), std::string::npos);
}

TEST_F(EvaluateProgram, RenewsTheReportAndWritesWhatElseWasAskedFor) {
  const auto page = folder() / "page.html", csv = folder() / "predictions.csv";
  const Answer answer = evaluate("--split val --report " + page.string() + " --predictions " + csv.string());
  ASSERT_EQ(answer.exit_code, 0) << text(folder() / "messages");
  EXPECT_NE(answer.output.find("split 'val'"), std::string::npos) << answer.output;
  EXPECT_EQ(text(page), text(fs::path(run_folder()) / "report.html"));
  EXPECT_EQ(not_well_formed(text(page)), "");
  EXPECT_NE(text(page).find("Synthetic images"), std::string::npos);
  EXPECT_NE(text(csv).find("source,group,label,predicted,p_NORMAL,p_PNEUMONIA\n"), std::string::npos);
}

TEST_F(EvaluateProgram, StressAndShortcutsStandInTextJsonAndReportAndChangeNothingElse) {
  const auto page = folder() / "stress.html", sheet = folder() / "sheet.png";
  const std::string flags = "--split val --stress --shortcuts --threads 1 ";
  const Answer plain = evaluate("--split val --threads 1 --json"),
               answer = evaluate(flags + "--json --report " + page.string());
  ASSERT_EQ(answer.exit_code, 0) << text(folder() / "messages");
  auto json = nlohmann::json::parse(answer.output);
  EXPECT_EQ(json["stress"]["clean"]["auroc"], json["metrics"]["auroc"]["value"]);
  EXPECT_EQ(json["shortcuts"]["network"]["auroc"], json["metrics"]["auroc"]["value"]);
  EXPECT_GT(json["shortcuts"]["model"]["n_trained"].get<int>(), 0);
  EXPECT_EQ(nlohmann::json::parse(text(fs::path(run_folder()) / "eval" / "val.json")), json);
  EXPECT_EQ(not_well_formed(text(page)), "");
  EXPECT_NE(text(page).find("Under stress"), std::string::npos);
  const Answer again = evaluate(flags + "--stress-sheet " + sheet.string() + " --json");
  EXPECT_EQ(nlohmann::json::parse(again.output), json);
  EXPECT_EQ(text(sheet).substr(1, 3), "PNG");
  for (const char* key : {"stress", "clusters", "shortcuts"}) json.erase(key);
  EXPECT_EQ(json, nlohmann::json::parse(plain.output));
  const Answer words = evaluate("--split val --shortcuts");
  EXPECT_NE(words.output.find("Shortcuts: what could be known"), std::string::npos) << words.output;
  // A quick look afterwards keeps them.
  EXPECT_EQ(evaluate("--split val").exit_code, 0);
  const fs::path eval = fs::path(run_folder()) / "eval";
  EXPECT_TRUE(nlohmann::json::parse(text(eval / "val-stress.json")).contains("stress"));
  EXPECT_TRUE(nlohmann::json::parse(text(eval / "val-shortcuts.json")).contains("shortcuts"));
  EXPECT_FALSE(nlohmann::json::parse(text(eval / "val.json")).contains("shortcuts"));
  EXPECT_NE(text(fs::path(run_folder()) / "report-val-stress.html").find("Under stress"), std::string::npos);
}

TEST_F(EvaluateProgram, CtrlCUnderStressPrintsTheSplitAsItIsAndWritesNothing) {
  const std::string many = (folder() / "many.h5").string();
  ASSERT_EQ(run("xrai_dataset synth " + many + " --images 2000 --size 64").exit_code, 0);
  const fs::path page = folder() / "interrupted.html", sheet = folder() / "sheet_of_many.png";
  testing::StartedProgram program(
      {"xrai_evaluate", "--checkpoint", run_folder(), "--data", many, "--device", "cpu", "--threads", "1",
       "--batch-size", "1", "--stress", "--report", page.string(), "--stress-sheet", sheet.string()},
      folder() / "interrupted_errors");
  ASSERT_TRUE(testing::comes_true([&] { return fs::exists(sheet); })) << program.errors();  // right before the suite
  program.send(SIGINT);
  EXPECT_EQ(program.exit_code(), 130);
  EXPECT_NE(program.errors().find("printed is the split as it is, and no file was written"), std::string::npos)
      << program.errors();
  EXPECT_FALSE(fs::exists(page));
}

TEST_F(EvaluateProgram, WhatCannotBeWrittenIsRefusedBeforeTheScoring) {
  EXPECT_EQ(evaluate("--report " + (folder() / "no/page.html").string()).exit_code, 7);
  EXPECT_NE(messages().find("there is no folder"), std::string::npos);
  EXPECT_EQ(messages().find("scoring"), std::string::npos) << messages();
}

TEST_F(EvaluateProgram, AnotherFilesResultStandsBesideThatOfTheRunsOwn) {
  const fs::path other = folder() / "hospital.h5", eval = fs::path(run_folder()) / "eval";
  ASSERT_EQ(run("xrai_dataset synth " + other.string() + " --images 40 --size 48 --seed 4").exit_code, 0);
  ASSERT_EQ(evaluate("--split val").exit_code, 0);
  const std::string own = text(eval / "val.json");
  const Answer answer =
      run("xrai_evaluate --checkpoint " + run_folder() + " --data " + other.string() + " --split val --device cpu");
  ASSERT_EQ(answer.exit_code, 0) << text(folder() / "messages");
  EXPECT_EQ(text(eval / "val.json"), own);
  EXPECT_EQ(nlohmann::json::parse(text(eval / "hospital-val.json"))["data"], other.string());
  // The run's own file may be called anything.
  fs::copy_file(data(), folder() / "moved.h5", fs::copy_options::overwrite_existing);
  ASSERT_EQ(run("xrai_evaluate --checkpoint " + run_folder() + " --data " + (folder() / "moved.h5").string() +
                " --split val --device cpu")
                .exit_code,
            0);
  EXPECT_EQ(nlohmann::json::parse(text(eval / "val.json"))["data"], (folder() / "moved.h5").string());
}

TEST_F(EvaluateProgram, JsonNamesEveryMistakeAndTheCourseOfTheTraining) {
  const auto json = nlohmann::json::parse(evaluate("--split train --json").output);
  std::int64_t wrong = 0, n = 0;
  for (std::size_t label = 0; label < 2; ++label)
    for (std::size_t called = 0; called < 2; ++called) {
      const auto count = json["confusion_matrix"][label][called].get<std::int64_t>();
      wrong += label == called ? 0 : count;
      n += count;
    }
  ASSERT_EQ(std::ssize(json["mistakes"]), wrong);
  for (const auto& mistake : json["mistakes"]) {
    EXPECT_NE(mistake["label"], mistake["called"]);
    EXPECT_LT(mistake["place"].get<std::int64_t>(), n);
  }
  ASSERT_FALSE(json["history"].empty());
  EXPECT_EQ(json["history"][0]["epoch"], 1);
}

TEST_F(EvaluateProgram, ScoresPicturesOfAnotherSizeThanTheTrainingOnes) {
  const std::string other = (folder() / "other.h5").string();
  ASSERT_EQ(run("xrai_dataset synth " + other + " --images 40 --size 48 --seed 4").exit_code, 0);
  const Answer answer = run("xrai_evaluate --checkpoint " + run_folder() + "/checkpoints/best.h5 --data " + other +
                            " --device cpu --json");
  EXPECT_EQ(answer.exit_code, 0) << text(folder() / "messages");
  EXPECT_EQ(nlohmann::json::parse(answer.output)["data"], other);
}

TEST_F(EvaluateProgram, WhatCannotBeScoredIsRefusedWithItsOwnCode) {
  EXPECT_EQ(evaluate("--split other").exit_code, 2);
  EXPECT_EQ(run("xrai_evaluate --checkpoint " + data() + " --data " + data()).exit_code, 3);
  EXPECT_EQ(run("xrai_evaluate --checkpoint " + run_folder() + " --data " + run_folder() + "/metrics.csv").exit_code,
            3);
}

TEST_F(EvaluateProgram, ChoosesAnotherOperatingPointOnTheScoresThatTheRunKept) {
  const auto stored = nlohmann::json::parse(evaluate("--json").output);
  EXPECT_EQ(stored["operating_point"]["rule"], "default");
  EXPECT_EQ(stored["threshold"], 0.5);
  const Answer answer = evaluate("--json --operating-point youden");
  ASSERT_EQ(answer.exit_code, 0) << messages();
  const auto json = nlohmann::json::parse(answer.output);
  EXPECT_EQ(json["operating_point"]["rule"], "youden");
  EXPECT_EQ(json["operating_point"]["threshold"], json["threshold"]);
  EXPECT_NE(json["operating_point"]["chosen_on"].get<std::string>().find("the run's"), std::string::npos);
  EXPECT_EQ(json["metrics"]["auroc"], stored["metrics"]["auroc"]);
  EXPECT_TRUE(json["warning"].is_null()) << "validation pictures chose, test pictures are scored";
  const auto flattered = nlohmann::json::parse(evaluate("--json --split val --operating-point youden").output);
  EXPECT_NE(flattered["warning"].get<std::string>().find("flatter"), std::string::npos);
}

TEST_F(EvaluateProgram, TheTrainingsOwnChoiceIsTheOneThatEvaluationRepeats) {
  const std::string other = "xrai_evaluate --checkpoint " + other_run() + " --data " + data() + " --device cpu --json";
  const auto stored = nlohmann::json::parse(run(other).output);
  const auto chosen = nlohmann::json::parse(run(other + " --operating-point youden").output);
  EXPECT_EQ(stored["operating_point"]["rule"], "youden");
  EXPECT_EQ(stored["threshold"], chosen["threshold"]);
  const auto at_the_end = nlohmann::json::parse(text(fs::path(other_run()) / "eval" / "val.json"));
  EXPECT_EQ(at_the_end["threshold"], stored["threshold"]);
  EXPECT_NE(at_the_end["warning"].get<std::string>().find("threshold"), std::string::npos);
}

TEST_F(EvaluateProgram, WithoutKeptScoresTheValSplitOfTheDataChooses) {
  const std::string last = run_folder() + "/checkpoints/last.h5";
  const Answer answer = run("xrai_evaluate --checkpoint " + last + " --data " + data() +
                            " --device cpu --json --operating-point spec=0.5");
  ASSERT_EQ(answer.exit_code, 0) << messages();
  const auto json = nlohmann::json::parse(answer.output);
  EXPECT_NE(json["operating_point"]["chosen_on"].get<std::string>().find("val split of " + data()), std::string::npos);
}

TEST_F(EvaluateProgram, RulesThatAreNoneAreUsageErrors) {
  EXPECT_EQ(evaluate("--operating-point best").exit_code, 2);
  EXPECT_NE(messages().find("sens=0.95"), std::string::npos) << messages();
  EXPECT_EQ(evaluate("--operating-point sens=1.5").exit_code, 2);
}

TEST_F(EvaluateProgram, ComparesTwoRunsOnTheSamePictures) {
  const auto page = folder() / "compared.html";
  const Answer answer = evaluate("--json --against " + other_run() + " --report " + page.string());
  ASSERT_EQ(answer.exit_code, 0) << messages();
  const auto json = nlohmann::json::parse(answer.output)["comparison"];
  EXPECT_EQ(json["against"], other_run() + "/checkpoints/best.h5");
  EXPECT_EQ(json["both_right"].get<int>() + json["only_this_right"].get<int>() + json["only_other_right"].get<int>() +
                json["both_wrong"].get<int>(),
            json["n_images"].get<int>());
  EXPECT_EQ(json["mcnemar"]["method"], "exact binomial") << "a handful of pictures";
  EXPECT_NEAR(json["delong"]["difference"].get<double>(), json["differences"]["auroc"]["difference"].get<double>(),
              1e-12);
  EXPECT_NE(json["threshold"], json["against_threshold"]);
  EXPECT_EQ(not_well_formed(text(page)), "");
  EXPECT_NE(text(page).find("Against another network"), std::string::npos);
  EXPECT_NE(evaluate("--against " + other_run()).output.find("McNemar"), std::string::npos);
  EXPECT_EQ(evaluate("--against " + data()).exit_code, 3);
}

}  // namespace evaluate_program_test
}  // namespace xrai
