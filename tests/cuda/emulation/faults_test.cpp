// What the scheduler reports of wrong kernels: barriers, warp operations, launch configurations, shared memory. Every
// fault must be reported in every order. Built twice: without and with the race checker.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <ostream>
#include <string>
#include <vector>

#include "emulation.h"
#include "samples.h"

namespace xrai::emulation {
namespace faults_test {

using samples::Bug;
using ::testing::AllOf;
using ::testing::HasSubstr;

struct Planted {
  const char* name;
  Bug bug;
  const char* words;  // of the message
  friend void PrintTo(const Planted& planted, std::ostream* out) { *out << planted.name; }
};

std::string fault_of(Bug bug) {
  std::vector<float> memory(256, 1.0f);
  try {
    samples::launch_wrong(bug, memory.data(), memory.data());
  } catch (const KernelFault& fault) {
    return fault.what();
  }
  return "no fault was reported";
}

class Faults : public ::testing::TestWithParam<Planted> {
 protected:
  void TearDown() override { set_order(Order::kForward); }
};

TEST_P(Faults, AreReportedInEveryOrder) {
  for (const Order order : {Order::kForward, Order::kReverse, Order::kRandom}) {
    set_order(order, 5);
    EXPECT_THAT(fault_of(GetParam().bug), HasSubstr(GetParam().words));
  }
}

const Planted kPlanted[] = {
    {"BarrierInBranch", Bug::kBarrierInBranch, "__syncthreads: 48 threads have exited, 16 wait"},
    {"BarriersAtTwoCalls", Bug::kBarriersAtTwoCalls, "all must wait at the same call"},
    {"BarrierAfterExit", Bug::kBarrierAfterExit, "__syncthreads: 32 threads have exited, 32 wait"},
    {"FullMaskInHalfWarp", Bug::kFullMaskInHalfWarp, "mask 0xffffffff names lane 16, which has exited"},
    {"MaskNamesExitedLane", Bug::kMaskNamesExitedLane, "mask 0xffffffff names lane 5, which has exited"},
    {"CallerNotInMask", Bug::kCallerNotInMask, "mask 0x0000ffff does not name the calling lane"},
    {"LanesAtDifferentShuffles", Bug::kLanesAtDifferentShuffles, "names lane 1, which waits at samples_wrong.cu:"},
    {"WidthNotPowerOfTwo", Bug::kWidthNotPowerOfTwo, "the width 12 is not a power of two"},
    {"TooManyThreads", Bug::kTooManyThreads, "invalid launch configuration"},
    {"EmptyGrid", Bug::kEmptyGrid, "invalid launch configuration"},
    {"GridTooHigh", Bug::kGridTooHigh, "invalid launch configuration"},
    {"IncompleteWarp", Bug::kIncompleteWarp, "leave a warp incomplete"},
    {"TooMuchShared", Bug::kTooMuchShared, "shared memory together take 53248 bytes"},
};
INSTANTIATE_TEST_SUITE_P(Planted, Faults, ::testing::ValuesIn(kPlanted),
                         [](const auto& planted) { return planted.param.name; });

TEST(FaultMessage, NamesKernelBlockThreadAndLine) {
  EXPECT_THAT(fault_of(Bug::kCallerNotInMask),
              AllOf(HasSubstr("kernel caller_not_in_mask, block (0,0,0), thread (16,0,0): samples_wrong.cu:")));
}

TEST(FaultMessage, EmulationGoesOnAfterAFault) {
  EXPECT_THAT(fault_of(Bug::kBarrierInBranch), HasSubstr("have exited"));
  const std::vector<float> values(256, 1.0f);
  float total = 0;
  samples::sum_blocks(values.data(), &total, 1);
  EXPECT_EQ(total, 256.0f);
}

// What only gives wrong values: the emulation's part is to make them visible.
TEST(UndefinedValues, LaneOutsideTheMaskGivesNan) {
  std::vector<float> memory(256, 1.0f);
  samples::launch_wrong(Bug::kLaneOutsideTheMask, memory.data(), nullptr);
  EXPECT_TRUE(std::isnan(memory[0]));
}

TEST(UndefinedValues, UninitialisedSharedMemoryIsNan) {
  std::vector<float> memory(256, 1.0f);
  samples::launch_wrong(Bug::kUninitialisedShared, memory.data(), nullptr);
  EXPECT_TRUE(std::isnan(memory[0]));
}

}  // namespace faults_test
}  // namespace xrai::emulation
