// Claims about the learning rate over a run; the recorded values are in training_steps_golden_test.cpp.
#include "runtime/train/schedule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace xrai {
namespace schedule_test {

constexpr double kRate = 2e-3;

std::vector<double> rates(ScheduleKind kind, double warmup_epochs, std::int64_t epochs, std::int64_t per_epoch) {
  std::vector<double> all;
  for (std::int64_t step = 0; step < epochs * per_epoch; ++step)
    all.push_back(learning_rate_at({kind, warmup_epochs}, kRate, step, epochs * per_epoch, per_epoch));
  return all;
}

class Schedules : public ::testing::TestWithParam<ScheduleKind> {};

TEST_P(Schedules, StayBetweenZeroAndThePeakAndReachIt) {
  for (const double warmup : {0.0, 0.3, 2.4})
    for (const std::int64_t per_epoch : {1, 7, 100}) {
      const auto all = rates(GetParam(), warmup, 12, per_epoch);
      for (const double rate : all) ASSERT_TRUE(rate >= 0 && rate <= kRate * (1 + 1e-12));
      EXPECT_GT(*std::max_element(all.begin(), all.end()), 0.9 * kRate) << "warm-up " << warmup << ", " << per_epoch;
    }
}

TEST_P(Schedules, AreFiniteForRunsOfOneStepAndBeyondTheEnd) {
  for (const std::int64_t total : {1, 2, 3})
    for (std::int64_t step = 0; step < total + 3; ++step) {
      const double rate = learning_rate_at({GetParam(), 2.4}, kRate, step, total, 1);
      EXPECT_TRUE(std::isfinite(rate) && rate >= 0 && rate <= kRate * (1 + 1e-12)) << step << " of " << total;
    }
}

INSTANTIATE_TEST_SUITE_P(Kinds, Schedules,
                         ::testing::Values(ScheduleKind::kCosine, ScheduleKind::kOneCycle, ScheduleKind::kStep,
                                           ScheduleKind::kConstant));

TEST(Warmup, RisesInEqualStepsToThePeak) {
  for (const ScheduleKind kind : {ScheduleKind::kCosine, ScheduleKind::kStep, ScheduleKind::kConstant}) {
    const auto all = rates(kind, 2.5, 10, 20);  // 50 steps
    for (std::size_t i = 0; i < 50; ++i) EXPECT_NEAR(all[i], kRate * static_cast<double>(i + 1) / 50, 1e-12);
  }
}

TEST(Cosine, FallsAllTheWayToAlmostNothing) {
  const auto all = rates(ScheduleKind::kCosine, 2, 10, 50);
  for (std::size_t i = 101; i < all.size(); ++i) ASSERT_LT(all[i], all[i - 1]);
  EXPECT_LT(all.back(), 1e-4 * kRate);
}

TEST(OneCycle, RisesForThreeTenthsAndEndsAtAQuarterMillionth) {
  const auto all = rates(ScheduleKind::kOneCycle, 2, 10, 100);
  EXPECT_NEAR(all.front(), kRate / 25, 1e-12);
  EXPECT_NEAR(all[299], kRate, 1e-12);
  EXPECT_NEAR(all.back(), kRate / 250000, 1e-12);
}

TEST(Step, FallsToATenthAndAHundredth) {
  const auto all = rates(ScheduleKind::kStep, 0, 8, 10);
  EXPECT_DOUBLE_EQ(all[39], kRate);
  EXPECT_DOUBLE_EQ(all[40], kRate / 10);
  EXPECT_DOUBLE_EQ(all[60], kRate / 100);
}

}  // namespace schedule_test
}  // namespace xrai
