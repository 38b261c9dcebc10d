// Every planted race is reported in every order of threads, with both source lines; accesses to what is not device
// memory are reported; what a launch moved is counted exactly.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "emulation.h"
#include "samples.h"

namespace xrai::emulation {
namespace race_check_test {

using samples::Bug;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;

// What the tests call device memory.
std::vector<float> device_memory(320);
constexpr std::size_t kDeviceFloats = 256;
bool is_device_memory(const void* begin, std::size_t bytes) {
  const auto* const first = reinterpret_cast<const char*>(device_memory.data());
  const auto* const at = static_cast<const char*>(begin);
  return std::less_equal<>()(first, at) && std::less_equal<>()(at + bytes, first + kDeviceFloats * sizeof(float));
}

std::string fault_of(Bug bug, const float* host = nullptr) {
  try {
    samples::launch_wrong(bug, device_memory.data(), host);
  } catch (const KernelFault& fault) {
    return fault.what();
  }
  return "no fault was reported";
}

struct Planted {
  const char* name;
  Bug bug;
  const char* expression;  // that the message contains
  friend void PrintTo(const Planted& planted, std::ostream* out) { *out << planted.name; }
};

class Races : public ::testing::TestWithParam<Planted> {
 protected:
  void TearDown() override { set_order(Order::kForward); }
};

TEST_P(Races, AreReportedInEveryOrder) {
  for (const Order order : {Order::kForward, Order::kReverse, Order::kRandom}) {
    set_order(order, 5);
    EXPECT_THAT(fault_of(GetParam().bug), ContainsRegex(GetParam().expression));
  }
}

const Planted kPlanted[] = {
    {"BarrierMissingBeforeReduction", Bug::kBarrierMissingBeforeReduction, "race: .* are not ordered"},
    {"BarrierMissingBetweenRounds", Bug::kBarrierMissingBetweenRounds, "race: .* are not ordered"},
    {"WarpSyncMissing", Bug::kWarpSyncMissing, "race: .* are not ordered"},
    {"WarpSyncOfHalfTheWarp", Bug::kWarpSyncOfHalfTheWarp, "race: .* are not ordered"},
    {"ShuffleTakenForSync", Bug::kShuffleTakenForSync, "race: .* are not ordered"},
    {"BlocksWriteOneWord", Bug::kBlocksWriteOneWord, "race: write by block [0-3] thread 0 .* and write by block"},
    {"ThreadsWriteOneByte", Bug::kThreadsWriteOneByte, "race: write by .* and write by .* are not ordered"},
    {"AtomicAgainstPlain", Bug::kAtomicAgainstPlain, "race: .*atomic access .* are not ordered"},
};
INSTANTIATE_TEST_SUITE_P(Planted, Races, ::testing::ValuesIn(kPlanted),
                         [](const auto& planted) { return planted.param.name; });

TEST(RaceMessage, NamesKernelThreadsAndBothLines) {
  EXPECT_THAT(fault_of(Bug::kBarrierMissingBeforeReduction),
              ContainsRegex("kernel barrier_missing_before_reduction: race: .*thread [0-9]+ .samples_wrong.cu:[0-9]+. "
                            "and .*thread [0-9]+ .samples_wrong.cu:[0-9]+."));
}

class DeviceMemory : public ::testing::Test {
 protected:
  void SetUp() override { set_device_memory_check(&is_device_memory); }
  void TearDown() override { set_device_memory_check(nullptr); }
};

TEST_F(DeviceMemory, ReadingTheHeapOfTheHostIsReported) {
  const std::vector<float> host(64);
  EXPECT_THAT(fault_of(Bug::kReadsHostMemory, host.data()), HasSubstr("host memory: read by block 0 thread 0"));
}

TEST_F(DeviceMemory, ReadingTheStackOfTheHostIsReported) {
  const float host[64] = {};
  EXPECT_THAT(fault_of(Bug::kReadsHostMemory, host), HasSubstr("host memory: read"));
}

TEST_F(DeviceMemory, ReadingPastAnAllocationIsReported) {
  EXPECT_THAT(fault_of(Bug::kReadsPastTheEnd), HasSubstr("host memory: read"));
}

TEST_F(DeviceMemory, WritingPastAnAllocationIsReported) {
  EXPECT_THAT(fault_of(Bug::kWritesPastTheEnd), HasSubstr("host memory: write"));
}

TEST_F(DeviceMemory, VectorTailPastAnAllocationIsReported) {
  EXPECT_THAT(fault_of(Bug::kVectorTailPastTheEnd), HasSubstr("host memory: read"));
}

TEST_F(DeviceMemory, SharedMemoryStackAndArgumentsAreNoHostMemory) {
  samples::sum_blocks(device_memory.data(), device_memory.data() + 255, 1);
  samples::scale_by_struct(samples::Scale{}, device_memory.data());
}

TEST(TrafficOfALaunch, CountsEachByteOnceAndEachAccess) {
  const std::vector<float> x(1027, 1.0f);
  std::vector<float> y(1027);
  samples::axpy(2.0f, x.data(), y.data(), 1027);
  const Traffic traffic = last_traffic();
  EXPECT_EQ(traffic.read_bytes, 2 * 1027 * sizeof(float));
  EXPECT_EQ(traffic.written_bytes, 1027 * sizeof(float));
  EXPECT_EQ(traffic.load_bytes, traffic.read_bytes);
  EXPECT_EQ(traffic.store_bytes, traffic.written_bytes);
}

TEST(TrafficOfALaunch, RepeatedLoadsCountOnceAsDistinctBytes) {
  const std::vector<std::uint8_t> values(4 * 256, 42);
  std::vector<unsigned> counts(256);
  samples::histogram(values.data(), counts.data(), 4);
  const Traffic traffic = last_traffic();
  EXPECT_EQ(traffic.read_bytes, 1024 + sizeof(unsigned));  // the counter itself, too
  EXPECT_EQ(traffic.load_bytes, 1024 + 4 * sizeof(unsigned));
  EXPECT_EQ(traffic.written_bytes, sizeof(unsigned));
  EXPECT_EQ(traffic.store_bytes, 4 * sizeof(unsigned));
}

TEST(TrafficOfALaunch, HalvesAreTwoBytes) {
  const std::vector<float> x(33);
  std::vector<std::uint16_t> y(33);
  samples::to_bfloat16(x.data(), y.data(), 33);
  EXPECT_EQ(last_traffic().written_bytes, 66u);
  EXPECT_EQ(last_traffic().store_bytes, 66u);
}

TEST(TrafficOfALaunch, RangesAreJoinedAndReadsComeFirst) {
  const std::vector<float> values(512);
  std::vector<float> totals(2);
  samples::sum_blocks(values.data(), totals.data(), 2);
  const std::vector<Access> accesses = last_accesses();
  ASSERT_EQ(accesses.size(), 2u);
  EXPECT_EQ(accesses[0].begin, values.data());
  EXPECT_EQ(accesses[0].bytes, 512 * sizeof(float));
  EXPECT_FALSE(accesses[0].write);
  EXPECT_EQ(accesses[1].begin, totals.data());
  EXPECT_EQ(accesses[1].bytes, 2 * sizeof(float));
  EXPECT_TRUE(accesses[1].write);
}

}  // namespace race_check_test
}  // namespace xrai::emulation
