// Reading rows in tests: which, and with how little.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "loaders/row_source.h"
#include "tests/support/random.h"

namespace xrai::testing {

inline constexpr const char* kValues = "/values";

inline std::vector<std::uint64_t> first_rows(std::uint64_t n) {
  std::vector<std::uint64_t> rows(n);
  std::iota(rows.begin(), rows.end(), std::uint64_t{0});
  return rows;
}

inline std::vector<std::byte> read(RowSource& source, const std::vector<std::int64_t>& rows) {
  std::vector<std::byte> bytes(rows.size() * static_cast<std::size_t>(source.row_bytes()), std::byte{0xEE});
  source.read(rows, bytes.data());
  return bytes;
}

/// All rows backwards, then some in any order, some twice.
inline std::vector<std::int64_t> rows_to_read(std::int64_t n, std::uint64_t stream) {
  Random random(stream);
  std::vector<std::int64_t> rows;
  for (std::int64_t row = std::min<std::int64_t>(n, 400); row-- > 0;) rows.push_back(row);
  for (int i = 0; n > 0 && i < 20; ++i) rows.push_back(random.whole(0, n - 1));
  return rows;
}

inline RowOptions few_threads(bool through_library = false) {
  return {.n_threads = 2, .memory_bytes = 4096, .through_library = through_library};
}

}  // namespace xrai::testing
