// xrai_predict as a user runs it, on a network that was trained for a moment.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "apps/support/devices.h"
#include "loaders/image_decoder.h"
#include "runtime/hdf5/file.h"
#include "runtime/train/predictor.h"
#include "tests/support/picture_files.h"
#include "tests/support/run_command.h"
#include "tests/support/started_program.h"

namespace xrai {
namespace predict_program_test {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::run_command;
using testing::write_bytes;

std::string quoted(const fs::path& path) {
  return "'" + path.string() + "'";
}

/// One folder of pictures, imported with --fit pad, and a run that learnt from it; made once for all tests here.
class PredictProgram : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new testing::TemporaryFolder;
    for (int i = 0; i < 48; ++i) {
      const int width = 60 + i, height = 90;
      const std::string name = i % 2 == 0 ? "pictures/NORMAL/IM-" : "pictures/PNEUMONIA/person";
      write_bytes(*folder_ / (name + std::to_string(i) + "-1.jpeg"),
                  testing::jpeg_bytes(testing::smooth_grey(width, height, i), width, height));
    }
    const auto import = run_command("xrai_dataset import " + quoted(*folder_ / "pictures") + " " +
                                    quoted(*folder_ / "data.h5") + " --size 48 --fit pad --splits train=0.75,val=0.25");
    ASSERT_EQ(import.exit_code, 0) << import.errors;
    const auto train = run_command("xrai_gpu_train --device cpu --members 1 --epochs 1 --batch-size 8 --data " +
                                   quoted(*folder_ / "data.h5") + " --out " + quoted(*folder_ / "run"));
    ASSERT_EQ(train.exit_code, 0) << train.errors;
  }
  static void TearDownTestSuite() {
    delete folder_;
    folder_ = nullptr;
  }
  static testing::CommandResult predict(const std::string& arguments) {
    return run_command("xrai_predict --device cpu --checkpoint " + quoted(*folder_ / "run") + " " + arguments);
  }
  static testing::TemporaryFolder* folder_;
};
testing::TemporaryFolder* PredictProgram::folder_ = nullptr;

// More than is kept until the end is lost earlier than that, and by then nobody knows why.
TEST_F(PredictProgram, AFullDiskUnderALongResultIsSaidAndAReaderWhoLeavesIsNone) {
  ASSERT_TRUE(fs::exists("/dev/full"));
  std::string pictures;
  for (int i = 0; i < 8; ++i) pictures += quoted(*folder_ / "pictures") + " ";
  const std::string score = std::string(XRAI_BIN) + "/xrai_predict --device cpu --checkpoint " +
                            quoted(*folder_ / "run") + " " + pictures + "2> /dev/null ";
  const auto exit_of = [&](const std::string& line) {
    std::ofstream(*folder_ / "line.sh") << line << "\n";
    return WEXITSTATUS(std::system(("bash " + quoted(*folder_ / "line.sh")).c_str()));  // NOLINT
  };
  for (const std::string how : {"--json", "--csv"}) {
    EXPECT_EQ(exit_of(score + how + " > /dev/full"), 7) << how;
    EXPECT_EQ(exit_of(score + how + " | head -c 10 > /dev/null; exit ${PIPESTATUS[0]}"), 0) << how;
  }
}

TEST_F(PredictProgram, ANewFileIsSeenExactlyAsItsCopyInTheDataSet) {
  const auto result = predict(quoted(*folder_ / "pictures") + " --json");
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  std::map<std::string, double> probability_of;
  const json answer = json::parse(result.output);
  for (const json& prediction : answer["predictions"])
    probability_of[prediction["picture"]] = prediction["probabilities"]["PNEUMONIA"];
  ASSERT_EQ(probability_of.size(), 48U);

  const auto file = hdf5::File::open(*folder_ / "data.h5");
  const auto device = make_device({"cpu"});
  Predictor predictor = Predictor::load(*folder_ / "run", *device);
  for (const char* split : {"/train", "/val"}) {
    const auto pixels = file.read<std::uint8_t>(std::string(split) + "/images");
    const auto sources = file.read_strings(std::string(split) + "/source");
    const auto expected = predictor.predict(pixels.data(), static_cast<std::int64_t>(sources.size()), 48, 48);
    for (std::size_t i = 0; i < sources.size(); ++i)
      // Only the place in the batch differs, and with it the order of sums.
      EXPECT_NEAR(probability_of[(*folder_ / ("pictures/" + sources[i])).string()], expected[2 * i + 1], 1e-5)
          << sources[i];
  }
}

TEST_F(PredictProgram, AnUnreadablePictureDoesNotStopTheOthers) {
  write_bytes(*folder_ / "bad, \"worse\".png", {});
  const std::string good = quoted(*folder_ / "pictures/NORMAL/IM-0-1.jpeg");
  const auto csv = predict(good + " " + quoted(*folder_ / "bad, \"worse\".png") + " " + good + " --csv");
  EXPECT_EQ(csv.exit_code, 3);
  EXPECT_EQ(std::count(csv.output.begin(), csv.output.end(), '\n'), 4);
  EXPECT_THAT(csv.output, HasSubstr("picture,probability_NORMAL,probability_PNEUMONIA,verdict,error\n"));
  EXPECT_THAT(csv.output, HasSubstr("bad, \"\"worse\"\".png\",,,,\"it is empty"));
  EXPECT_THAT(csv.errors, HasSubstr("cannot score"));
  EXPECT_THAT(csv.errors, HasSubstr("not a medical device"));
}

TEST_F(PredictProgram, DrawsAHeatMapForEachPictureAndSaysWhere) {
  const std::string two =
      quoted(*folder_ / "pictures/NORMAL/IM-0-1.jpeg") + " " + quoted(*folder_ / "pictures/PNEUMONIA/person1-1.jpeg");
  const std::string to = " --heatmap " + quoted(*folder_ / "seen");
  const auto result = predict(two + to + " --json");
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  const json answer = json::parse(result.output);
  for (const json& prediction : answer["predictions"]) {
    const fs::path drawn = prediction["heatmap"].get<std::string>();
    EXPECT_EQ(drawn.filename(), fs::path(prediction["picture"].get<std::string>()).stem().string() + "-heatmap.png");
    EXPECT_GT(load_square_picture(drawn, {64, Fit::kPad}).image.pixels.size(), 0U);
  }
  const auto again = predict(two + to);
  EXPECT_EQ(again.exit_code, 7);
  EXPECT_THAT(again.errors, HasSubstr("--force"));
  EXPECT_EQ(predict(two + to + " --force --heatmap-class NORMAL --heatmap-layer pool4").exit_code, 0);
  EXPECT_EQ(predict(two + to + " --force --heatmap-class OTHER").exit_code, 2);
  EXPECT_EQ(predict(two + to + " --force --heatmap-layer dense").exit_code, 2);
  EXPECT_EQ(predict(two + " --heatmap-class NORMAL").exit_code, 2);
}

TEST_F(PredictProgram, WhatWasScoredBeforeAFailureIsPrinted) {
  const std::string two =
      quoted(*folder_ / "pictures/NORMAL/IM-0-1.jpeg") + " " + quoted(*folder_ / "pictures/PNEUMONIA/person1-1.jpeg");
  fs::create_directories(*folder_ / "half" / "person1-1-heatmap.png");  // where a file is to be written
  const auto result = predict(two + " --force --json --heatmap " + quoted(*folder_ / "half"));
  EXPECT_EQ(result.exit_code, 7);
  EXPECT_THAT(result.errors, AllOf(HasSubstr("person1-1-heatmap.png"), HasSubstr("2 of 2 pictures were scored")));
  const json answer = json::parse(result.output);
  ASSERT_EQ(answer["predictions"].size(), 2U);
  EXPECT_TRUE(answer["predictions"][0].contains("heatmap"));
  EXPECT_FALSE(answer["predictions"][1].contains("heatmap"));
}

TEST_F(PredictProgram, MistakesLeaveWithTheirCodes) {
  EXPECT_EQ(predict("x.png --json --csv").exit_code, 2);
  EXPECT_EQ(predict("").exit_code, 2);
  EXPECT_EQ(predict("not-there.png").exit_code, 3);
  EXPECT_EQ(run_command("xrai_predict --checkpoint /not/there x.png").exit_code, 3);
}

TEST_F(PredictProgram, CtrlCBetweenHeatMapsLeavesThoseThatAreDrawn) {
  const fs::path many = *folder_ / "many", seen = *folder_ / "interrupted";
  fs::create_directories(many);
  constexpr int kPictures = 600;  // so that a signal from a busy machine still finds it at work
  for (int i = 0; i < kPictures; ++i)
    fs::copy_file(*folder_ / "pictures/NORMAL/IM-0-1.jpeg", many / (std::to_string(i) + ".jpeg"));
  testing::StartedProgram program({"xrai_predict", "--device", "cpu", "--checkpoint", (*folder_ / "run").string(),
                                   many.string(), "--heatmap", seen.string()},
                                  *folder_ / "interrupted_errors");
  const auto drawn = [&] {
    return fs::exists(seen) ? std::distance(fs::directory_iterator(seen), fs::directory_iterator()) : 0;
  };
  ASSERT_TRUE(testing::comes_true([&] { return drawn() > 0; })) << program.errors();
  program.send(SIGINT);
  EXPECT_EQ(program.exit_code(), 130) << program.errors();
  EXPECT_LT(drawn(), kPictures);
  EXPECT_THAT(program.errors(), HasSubstr("of 600 pictures were scored, and the result is of these"));
}

}  // namespace predict_program_test
}  // namespace xrai
