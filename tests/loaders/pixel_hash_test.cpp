#include "loaders/pixel_hash.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace xrai {
namespace pixel_hash_test {

std::vector<std::uint8_t> bytes_of(std::size_t n) {
  std::vector<std::uint8_t> bytes(n);
  for (std::size_t i = 0; i < n; ++i) bytes[i] = static_cast<std::uint8_t>(i * i * 31 + i * 7);
  return bytes;
}

// Around the 64 bytes that are mixed at a time.
TEST(ContentHash, EveryBitCounts) {
  for (const std::size_t n : {1, 15, 16, 63, 64, 65, 200}) {
    std::vector<std::uint8_t> bytes = bytes_of(n);
    std::set<std::uint64_t> seen{content_hash(bytes)};
    for (std::size_t bit = 0; bit < 8 * n; ++bit) {
      bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
      seen.insert(content_hash(bytes));
      bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    }
    EXPECT_EQ(seen.size(), 8 * n + 1) << n;
  }
}

TEST(ContentHash, BlackPicturesOfDifferentSizesDiffer) {
  std::set<std::uint64_t> seen;
  for (std::size_t n = 0; n < 1000; ++n) seen.insert(content_hash(std::vector<std::uint8_t>(n, 0)));
  EXPECT_EQ(seen.size(), 1000U);
}

// Radiographs share their edges and differ by little: equal halves in another place, or two pixels changed alike.
TEST(ContentHash, TheOrderOfEqualPiecesCounts) {
  std::set<std::uint64_t> seen;
  std::vector<std::uint8_t> bytes(4096, 0);
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    bytes[at] = 200;
    seen.insert(content_hash(bytes));
    bytes[at] = 0;
  }
  EXPECT_EQ(seen.size(), bytes.size());
}

}  // namespace pixel_hash_test
}  // namespace xrai
