// The order of an epoch: a permutation, fair, and a function of seed and epoch alone.
#include "loaders/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

namespace xrai {
namespace sampler_test {

std::vector<std::int64_t> identity(std::int64_t n) {
  std::vector<std::int64_t> positions(static_cast<std::size_t>(n));
  std::iota(positions.begin(), positions.end(), std::int64_t{0});
  return positions;
}

TEST(Sampler, EveryEpochIsAPermutation) {
  for (const std::int64_t n : {0, 1, 2, 3, 17, 5216}) {
    for (const std::int64_t epoch : {0, 1, 7}) {
      auto order = epoch_order(Order::kShuffled, n, 3, epoch);
      std::sort(order.begin(), order.end());
      EXPECT_EQ(order, identity(n)) << n << " pictures, epoch " << epoch;
    }
  }
}

TEST(Sampler, SequentialIsTheIdentity) {
  EXPECT_EQ(epoch_order(Order::kSequential, 5, 9, 2), identity(5));
}

TEST(Sampler, SeedAndEpochChangeTheOrderAndNothingElseDoes) {
  const auto order = epoch_order(Order::kShuffled, 100, 1, 0);
  EXPECT_EQ(order, epoch_order(Order::kShuffled, 100, 1, 0));
  EXPECT_NE(order, epoch_order(Order::kShuffled, 100, 1, 1));
  EXPECT_NE(order, epoch_order(Order::kShuffled, 100, 2, 0));
  EXPECT_NE(order, epoch_order(Order::kShuffled, 100, std::uint64_t{1} << 32, 0));
}

TEST(Sampler, OrderDoesNotChangeBetweenReleases) {
  // Recorded when the shuffle was written: a checkpoint made then must go on in the same order.
  EXPECT_EQ(epoch_order(Order::kShuffled, 8, 42, 3), (std::vector<std::int64_t>{2, 3, 1, 4, 6, 0, 5, 7}));
}

TEST(Sampler, EveryPermutationIsAsLikelyAsAnother) {
  std::map<std::vector<std::int64_t>, int> seen;
  constexpr int kEpochs = 24'000;
  for (int epoch = 0; epoch < kEpochs; ++epoch) ++seen[epoch_order(Order::kShuffled, 4, 5, epoch)];
  ASSERT_EQ(seen.size(), 24u);
  double chi_squared = 0;
  for (const auto& [order, count] : seen) chi_squared += (count - 1000.0) * (count - 1000.0) / 1000.0;
  EXPECT_LT(chi_squared, 49.7);  // 23 degrees of freedom, one chance in a thousand; the seed is fixed
}

/// A split of 1000 pictures in chunks of 30, of which every third picture belongs to the loader.
std::vector<std::int64_t> some_rows() {
  std::vector<std::int64_t> rows;
  for (std::int64_t row = 1; row < 1000; row += 3) rows.push_back(row);
  return rows;
}

TEST(Sampler, ChunkOrderIsAPermutationThatChangesWithTheEpoch) {
  auto order = chunk_order(some_rows(), 30, 120, 3, 0);
  EXPECT_NE(order, chunk_order(some_rows(), 30, 120, 3, 1));
  EXPECT_EQ(order, chunk_order(some_rows(), 30, 120, 3, 0));
  std::sort(order.begin(), order.end());
  EXPECT_EQ(order, identity(333));
}

TEST(Sampler, ChunkOrderVisitsAChunkWithinOneWindow) {
  const auto rows = some_rows();
  const auto order = chunk_order(rows, 30, 120, 3, 0);
  std::map<std::int64_t, std::pair<std::size_t, std::size_t>> first_and_last;  // visit of each chunk
  std::int64_t falls = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::int64_t chunk = rows[static_cast<std::size_t>(order[i])] / 30;
    first_and_last.try_emplace(chunk, i, i).first->second.second = i;
    if (i > 0 && order[i] < order[i - 1]) ++falls;
  }
  for (const auto& [chunk, visits] : first_and_last) EXPECT_LT(visits.second - visits.first, 40u) << chunk;
  EXPECT_GT(falls, 100) << "pictures of a window are mixed";
}

TEST(Sampler, AWindowOfEverythingMixesEverything) {
  const auto order = chunk_order(identity(200), 10, 200, 3, 0);
  std::set<std::int64_t> chunks;
  for (std::size_t i = 0; i < 40; ++i) chunks.insert(order[i] / 10);
  EXPECT_GT(chunks.size(), 12u);
}

}  // namespace sampler_test
}  // namespace xrai
