// The shuffle, on counter-based random numbers.
#include "loaders/sampler.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <utility>

#include "kernels/philox.h"

namespace xrai {
namespace {

/// Uniform in [0, bound): draws below the largest multiple of `bound` are kept, so that none is favoured.
std::uint64_t uniform_below(std::uint64_t bound, std::uint64_t seed, std::int64_t epoch, std::uint64_t position) {
  const std::uint64_t kept = std::numeric_limits<std::uint64_t>::max() / bound * bound;
  for (std::uint32_t attempt = 0;; ++attempt) {
    const kernels::Philox4 random = kernels::random_numbers(seed, kernels::RandomPurpose::kShuffle,
                                                            static_cast<std::uint64_t>(epoch), position, attempt);
    const std::uint64_t draw = random.v[0] | std::uint64_t{random.v[1]} << 32;
    if (draw < kept) return draw % bound;
  }
}

/// `first_draw`: numbers of one epoch's draws, so that no two shuffles of it share them.
template <class T>
void shuffle(std::span<T> items, std::uint64_t seed, std::int64_t epoch, std::uint64_t first_draw) {
  for (std::size_t last = items.size(); last > 1; --last) {
    std::swap(items[last - 1], items[uniform_below(last, seed, epoch, first_draw + last)]);
  }
}

/// Positions of rows by their chunk, chunks in the order of the file.
std::vector<std::vector<std::int64_t>> positions_by_chunk(std::span<const std::int64_t> rows,
                                                          std::int64_t rows_per_chunk) {
  std::map<std::int64_t, std::vector<std::int64_t>> chunks;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    chunks[rows[i] / rows_per_chunk].push_back(static_cast<std::int64_t>(i));
  }
  std::vector<std::vector<std::int64_t>> positions;
  for (auto& [chunk, of_chunk] : chunks) positions.push_back(std::move(of_chunk));
  return positions;
}

}  // namespace

std::vector<std::int64_t> epoch_order(Order order, std::int64_t n, std::uint64_t seed, std::int64_t epoch) {
  std::vector<std::int64_t> positions(static_cast<std::size_t>(n));
  std::iota(positions.begin(), positions.end(), std::int64_t{0});
  if (order == Order::kShuffled) shuffle(std::span(positions), seed, epoch, 0);
  return positions;
}

std::vector<std::int64_t> chunk_order(std::span<const std::int64_t> rows, std::int64_t rows_per_chunk,
                                      std::int64_t window_rows, std::uint64_t seed, std::int64_t epoch) {
  constexpr std::uint64_t kDrawsOfChunks = std::uint64_t{1} << 62;  // more than there are rows
  auto chunks = positions_by_chunk(rows, rows_per_chunk);
  shuffle(std::span(chunks), seed, epoch, kDrawsOfChunks);
  const auto in_window = static_cast<std::size_t>(std::max<std::int64_t>(1, window_rows / rows_per_chunk));
  std::vector<std::int64_t> positions;
  positions.reserve(rows.size());
  for (std::size_t first = 0; first < chunks.size(); first += in_window) {
    const std::size_t begin = positions.size();
    for (std::size_t i = first; i < std::min(first + in_window, chunks.size()); ++i) {
      positions.insert(positions.end(), chunks[i].begin(), chunks[i].end());
    }
    shuffle(std::span(positions).subspan(begin), seed, epoch, begin);
  }
  return positions;
}

}  // namespace xrai
