// A fingerprint of bytes, for finding pictures that occur twice. Not a cryptographic one.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>

namespace xrai {

/// 64 bits; eight bytes at a time through the multiply-and-rotate mixing of MurmurHash (A. Appleby, public domain), in
/// four streams that do not wait for each other, so that two different pictures among a million share a value with a
/// chance below 1e-7.
inline std::uint64_t content_hash(std::span<const std::uint8_t> bytes) {
  constexpr std::uint64_t kMultiplier = 0xC6A4A7935BD1E995ULL;
  constexpr std::size_t kStreams = 4;
  std::uint64_t hashes[kStreams];
  for (std::size_t s = 0; s < kStreams; ++s) hashes[s] = 0x9AE16A3B2F90404FULL ^ ((bytes.size() + s) * kMultiplier);
  const auto mix = [](std::uint64_t& hash, std::uint64_t word) {
    word *= kMultiplier;
    word ^= word >> 47;
    hash = (hash ^ (word * kMultiplier)) * kMultiplier;
  };
  std::size_t i = 0;
  for (; i + 8 * kStreams <= bytes.size(); i += 8 * kStreams) {
    std::uint64_t words[kStreams];
    std::memcpy(words, bytes.data() + i, sizeof(words));
    for (std::size_t s = 0; s < kStreams; ++s) mix(hashes[s], words[s]);
  }
  std::uint64_t rest[kStreams] = {};
  if (i < bytes.size()) std::memcpy(rest, bytes.data() + i, bytes.size() - i);
  for (std::size_t s = 0; s < kStreams; ++s) mix(hashes[s], rest[s]);
  for (std::size_t s = 1; s < kStreams; ++s) mix(hashes[0], hashes[s]);
  const std::uint64_t hash = hashes[0] ^ (hashes[0] >> 47);
  return (hash * kMultiplier) ^ (hash >> 29);
}

}  // namespace xrai
