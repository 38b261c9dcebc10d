// The shuffle, on counter-based random numbers.
#include "loaders/sampler.h"

#include <limits>
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

}  // namespace

std::vector<std::int64_t> epoch_order(Order order, std::int64_t n, std::uint64_t seed, std::int64_t epoch) {
  std::vector<std::int64_t> positions(static_cast<std::size_t>(n));
  std::iota(positions.begin(), positions.end(), std::int64_t{0});
  if (order == Order::kSequential) return positions;
  for (std::size_t last = positions.size(); last > 1; --last) {
    std::swap(positions[last - 1], positions[uniform_below(last, seed, epoch, last)]);
  }
  return positions;
}

}  // namespace xrai
