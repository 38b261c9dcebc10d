// xrai_dataset as a user runs it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "loaders/hold_out.h"
#include "loaders/stress/picture_statistics.h"
#include "runtime/core/error.h"
#include "tests/support/picture_files.h"
#include "tests/support/run_command.h"

namespace xrai {
namespace dataset_program_test {

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

TEST(DatasetProgram, HoldOutTrainsOnNoPictureAndNoPatientOfTheFamily) {
  const TemporaryFolder folder;
  for (int i = 0; i < 80; ++i) {
    const int patient = i / 2;
    const std::string number = std::to_string(patient) + "-" + std::to_string(i);
    const std::string names[] = {"NORMAL/IM-" + number, "NORMAL/NORMAL2-IM-" + number,
                                 "PNEUMONIA/person" + std::to_string(patient) + "_bacteria_" + std::to_string(i),
                                 "PNEUMONIA/person" + std::to_string(patient) + "_virus_" + std::to_string(i)};
    // Patients 0 and 20 have a picture in both families of normals.
    const bool both = patient % 20 == 0 && i % 2 == 1;
    testing::Bytes pixels = testing::smooth_grey(24, 24, i);
    pixels[0] = static_cast<std::uint8_t>(i);
    write_bytes(folder / ("in/" + names[both ? 1 : patient % 4] + ".png"), testing::png_bytes(pixels, 24, 24));
  }
  const std::string whole = quoted(folder / "whole.h5"), held = quoted(folder / "held.h5");
  ASSERT_EQ(run_command("xrai_dataset import " + quoted(folder / "in") + " " + whole + " --size 24 --splits " +
                        "train=0.7,val=0.3 --quiet")
                .exit_code,
            0);
  const auto result = run_command("xrai_dataset hold-out " + whole + " " + held + " --family NORMAL2 --json");
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  const auto before = open_dataset(folder / "whole.h5"), after = open_dataset(folder / "held.h5");
  const auto trained = after->sources("train"), validated = after->sources("val");
  std::map<std::string, std::pair<std::string, std::int64_t>> places;  // of each picture in the file before
  std::size_t n_family = 0, n_pneumonia_in_val = 0;
  for (const char* split : {"train", "val"}) {
    const auto sources = before->sources(split);
    for (std::size_t i = 0; i < sources.size(); ++i) {
      places[sources[i]] = {split, static_cast<std::int64_t>(i)};
      n_family += sources[i].starts_with("NORMAL/NORMAL2") ? 1 : 0;
      n_pneumonia_in_val += split == std::string("val") && sources[i].starts_with("PNEUMONIA") ? 1 : 0;
    }
  }
  EXPECT_GT(n_family, 20U);
  EXPECT_EQ(validated.size(), n_family + n_pneumonia_in_val);
  for (const std::string& source : trained) EXPECT_FALSE(source.starts_with("NORMAL/NORMAL2")) << source;
  const auto groups = after->groups("val");
  const std::set<std::string> patients(groups.begin(), groups.end());
  for (const std::string& patient : after->groups("train")) EXPECT_FALSE(patients.contains(patient)) << patient;
  const json report = json::parse(result.output);
  EXPECT_EQ(report["dropped"], 80 - trained.size() - validated.size());
  EXPECT_EQ(report["dropped"], 2) << "the other pictures of the patients in both families";
  // Pixels, labels and sizes travel with the name.
  for (const char* split : {"train", "val"}) {
    const auto sources = after->sources(split);
    for (std::size_t i = 0; i < sources.size(); ++i) {
      const auto& [from, row] = places.at(sources[i]);
      const auto here = static_cast<std::int64_t>(i);
      testing::Bytes expected(24 * 24), found(24 * 24);
      before->read_rows(from, std::span(&row, 1), expected.data());
      after->read_rows(split, std::span(&here, 1), found.data());
      ASSERT_EQ(found, expected) << sources[i];
      ASSERT_EQ(after->labels(split)[i], before->labels(from)[static_cast<std::size_t>(row)]);
      ASSERT_EQ(after->original_sizes(split)[i].width, 24);
    }
  }
  const auto unknown = run_command("xrai_dataset hold-out " + whole + " " + held + " --family NORMAL3 --force");
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.errors, HasSubstr("IM (")) << "says which families there are";
  const auto alike =
      run_command("xrai_dataset hold-out " + whole + " " + held + " --force --statistic original_height");
  EXPECT_EQ(alike.exit_code, 2);
  EXPECT_THAT(alike.errors, HasSubstr("original_height is the same for all pictures of the class"));
}

TEST(HoldOut, TakesAThirdOfEachClassByAStatistic) {
  const TemporaryFolder folder;
  const std::string whole = quoted(folder / "whole.h5"), held = quoted(folder / "held.h5");
  ASSERT_EQ(run_command("xrai_dataset synth " + whole + " --images 120 --size 32 -q").exit_code, 0);
  const auto result =
      run_command("xrai_dataset hold-out " + whole + " " + held + " --statistic sharpness --third low --json");
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_EQ(json::parse(result.output)["held_out"], "low sharpness");
  const auto data = open_dataset(folder / "held.h5");
  const auto sharpness = [&](const char* split) {
    for (const StatisticColumn& column : split_statistics(*data, split)) {
      if (column.name == "sharpness") return column.values;
    }
    return std::vector<double>{};
  };
  const auto trained_on = sharpness("train"), held_out = sharpness("val");
  EXPECT_NEAR(static_cast<double>(held_out.size()), static_cast<double>(trained_on.size()) / 2, 12);
  for (const std::int32_t label : {0, 1}) {
    double sharpest = 0, least = 1e9;  // held out; trained on
    for (std::size_t i = 0; i < held_out.size(); ++i) {
      if (data->labels("val")[i] == label) sharpest = std::max(sharpest, held_out[i]);
    }
    for (std::size_t i = 0; i < trained_on.size(); ++i) {
      if (data->labels("train")[i] == label) least = std::min(least, trained_on[i]);
    }
    EXPECT_LT(sharpest, least) << label;
  }
  const auto refusal = [&](const std::string& words) {
    const auto refused = run_command("xrai_dataset hold-out " + whole + " " + held + " --force " + words);
    EXPECT_EQ(refused.exit_code, 2) << words;
    return refused.errors;
  };
  EXPECT_THAT(refusal("--statistic taste"), HasSubstr("no statistic taste, but mean_grey, deviation"));
  EXPECT_THAT(refusal(""), HasSubstr("either --family NAME or --statistic NAME"));
  EXPECT_THAT(refusal("--family IM --statistic sharpness"), HasSubstr("either --family NAME or --statistic NAME"));
  const auto size = std::filesystem::file_size(folder / "whole.h5");
  const auto itself = run_command("xrai_dataset hold-out " + whole + " " + whole + " --force --family IM");
  EXPECT_EQ(itself.exit_code, 2);
  EXPECT_THAT(itself.errors, HasSubstr("cannot be written while it is read"));
  EXPECT_EQ(std::filesystem::file_size(folder / "whole.h5"), size);
}

TEST(HoldOut, RefusesWhatLeavesAClassOut) {
  const std::vector<std::string> classes{"NORMAL", "PNEUMONIA"};
  const std::vector<HoldOutPicture> pictures{
      {"train", 0, 0, "IM", "a"}, {"train", 1, 1, "virus", "b"}, {"train", 2, 1, "bacteria", "c"}};
  for (const char* family : {"IM", "virus"}) {  // no other normals to train on; no normals to validate on
    try {
      (void)plan_hold_out(pictures, family, classes, "chest.h5");
      FAIL() << "held out " << family;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kBadData);
      EXPECT_THAT(error.what(), HasSubstr("no picture of class NORMAL left"));
    }
  }
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

TEST(DatasetProgram, AContactSheetInAMissingFolderIsRefusedBeforeReading) {
  const TemporaryFolder folder;
  ASSERT_EQ(run_command("xrai_dataset synth " + quoted(folder / "a.h5") + " --images 4 --size 32 -q").exit_code, 0);
  const auto info = run_command("xrai_dataset info " + quoted(folder / "a.h5") + " --contact-sheet " +
                                quoted(folder / "no/sheet.png"));
  EXPECT_EQ(info.exit_code, 7);
  EXPECT_THAT(info.errors, HasSubstr("there is no folder"));
  EXPECT_THAT(info.errors, ::testing::Not(HasSubstr("read:")));
}

TEST(DatasetProgram, AFullDiskIsOneSentence) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "there is no /dev/full here";
  const TemporaryFolder folder;
  ASSERT_EQ(run_command("xrai_dataset synth " + quoted(folder / "a.h5") + " --images 4 --size 32 -q").exit_code, 0);
  const std::string line =
      std::string(XRAI_BIN) + "/xrai_dataset info " + quoted(folder / "a.h5") + " -q > /dev/full 2> /dev/null";
  EXPECT_EQ(WEXITSTATUS(std::system(line.c_str())), 7);  // NOLINT
}

// As behind `2>&1 | head`, or a log on a full disk.
TEST(DatasetProgram, WhereNobodyReadsMessagesTheWorkIsDoneAllTheSame) {
  ASSERT_TRUE(fs::exists("/dev/full"));
  const TemporaryFolder folder;
  const std::string program = std::string(XRAI_BIN) + "/xrai_dataset ";
  const auto exit_of = [](const std::string& line) { return WEXITSTATUS(std::system(line.c_str())); };  // NOLINT
  EXPECT_EQ(exit_of(program + "synth " + quoted(folder / "a.h5") + " --images 4 --size 32 > /dev/null 2> /dev/full"),
            0);
  EXPECT_EQ(exit_of(program + "info " + quoted(folder / "b.h5") + " 2> /dev/full"), 3);
}

}  // namespace dataset_program_test
}  // namespace xrai
