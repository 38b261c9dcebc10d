// A fingerprint of bytes, for finding pictures that occur twice. Not a cryptographic one.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>

namespace xrai {

/// 64 bits; eight bytes at a time through the multiply-and-rotate mixing of MurmurHash (A. Appleby, public domain), so
/// that two different pictures among a million share a value with a chance below 1e-7.
inline std::uint64_t content_hash(std::span<const std::uint8_t> bytes) {
  constexpr std::uint64_t kMultiplier = 0xC6A4A7935BD1E995ULL;
  std::uint64_t hash = 0x9AE16A3B2F90404FULL ^ (bytes.size() * kMultiplier);
  const auto mix = [&](std::uint64_t word) {
    word *= kMultiplier;
    word ^= word >> 47;
    hash = (hash ^ (word * kMultiplier)) * kMultiplier;
  };
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i, 8);
    mix(word);
  }
  std::uint64_t rest = 0;
  if (i < bytes.size()) std::memcpy(&rest, bytes.data() + i, bytes.size() - i);
  mix(rest);
  hash ^= hash >> 47;
  return (hash * kMultiplier) ^ (hash >> 29);
}

}  // namespace xrai
