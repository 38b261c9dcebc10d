// The whole training loop on the CUDA device, its loader included: in every order that a device may run queued work,
// recorded and not, from one device to the other, and with faults planted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "tests/cuda/device/doubled_card.h"
#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/toy_training.h"

namespace xrai {
namespace training_test {

using ::testing::HasSubstr;
using testing::refused;
using testing::TemporaryFolder;
using testing::toy_settings;
using testing::ToyRun;

TrainSettings two_epochs() {
  TrainSettings settings = toy_settings();
  settings.epochs = 2;
  return settings;
}

struct CudaRun {
  explicit CudaRun(const fake::Settings& settings, const std::string& precision = "fp32",
                   TrainSettings training = two_epochs())
      : run(folder.path(), std::move(training), 50, testing::fresh_cuda(precision, settings)) {}
  std::string train() {
    run.run();
    return read_checkpoint(run.last()).checksum;
  }
  TemporaryFolder folder;
  ToyRun run;
};

/// Checksum of the network after training, and what the fake device found on the way.
struct Outcome {
  std::string checksum;
  fake::Report report;
};
Outcome train(const fake::Settings& settings, const std::string& precision = "fp32",
              TrainSettings training = two_epochs()) {
  Outcome outcome;
  CudaRun run(settings, precision, std::move(training));
  outcome.checksum = run.train();
  outcome.report = fake::report();
  return outcome;
}

/// The call never happens, though it says that it did.
fake::Settings without(const std::string& call, int nth, fake::Policy policy = {}) {
  return {.policy = policy, .injected_errors = {{call, nth, cudaSuccess}}};
}

class Policies : public ::testing::TestWithParam<fake::Policy::Order> {};

TEST_P(Policies, TrainToTheSameBitsWithoutAComplaint) {
  const Outcome eager = train({.policy = {fake::Policy::kEager}});
  const Outcome here = train({.policy = {GetParam(), 3}});
  EXPECT_EQ(here.checksum, eager.checksum);
  EXPECT_EQ(here.report.findings.size(), 0u) << here.report.complaints();
  EXPECT_EQ(here.report.pageable_async, 0);
}

INSTANTIATE_TEST_SUITE_P(All, Policies,
                         ::testing::Values(fake::Policy::kLazy, fake::Policy::kOthersFirst, fake::Policy::kRandom));

TEST_P(Policies, PicturesThatStayOnTheDeviceChangeNoBit) {
  const Outcome uploaded = train({.policy = {fake::Policy::kEager}}, "bf16");
  CudaRun cuda({.policy = {GetParam(), 3}}, "bf16");
  cuda.run.keep_pictures_on_device();
  EXPECT_EQ(cuda.train(), uploaded.checksum);
  const fake::Report report = fake::report();
  EXPECT_EQ(report.findings.size(), 0u) << report.complaints();
  EXPECT_LT(report.memcpys, uploaded.report.memcpys);
}

TEST(CudaTraining, LeavesNothingBehind) {
  { CudaRun({}).train(); }
  EXPECT_EQ(fake::report().complaints(), "");
}

TEST(CudaTraining, LearnsInEveryPrecision) {
  for (const std::string precision : {"fp32", "tf32", "bf16", "fp16"}) {
    TrainSettings settings = toy_settings();
    settings.epochs = 6;
    CudaRun cuda({}, precision, settings);
    std::vector<EpochRecord> epochs;
    cuda.run.listener.on_epoch = [&](const EpochRecord& record, bool) { epochs.push_back(record); };
    cuda.train();
    EXPECT_LT(epochs.back().train_loss, 0.6 * epochs.front().train_loss) << precision;
    EXPECT_GE(*epochs.back().val_auroc, 0.95) << precision;
  }
}

TEST(CudaTraining, FollowsTheCpuDevice) {
  const TemporaryFolder folder;
  ToyRun cpu(folder.path(), two_epochs());
  CudaRun cuda({});
  std::vector<double> losses[2];
  cpu.listener.on_epoch = [&](const EpochRecord& record, bool) { losses[0].push_back(record.train_loss); };
  cuda.run.listener.on_epoch = [&](const EpochRecord& record, bool) { losses[1].push_back(record.train_loss); };
  cpu.run();
  cuda.run.run();
  for (std::size_t i = 0; i < 2; ++i) EXPECT_NEAR(losses[1][i], losses[0][i], 2e-3) << "epoch " << i + 1;
}

// Steps that are neither the first nor the second of their batch size; two log lines lie between the beginning of an
// epoch and its end.
TEST(CudaTraining, AStepAllocatesNothingAndWaitsForNothing) {
  TrainSettings settings = two_epochs();
  settings.log_every = 2;
  CudaRun cuda({.policy = {fake::Policy::kEager}}, "bf16", settings);
  std::vector<fake::Report> reports;
  cuda.run.listener.on_images = [&](std::int64_t, std::int64_t, std::int64_t, double) {
    reports.push_back(fake::report());
  };
  cuda.train();
  ASSERT_EQ(reports.size(), 14u);
  for (const std::size_t step : {3u, 4u, 5u, 8u, 9u, 10u, 11u, 12u}) {
    const int lines = step % 7 % 2 == 1 ? 1 : 0;
    EXPECT_EQ(reports[step].allocations, reports[step - 1].allocations) << "step " << step;
    EXPECT_EQ(reports[step].synchronisations, reports[step - 1].synchronisations) << "step " << step;
    EXPECT_EQ(reports[step].graph_launches, reports[step - 1].graph_launches + 1) << "step " << step;
    EXPECT_EQ(reports[step].memcpys, reports[step - 1].memcpys + 3 + 2 * lines)
        << "pixels, facts, facts into their place; for a log line losses and the size of the weights";
  }
}

// On a device that runs nothing before it must, the step with a log line makes the host wait no more often.
TEST(CudaTraining, ALogLineIsNotWaitedFor) {
  const auto waits_until_the_fourth_step = [](std::int64_t log_every) {
    TrainSettings settings = two_epochs();
    settings.epochs = 1;
    settings.log_every = log_every;
    CudaRun cuda({.policy = {fake::Policy::kLazy}}, "fp32", settings);
    std::vector<int> waits;
    cuda.run.listener.on_images = [&](std::int64_t, std::int64_t, std::int64_t, double) {
      waits.push_back(fake::report().calls["cudaEventSynchronize"]);
    };
    cuda.train();
    return waits.at(3);
  };
  EXPECT_EQ(waits_until_the_fourth_step(4), waits_until_the_fourth_step(100));
}

// Both schedules begin alike.
TEST(CudaTraining, TheScheduleReachesTheRecordedStep) {
  const auto trained = [](ScheduleKind kind) {
    TrainSettings settings = two_epochs();
    settings.schedule.kind = kind;
    return train({}, "fp32", settings).checksum;
  };
  EXPECT_NE(trained(ScheduleKind::kConstant), trained(ScheduleKind::kStep));
}

TEST(CudaTraining, RecordedOrNotTheBitsAreTheSame) {
  for (const std::string precision : {"fp32", "fp16"}) {
    const Outcome recorded = train({}, precision);
    fake::Settings refusing;
    for (int nth = 1; nth <= 4; ++nth)
      refusing.injected_errors.push_back({"cudaStreamBeginCapture", nth, cudaErrorStreamCaptureUnsupported});
    const Outcome queued = train(refusing, precision);
    EXPECT_EQ(recorded.checksum, queued.checksum) << precision;
    EXPECT_GT(recorded.report.graph_launches, 8);
    EXPECT_EQ(queued.report.graph_launches, 0);
  }
}

TEST(CudaTraining, ACheckpointGoesFromOneDeviceToTheOther) {
  TrainSettings first_half = toy_settings();
  first_half.max_steps = 14;
  for (const bool from_cpu : {true, false}) {
    const TemporaryFolder straight, divided;
    ToyRun whole(straight.path());
    whole.run();
    const auto on = [&](bool cpu) { return cpu ? make_cpu_device(1) : testing::fresh_cuda(); };
    ToyRun(divided.path(), first_half, 50, on(from_cpu)).run();
    ToyRun(divided.path(), toy_settings(), 50, on(!from_cpu)).resume_and_run();
    const Checkpoint expected = read_checkpoint(whole.last()), got = read_checkpoint(divided / "checkpoints/last.h5");
    EXPECT_EQ(got.state.step, expected.state.step);
    ASSERT_TRUE(got.state.best_score.has_value());
    EXPECT_NEAR(*got.state.best_score, *expected.state.best_score, 0.02) << (from_cpu ? "from" : "to") << " the CPU";
  }
}

TEST(CudaTraining, AResumedFloat16RunIsTheStraightRunBitForBit) {
  TrainSettings first_half = two_epochs();
  first_half.max_steps = 7;
  CudaRun straight({}, "fp16");
  const std::string expected = straight.train();
  const TemporaryFolder divided;
  { ToyRun(divided.path(), first_half, 50, testing::fresh_cuda("fp16")).run(); }
  ToyRun second(divided.path(), two_epochs(), 50, testing::fresh_cuda("fp16"));
  second.resume_and_run();
  EXPECT_EQ(read_checkpoint(second.last()).checksum, expected);
}

// ---- planted faults: each is found, whatever the order the work happens to run in -----------------------------------

class PlantedFault : public ::testing::TestWithParam<fake::Policy::Order> {
 protected:
  // Without log lines, for which the host waits and thereby mends what is missing.
  [[nodiscard]] Outcome planted(const std::string& call, int nth) const {
    TrainSettings settings = two_epochs();
    settings.log_every = 100;
    return train(without(call, nth, {GetParam(), 3}), "fp32", settings);
  }
};

TEST_P(PlantedFault, AMissingWaitIsARace) {
  // The waits of a step: the copy for the pixels' last reader, the computation for the copy.
  for (const int nth : {6, 7, 8, 9}) {
    const Outcome outcome = planted("cudaStreamWaitEvent", nth);
    EXPECT_GT(outcome.report.count(fake::Fault::kRace), 0) << "wait " << nth;
  }
}

TEST_P(PlantedFault, AMarkerThatIsNotSetIsARace) {
  // Without its record a marker stands where it stood two batches before.
  for (const int nth : {5, 6, 7, 8}) {
    const Outcome outcome = planted("cudaEventRecord", nth);
    EXPECT_GT(outcome.report.findings.size(), 0u) << "record " << nth;
  }
}

INSTANTIATE_TEST_SUITE_P(All, PlantedFault,
                         ::testing::Values(fake::Policy::kEager, fake::Policy::kLazy, fake::Policy::kRandom));

// The source overwrites what it gets back.
TEST(PlantedFaults, ASlotThatIsGivenBackTooEarlyIsFound) {
  int found = 0;
  for (int nth = 1; nth <= 6; ++nth)
    found += train(without("cudaEventQuery", nth)).report.count(fake::Fault::kHostRace) > 0 ? 1 : 0;
  EXPECT_GT(found, 0);
}

TEST(PlantedFaults, ALostCardEndsTheRunAndTheCheckpointStays) {
  CudaRun cuda({});
  cuda.train();
  const std::string before = read_checkpoint(cuda.run.last()).checksum;
  TrainSettings longer = toy_settings();
  ToyRun lost(cuda.folder.path(), longer, 50,
              testing::fresh_cuda("fp32", {.sticky_error = {120, cudaErrorLaunchFailure}}));
  EXPECT_THAT(refused(ExitCode::kFailure, [&] { lost.resume_and_run(); }), HasSubstr("--resume auto"));
  EXPECT_EQ(read_checkpoint(lost.last()).checksum, before);
}

TEST(PlantedFaults, GradientsThatNeverAreFiniteEndTheRun) {
  TrainSettings settings = toy_settings();
  settings.epochs = 20;
  CudaRun cuda({}, "fp16", settings);
  std::vector<float> weights(static_cast<std::size_t>(cuda.run.model.parameters().count()), 6e4f);
  cuda.run.device->upload(cuda.run.model.parameters().values(), weights.data(), weights.size() * 4, Queue::kCompute);
  cuda.run.model.parameters().narrow();
  EXPECT_THAT(refused(ExitCode::kDiverged, [&] { cuda.train(); }), HasSubstr("50 steps"));
}

}  // namespace training_test
}  // namespace xrai
