// A fingerprint of bytes, for finding pictures that occur twice. Not a cryptographic one.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>

namespace xrai {

/// 64 bits. Sixteen bytes at a time become the two halves of a product of 128 bits, added without carry (as in wyhash,
/// Wang Yi, public domain), in four streams that do not wait for each other, so that two different pictures among a
/// million share a value with a chance below 1e-7.
inline std::uint64_t content_hash(std::span<const std::uint8_t> bytes) {
  __extension__ using Product = unsigned __int128;
  constexpr std::uint64_t kSecret = 0x9AE16A3B2F90404FULL, kOther = 0xC6A4A7935BD1E995ULL;
  constexpr std::size_t kStreams = 4;
  const auto folded = [](std::uint64_t a, std::uint64_t b) {
    const Product product = static_cast<Product>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  };
  std::uint64_t hashes[kStreams];
  for (std::size_t s = 0; s < kStreams; ++s) hashes[s] = kOther * (bytes.size() + s + 1);
  std::uint64_t words[2 * kStreams];
  const auto mix = [&] {
    for (std::size_t s = 0; s < kStreams; ++s) hashes[s] = folded(words[2 * s] ^ kSecret, words[2 * s + 1] ^ hashes[s]);
  };
  std::size_t i = 0;
  for (; i + sizeof(words) <= bytes.size(); i += sizeof(words)) {
    std::memcpy(words, bytes.data() + i, sizeof(words));
    mix();
  }
  std::memset(words, 0, sizeof(words));
  if (i < bytes.size()) std::memcpy(words, bytes.data() + i, bytes.size() - i);
  mix();
  std::uint64_t hash = bytes.size();
  for (const std::uint64_t stream : hashes) hash = folded(hash ^ kSecret, stream ^ kOther);
  return hash;
}

}  // namespace xrai
