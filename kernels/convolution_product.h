// A product of matrices that are never written down (an implicit GEMM): each block computes a tile of the result,
// bringing tiles of both factors into shared memory as float. Where the factors' elements lie is
// kernels/convolution_factors.h's. Included by kernels/convolution.cu only.
#pragma once

#include <cstdint>

#include "kernels/element.h"

namespace xrai::kernels::cuda {

constexpr int kTile = 64;          // rows and columns of the result that a block computes
constexpr int kSide = 4;           // ... and a thread
constexpr int kPitch = kTile + 4;  // of a tile in shared memory; keeps rows aligned and threads off one bank
/// What a block takes of the sum at once: with vectors, one load a thread and factor.
template <int kCount>
inline constexpr int kDepth = kCount == 1 ? 16 : 4 * kCount;

/// Blocks that a multiprocessor has room for at least. Told so, the assembler takes the registers that it needs; left
/// to itself, it spills a few of them in order to make room for a third.
constexpr int kBlocksAtOnce = 2;

static_assert((kTile / kSide) * (kTile / kSide) == kBlockThreads);

/// Work of one launch: tiles of the result, for every group and every part of the sum.
struct Grid {
  std::uint32_t row_tiles, column_tiles, groups, parts;
};
struct Tile {
  std::uint32_t row, column, group, part;  // the first row and column
};
__device__ __forceinline__ Tile tile_of_block(const Grid& grid) {
  const std::uint32_t row = blockIdx.x % grid.row_tiles, rest = blockIdx.x / grid.row_tiles;
  const std::uint32_t column = rest % grid.column_tiles, group = rest / grid.column_tiles;
  return {row * kTile, column * kTile, group % grid.groups, group / grid.groups};
}

/// One thread's share in bringing tiles of a factor into shared memory.
template <int kCount, class Factor>
class Loader {
 public:
  __device__ Loader(const Factor& factor, std::uint32_t first_row) : factor_(factor) {
#pragma unroll
    for (int i = 0; i < kLoads; ++i) rows_[i] = factor.row(first_row + row_in_tile(i));
  }
  /// From memory into registers: the tile that begins at this depth; zero from `end` on.
  __device__ void fetch(std::uint32_t first, std::uint32_t end) {
#pragma unroll
    for (int i = 0; i < kLoads; ++i) {
      const std::uint32_t depth = first + depth_in_tile(i);
      const auto* source = depth < end ? factor_.at(rows_[i], depth) : nullptr;
      if (source != nullptr) {
        load_floats<kCount>(source, values_[i]);
      } else {
#pragma unroll
        for (float& value : values_[i]) value = 0;
      }
    }
  }
  /// From registers into the tile (depth, row).
  __device__ void keep(float* tile) const {
#pragma unroll
    for (int i = 0; i < kLoads; ++i) {
      float* const first = tile + depth_in_tile(i) * kPitch + row_in_tile(i);
#pragma unroll
      for (int lane = 0; lane < kCount; ++lane) first[lane * (Factor::kAlongDepth ? kPitch : 1)] = values_[i][lane];
    }
  }

 private:
  static constexpr int kLoads = kTile * kDepth<kCount> / (kCount * kBlockThreads);
  static constexpr int kVectors = (Factor::kAlongDepth ? kDepth<kCount> : kTile) / kCount;  // beside each other
  __device__ static int vector(int i) {
    return static_cast<int>(threadIdx.x) + i * kBlockThreads;
  }
  __device__ static int row_in_tile(int i) {
    return Factor::kAlongDepth ? vector(i) / kVectors : vector(i) % kVectors * kCount;
  }
  __device__ static int depth_in_tile(int i) {
    return Factor::kAlongDepth ? vector(i) % kVectors * kCount : vector(i) / kVectors;
  }

  Factor factor_;
  typename Factor::Row rows_[kLoads];
  float values_[kLoads][kCount];
};

using Sums = float[kSide][kSide];

__device__ __forceinline__ int own_row() {
  return static_cast<int>(threadIdx.x) / (kTile / kSide) * kSide;
}
__device__ __forceinline__ int own_column() {
  return static_cast<int>(threadIdx.x) % (kTile / kSide) * kSide;
}

/// sums[i][j] = sum over the depths [begin, end) of left(row + i) * right(column + j), for the thread's rows and
/// columns of the tile. The next tiles are on their way while the present ones are multiplied.
template <int kCount, class Left, class Right>
__device__ __forceinline__ void multiply(const Left& left, const Right& right, const Tile& tile, std::uint32_t begin,
                                         std::uint32_t end, Sums& sums) {
  using Quad = Pack<float, 4>;
  XRAI_SHARED(Quad, left_quads, kDepth<kCount> * kPitch / 4);
  XRAI_SHARED(Quad, right_quads, kDepth<kCount> * kPitch / 4);
  auto* const left_tile = reinterpret_cast<float*>(left_quads);
  auto* const right_tile = reinterpret_cast<float*>(right_quads);
  Loader<kCount, Left> lefts(left, tile.row);
  Loader<kCount, Right> rights(right, tile.column);
  lefts.fetch(begin, end);
  rights.fetch(begin, end);
  for (std::uint32_t depth = begin; depth < end; depth += kDepth<kCount>) {
    lefts.keep(left_tile);
    rights.keep(right_tile);
    __syncthreads();
    if (depth + kDepth<kCount> < end) {
      lefts.fetch(depth + kDepth<kCount>, end);
      rights.fetch(depth + kDepth<kCount>, end);
    }
#pragma unroll 8
    for (int k = 0; k < kDepth<kCount>; ++k) {
      float a[kSide], b[kSide];
      load_floats<kSide>(left_tile + k * kPitch + own_row(), a);
      load_floats<kSide>(right_tile + k * kPitch + own_column(), b);
#pragma unroll
      for (int i = 0; i < kSide; ++i)
#pragma unroll
        for (int j = 0; j < kSide; ++j) sums[i][j] += a[i] * b[j];
    }
    __syncthreads();
  }
}

/// Writes the thread's sums to a matrix of `rows` rows and `columns` columns, `pitch` elements from row to row.
template <int kCount, class T>
__device__ __forceinline__ void store(const Sums& sums, const Tile& tile, T* matrix, std::uint32_t rows,
                                      std::uint32_t columns, std::int64_t pitch) {
  const std::uint32_t column = tile.column + own_column();
#pragma unroll
  for (int i = 0; i < kSide; ++i) {
    const std::uint32_t row = tile.row + own_row() + i;
    if (row >= rows || column >= columns) continue;
    T* const target = matrix + row * pitch + column;
    if constexpr (kCount >= kSide) {
      store_floats<kSide>(target, sums[i]);
    } else {
#pragma unroll
      for (int j = 0; j < kSide; ++j)
        if (column + j < columns) target[j] = from_float<T>(sums[i][j]);
    }
  }
}

}  // namespace xrai::kernels::cuda
