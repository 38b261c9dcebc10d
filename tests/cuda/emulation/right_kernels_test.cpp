// Right kernels give right results in every order of blocks and threads, and no fault is reported. Built twice: without
// and with the race checker.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include "emulation.h"
#include "execution.h"
#include "samples.h"

namespace xrai::emulation {
namespace right_kernels_test {

using ::testing::Each;
using ::testing::ElementsAre;

class RightKernels : public ::testing::TestWithParam<Order> {
 protected:
  void SetUp() override { set_order(GetParam(), 7); }
  void TearDown() override { set_order(Order::kForward); }
};

std::vector<float> counting(std::size_t n) {
  std::vector<float> values(n);
  std::iota(values.begin(), values.end(), 0.0f);
  return values;
}

TEST_P(RightKernels, BlockSumsThroughSharedMemory) {
  const std::vector<float> values = counting(3 * 256);
  std::vector<float> totals(3);
  samples::sum_blocks(values.data(), totals.data(), 3);
  EXPECT_THAT(totals, ElementsAre(32640.0f, 98176.0f, 163712.0f));
}

TEST_P(RightKernels, SoftmaxOfEqualValuesIsUniform) {
  const std::vector<float> x(3 * 32, 2.0f);
  std::vector<float> y(3 * 32);
  samples::softmax_rows(x.data(), y.data(), 3);
  EXPECT_THAT(y, Each(1.0f / 32));
}

TEST_P(RightKernels, VectorAccessesAndTail) {
  const std::vector<float> x = counting(1027);
  std::vector<float> y(1027, 1.0f);
  samples::axpy(2.0f, x.data(), y.data(), 1027);
  for (std::size_t i = 0; i < y.size(); ++i) EXPECT_EQ(y[i], 1.0f + 2.0f * static_cast<float>(i)) << i;
}

TEST_P(RightKernels, NeighboursSwapAfterWarpSync) {
  const std::vector<float> x = counting(32);
  std::vector<float> y(32);
  samples::swap_neighbours(x.data(), y.data());
  for (std::size_t i = 0; i < y.size(); ++i) EXPECT_EQ(y[i], x[i ^ 1u]) << i;
}

TEST_P(RightKernels, AtomicCountsInSharedAndGlobalMemory) {
  const std::vector<std::uint8_t> values(4 * 256, 42);
  std::vector<unsigned> counts(256, 0);
  samples::histogram(values.data(), counts.data(), 4);
  EXPECT_EQ(counts[42], 1024u);
  EXPECT_EQ(counts[43], 0u);
}

TEST_P(RightKernels, NeighbouringThreadsWriteHalvesOfAWord) {
  const std::vector<float> x{1.0f, -2.0f, 0.5f};
  std::vector<std::uint16_t> y(3);
  samples::to_bfloat16(x.data(), y.data(), 3);
  for (std::size_t i = 0; i < y.size(); ++i) EXPECT_EQ(y[i], std::bit_cast<std::uint32_t>(x[i]) >> 16);
}

TEST_P(RightKernels, DoubleAtomicsAdd) {
  const std::vector<float> x = counting(100);
  double total = 0;
  samples::sum_with_double_atomics(x.data(), &total, 100);
  EXPECT_EQ(total, 4950.0);
}

TEST_P(RightKernels, BlockAndWarpWordsAnswerAsCudaDefinesThem) {
  std::vector<unsigned> out(9);
  samples::warp_and_block_words(out.data());
  EXPECT_THAT(out, ElementsAre(1u, 0u, 10u, 0xaaaaaaaau, 22u, 24u, 23u, 23u, 32u));
}

TEST_P(RightKernels, SomeLanesMayMeetBeforeAllDo) {
  std::vector<unsigned> out(32);
  samples::meet_in_groups(out.data());
  EXPECT_EQ(out[0], (0u + 1u) + 16u);
  EXPECT_EQ(out[20], 20u + (4u + 5u));
  EXPECT_EQ(out[8], 8u + 24u);
}

TEST_P(RightKernels, IndicesAreNumberedAsInCuda) {
  std::vector<unsigned> y(2 * 3 * 2 * 64), expected(y.size());
  std::iota(expected.begin(), expected.end(), 0u);
  samples::linear_indices(y.data());
  EXPECT_EQ(y, expected);
}

TEST_P(RightKernels, BarrierBetweenTwoBranchesOfOneThreadIsOneCall) {
  const std::vector<float> x{2.0f, 3.0f};
  std::vector<float> y(64);
  samples::leader_around_barrier(x.data(), y.data());
  EXPECT_THAT(y, Each(5.0f));
}

TEST_P(RightKernels, ArgumentsAreConvertedAndCopied) {
  samples::Scale scale{};
  std::fill(std::begin(scale.factors), std::end(scale.factors), 3.0f);
  scale.count = 40;
  std::vector<float> y(64, 2.0f);
  samples::scale_by_struct(scale, y.data());
  EXPECT_EQ(y[39], 7.0f);
  EXPECT_EQ(y[40], 2.0f);
}

INSTANTIATE_TEST_SUITE_P(Orders, RightKernels, ::testing::Values(Order::kForward, Order::kReverse, Order::kRandom),
                         [](const auto& order) {
                           return order.param == Order::kForward   ? "forward"
                                  : order.param == Order::kReverse ? "reverse"
                                                                   : "random";
                         });

std::vector<unsigned> blocks_in_order(Order order, std::uint64_t seed) {
  set_order(order, seed);
  std::vector<unsigned> blocks;
  run({"recorder", dim3(20), dim3(32), 0, [&blocks] {
         if (threadIdx.x == 0) blocks.push_back(blockIdx.x);
       }});
  set_order(Order::kForward);
  return blocks;
}

TEST(ThreadOrder, ForwardAndReverseAreEachOthersMirror) {
  std::vector<unsigned> forward = blocks_in_order(Order::kForward, 0), reverse = blocks_in_order(Order::kReverse, 0);
  std::reverse(reverse.begin(), reverse.end());
  EXPECT_EQ(forward, reverse);
}

TEST(ThreadOrder, RandomIsNeitherAndRunsEachBlockOnce) {
  std::vector<unsigned> random = blocks_in_order(Order::kRandom, 3);
  EXPECT_FALSE(std::is_sorted(random.begin(), random.end()));
  std::sort(random.begin(), random.end());
  EXPECT_EQ(random, blocks_in_order(Order::kForward, 0));
}

}  // namespace right_kernels_test
}  // namespace xrai::emulation
