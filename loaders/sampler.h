// In which order an epoch visits the pictures: a pure function, so that threads, prefetching and resuming cannot
// change it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace xrai {

enum class Order {
  kSequential,
  kShuffled,
  kShuffledByChunk  // for files whose chunks cost much to inflate and hold many pictures
};

/// A permutation of 0 ... n - 1: the identity, or a shuffle by (seed, epoch) (Fisher and Yates; Durstenfeld 1964,
/// algorithm 235) in which every permutation is as likely as another. `order` is not kShuffledByChunk.
std::vector<std::int64_t> epoch_order(Order order, std::int64_t n, std::uint64_t seed, std::int64_t epoch);

/// A permutation of the positions of `rows`, for reading each chunk once: the chunks in the order of a shuffle, as many
/// at a time as hold `window_rows` rows (at least one chunk), and the positions in those shuffled together. Pictures
/// that share a chunk come close to each other, so batches are as mixed as the windows are.
std::vector<std::int64_t> chunk_order(std::span<const std::int64_t> rows, std::int64_t rows_per_chunk,
                                      std::int64_t window_rows, std::uint64_t seed, std::int64_t epoch);

}  // namespace xrai
