// xrai_gpu_train as a user runs it: what a run folder holds, who wins among flags and files, and every way to fail.
#include <gmock/gmock.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "apps/training/memory_need.h"
#include "apps/training/picture_cache.h"
#include "apps/training/screen.h"
#include "runtime/core/host.h"
#include "tests/apps/training_runs.h"
#include "tests/support/errors.h"

namespace xrai {
namespace train_test {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::quoted;
using testing::run_command;
using testing::text_of;

constexpr double kMebibyte = 1024.0 * 1024.0;

class Train : public testing::TrainingRuns {};

std::size_t lines(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

TEST_F(Train, ARunFolderHoldsWhatItShould) {
  const auto result = run_command(new_run("r", "--epochs 2 --batch-size 8 --log-interval 2 --json"));
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  for (const char* file : {"config.toml", "env.json", "train.log", "metrics.csv", "metrics.jsonl", "curves.svg",
                           "curves.png", "report.html", "eval/val.json", "checkpoints/last.h5", "checkpoints/best.h5"})
    EXPECT_GT(fs::file_size(run("r") / file), 0U) << file;
  const json printed = json::parse(result.output);
  EXPECT_EQ(printed["step"], 12);
  EXPECT_EQ(printed["last_epoch"]["epoch"], 2);
  EXPECT_TRUE(printed["validation"]["auroc"].is_number());
  const json environment = json::parse(text_of(run("r") / "env.json"));
  EXPECT_EQ(environment["threads"], 1);
  for (const char* key : {"commit", "cpu", "libraries", "command"}) EXPECT_TRUE(environment.contains(key)) << key;
  EXPECT_THAT(text_of(run("r") / "metrics.csv"),
              HasSubstr("epoch,step,train_loss,train_accuracy,val_loss,val_accuracy,val_auroc,learning_rate,"
                        "images_per_second,data_wait_fraction"));
  EXPECT_EQ(lines(text_of(run("r") / "metrics.csv")), 3U);
  EXPECT_EQ(lines(text_of(run("r") / "metrics.jsonl")), 8U);  // three step lines and one line an epoch
  EXPECT_THAT(text_of(run("r") / "train.log"), AllOf(HasSubstr("epoch  2/2"), HasSubstr("synthetic")));
  EXPECT_THAT(text_of(run("r") / "report.html"),
              AllOf(HasSubstr("scored here is that of epoch 2"), HasSubstr("A test split tells more"),
                    Not(HasSubstr("chosen on these pictures"))));
}

TEST_F(Train, WhatIsNotATerminalGetsPlainLines) {
  const auto result = run_command(new_run("r", "--epochs 1"));
  EXPECT_EQ(result.output, "");
  EXPECT_THAT(result.errors, AllOf(Not(HasSubstr("\r")), Not(HasSubstr("\033")), HasSubstr("epoch  1/1")));
  EXPECT_THAT(result.errors, HasSubstr("validation on 9 pictures: AUROC"));
  EXPECT_EQ(run_command(new_run("quiet", "--epochs 1 --quiet")).errors, "");
}

TEST_F(Train, TheEpochOfTheLowestLossIsKeptWhereTheScheduleHasNoEnd) {
  const auto kept = [&](const std::string& name) { return text_of(run(name) / "config.toml"); };
  ASSERT_EQ(run_command(new_run("constant", "--epochs 1 --schedule constant")).exit_code, 0);
  EXPECT_THAT(kept("constant"), HasSubstr("keep = \"lowest-loss\"\n"));
  EXPECT_THAT(text_of(run("constant") / "report.html"), HasSubstr("The best epoch was chosen on these pictures"));
  ASSERT_EQ(run_command(new_run("cosine", "--epochs 1")).exit_code, 0);
  EXPECT_THAT(kept("cosine"), HasSubstr("keep = \"last\"\n"));
  EXPECT_EQ(run_command(new_run("r", "--keep first")).exit_code, 2);
}

TEST_F(Train, TheFlagBeatsTheFileAndTheFileBeatsTheDefault) {
  std::ofstream(folder_ / "c.toml") << "epochs = 3\nbatch_size = 16\n[augmentation]\nrotation = 4\n";
  const auto result = run_command(new_run("r", "--epochs 1 --config " + quoted(folder_ / "c.toml")));
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  const std::string config = text_of(run("r") / "config.toml");
  EXPECT_THAT(config, AllOf(HasSubstr("epochs = 1\n"), HasSubstr("batch_size = 16\n"), HasSubstr("rotation = 4.0\n"),
                            HasSubstr("scale = 0.15\n")));
  EXPECT_THAT(config, AllOf(HasSubstr("lr = 0.004\n"), HasSubstr("warmup_epochs = 0.2\n"),
                            HasSubstr("image_size = 32\n"), Not(HasSubstr("not set"))));
  EXPECT_THAT(result.errors, HasSubstr(config)) << "what is saved is printed";
}

TEST_F(Train, ARunsConfigurationMakesTheSameRunAgain) {
  ASSERT_EQ(
      run_command(new_run("one", "--epochs 1 --optimizer sgd --label-smoothing 0.1 --no-augment --seed 7")).exit_code,
      0);
  const auto again =
      run_command("xrai_gpu_train --out " + quoted(run("two")) + " --config " + quoted(run("one") / "config.toml"));
  ASSERT_EQ(again.exit_code, 0) << again.errors;
  EXPECT_EQ(checksum("one"), checksum("two"));
}

TEST_F(Train, AFastDevRunGoesThroughEverything) {
  const auto result = run_command(new_run("r", "--fast-dev-run --batch-size 4 --json"));
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_EQ(json::parse(result.output)["step"], 4);
  EXPECT_TRUE(fs::exists(run("r") / "report.html"));
}

TEST_F(Train, ABatchLargerThanTheDataSetIsOneStepAnEpoch) {
  const auto result = run_command(new_run("r", "--epochs 2 --batch-size 65536 --json"));
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_EQ(json::parse(result.output)["step"], 2);
}

TEST_F(Train, ThreeClassesWithoutAValSplitGetOneByPatient) {
  for (int i = 0; i < 90; ++i)
    testing::write_bytes(folder_ / fmt::format("pictures/{}/person{}_x_{}.png", "abc"[i % 3], i / 6, i),
                         testing::png_bytes(testing::smooth_grey(32, 32, i), 32, 32));
  ASSERT_EQ(run_command("xrai_dataset import " + quoted(folder_ / "pictures") + " " + quoted(data()) +
                        " --size 32 --splits train=1 --force")
                .exit_code,
            0);
  const auto result = run_command(new_run("r", "--epochs 1"));
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_THAT(result.errors, HasSubstr("no val split"));
  EXPECT_THAT(text_of(run("r") / "train.log"), HasSubstr("no val split"));
  EXPECT_THAT(text_of(run("r") / "report.html"), HasSubstr("set aside"));
  const Checkpoint checkpoint = read_checkpoint(run("r") / "checkpoints" / "best.h5");
  EXPECT_EQ(checkpoint.facts.classes, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(checkpoint.facts.preprocessing.stored_size, 32);
  EXPECT_EQ(checkpoint.facts.preprocessing.fit, "squash");
  EXPECT_THAT(checkpoint.facts.preprocessing.decoder, AllOf(HasSubstr("turbojpeg"), HasSubstr("triangle")));
}

TEST_F(Train, MistakesInTheCallAreNamed) {
  const auto flag = run_command(new_run("r", "--epoch 2"));
  EXPECT_EQ(flag.exit_code, 2);
  EXPECT_THAT(flag.errors, HasSubstr("--epochs"));
  std::ofstream(folder_ / "c.toml") << "[training]\nbatchsize = 16\n";
  const auto key = run_command(new_run("r", "--config " + quoted(folder_ / "c.toml")));
  EXPECT_EQ(key.exit_code, 2);
  EXPECT_THAT(key.errors, AllOf(HasSubstr("line 2"), HasSubstr("batch-size")));
  EXPECT_EQ(run_command(command("r", "--model resnet81")).exit_code, 2);
  EXPECT_EQ(run_command(command("r", "--precision fp16")).exit_code, 2);
  EXPECT_FALSE(fs::exists(run("r"))) << "a call that is refused leaves nothing behind";
}

TEST_F(Train, AutotuneBesideWhatContradictsItIsRefused) {
  const auto both = run_command(new_run("r", "--autotune --deterministic"));
  EXPECT_EQ(both.exit_code, 2);
  EXPECT_THAT(both.errors, AllOf(HasSubstr("--autotune"), HasSubstr("--deterministic"), HasSubstr("leave one")));
  const auto on_cpu = run_command(new_run("r", "--autotune --device cpu"));
  EXPECT_EQ(on_cpu.exit_code, 2);
  EXPECT_THAT(on_cpu.errors, HasSubstr("the CPU device has none"));
  EXPECT_FALSE(fs::exists(run("r")));
}

TEST_F(Train, ADeviceThatIsNotThereHasItsOwnCode) {
  if (run_command("xrai_info").output.find("cuda   usable") != std::string::npos) GTEST_SKIP() << "there is a GPU here";
  const auto cuda = run_command(new_run("r", "--device cuda"));
  EXPECT_EQ(cuda.exit_code, 4);
  EXPECT_EQ(lines(cuda.errors), 1U) << cuda.errors;
  EXPECT_FALSE(fs::exists(run("r")));
  const auto automatic = run_command(new_run("r", "--device auto --fast-dev-run"));
  EXPECT_EQ(automatic.exit_code, 0);
  EXPECT_THAT(automatic.errors, HasSubstr("the CPU does the work: no"));
}

TEST_F(Train, AFolderThatHoldsARunIsLeftAlone) {
  ASSERT_EQ(run_command(new_run("r", "--epochs 1")).exit_code, 0);
  const auto before = fs::last_write_time(run("r"));
  const std::string log = text_of(run("r") / "train.log"), sum = checksum("r");
  const auto again = run_command(new_run("r", "--epochs 1"));
  EXPECT_EQ(again.exit_code, 7);
  EXPECT_THAT(again.errors, HasSubstr("--resume auto"));
  EXPECT_EQ(fs::last_write_time(run("r")), before);
  EXPECT_EQ(text_of(run("r") / "train.log"), log);
  EXPECT_EQ(checksum("r"), sum);
}

TEST_F(Train, TwoAtOnceAreKeptApart) {
  testing::StartedProgram first(words("r", {"--epochs", "100000", "--log-interval", "1"}), folder_ / "first.txt");
  ASSERT_TRUE(testing::comes_true([this] { return has_step_line("r"); })) << first.errors();
  const auto second = run_command(new_run("r", "--epochs 1 --resume auto"));
  EXPECT_EQ(second.exit_code, 7);
  EXPECT_THAT(second.errors, HasSubstr("another training writes into"));
  first.send(SIGTERM);
  EXPECT_EQ(first.exit_code(), 143);
}

TEST_F(Train, AFolderThatCannotBeMadeIsAStorageError) {
  std::ofstream(folder_ / "file") << "x";
  const auto result = run_command(new_run("file/r", "--epochs 1"));
  EXPECT_EQ(result.exit_code, 7);
  EXPECT_THAT(result.errors, HasSubstr("cannot make the run folder"));
}

TEST_F(Train, AFullDiskEndsTheRunAndLeavesTheEarlierCheckpoint) {
  ASSERT_EQ(run_command(new_run("r", "--epochs 4 --batch-size 8 --max-steps 6")).exit_code, 0);
  const std::string sum = checksum("r");
  // A limit on the size of files fails like a full disk: in the middle of a write.
  testing::StartedProgram full(
      {"xrai_gpu_train", "--data", data().string(), "--out", run("r").string(), "--threads", "1", "--resume", "auto"},
      folder_ / "full.txt", 8192);
  EXPECT_EQ(full.exit_code(), 7) << full.errors();
  EXPECT_THAT(full.errors(), HasSubstr("checkpoints/"));
  EXPECT_EQ(checksum("r"), sum);
  EXPECT_EQ(run_command(command("r", "--resume auto")).exit_code, 0);
}

TEST_F(Train, ADataFileThatChangesUnderTheRunEndsIt) {
  testing::StartedProgram training(words("r", {"--epochs", "100000", "--log-interval", "1"}), folder_ / "first.txt");
  ASSERT_TRUE(testing::comes_true([this] { return fs::exists(run("r") / "checkpoints" / "last.h5"); }));
  fs::resize_file(data(), fs::file_size(data()) / 2);
  EXPECT_EQ(training.exit_code(), 3) << training.errors();
  EXPECT_THAT(training.errors(), HasSubstr(data().string()));
  EXPECT_NE(checksum("r"), "") << "what was saved can be read";
  EXPECT_THAT(text_of(run("r") / "train.log"), HasSubstr("ended by an error"));
}

TEST_F(Train, ACutDataFileIsRefusedBeforeAnythingIsWritten) {
  fs::resize_file(data(), fs::file_size(data()) / 2);
  const auto result = run_command(new_run("r", "--epochs 1"));
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_FALSE(fs::exists(run("r")));
}

TEST_F(Train, ADivergingRunSaysWhatToTry) {
  const auto result =
      run_command(new_run("r", "--optimizer sgd --lr 1e30 --warmup-epochs 0 --epochs 2 --batch-size 8"));
  EXPECT_EQ(result.exit_code, 6) << result.errors;
  EXPECT_THAT(result.errors, AllOf(HasSubstr("step"), HasSubstr("--lr"), HasSubstr("nothing good was saved")));
  const auto again = run_command(new_run("r", "--epochs 1"));
  EXPECT_EQ(again.exit_code, 0) << "a start without a result does not occupy the folder: " << again.errors;
}

TEST_F(Train, ALastUpdateThatIsTooLargeDivergesToo) {
  const auto result =
      run_command(new_run("r", "--optimizer sgd --lr 1e300 --warmup-epochs 0 --epochs 1 --batch-size 64"));
  EXPECT_EQ(result.exit_code, 6) << result.errors;
  EXPECT_THAT(result.errors, HasSubstr("step 1 "));
  EXPECT_FALSE(fs::exists(run("r") / "checkpoints" / "last.h5"));
}

TEST_F(Train, WhatDoesNotFitIntoMemoryIsToldBeforehand) {
  if (available_memory_bytes() > (std::uint64_t{100} << 30)) GTEST_SKIP() << "it would fit into this machine";
  const auto result = run_command(command("r", "--model resnet18 --image-size 2048 --batch-size 65536"));
  EXPECT_EQ(result.exit_code, 5) << result.errors;
  EXPECT_THAT(result.errors, AllOf(HasSubstr("GiB"), HasSubstr("--image-size")));
  EXPECT_EQ(run_command(new_run("r", "--epochs 1")).exit_code, 0) << "the folder can be used";
}

TEST_F(Train, WherePicturesStayChangesNoBit) {
  std::vector<std::map<std::string, std::vector<float>>> weights;
  for (const std::string place : {"none", "host", "device"}) {
    const auto result = run_command(new_run(place, "--epochs 2 --batch-size 8 --cache " + place));
    ASSERT_EQ(result.exit_code, 0) << result.errors;
    weights.push_back(read_checkpoint(run(place) / "checkpoints" / "last.h5").tensors);
    EXPECT_THAT(result.errors, HasSubstr(place == "none"   ? "read from the file in every epoch, as asked"
                                         : place == "host" ? "stay in host memory"
                                                           : "stay in the device's memory"));
  }
  EXPECT_TRUE(weights[0] == weights[1]);
  EXPECT_TRUE(weights[0] == weights[2]);
}

TEST_F(Train, GradientCheckpointingChangesNoBitAndMemoryIsSaid) {
  const auto kept = run_command(new_run("kept", "--epochs 2 --batch-size 8 --json"));
  const auto again = run_command(new_run("again", "--epochs 2 --batch-size 8 --gradient-checkpointing"));
  ASSERT_EQ(kept.exit_code, 0) << kept.errors;
  ASSERT_EQ(again.exit_code, 0) << again.errors;
  const auto weights = [&](const char* name) { return read_checkpoint(run(name) / "checkpoints" / "last.h5").tensors; };
  EXPECT_TRUE(weights("kept") == weights("again"));
  EXPECT_THAT(again.errors, AllOf(HasSubstr("memory by plan: "), HasSubstr("activations "), HasSubstr("resident")));
  const auto result = nlohmann::json::parse(kept.output);
  for (const char* kind : {"weights", "gradients", "optimiser", "activations"})
    EXPECT_GT(result["planned_bytes"][kind].get<double>(), 0) << kind;
  EXPECT_GT(result["peak_resident_bytes"].get<double>(), result["planned_bytes"]["activations"].get<double>());
}

TEST(PictureCache, AutoTakesTheDeviceThenTheHostThenNothing) {
  constexpr std::uint64_t kGibibyte = std::uint64_t{1} << 30;
  const auto place = [](const FreeMemory& free) { return choose_cache("auto", kGibibyte, free).place; };
  EXPECT_EQ(place({8 * kGibibyte, 4 * kGibibyte}), CachePlace::kDevice);
  EXPECT_EQ(place({4 * kGibibyte, 4 * kGibibyte - 1}), CachePlace::kHost);
  EXPECT_EQ(place({4 * kGibibyte - 1, 4 * kGibibyte - 1}), CachePlace::kNone);
  EXPECT_EQ(place({8 * kGibibyte, 0}), CachePlace::kHost) << "the CPU device: one copy is enough";
  EXPECT_EQ(place({0, 0}), CachePlace::kNone) << "unknown is not enough";
}

TEST(PictureCache, SaysWhyPicturesAreReadAgainAndWhatKeepsThem) {
  const CacheChoice none = choose_cache("auto", 4000u << 20, {std::uint64_t{5000} << 20, 0});
  EXPECT_THAT(none.remark, AllOf(HasSubstr("4000 MiB"), HasSubstr("5000 MiB"), HasSubstr("--cache host")));
  EXPECT_EQ(choose_cache("host", 4000u << 20, {std::uint64_t{5000} << 20, 0}).place, CachePlace::kHost);
}

TEST(TrainingScreen, SaysOnceWhatToTryWherePicturesAreLate) {
  const testing::TemporaryFolder folder;
  const HistoryWriter history(folder.path());
  TrainingScreen screen(3, true, folder.path(), history, 0);
  screen.advise_on_waiting("repack them");
  const TrainingListener listener = screen.listener({});
  ::testing::internal::CaptureStderr();
  EpochRecord record;
  record.data_wait_fraction = 0.09;
  listener.on_epoch(record, false);
  const std::string in_time = ::testing::internal::GetCapturedStderr();
  ::testing::internal::CaptureStderr();
  record.data_wait_fraction = 0.17;
  for (int epoch = 0; epoch < 2; ++epoch) listener.on_epoch(record, false);
  const std::string late = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(in_time, Not(HasSubstr("warning")));
  EXPECT_THAT(late, HasSubstr("warning: 17 % of the epoch went by waiting for pictures: repack them"));
  EXPECT_EQ(late.find("warning"), late.rfind("warning"));
}

TEST(MemoryNeed, NamesTheNeedWhatIsFreeAndABatchThatFits) {
  const MemoryNeed need{100 * kMebibyte, 10 * kMebibyte};
  const auto ask = [&](std::int64_t batch, std::uint64_t free_gibibytes) {
    require_memory(need, batch, 64, free_gibibytes << 30, {1, 224, 224, 1});
  };
  EXPECT_NO_THROW(ask(64, 16));
  EXPECT_NO_THROW(ask(1'000'000, 0)) << "unknown is not none";
  const std::string some = testing::refused(ExitCode::kOutOfMemory, [&] { ask(256, 16); });
  EXPECT_THAT(some, AllOf(HasSubstr("25.0 GiB"), HasSubstr("16.0 GiB"), HasSubstr("--batch-size 128")));
  const MemoryNeed large{2000 * kMebibyte, 10 * kMebibyte};
  const std::string none = testing::refused(ExitCode::kOutOfMemory, [&] {
    require_memory(large, 8, 8, std::uint64_t{1} << 30, {1, 2048, 2048, 1});
  });
  EXPECT_THAT(none, AllOf(Not(HasSubstr("--batch-size")), HasSubstr("--image-size"), HasSubstr("2048x2048")));
}

TEST(MemoryNeed, TheLargestBatchIsAPowerOfTwoWithinHalfTheMemoryTheSplitAnd256) {
  const MemoryNeed need{100 * kMebibyte, 10 * kMebibyte};
  const auto largest = [&](std::int64_t n_train, double free_gibibytes) {
    return largest_batch(need, 64, n_train, static_cast<std::uint64_t>(free_gibibytes * 1024 * kMebibyte));
  };
  EXPECT_EQ(largest(5000, 16), 64) << "6.3 of 16 GiB; 128 would take 12.5";
  EXPECT_EQ(largest(50, 16), 32);
  EXPECT_EQ(largest(5000, 1000), 256);
  EXPECT_EQ(largest(5000, 0.5), 1) << "the check that follows says what is missing";
  EXPECT_EQ(largest(5000, 0), 32) << "unknown";
}

TEST_F(Train, BatchSizeAutoIsSaidSavedAndKeptAtAResume) {
  const auto first = run_command(new_run("r", "--epochs 2 --max-steps 1 --batch-size auto"));
  ASSERT_EQ(first.exit_code, 0) << first.errors;
  EXPECT_THAT(first.errors, HasSubstr("--batch-size auto: 32"));
  EXPECT_THAT(text_of(run("r") / "config.toml"), HasSubstr("batch_size = 32"));
  const auto second = run_command(command("r", "--resume auto --batch-size auto --max-steps 2"));
  EXPECT_EQ(second.exit_code, 0) << second.errors;
  std::ofstream(folder_ / "auto.toml") << "batch_size = 'auto'\n";
  EXPECT_THAT(run_command(new_run("c", "--max-steps 1 --config " + quoted(folder_ / "auto.toml"))).errors,
              HasSubstr("--batch-size auto: 32"));
  EXPECT_THAT(run_command(command("d", "--batch-size automatic")).errors, HasSubstr("1 to 65536 or auto"));
}

}  // namespace train_test
}  // namespace xrai
