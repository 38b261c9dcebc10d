// Stopping xrai_gpu_train in every way and going on: the end must be the same, bit for bit.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/apps/training_runs.h"

namespace xrai {
namespace train_resume_test {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::quoted;
using testing::run_command;
using testing::text_of;

class Resume : public testing::TrainingRuns {
 protected:
  // About a second, so that a signal from a busy machine still finds it at work.
  static constexpr std::int64_t kLongEpochs = 16;
  const std::vector<std::string> long_run_{"--epochs", "16", "--batch-size", "1", "--log-interval", "1"};
  static constexpr const char* kFour = "--epochs 4 --batch-size 8 ";  // 43 pictures: six steps an epoch

  void expect_same_end(const std::string& whole, const std::string& stopped, std::size_t epochs = 4) const {
    for (const char* file : {"last.h5", "best.h5"}) EXPECT_EQ(checksum(whole, file), checksum(stopped, file)) << file;
    const auto one = read_history(run(whole)), other = read_history(run(stopped));
    ASSERT_EQ(one.size(), epochs);
    ASSERT_EQ(other.size(), epochs);
    for (std::size_t i = 0; i < epochs; ++i) {
      EXPECT_EQ(other[i].epoch, static_cast<std::int64_t>(i) + 1);
      EXPECT_EQ(one[i].step, other[i].step);
      EXPECT_EQ(one[i].train_loss, other[i].train_loss);
      EXPECT_EQ(one[i].val_loss, other[i].val_loss);
    }
  }

  // Trains with very small batches and sends the signal when the first step is on file.
  void stop_by(int signal, int exit_code) {
    testing::StartedProgram whole(words("whole", long_run_), folder_ / "whole.txt");
    EXPECT_EQ(whole.exit_code(), 0) << whole.errors();
    testing::StartedProgram stopped(words("stopped", long_run_), folder_ / "stopped.txt");
    ASSERT_TRUE(testing::comes_true([this] { return has_step_line("stopped"); })) << stopped.errors();
    stopped.send(signal);
    EXPECT_EQ(stopped.exit_code(), exit_code);
    EXPECT_THAT(stopped.errors(), HasSubstr("/xrai_gpu_train --data " + data().string() + " --out " +
                                            run("stopped").string() + " --resume auto"));
    const TrainingState state = read_checkpoint(run("stopped") / "checkpoints" / "last.h5").state;
    EXPECT_LT(state.step, kLongEpochs * 43) << "the signal came too late to show anything";
    const auto on = run_command(command("stopped", "--resume auto"));
    EXPECT_EQ(on.exit_code, 0) << on.errors;
    expect_same_end("whole", "stopped", kLongEpochs);
  }
};

TEST_F(Resume, FourEpochsAreTwoAndTwo) {
  ASSERT_EQ(run_command(new_run("whole", kFour)).exit_code, 0);
  ASSERT_EQ(run_command(new_run("stopped", std::string(kFour) + "--max-steps 12")).exit_code, 0);
  ASSERT_EQ(read_history(run("stopped")).size(), 2U);
  const auto on = run_command(command("stopped", "--resume auto"));
  ASSERT_EQ(on.exit_code, 0) << on.errors;
  expect_same_end("whole", "stopped");
}

TEST_F(Resume, StoppingInTheMiddleOfAnEpochLeavesNoTrace) {
  ASSERT_EQ(run_command(new_run("whole", kFour)).exit_code, 0);
  const auto stopped = run_command(new_run("stopped", std::string(kFour) + "--max-steps 9"));
  ASSERT_EQ(stopped.exit_code, 0);
  EXPECT_THAT(stopped.errors, HasSubstr("stopped at step 9"));
  ASSERT_EQ(run_command(command("stopped", "--resume auto --max-steps 20")).exit_code, 0);
  ASSERT_EQ(run_command(command("stopped", "--resume auto")).exit_code, 0);
  expect_same_end("whole", "stopped");
}

TEST_F(Resume, CtrlCInTheLastReportLosesNoTrainingAndTheReportIsWrittenLater) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr int kPictures = 800;
#else
  constexpr int kPictures = 4000;
#endif
  const fs::path many = folder_ / "many.h5";  // half of them take a moment to score
  const auto made = run_command(fmt::format("xrai_dataset synth {} --images {} --size 48", quoted(many), kPictures));
  ASSERT_EQ(made.exit_code, 0);
  testing::StartedProgram program({"xrai_gpu_train", "--data", many.string(), "--out", run("r").string(), "--device",
                                   "cpu", "--threads", "1", "--members", "1", "--epochs", "1", "--val-fraction", "0.5"},
                                  folder_ / "interrupted.txt");
  ASSERT_TRUE(testing::comes_true([this] {
    return text_of(run("r") / "metrics.jsonl").find("\"epoch\",") != std::string::npos;
  })) << program.errors();
  program.send(SIGINT);
  EXPECT_EQ(program.exit_code(), 130) << program.errors();
  EXPECT_THAT(program.errors(), HasSubstr("every network is trained and saved, and --resume auto writes the report"));
  EXPECT_FALSE(fs::exists(run("r") / "report.html"));
  const std::string trained = checksum("r");
  const auto on = run_command("xrai_gpu_train --device cpu --threads 1 --resume auto --data " + quoted(many) +
                              " --out " + quoted(run("r")));
  EXPECT_EQ(on.exit_code, 0) << on.errors;
  EXPECT_TRUE(fs::exists(run("r") / "report.html"));
  EXPECT_EQ(checksum("r"), trained);
}

TEST_F(Resume, CtrlCSavesAndSaysHowToGoOn) {
  stop_by(SIGINT, 130);
}
TEST_F(Resume, SigtermSavesAndSaysHowToGoOn) {
  stop_by(SIGTERM, 143);
}

TEST_F(Resume, AKilledRunGoesOnFromItsLastEpoch) {
  testing::StartedProgram whole(words("whole", long_run_), folder_ / "whole.txt");
  ASSERT_EQ(whole.exit_code(), 0);
  testing::StartedProgram killed(words("killed", long_run_), folder_ / "killed.txt");
  ASSERT_TRUE(testing::comes_true([this] { return fs::exists(run("killed") / "checkpoints" / "last.h5"); }));
  killed.send(SIGKILL);
  EXPECT_EQ(killed.exit_code(), 128 + SIGKILL);
  std::ofstream(run("killed") / "checkpoints" / "last.h5.123.partial") << "half";
  ASSERT_EQ(run_command(command("killed", "--resume auto")).exit_code, 0);
  EXPECT_FALSE(fs::exists(run("killed") / "checkpoints" / "last.h5.123.partial"));
  expect_same_end("whole", "killed", kLongEpochs);
}

TEST_F(Resume, AutoStartsWhereThereIsNothingYet) {
  const auto result = run_command(new_run("new", "--epochs 1 --resume auto"));
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_THAT(result.errors, HasSubstr("a new run starts"));
}

TEST_F(Resume, APathGoesOnInANewFolderWithTheFiguresSoFar) {
  ASSERT_EQ(run_command(new_run("whole", kFour)).exit_code, 0);
  ASSERT_EQ(run_command(new_run("first", std::string(kFour) + "--max-steps 12")).exit_code, 0);
  const std::string before = checksum("first");
  const auto on = run_command(command("second", "--resume " + quoted(run("first"))));
  ASSERT_EQ(on.exit_code, 0) << on.errors;
  expect_same_end("whole", "second");
  EXPECT_EQ(checksum("first"), before);
  const auto occupied = run_command(command("whole", "--resume " + quoted(run("first"))));
  EXPECT_EQ(occupied.exit_code, 7) << "another run's figures would have been lost";
}

TEST_F(Resume, FlagsThatContradictTheRunAreRefusedByName) {
  ASSERT_EQ(run_command(new_run("r", std::string(kFour) + "--max-steps 6")).exit_code, 0);
  const std::string log = text_of(run("r") / "train.log"), config = text_of(run("r") / "config.toml");
  for (const char* flag : {"--seed 2", "--batch-size 16", "--image-size 48", "--optimizer sgd", "--model plain5",
                           "--class-weight none", "--rotation 3", "--crop 0.8", "--fast-dev-run"}) {
    const auto result = run_command(command("r", std::string("--resume auto ") + flag));
    EXPECT_EQ(result.exit_code, 2) << flag;
    EXPECT_THAT(result.errors, HasSubstr(std::string(flag).substr(0, std::string(flag).find(' '))));
  }
  EXPECT_EQ(text_of(run("r") / "train.log"), log);
  EXPECT_EQ(text_of(run("r") / "config.toml"), config);
  std::ofstream(folder_ / "other.toml") << "seed = 2\n";
  EXPECT_EQ(run_command(command("r", "--resume auto --config " + quoted(folder_ / "other.toml"))).exit_code, 2);
}

TEST_F(Resume, TheSameFlagsAgainAndMoreEpochsAreWelcome) {
  ASSERT_EQ(run_command(new_run("r", "--epochs 1 --batch-size 8 --seed 3")).exit_code, 0);
  const auto more = run_command(new_run("r", "--epochs 2 --batch-size 8 --seed 3 --lr 0.001 --resume auto"));
  ASSERT_EQ(more.exit_code, 0) << more.errors;
  EXPECT_THAT(more.errors, HasSubstr("--epochs is now 2, was 1"));
  EXPECT_THAT(more.errors, HasSubstr("--lr is now 0.001, was 0.004"));
  EXPECT_EQ(read_history(run("r")).size(), 2U);
  const auto again = run_command(command("r", "--resume auto"));
  EXPECT_EQ(again.exit_code, 0) << again.errors;
  EXPECT_THAT(again.errors, HasSubstr("all 2 epochs are done already"));
}

TEST_F(Resume, AnotherNumberOfThreadsIsWarnedOf) {
  ASSERT_EQ(run_command(new_run("r", std::string(kFour) + "--max-steps 6")).exit_code, 0);
  const auto result = run_command("xrai_gpu_train --data " + quoted(data()) + " --out " + quoted(run("r")) +
                                  " --threads 3 --resume auto");
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_THAT(result.errors, HasSubstr("--threads 1 keeps them"));
}

TEST_F(Resume, AnotherDataSetIsRefused) {
  ASSERT_EQ(run_command(new_run("r", std::string(kFour) + "--max-steps 9")).exit_code, 0);
  ASSERT_EQ(run_command("xrai_dataset synth " + quoted(data()) + " --images 90 --size 32 --force").exit_code, 0);
  const auto result = run_command(command("r", "--resume auto"));
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.errors, HasSubstr("do not fit"));
}

TEST_F(Resume, OtherPicturesOfTheSameNumberAreRefused) {
  ASSERT_EQ(run_command(new_run("r", std::string(kFour) + "--max-steps 9")).exit_code, 0);
  const auto refusal = [&](const std::string& flags) {
    const auto result = run_command(command("r", "--resume auto " + flags));
    EXPECT_EQ(result.exit_code, 3) << flags;
    return result.errors;
  };
  EXPECT_THAT(refusal("--range 0-200"), HasSubstr("they are read in another way"));
  ASSERT_EQ(run_command("xrai_dataset synth " + quoted(data()) + " --images 60 --size 32 --seed 77 --force").exit_code,
            0);
  EXPECT_THAT(refusal(""), HasSubstr("has other pictures or labels than its run had"));
}

TEST_F(Resume, ANetworkOfLaterEpochsDoesNotComeAlong) {
  ASSERT_EQ(run_command(new_run("r", std::string(kFour) + "--max-steps 9")).exit_code, 0);
  const fs::path early = folder_ / "early" / "checkpoints", later = run("r") / "checkpoints";
  fs::create_directories(early);
  fs::copy_file(later / "last.h5", early / "last.h5");
  fs::copy_file(later / "best.h5", folder_ / "kept.h5");
  ASSERT_EQ(run_command(command("r", "--resume auto")).exit_code, 0);
  fs::copy_file(later / "best.h5", early / "best.h5");
  // Cut short in the epoch it goes on with, so that it keeps none of its own.
  const std::string go_on = "--max-steps 10 --resume " + quoted(early / "last.h5");
  ASSERT_EQ(run_command(command("n", go_on)).exit_code, 0);
  EXPECT_FALSE(fs::exists(run("n") / "checkpoints" / "best.h5"));
  fs::copy_file(folder_ / "kept.h5", early / "best.h5", fs::copy_options::overwrite_existing);
  ASSERT_EQ(run_command(command("m", go_on)).exit_code, 0);
  EXPECT_TRUE(fs::exists(run("m") / "checkpoints" / "best.h5"));
}

TEST_F(Resume, ADamagedOrMissingCheckpointIsBadData) {
  ASSERT_EQ(run_command(new_run("r", "--epochs 1")).exit_code, 0);
  const fs::path last = run("r") / "checkpoints" / "last.h5", best = run("r") / "checkpoints" / "best.h5";
  fs::resize_file(last, fs::file_size(last) / 2);
  const auto damaged = run_command(command("r", "--resume auto"));
  EXPECT_EQ(damaged.exit_code, 3);
  EXPECT_THAT(damaged.errors, AllOf(HasSubstr(last.string()), HasSubstr("--resume " + best.string())));
  const auto from_best = run_command(command("r", "--resume " + quoted(best)));
  EXPECT_EQ(from_best.exit_code, 0) << from_best.errors;
  EXPECT_EQ(run_command(command("n", "--resume " + quoted(folder_ / "nothing"))).exit_code, 3);
  EXPECT_FALSE(fs::exists(run("n")));
}

}  // namespace train_resume_test
}  // namespace xrai
