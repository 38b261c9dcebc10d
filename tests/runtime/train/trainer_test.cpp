// The training loop on a problem small enough to watch: it learns, it stops where it should, it goes on bit for bit.
#include "runtime/train/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <csignal>
#include <cstdlib>
#include <limits>

#include "runtime/core/interrupt.h"
#include "runtime/train/class_shares.h"
#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/toy_training.h"

namespace xrai {
namespace trainer_test {

using ::testing::HasSubstr;
using testing::refused;
using testing::TemporaryFolder;
using testing::toy_settings;
using testing::ToyRun;

constexpr std::int64_t kStepsPerEpoch = 7;  // 50 pictures in batches of 8

std::string checksum(const std::filesystem::path& checkpoint) {
  return read_checkpoint(checkpoint).checksum;
}

TEST(Trainer, LearnsASeparableProblem) {
  const TemporaryFolder folder;
  TrainSettings settings = toy_settings();
  settings.epochs = 10;
  ToyRun run(folder.path(), settings);
  std::vector<EpochRecord> epochs;
  run.listener.on_epoch = [&](const EpochRecord& record, bool) { epochs.push_back(record); };
  EXPECT_EQ(run.run(), RunEnd::kFinished);
  ASSERT_EQ(epochs.size(), 10u);
  EXPECT_LT(epochs.back().train_loss, 0.5 * epochs.front().train_loss);
  EXPECT_LT(*epochs.back().val_loss, 0.3);
  EXPECT_DOUBLE_EQ(*epochs.back().val_accuracy, 1.0);
  EXPECT_DOUBLE_EQ(*epochs.back().val_auroc, 1.0);
}

TEST(Trainer, PicturesThatStayOnTheDeviceChangeNoBit) {
  const TemporaryFolder one, other;
  ToyRun uploaded(one.path()), resident(other.path());
  resident.keep_pictures_on_device();
  uploaded.run();
  resident.run();
  EXPECT_EQ(checksum(resident.last()), checksum(uploaded.last()));
}

TEST(Trainer, TrainsOnTheSmallerLastBatchToo) {
  const TemporaryFolder folder;
  ToyRun run(folder.path());
  EXPECT_EQ(run.trainer->steps_per_epoch(), kStepsPerEpoch);
  EXPECT_EQ(run.trainer->total_steps(), 4 * kStepsPerEpoch);
  std::int64_t most = 0;
  run.listener.on_images = [&](std::int64_t, std::int64_t images, std::int64_t of, double) {
    EXPECT_EQ(of, 50);
    most = std::max(most, images);
  };
  run.run();
  EXPECT_EQ(run.trainer->state().step, 4 * kStepsPerEpoch);
  EXPECT_EQ(run.train.images_given_back(), 4 * 50);
  EXPECT_EQ(most, 50);  // progress never says more pictures than there are
}

struct Interrupted {
  const char* name;
  OptimiserKind optimiser;
  std::int64_t stop_after;     // steps
  bool in_validation = false;  // a signal comes while the pictures are scored that follow on this step
};

void PrintTo(const Interrupted& c, std::ostream* out) {
  *out << c.name;
}

class Resume : public ::testing::TestWithParam<Interrupted> {
 protected:
  static TrainSettings settings() {
    TrainSettings s = toy_settings();
    s.optimiser.kind = GetParam().optimiser;
    return s;
  }
};

TEST_P(Resume, MoreStepsAfterMaxStepsLeadToTheNetworkOfTheStraightRun) {
  const TemporaryFolder straight_folder, stopped_folder;
  ToyRun straight(straight_folder.path(), settings());
  straight.run();
  TrainSettings first_part = settings();
  first_part.max_steps = GetParam().stop_after;
  {
    ToyRun stopped(stopped_folder.path(), first_part);
    EXPECT_EQ(stopped.run(), RunEnd::kFinished);
    EXPECT_EQ(stopped.trainer->state().step, GetParam().stop_after);
  }
  ToyRun resumed(stopped_folder.path(), settings());
  EXPECT_EQ(resumed.resume_and_run(), RunEnd::kFinished);
  const Checkpoint a = read_checkpoint(straight.last()), b = read_checkpoint(resumed.last());
  EXPECT_EQ(a.tensors, b.tensors);
  EXPECT_EQ(a.state.step, b.state.step);
  EXPECT_EQ(a.state.epoch, b.state.epoch);
  EXPECT_EQ(a.checksum, b.checksum);
  EXPECT_EQ(checksum(straight.best()), checksum(resumed.best()));
}

// In a process of its own: the flag that a signal sets cannot be taken back.
void train_until_signal(const std::filesystem::path& folder, const TrainSettings& settings, const Interrupted& c) {
  install_interrupt_handlers();
  ToyRun run(folder, settings);
  std::int64_t begun = 0;
  int scored_after_signal = 0;
  run.train.before_batch = [&](int batches) {
    begun = batches + 1;
    if (begun == c.stop_after && !c.in_validation) std::raise(SIGTERM);
  };
  run.validation.before_batch = [&](int) {
    if (interrupt_requested() != 0) ++scored_after_signal;
    if (begun >= c.stop_after && c.in_validation) std::raise(SIGTERM);
  };
  std::exit(run.run() == RunEnd::kInterrupted && scored_after_signal == 0 ? 0 : 1);
}

TEST_P(Resume, AfterASignalIsTheStraightRunBitForBit) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  const TemporaryFolder own;
  // The child runs this function again, up to the statement: both must mean the same folder.
  const char* inherited = std::getenv("XRAI_TEST_FOLDER");
  const std::filesystem::path folder = inherited != nullptr ? inherited : own.path();
  ::setenv("XRAI_TEST_FOLDER", folder.c_str(), 1);
  EXPECT_EXIT(train_until_signal(folder / "stopped", settings(), GetParam()), ::testing::ExitedWithCode(0), "");
  ::unsetenv("XRAI_TEST_FOLDER");
  ToyRun straight(folder / "straight", settings());
  straight.run();
  ToyRun resumed(folder / "stopped", settings());
  EXPECT_EQ(read_checkpoint(resumed.last()).state.step, GetParam().stop_after);
  resumed.resume_and_run();
  EXPECT_EQ(checksum(straight.last()), checksum(resumed.last()));
  EXPECT_EQ(checksum(straight.best()), checksum(resumed.best()));
  const auto a = read_history(straight.folder), b = read_history(resumed.folder);
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].train_loss, b[i].train_loss) << "epoch " << i + 1;
    EXPECT_EQ(a[i].val_loss, b[i].val_loss) << "epoch " << i + 1;
    EXPECT_EQ(a[i].learning_rate, b[i].learning_rate) << "epoch " << i + 1;
  }
}

INSTANTIATE_TEST_SUITE_P(Stops, Resume,
                         ::testing::Values(Interrupted{"adamw_at_an_epochs_end", OptimiserKind::kAdamW, 14},
                                           Interrupted{"adamw_in_an_epoch", OptimiserKind::kAdamW, 10},
                                           Interrupted{"adamw_after_one_step", OptimiserKind::kAdamW, 1},
                                           Interrupted{"sgd_at_an_epochs_end", OptimiserKind::kSgd, 7},
                                           Interrupted{"sgd_in_an_epoch", OptimiserKind::kSgd, 20},
                                           Interrupted{"in_validation", OptimiserKind::kAdamW, 14, true},
                                           Interrupted{"at_the_very_end", OptimiserKind::kAdamW, 28},
                                           Interrupted{"in_the_last_validation", OptimiserKind::kAdamW, 28, true}),
                         [](const ::testing::TestParamInfo<Interrupted>& c) { return std::string(c.param.name); });

TEST(Trainer, TheSameSeedGivesTheSameRunAndAnotherSeedAnother) {
  const TemporaryFolder folder;
  TrainSettings settings = toy_settings();
  settings.epochs = 1;
  ToyRun a(folder / "a", settings), b(folder / "b", settings);
  settings.seed = 8;
  ToyRun c(folder / "c", settings);
  a.run(), b.run(), c.run();
  EXPECT_EQ(checksum(a.last()), checksum(b.last()));
  EXPECT_NE(checksum(a.last()), checksum(c.last()));
}

// AdamW's corrections divide by 1 - beta^t, so that a gradient that hardly changes moves a weight by the rate a step.
// With t standing still the tenth step would be 2.1 times as long as the first.
TEST(Trainer, TheOptimiserIsToldWhichStepItIs) {
  const TemporaryFolder folder;
  TrainSettings settings = toy_settings();
  settings.epochs = 10, settings.batch_size = 50;
  settings.optimiser.learning_rate = 1e-5;
  settings.optimiser.weight_decay = 0;
  settings.schedule = {ScheduleKind::kConstant, 0};
  settings.augment = {};
  ToyRun run(folder.path(), settings);
  const auto values = [&] {
    const Parameters& p = run.model.parameters();
    return std::vector<float>(p.values(), p.values() + p.count());
  };
  const std::vector<float> before = values();
  run.run();
  const std::vector<float> after = values();
  double farthest = 0;
  for (std::size_t i = 0; i < before.size(); ++i)
    farthest = std::max(farthest, static_cast<double>(std::abs(after[i] - before[i])));
  EXPECT_NEAR(farthest / settings.optimiser.learning_rate, 10, 0.5);
}

// A rate so high that the loss does not fall every epoch.
TrainSettings rough_settings(KeptEpoch kept) {
  TrainSettings settings = toy_settings();
  settings.epochs = 6;
  settings.optimiser.learning_rate = 0.1;
  settings.schedule.kind = ScheduleKind::kConstant;
  settings.kept_epoch = kept;
  return settings;
}

TEST(Trainer, KeepsTheNetworkOfTheLowestValidationLossWhenTold) {
  const TemporaryFolder folder;
  const TrainSettings settings = rough_settings(KeptEpoch::kLowestLoss);
  ToyRun run(folder.path(), settings);
  double lowest = std::numeric_limits<double>::infinity();
  std::int64_t best_epoch = 0;
  run.listener.on_epoch = [&](const EpochRecord& record, bool is_best) {
    EXPECT_EQ(is_best, *record.val_loss < lowest);
    if (*record.val_loss < lowest) lowest = *record.val_loss, best_epoch = record.epoch;
  };
  run.run();
  const Checkpoint best = read_checkpoint(run.best());
  EXPECT_EQ(best.state.best_score, lowest);
  EXPECT_EQ(best.state.best_epoch, best_epoch);
  EXPECT_EQ(best.state.epoch, best_epoch);
  restore(best, run.model, nullptr);
  Scorer scorer(run.model, settings.input, 23);
  EXPECT_NEAR(scorer.score(run.validation).loss(settings.class_weights, settings.log_priors), lowest, 1e-6);
}

TEST(Trainer, KeepsTheNetworkOfTheLastEpochThoughAnEarlierLossWasLower) {
  const TemporaryFolder folder;
  ToyRun run(folder.path(), rough_settings(KeptEpoch::kLast));
  run.run();
  const Checkpoint kept = read_checkpoint(run.best()), last = read_checkpoint(run.last());
  EXPECT_EQ(kept.state.epoch, 6);
  EXPECT_EQ(kept.tensors, last.tensors);
  EXPECT_LT(kept.state.best_epoch, 6) << "the lowest loss is remembered besides";
}

TEST(Trainer, AnEpochThatStepsCutShortIsNotKeptAsTheLast) {
  const TemporaryFolder folder;
  TrainSettings settings = rough_settings(KeptEpoch::kLast);
  settings.max_steps = 10;  // seven an epoch
  ToyRun run(folder.path(), settings);
  run.run();
  EXPECT_EQ(read_checkpoint(run.last()).state.step, 10);
  EXPECT_EQ(read_checkpoint(run.best()).state.step, 7);
}

// The first value of a parameter. The NaN of the first convolution is swallowed by a ReLU and a pooling, that of the
// last layer is in the loss at once.
float& first_value(Model& model, const std::string& name) {
  for (const ParameterSpec& spec : model.parameters().specs())
    if (spec.name == name) return model.parameters().values()[spec.offset];
  throw std::runtime_error("no parameter " + name);
}

TEST(Trainer, ALossThatBecomesNaNNamesItsStepAndTheLastGoodFile) {
  const TemporaryFolder folder;
  ToyRun run(folder.path());
  run.train.before_batch = [&](int batches) {
    if (batches == 10) first_value(run.model, "dense9.bias") = NAN;
  };
  const std::string said = refused(ExitCode::kDiverged, [&] { run.run(); });
  EXPECT_THAT(said, HasSubstr("the loss became nan at step 11 (epoch 2"));
  EXPECT_THAT(said, HasSubstr(run.last().string()));
  EXPECT_THAT(said, HasSubstr("--lr"));
}

TEST(Trainer, AWeightThatBecomesNaNIsFoundThoughTheLossIsFinite) {
  const TemporaryFolder folder;
  ToyRun run(folder.path());
  int n_batches = 0;
  run.train.before_batch = [&](int batches) {
    n_batches = batches;
    if (batches == 10) first_value(run.model, "convolution5.weight") = NAN;
  };
  const std::string said = refused(ExitCode::kDiverged, [&] { run.run(); });
  EXPECT_THAT(said, HasSubstr("nan at step 13 (epoch 2"));
  EXPECT_THAT(said, HasSubstr("weights"));
  EXPECT_LE(n_batches, 10 + toy_settings().log_every);
  const Checkpoint good = read_checkpoint(run.last());
  EXPECT_EQ(good.state.epoch, 1);
  for (const auto& [name, values] : good.tensors)
    for (const float value : values) ASSERT_TRUE(std::isfinite(value)) << name;
}

TEST(Trainer, DivergenceInTheFirstEpochLeavesNoFileBehind) {
  const TemporaryFolder folder;
  ToyRun run(folder.path());
  first_value(run.model, "convolution1.weight") = INFINITY;
  EXPECT_THAT(refused(ExitCode::kDiverged, [&] { run.run(); }), HasSubstr("nothing good was saved"));
  EXPECT_FALSE(std::filesystem::exists(run.last()));
}

TEST(Trainer, WithoutValidationTheTrainingLossChoosesTheBest) {
  const TemporaryFolder folder;
  ToyRun run(folder.path());
  run.trainer.emplace(run.model, run.settings, testing::toy_facts(run.settings), run.train, nullptr, run.folder);
  double lowest = std::numeric_limits<double>::infinity();
  run.listener.on_epoch = [&](const EpochRecord& record, bool) {
    EXPECT_FALSE(record.val_loss.has_value());
    lowest = std::min(lowest, record.train_loss);
  };
  run.run();
  EXPECT_EQ(run.trainer->state().best_score, lowest);
}

TEST(Trainer, MoreThanTwoClassesAreTrainedBySoftmax) {
  const TemporaryFolder folder;
  const auto device = make_cpu_device(1);
  testing::ToyPictures pictures(30);
  for (std::size_t i = 0; i < pictures.labels.size(); i += 3) pictures.labels[i] = 2;
  testing::MemorySource train(*device, pictures, 8, true), validation(*device, pictures, 8, false);
  TrainSettings settings = toy_settings();
  settings.epochs = 1;
  settings.class_weights = {1, 1, 1};
  settings.log_priors = {-0.7f, -1.6f, -1.2f};
  Model model(*device, testing::toy_network(), {1, 12, 12, 1}, 3);
  model.parameters().initialise(1);
  std::filesystem::create_directories(folder / "checkpoints");
  CheckpointFacts facts = testing::toy_facts(settings);
  facts.classes = {"a", "b", "c"};
  Trainer trainer(model, settings, facts, train, &validation, folder.path());
  HistoryWriter history(folder.path());
  std::optional<double> auroc;
  trainer.run(history, {{}, [&](const EpochRecord& record, bool) { auroc = record.val_auroc; }});
  EXPECT_TRUE(auroc.has_value());
}

// Four of five pictures are of class 0, and nothing in them tells which.
double mean_probability_of_the_frequent_class(const std::vector<float>& log_priors) {
  const TemporaryFolder folder;
  const auto device = make_cpu_device(1);
  testing::ToyPictures pictures(100);
  for (std::size_t i = 0; i < pictures.labels.size(); ++i) pictures.labels[i] = i % 5 == 0 ? 1 : 0;
  testing::MemorySource train(*device, pictures, 8, true), validation(*device, pictures, 8, false);
  TrainSettings settings = toy_settings();
  settings.class_weights = {1, 1};
  settings.label_smoothing = 0;
  settings.log_priors = log_priors;
  Model model(*device, testing::toy_network(), {1, 12, 12, 1}, 2);
  model.parameters().initialise(1);
  std::filesystem::create_directories(folder / "checkpoints");
  Trainer trainer(model, settings, testing::toy_facts(settings), train, nullptr, folder.path());
  HistoryWriter history(folder.path());
  trainer.run(history, {});
  const Scores scores = Scorer(model, settings.input, 10).score(validation);
  double sum = 0;
  for (std::size_t i = 0; i < scores.probabilities.size(); i += 2) sum += scores.probabilities[i];
  return sum / static_cast<double>(scores.labels.size());
}

TEST(Trainer, WithPriorsAFrequentClassIsNoLikelierForItsFrequency) {
  EXPECT_NEAR(mean_probability_of_the_frequent_class({}), 0.8, 0.1);
  EXPECT_NEAR(mean_probability_of_the_frequent_class(log_class_shares({0, 0, 0, 0, 1}, 2)), 0.5, 0.1);
}

}  // namespace trainer_test
}  // namespace xrai
