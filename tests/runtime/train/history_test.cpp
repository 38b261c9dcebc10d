// The files of a run's course: what is written is read back, and a crash or a resume leaves each epoch once.
#include "runtime/train/history.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "runtime/core/error.h"

namespace xrai {
namespace history_test {

class History : public ::testing::Test {
 protected:
  void SetUp() override {
    folder = std::filesystem::path(::testing::TempDir()) /
             (std::string("xrai_history_") + ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  [[nodiscard]] std::string text(const char* name) const {
    std::ostringstream all;
    all << std::ifstream(folder / name).rdbuf();
    return all.str();
  }
  [[nodiscard]] std::vector<nlohmann::json> json_lines() const {
    std::ifstream file(folder / "metrics.jsonl");
    std::vector<nlohmann::json> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(nlohmann::json::parse(line));
    return lines;
  }
  void add_text(const char* name, const std::string& more) const {
    std::ofstream(folder / name, std::ios::app) << more;
  }

  std::filesystem::path folder;
};

EpochRecord epoch(std::int64_t number) {
  EpochRecord r;
  r.epoch = number;
  r.step = 10 * number;
  r.train_loss = 1.0 / (3.0 * static_cast<double>(number));
  r.train_accuracy = 0.9;
  r.val_loss = 0.1 + 1.0 / 7.0;
  r.val_accuracy = 0.95;
  r.val_auroc = 0.98;
  r.learning_rate = 1e-4;
  r.images_per_second = 123.25;
  r.data_wait_fraction = 0.0125;
  r.seconds = 12.5;
  return r;
}

StepRecord step(std::int64_t number) {
  StepRecord r;
  r.epoch = 1 + (number - 1) / 10;
  r.step = number;
  r.train_loss = 0.5;
  return r;
}

TEST_F(History, EpochsReadBackToTheSameBits) {
  HistoryWriter writer(folder);
  writer.append(epoch(1));
  writer.append(epoch(2));
  const auto history = read_history(folder);
  ASSERT_EQ(history.size(), 2u);
  EXPECT_EQ(history[1].epoch, 2);
  EXPECT_EQ(history[1].step, 20);
  EXPECT_EQ(history[1].train_loss, epoch(2).train_loss);
  EXPECT_EQ(history[1].val_loss, epoch(2).val_loss);
  EXPECT_EQ(history[1].val_auroc, epoch(2).val_auroc);
  EXPECT_EQ(history[1].learning_rate, 1e-4);
  EXPECT_EQ(history[1].images_per_second, 123.25);
  EXPECT_EQ(history[1].seconds, 12.5);
}

TEST_F(History, TheHeaderNamesTheKeysThatScriptsRelyOn) {
  HistoryWriter writer(folder);
  writer.append(epoch(1));
  EXPECT_EQ(text("metrics.csv").substr(0, text("metrics.csv").find('\n')),
            "epoch,step,train_loss,train_accuracy,val_loss,val_accuracy,val_auroc,learning_rate,images_per_second,"
            "data_wait_fraction,seconds");
  for (const char* key : {"kind", "epoch", "step", "train_loss", "train_accuracy", "val_loss", "val_accuracy",
                          "val_auroc", "learning_rate", "images_per_second", "data_wait_fraction", "seconds"}) {
    EXPECT_TRUE(json_lines().front().contains(key)) << key;
  }
}

TEST_F(History, ValuesThatAreNotThereAreEmptyInCsvAndNullInJson) {
  EpochRecord r = epoch(1);
  r.val_loss.reset();
  r.val_accuracy.reset();
  r.val_auroc = std::numeric_limits<double>::quiet_NaN();
  r.train_loss = std::numeric_limits<double>::infinity();
  HistoryWriter writer(folder);
  writer.append(r);
  const auto line = json_lines().front();
  for (const char* key : {"train_loss", "val_loss", "val_accuracy", "val_auroc"})
    EXPECT_TRUE(line[key].is_null()) << key;
  const auto read = read_history(folder).front();
  EXPECT_FALSE(read.val_loss);
  EXPECT_FALSE(read.val_auroc);
  EXPECT_TRUE(std::isnan(read.train_loss));
  EXPECT_EQ(read.learning_rate, 1e-4);
}

TEST_F(History, StepLinesGoToJsonOnly) {
  HistoryWriter writer(folder);
  writer.append(step(5));
  writer.append(epoch(1));
  ASSERT_EQ(json_lines().size(), 2u);
  EXPECT_EQ(json_lines()[0]["kind"], "step");
  EXPECT_EQ(json_lines()[1]["kind"], "epoch");
  EXPECT_EQ(read_history(folder).size(), 1u);
}

TEST_F(History, ResumeDropsWhatCameAfterTheCheckpoint) {
  {
    HistoryWriter writer(folder);
    for (std::int64_t e = 1; e <= 3; ++e) {
      writer.append(step(10 * e - 5));
      writer.append(epoch(e));
    }
    writer.append(step(35));
  }
  HistoryWriter resumed(folder, 25);
  EXPECT_EQ(resumed.epochs().size(), 2u);
  EXPECT_EQ(read_history(folder).size(), 2u);
  EXPECT_EQ(json_lines().size(), 5u) << "steps 5, 15, 25 and epochs 1, 2";
  resumed.append(epoch(3));
  EXPECT_EQ(read_history(folder).size(), 3u);
}

TEST_F(History, ResumedFilesEqualThoseOfAnUninterruptedRun) {
  {
    HistoryWriter writer(folder);
    for (std::int64_t e = 1; e <= 4; ++e) writer.append(epoch(e));
  }
  const std::string csv = text("metrics.csv"), jsonl = text("metrics.jsonl");
  HistoryWriter resumed(folder, 20);
  resumed.append(epoch(3));
  resumed.append(epoch(4));
  EXPECT_EQ(text("metrics.csv"), csv);
  EXPECT_EQ(text("metrics.jsonl"), jsonl);
}

TEST_F(History, AnEpochWrittenTwiceStandsOnce) {
  HistoryWriter writer(folder);
  writer.append(epoch(1));
  writer.append(epoch(2));
  EpochRecord again = epoch(2);
  again.train_loss = 0.125;
  writer.append(again);
  const auto history = read_history(folder);
  ASSERT_EQ(history.size(), 2u);
  EXPECT_EQ(history[1].train_loss, 0.125);
  EXPECT_EQ(json_lines().size(), 2u);
}

TEST_F(History, ALineThatACrashCutShortIsLeftOutAndOverwritten) {
  HistoryWriter(folder).append(epoch(1));
  add_text("metrics.csv", "2,20,0.1");
  add_text("metrics.jsonl", "{\"kind\":\"epoch\",\"epo");
  EXPECT_EQ(read_history(folder).size(), 1u);
  HistoryWriter resumed(folder, 100);
  resumed.append(epoch(2));
  EXPECT_EQ(read_history(folder).size(), 2u);
  EXPECT_EQ(json_lines().size(), 2u);
}

TEST_F(History, ANewRunStartsEmpty) {
  HistoryWriter(folder).append(epoch(1));
  HistoryWriter fresh(folder);
  EXPECT_TRUE(read_history(folder).empty());
  EXPECT_TRUE(json_lines().empty());
}

TEST_F(History, AFileThatIsNotThereHasNoEpochs) {
  EXPECT_TRUE(read_history(folder).empty());
}

TEST_F(History, ColumnsAreFoundByName) {
  std::ofstream(folder / "metrics.csv") << "step,epoch,note,val_auroc\r\n20,2,hello,0.5\r\n";
  const auto history = read_history(folder);
  ASSERT_EQ(history.size(), 1u);
  EXPECT_EQ(history[0].epoch, 2);
  EXPECT_EQ(history[0].val_auroc, 0.5);
  EXPECT_TRUE(std::isnan(history[0].train_loss));
}

TEST_F(History, ADamagedLineIsNamed) {
  std::ofstream(folder / "metrics.csv") << "epoch,step,train_loss\n1,10,0.5\n2,20,abc\n";
  try {
    (void)read_history(folder);
    FAIL() << "abc was read as a number";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadData);
    EXPECT_NE(std::string(error.what()).find("line 3"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("abc"), std::string::npos) << error.what();
  }
}

TEST_F(History, AFolderThatCannotBeWrittenIsAStorageError) {
  try {
    HistoryWriter writer(folder / "missing");
    FAIL() << "wrote into a folder that is not there";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kStorage);
  }
}

TEST(LowestLossEpoch, HasTheLowestValidationLossElseTheLowestTrainingLoss) {
  std::vector<EpochRecord> history = {epoch(1), epoch(2), epoch(3)};
  history[0].train_loss = 0.001;
  history[1].val_loss = 0.01;
  EXPECT_EQ(lowest_loss_epoch(history), 1u);
  for (auto& record : history) record.val_loss.reset();
  EXPECT_EQ(lowest_loss_epoch(history), 0u);
  for (auto& record : history) record.train_loss = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(lowest_loss_epoch(history));
  EXPECT_FALSE(lowest_loss_epoch({}));
}

}  // namespace history_test
}  // namespace xrai
