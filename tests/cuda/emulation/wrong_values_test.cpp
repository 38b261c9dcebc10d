// Without the race checker a missing barrier is seen by its values alone, and not in every order: the reason for
// running kernels in three orders, and for the race checker.
#include <gtest/gtest.h>

#include <vector>

#include "emulation.h"
#include "samples.h"

namespace xrai::emulation {
namespace wrong_values_test {

/// Whether thread t got what thread 63 - t had stored.
bool reverses_in(Order order) {
  set_order(order, 5);
  std::vector<float> memory(256), expected(64);
  for (std::size_t i = 0; i < 64; ++i) memory[i] = expected[63 - i] = static_cast<float>(i);
  samples::launch_wrong(samples::Bug::kBarrierMissingBeforeReduction, memory.data(), nullptr);
  set_order(Order::kForward);
  return std::vector<float>(memory.begin(), memory.begin() + 64) == expected;
}

TEST(MissingBarrier, GivesWrongValuesForwardAndAtRandom) {
  EXPECT_FALSE(reverses_in(Order::kForward));
  EXPECT_FALSE(reverses_in(Order::kRandom));
}

TEST(WithoutRaceChecker, NothingIsCounted) {
  EXPECT_FALSE(checks_races());
  EXPECT_TRUE(last_accesses().empty());
}

}  // namespace wrong_values_test
}  // namespace xrai::emulation
