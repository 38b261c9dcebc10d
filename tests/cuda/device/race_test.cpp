// The training loop with kernels that report what they really touch: their accesses take part in the search for races,
// and nothing but device memory may be among them.
#include <gtest/gtest.h>

#include "tests/cuda/device/doubled_card.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/toy_training.h"

namespace xrai {
namespace race_test {

fake::Report train(const fake::Settings& settings, const std::string& precision) {
  const testing::TemporaryFolder folder;
  TrainSettings training = testing::toy_settings();
  training.epochs = 1;
  training.log_every = 100;  // the host waits for a log line, and thereby mends what is missing
  testing::ToyRun run(folder.path(), training, 50, testing::fresh_cuda(precision, settings));
  run.run();
  return fake::report();
}

TEST(Races, ThereAreNoneInTrainingAndEvaluation) {
  for (const std::string precision : {"fp32", "bf16", "fp16"})
    EXPECT_EQ(train({.policy = {fake::Policy::kRandom, 5}}, precision).findings.size(), 0u) << precision;
}

TEST(Races, AMissingWaitIsFoundByWhatTheKernelsRead) {
  for (const int nth : {6, 7}) {
    const fake::Report report = train(
        {.policy = {fake::Policy::kEager}, .injected_errors = {{"cudaStreamWaitEvent", nth, cudaSuccess}}}, "fp32");
    EXPECT_GT(report.count(fake::Fault::kRace), 0) << "wait " << nth;
  }
}

}  // namespace race_test
}  // namespace xrai
