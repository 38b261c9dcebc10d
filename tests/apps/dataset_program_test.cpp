// xrai_dataset as a user runs it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/picture_files.h"
#include "tests/support/run_command.h"

namespace xrai {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;
using testing::run_command;
using testing::TemporaryFolder;
using testing::write_bytes;

/// A zip as it is found in the wild, unpacked: 40 patients, junk, and pictures that cannot be read.
void unpack_messy_set(const fs::path& folder) {
  for (int i = 0; i < 80; ++i) {
    const int patient = i / 2, side = 20 + i;
    testing::Bytes pixels = testing::smooth_grey(side, 30, i);
    pixels[0] = static_cast<std::uint8_t>(i);
    const std::string name = patient % 2 == 0 ? "NORMAL/IM-" : "PNEUMONIA/person";
    const bool jpeg = i % 3 == 0;
    write_bytes(
        folder / ("chest_xray/" + name + std::to_string(patient) + "-" + std::to_string(i) + (jpeg ? ".jpeg" : ".png")),
        jpeg ? testing::jpeg_bytes(pixels, side, 30)
             : testing::png_bytes(pixels, static_cast<std::uint32_t>(side), 30));
  }
  const testing::Bytes whole = testing::jpeg_bytes(testing::smooth_grey(64, 64), 64, 64);
  write_bytes(folder / "chest_xray/NORMAL/cut \"off\".jpeg",
              testing::Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(whole.size() / 2)));
  write_bytes(folder / "chest_xray/NORMAL/zero.png", {});
  write_bytes(folder / "chest_xray/NORMAL/.DS_Store", {0});
  write_bytes(folder / "__MACOSX/chest_xray/NORMAL/._IM-1.jpeg", {0});
}

std::string quoted(const fs::path& path) {
  return "'" + path.string() + "'";
}

TEST(DatasetProgram, ImportTakesAMessyFolderAndInfoReadsIt) {
  const TemporaryFolder folder;
  unpack_messy_set(folder / "zip");
  const auto import = run_command("xrai_dataset import " + quoted(folder / "zip") + " " + quoted(folder / "o.h5") +
                                  " --size 32 --splits train=0.6,val=0.2,test=0.2 --json");
  ASSERT_EQ(import.exit_code, 0) << import.errors;
  const json report = json::parse(import.output);
  EXPECT_EQ(report["pictures"], 80);
  EXPECT_EQ(report["classes"], json({"NORMAL", "PNEUMONIA"}));
  EXPECT_EQ(report["unreadable"].size(), 2U);
  EXPECT_EQ(report["splits"]["test"]["classes"]["NORMAL"], 8);

  const auto info = run_command("xrai_dataset info " + quoted(folder / "o.h5") + " --json --contact-sheet " +
                                quoted(folder / "s.png"));
  ASSERT_EQ(info.exit_code, 0) << info.errors;
  const json summary = json::parse(info.output);
  EXPECT_EQ(summary["splits"]["train"]["shape"], json({48, 32, 32}));
  EXPECT_FALSE(summary["synthetic"].get<bool>());
  EXPECT_EQ(summary["attributes"]["fit"], "squash");
  EXPECT_TRUE(testing::text_of(folder / "s.png").starts_with("\x89PNG"));
}

TEST(DatasetProgram, ImportNamesEveryUnreadablePicture) {
  const TemporaryFolder folder;
  unpack_messy_set(folder / "zip");
  const std::string call =
      "xrai_dataset import " + quoted(folder / "zip") + " " + quoted(folder / "o.h5") + " --size 16";
  const auto import = run_command(call);
  EXPECT_EQ(import.exit_code, 0);
  EXPECT_THAT(import.output, HasSubstr("NORMAL/zero.png: it is empty"));
  EXPECT_THAT(import.output, HasSubstr("truncated or damaged"));
  EXPECT_EQ(run_command(call).exit_code, 7);  // it is there already
  EXPECT_EQ(run_command(call + " --force").exit_code, 0);
  const auto strict = run_command(call + " --force --strict");
  EXPECT_EQ(strict.exit_code, 3);
  EXPECT_THAT(strict.errors, HasSubstr("xrai_dataset: cannot read "));
}

TEST(DatasetProgram, SynthIsDeterministicAndSaysWhatItIs) {
  const TemporaryFolder folder;
  for (const char* name : {"a.h5", "b.h5"}) {
    const auto synth = run_command("xrai_dataset synth " + quoted(folder / name) + " --images 40 --size 48 --seed 5");
    ASSERT_EQ(synth.exit_code, 0) << synth.errors;
    EXPECT_THAT(synth.output, HasSubstr("synthetic"));
  }
  const auto info_of = [&](const char* name) {
    return json::parse(run_command("xrai_dataset info " + quoted(folder / name) + " --json").output);
  };
  const json a = info_of("a.h5"), b = info_of("b.h5");
  EXPECT_EQ(a["splits"], b["splits"]);
  EXPECT_TRUE(a["synthetic"].get<bool>());
  EXPECT_EQ(a["splits"]["train"]["classes"], json({{"NORMAL", 14}, {"PNEUMONIA", 14}}));
  EXPECT_THAT(run_command("xrai_dataset info " + quoted(folder / "a.h5")).output, HasSubstr("SYNTHETIC"));
}

TEST(DatasetProgram, InfoRefusesWhatIsNoDataSet) {
  const TemporaryFolder folder;
  write_bytes(folder / "text.h5", {'h', 'i'});
  EXPECT_EQ(run_command("xrai_dataset info " + quoted(folder / "text.h5")).exit_code, 3);
  EXPECT_EQ(run_command("xrai_dataset info " + quoted(folder / "none.h5")).exit_code, 3);
}

TEST(DatasetProgram, UsageErrorsLeaveWithTwo) {
  EXPECT_EQ(run_command("xrai_dataset").exit_code, 2);
  EXPECT_EQ(run_command("xrai_dataset import").exit_code, 2);
  EXPECT_EQ(run_command("xrai_dataset import a b --sizes 3").exit_code, 2);
  EXPECT_EQ(run_command("xrai_dataset import a b --splits train=2").exit_code, 2);
  EXPECT_EQ(run_command("xrai_dataset import a b --group-regex '('").exit_code, 2);
}

TEST(DatasetProgram, HelpAndVersionAnswerOnStandardOutput) {
  for (const char* call :
       {"xrai_dataset --help", "xrai_dataset import --help", "xrai_dataset synth -h", "xrai_dataset info --help"}) {
    const auto help = run_command(call);
    EXPECT_EQ(help.exit_code, 0) << call;
    EXPECT_THAT(help.output, HasSubstr("not a medical device")) << call;
    EXPECT_EQ(help.errors, "") << call;
  }
  EXPECT_THAT(run_command("xrai_dataset --version").output, HasSubstr("HDF5 "));
}

TEST(DatasetProgram, AFullDiskIsOneSentence) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "there is no /dev/full here";
  const TemporaryFolder folder;
  ASSERT_EQ(run_command("xrai_dataset synth " + quoted(folder / "a.h5") + " --images 4 --size 32 -q").exit_code, 0);
  const std::string line =
      std::string(XRAI_BIN) + "/xrai_dataset info " + quoted(folder / "a.h5") + " -q > /dev/full 2> /dev/null";
  EXPECT_EQ(WEXITSTATUS(std::system(line.c_str())), 7);  // NOLINT
}

}  // namespace
}  // namespace xrai
