// How work is split over threads, and the counters that random numbers are made of.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <set>

#include "kernels/parallel.h"
#include "kernels/philox.h"

namespace xrai {
namespace parallel_and_philox_test {

class ThreadCount {
 public:
  explicit ThreadCount(int n) : before_(kernels::thread_count()) { kernels::set_thread_count(n); }
  ~ThreadCount() { kernels::set_thread_count(before_); }

 private:
  int before_;
};

TEST(ParallelFor, CoversEveryIndexExactlyOnce) {
  for (const int threads : {1, 2, 3, 5, 8}) {
    const ThreadCount set(threads);
    for (const std::int64_t n : {0, 1, 2, 3, 4, 5, 7, 16, 17, 1000, 100003}) {
      std::vector<std::atomic<int>> visits(static_cast<std::size_t>(n));
      kernels::parallel_for(n, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) ++visits[static_cast<std::size_t>(i)];
      });
      EXPECT_TRUE(std::all_of(visits.begin(), visits.end(), [](const auto& v) { return v == 1; }))
          << n << " indices on " << threads << " threads";
    }
  }
}

TEST(ParallelFor, ACallInsideACallDoesItsWorkOnce) {
  const ThreadCount set(3);
  std::atomic<int> total{0};
  kernels::parallel_for(6, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      kernels::parallel_for(10,
                            [&](std::int64_t first, std::int64_t last) { total += static_cast<int>(last - first); });
  });
  EXPECT_EQ(total, 60);
}

TEST(ParallelFor, UsesNoMoreRangesThanThreads) {
  const ThreadCount set(3);
  std::atomic<int> ranges{0};
  kernels::parallel_for(1000, [&](std::int64_t, std::int64_t) { ++ranges; });
  EXPECT_LE(ranges, 3);
}

struct KnownAnswer {
  kernels::Philox4 counter;
  std::uint32_t key0, key1;
  kernels::Philox4 answer;
};

// Philox4x32-10 known answers published with the authors' Random123 library (kat_vectors).
constexpr KnownAnswer kKnownAnswers[] = {
    {{{0, 0, 0, 0}}, 0, 0, {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}}},
    {{{~0u, ~0u, ~0u, ~0u}}, ~0u, ~0u, {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}}},
    {{{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}},
     0xa4093822,
     0x299f31d0,
     {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}}};

TEST(Philox, GivesThePublishedAnswers) {
  for (const KnownAnswer& known : kKnownAnswers) {
    const kernels::Philox4 answer = kernels::philox(known.counter, known.key0, known.key1);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(answer.v[i], known.answer.v[i]);
  }
}

TEST(Philox, UniformNumbersStayBelowOneAndFillTheInterval) {
  EXPECT_EQ(kernels::uniform01(0), 0.0f);
  EXPECT_LT(kernels::uniform01(~0u), 1.0f);
  double sum = 0;
  constexpr int kDraws = 40000;
  for (std::uint32_t i = 0; i < kDraws; ++i)
    sum += kernels::uniform01(kernels::random_numbers(1, kernels::RandomPurpose::kSplit, 0, i).v[i % 4]);
  // The mean of uniform numbers scatters by 1 / sqrt(12 n) = 0.0014; five times that.
  EXPECT_NEAR(sum / kDraws, 0.5, 0.0072);
}

TEST(Philox, StreamsOfOtherSeedsPurposesEpochsSamplesAndIndicesDiffer) {
  using kernels::RandomPurpose;
  std::set<std::uint32_t> first;
  int streams = 0;
  const auto add = [&](const kernels::Philox4& numbers) { first.insert(numbers.v[0]), ++streams; };
  for (const std::uint64_t seed : {1ull, 2ull, 1ull << 32})
    for (const RandomPurpose purpose : {RandomPurpose::kAugment, RandomPurpose::kDropout, RandomPurpose::kShuffle})
      for (const std::uint64_t epoch : {0ull, 1ull, 1ull << 32})
        for (const std::uint64_t sample : {0ull, 1ull, 255ull, 1ull << 32})
          for (const std::uint32_t index : {0u, 1u, 2u})
            add(kernels::random_numbers(seed, purpose, epoch, sample, index));
  EXPECT_EQ(first.size(), static_cast<std::size_t>(streams));
}

}  // namespace parallel_and_philox_test
}  // namespace xrai
