// How the blocks and threads of a kernel share the rows of a matrix (rows, channels); kernels/*.cu only.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/element.h"

namespace xrai::kernels::cuda {

/// Threads stand `lanes` beside each other along the channels, each with a group of them, and below each other along
/// the rows. A block has the rows of one part and up to `lanes` groups.
struct Tiling {
  std::int64_t rows, channels, rows_per_part;
  unsigned lanes, chunks;  // chunks of `lanes` groups that a row has

  [[nodiscard]] unsigned blocks() const {
    // One part of no rows has sums, too.
    return static_cast<unsigned>(std::max<std::int64_t>(1, (rows + rows_per_part - 1) / rows_per_part)) * chunks;
  }
};

template <int kCount>
Tiling tiling_of(std::int64_t rows, std::int64_t channels, std::int64_t rows_per_part) {
  const std::int64_t groups = channels / kCount;
  unsigned lanes = 1;
  while (lanes < kWarpThreads && lanes < groups) lanes *= 2;
  return {rows, channels, rows_per_part, lanes, static_cast<unsigned>((groups + lanes - 1) / lanes)};
}

/// Where a thread stands in the tiling.
struct Place {
  std::int64_t part, channel;       // its first channel; not below t.channels: it has none
  std::int64_t first_row, end_row;  // its rows are first_row, first_row + row_step ...
  unsigned row, row_step;           // row: among the block's threads
};

template <int kCount>
__device__ __forceinline__ Place place_of(const Tiling& t) {
  Place place;
  place.part = blockIdx.x / t.chunks;
  place.channel = (std::int64_t{blockIdx.x % t.chunks} * t.lanes + threadIdx.x % t.lanes) * kCount;
  place.row = threadIdx.x / t.lanes;
  place.row_step = kBlockThreads / t.lanes;
  const std::int64_t begin = place.part * t.rows_per_part;
  place.first_row = begin + place.row;
  place.end_row = min(begin + t.rows_per_part, t.rows);
  return place;
}

}  // namespace xrai::kernels::cuda
