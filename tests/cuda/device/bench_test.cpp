// xrai_bench's measurement on the CUDA device: what it times is what the trainer runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apps/bench/measurement.h"
#include "tests/cuda/device/doubled_card.h"

namespace xrai {
namespace bench_test {

BenchOptions small() {
  BenchOptions options;
  options.model = "lenet", options.size = 32, options.batch_size = 2;
  options.iterations = 3, options.warmup = 1;
  return options;
}

TEST(Bench, TimesTheRecordedStepAndSaysWhatOfTheCardItTakes) {
  const auto device = testing::fresh_cuda("fp32", {});
  const auto result = measure(*device, small(), "train");
  EXPECT_THAT(result["graph"].get<std::string>(), ::testing::StartsWith("on"));
  EXPECT_EQ(fake::report().graph_launches, 3);
  EXPECT_GT(result["device_bytes"], result["arena_bytes"]);
  EXPECT_EQ(fake::report().findings.size(), 0u) << fake::report().complaints();
}

TEST(Bench, WithoutAWarmUpTheFirstStepIsTimedAsItIsQueued) {
  const auto device = testing::fresh_cuda("fp32", {});
  BenchOptions cold = small();
  cold.warmup = 0;
  EXPECT_FALSE(measure(*device, cold, "infer").contains("graph"));
  EXPECT_EQ(fake::report().graph_launches, 0);
}

}  // namespace bench_test
}  // namespace xrai
