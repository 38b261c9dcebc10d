// Random numbers as a function of counters: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011). The same numbers on every device, in any order, with any number of threads.
#pragma once

#include <array>
#include <cstdint>

#if defined(__CUDACC__)
#define XRAI_HOST_DEVICE __host__ __device__
#else
#define XRAI_HOST_DEVICE
#endif

namespace xrai::kernels {

struct Philox4 {
  std::uint32_t v[4];
};

/// Ten rounds of the bijection on a 128-bit counter under a 64-bit key.
XRAI_HOST_DEVICE constexpr Philox4 philox(Philox4 counter, std::uint32_t key0, std::uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{0xD2511F53u} * counter.v[0];
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57u} * counter.v[2];
    const auto high0 = static_cast<std::uint32_t>(product0 >> 32), low0 = static_cast<std::uint32_t>(product0);
    const auto high1 = static_cast<std::uint32_t>(product1 >> 32), low1 = static_cast<std::uint32_t>(product1);
    counter = Philox4{{high1 ^ counter.v[1] ^ key0, low1, high0 ^ counter.v[3] ^ key1, low0}};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

/// Uniform in [0, 1) with 24 bits: exactly representable in float.
XRAI_HOST_DEVICE constexpr float uniform01(std::uint32_t bits) {
  return static_cast<float>(bits >> 8) * (1.0f / 16777216.0f);
}

/// What a stream of numbers is for: keeps the streams of one (seed, epoch, sample) apart.
enum class RandomPurpose : std::uint32_t { kAugment = 1, kDropout = 2, kShuffle = 3, kInit = 4, kSplit = 5 };

/// Four numbers for (seed, purpose, epoch or step, sample, index).
XRAI_HOST_DEVICE constexpr Philox4 random_numbers(std::uint64_t seed, RandomPurpose purpose, std::uint64_t epoch,
                                                  std::uint64_t sample, std::uint32_t index = 0) {
  const Philox4 counter{{static_cast<std::uint32_t>(sample), static_cast<std::uint32_t>(sample >> 32) ^ (index << 8),
                         static_cast<std::uint32_t>(epoch),
                         static_cast<std::uint32_t>(purpose) ^ (static_cast<std::uint32_t>(epoch >> 32) << 8)}};
  return philox(counter, static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32));
}

}  // namespace xrai::kernels
