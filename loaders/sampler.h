// In which order an epoch visits the pictures: a pure function, so that threads, prefetching and resuming cannot
// change it.
#pragma once

#include <cstdint>
#include <vector>

namespace xrai {

enum class Order { kSequential, kShuffled };

/// A permutation of 0 ... n - 1: the identity, or a shuffle by (seed, epoch) (Fisher and Yates; Durstenfeld 1964,
/// algorithm 235) in which every permutation is as likely as another.
std::vector<std::int64_t> epoch_order(Order order, std::int64_t n, std::uint64_t seed, std::int64_t epoch);

}  // namespace xrai
