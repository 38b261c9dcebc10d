// The run folder by itself: made once, locked, and never taken from a run that has something to lose.
#include "apps/support/run_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "apps/support/devices.h"
#include "tests/support/errors.h"
#include "tests/support/picture_files.h"
#include "tests/support/run_command.h"

namespace xrai {
namespace run_folder_test {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::refused;

TEST(RunFolder, IsMadeWithItsParentsAndFreeAgainAfterwards) {
  const testing::TemporaryFolder folder;
  const fs::path run = folder / "a/b/run";
  { const RunFolder first(run, false); }
  const RunFolder second(run, false);
  EXPECT_TRUE(fs::is_directory(run / "checkpoints"));
}

TEST(RunFolder, ASecondWriterIsRefusedWhileTheFirstLives) {
  const testing::TemporaryFolder folder;
  const RunFolder first(folder / "run", false);
  EXPECT_THAT(refused(ExitCode::kStorage, [&] { const RunFolder second(folder / "run", true); }),
              HasSubstr("another training"));
}

TEST(RunFolder, FiguresOrACheckpointAreARun) {
  const testing::TemporaryFolder folder;
  testing::write_bytes(folder / "headline/metrics.csv", {'e', '\n'});
  EXPECT_NO_THROW(RunFolder(folder / "headline", false));
  testing::write_bytes(folder / "figures/metrics.csv", {'e', '\n', '1', '\n'});
  EXPECT_THAT(refused(ExitCode::kStorage, [&] { RunFolder::refuse_occupied(folder / "figures"); }),
              HasSubstr("without a checkpoint"));
  testing::write_bytes(folder / "checkpoint/checkpoints/last.h5", {1});
  EXPECT_THAT(refused(ExitCode::kStorage, [&] { RunFolder(folder / "checkpoint", false); }),
              HasSubstr("--resume auto"));
  EXPECT_NO_THROW(RunFolder(folder / "checkpoint", true));
}

TEST(RunFolder, TheEnvironmentCanBeReadBack) {
  const testing::TemporaryFolder folder;
  const char* const argv[] = {"xrai_gpu_train", "--data", "caf\xe9.h5"};  // Latin-1: not UTF-8
  const RunFolder run(folder / "run", false);
  EXPECT_EQ(threads_of_run(run.path()), 0);
  run.write_environment({"some device", 5}, 3, argv);
  EXPECT_EQ(threads_of_run(run.path()), 5);
  const auto json = nlohmann::json::parse(testing::text_of(run.path() / "env.json"));
  EXPECT_EQ(json["command"].size(), 3U);
  EXPECT_EQ(json["device"], "some device");
}

TEST(Devices, TheCpuIsAlwaysUsableAndNothingElseIsInvented) {
  EXPECT_NO_THROW(require_device({"cpu"}));
  EXPECT_NO_THROW(require_device({"auto"}));
  EXPECT_THAT(refused(ExitCode::kUsage, [] { require_device({"gpu"}); }), HasSubstr("cuda:N"));
  for (const DeviceStatus& status : device_statuses()) {
    EXPECT_TRUE(status.usable || status.name != "cpu");
    if (status.usable) continue;
    EXPECT_THAT(refused(ExitCode::kNoDevice, [&] { require_device({status.name}); }), HasSubstr(status.description));
  }
}

TEST(InfoProgram, NamesDevicesProcessorMemoryAndLibraries) {
  const auto text = testing::run_command("xrai_info");
  EXPECT_EQ(text.exit_code, 0);
  for (const char* word : {"cpu    usable", "cores", "GiB", "HDF5", "oneDNN"})
    EXPECT_THAT(text.output, HasSubstr(word));
  const auto json = nlohmann::json::parse(testing::run_command("xrai_info --json").output);
  EXPECT_EQ(json["devices"][0]["name"], "cpu");
  EXPECT_EQ(json["devices"][0]["usable"], true);
  EXPECT_GE(json["cpu"]["cores_allowed"], 1);
  EXPECT_GT(json["memory"]["total_bytes"], json["memory"]["free_bytes"]);
  EXPECT_EQ(testing::run_command("xrai_info --jsn").exit_code, 2);
}

}  // namespace run_folder_test
}  // namespace xrai
