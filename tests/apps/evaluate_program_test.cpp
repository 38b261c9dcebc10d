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

namespace xrai {
namespace {

namespace fs = std::filesystem;

struct Answer {
  int exit_code = -1;
  std::string output;
};

class EvaluateProgram : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder() = fs::path(testing::TempDir()) / ("xrai_evaluate_" + std::to_string(getpid()));
    fs::create_directories(folder());
    ASSERT_EQ(run("xrai_dataset synth " + data() + " --images 60 --size 32 --seed 3").exit_code, 0);
    ASSERT_EQ(
        run("xrai_gpu_train --data " + data() + " --out " + run_folder() + " --device cpu --fast-dev-run").exit_code,
        0);
  }
  static void TearDownTestSuite() { fs::remove_all(folder()); }

  static fs::path& folder() {
    static fs::path path;
    return path;
  }
  static std::string data() { return (folder() / "set.h5").string(); }
  static std::string run_folder() { return (folder() / "run").string(); }
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

}  // namespace
}  // namespace xrai
