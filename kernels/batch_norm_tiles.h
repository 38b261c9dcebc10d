// How the CUDA kernels of batch normalisation share a matrix of positions x channels among blocks and threads, and how
// the sums of threads and blocks become one. Included by kernels/batch_norm*.cu only; knows no formula of
// normalisation.
//
// Threads stand along the channels, each with the same channels for all its positions: their scales and sums stay in
// registers, and neighbours read neighbouring bytes. What a block covers depends on the shape only, never on the GPU,
// so that sums have the same bits everywhere.
#pragma once

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "kernels/batch_norm.h"
#include "kernels/element.h"

namespace xrai::kernels::cuda {

/// One launch's tiles: `per_block` positions high, `columns` groups of channels wide. A thread walks down one column.
struct Tiles {
  std::uint32_t positions = 0, per_block = 1;  // positions, or windows of pooling
  std::uint32_t groups = 1;                    // of as many channels as a thread takes at once
  std::uint32_t columns = 1, rows = 1;         // columns * rows threads of a block work

  [[nodiscard]] __host__ __device__ std::uint32_t blocks_high() const {
    return (positions + per_block - 1) / per_block;
  }
  [[nodiscard]] std::uint32_t blocks_wide() const { return (groups + columns - 1) / columns; }
  [[nodiscard]] dim3 grid() const { return {blocks_high(), blocks_wide(), 1}; }
};

/// Groups side by side in a block: a cache line of 128 bytes, or a warp of single elements.
template <int kWidth>
inline constexpr std::int64_t kMostColumns = kWidth == 1 ? 32 : 8;
/// Blocks of a launch on large maps: four rounds of the largest GPU, so that a half-empty last round costs little.
inline constexpr std::int64_t kManyBlocks = 4096;

/// At least `least` positions a block, and on large maps as many as make kManyBlocks. kWidth divides the channels.
template <int kWidth>
Tiles tiles_of(std::int64_t positions, std::int64_t channels, std::int64_t least) {
  // Positions are counted in 32 bits by the kernels; offsets are not.
  constexpr std::int64_t kMostPositions = 0x3fffffff;
  if (positions > kMostPositions)
    throw std::length_error("batch normalisation on the GPU takes " + std::to_string(kMostPositions) +
                            " positions at most, and this batch has " + std::to_string(positions) +
                            "; take a smaller batch");
  const std::int64_t groups = channels / kWidth;
  const std::int64_t wide = (groups + kMostColumns<kWidth> - 1) / kMostColumns<kWidth>;
  const std::int64_t spread = (positions * wide + kManyBlocks - 1) / kManyBlocks;
  Tiles tiles;
  tiles.positions = static_cast<std::uint32_t>(positions);
  tiles.per_block = static_cast<std::uint32_t>(std::min(std::max(least, spread), kMostPositions));
  tiles.groups = static_cast<std::uint32_t>(groups);
  tiles.columns = static_cast<std::uint32_t>((groups + wide - 1) / wide);
  tiles.rows = kBlockThreads / tiles.columns;
  return tiles;
}

/// Tiles of a kernel that leaves partial sums: few enough for batch_norm_workspace_doubles, and so high that the
/// partial sums are a few hundredths of what is read.
template <int kWidth>
Tiles summing_tiles(std::int64_t positions, std::int64_t channels) {
  return tiles_of<kWidth>(positions, channels, std::max<std::int64_t>(256, (8192 + channels - 1) / channels));
}

/// Tiles of a kernel that only maps positions: `per_thread` of them at least, so that reading the channels' parameters
/// costs little beside them.
template <int kWidth>
Tiles mapping_tiles(std::int64_t positions, std::int64_t channels, std::int64_t per_thread) {
  const std::int64_t columns = std::min(kMostColumns<kWidth>, channels / kWidth);
  return tiles_of<kWidth>(positions, channels, per_thread * (kBlockThreads / columns));
}
inline constexpr std::int64_t kPositionsPerThread = 8, kWindowsPerThread = 2;

/// A thread's part: positions first, first + rows, ... below end; none at all when it is left over.
struct Place {
  std::uint32_t first, end, row;
  std::int64_t channel;  // the first of its channels; 0 when left over, so that reading parameters is harmless
};

template <int kWidth>
__device__ __forceinline__ Place place_in(const Tiles& tiles) {
  const std::uint32_t row = threadIdx.x / tiles.columns;
  const std::uint32_t group = blockIdx.y * tiles.columns + threadIdx.x % tiles.columns;
  const bool busy = row < tiles.rows && group < tiles.groups;
  const std::uint32_t begin = blockIdx.x * tiles.per_block;
  const std::uint32_t end = min(begin + tiles.per_block, tiles.positions);
  return {busy ? begin + row : end, end, row, busy ? std::int64_t{group} * kWidth : 0};
}

/// Whether the thread speaks for its column after its rows were joined.
__device__ __forceinline__ bool leads(const Place& place) {
  return place.row == 0 && place.first < place.end;
}

__device__ __forceinline__ std::int64_t positions_of(const BatchNormShape& shape) {
  return shape.n * shape.height * shape.width;
}

/// Calls join(mine, other) for pairs of threads of one column, over and over, until row 0 has met the first `live`
/// rows: in an order that `live` alone decides. All threads must call it.
template <class Join>
__device__ __forceinline__ void join_rows(const Tiles& tiles, std::uint32_t row, std::uint32_t live, const Join& join) {
  __syncthreads();  // what is joined has been written
  while (live > 1) {
    const std::uint32_t half = (live + 1) / 2;
    if (row + half < live) join(threadIdx.x, threadIdx.x + half * tiles.columns);
    __syncthreads();
    live = half;
  }
}

// ---- packs and windows ----------------------------------------------------------------------------------------------

/// What is loaded waits as it was stored, in half the registers of floats where activations are narrow.
template <int kCount, class T>
__device__ __forceinline__ Pack<T, kCount> load_pack(const T* source) {
  return *reinterpret_cast<const Pack<T, kCount>*>(source);
}

/// The 2x2 windows of a batch, numbered row by row and image by image: the whole ones, or with `parts` also those that
/// an odd height or width cuts off.
struct Windows {
  std::uint32_t rows, columns;  // of windows, per image
  std::uint32_t height, width;  // of the maps
  std::uint32_t images;

  __host__ __device__ explicit Windows(const BatchNormShape& shape, bool parts = false)
      : rows(static_cast<std::uint32_t>((shape.height + (parts ? 1 : 0)) / 2)),
        columns(static_cast<std::uint32_t>((shape.width + (parts ? 1 : 0)) / 2)),
        height(static_cast<std::uint32_t>(shape.height)),
        width(static_cast<std::uint32_t>(shape.width)),
        images(static_cast<std::uint32_t>(shape.n)) {}

  [[nodiscard]] std::int64_t count() const { return std::int64_t{images} * rows * columns; }

  struct Window {
    std::uint32_t image, row, column;
  };
  [[nodiscard]] __device__ Window at(std::uint32_t number) const {
    const std::uint32_t line = number / columns;
    return {line / rows, line % rows, number % columns};
  }
  [[nodiscard]] __device__ std::uint32_t number(const Window& window) const {
    return (window.image * rows + window.row) * columns + window.column;
  }
  /// The first of a window's four positions.
  [[nodiscard]] __device__ std::uint32_t corner(const Window& window) const {
    return (window.image * height + 2 * window.row) * width + 2 * window.column;
  }
  /// The i-th, row by row.
  [[nodiscard]] __device__ std::uint32_t position(std::uint32_t corner, int i) const {
    return corner + (i / 2) * width + i % 2;
  }
};

/// Whether every array of the call can be accessed 16 bytes at a time; `others` are further ones like them.
template <class T, class... Others>
bool in_wide_groups(const BatchNormArguments& arg, Others*... others) {
  constexpr int kWide = kElementsIn16Bytes<T>;
  return arg.shape.channels % kWide == 0 &&
         all_aligned<kWide>(static_cast<const T*>(arg.x), static_cast<const T*>(arg.residual),
                            static_cast<const T*>(arg.y), static_cast<const T*>(others)...) &&
         all_aligned<kWide>(arg.winner);
}

// ---- from blocks to channels ----------------------------------------------------------------------------------------

/// Partial sums lie as (blocks_high, 2, channels). A block's are floats until here, so floats are kept: half of the
/// room that the contract grants, and half the bytes.
__host__ __device__ inline float* partial_sums(double* workspace) {
  return reinterpret_cast<float*>(workspace);
}

/// One block finishes kFinishedChannels, a sector of 32 bytes, and kSlices threads share the partial sums of each.
inline constexpr unsigned kFinishedChannels = 8;
inline constexpr unsigned kSlices = kBlockThreads / kFinishedChannels;

inline unsigned finishing_blocks(std::int64_t channels) {
  return static_cast<unsigned>((channels + kFinishedChannels - 1) / kFinishedChannels);
}

struct Finish {
  std::int64_t channel;
  std::uint32_t slice;
};
__device__ __forceinline__ Finish finish_of_thread() {
  return {std::int64_t{blockIdx.x} * kFinishedChannels + threadIdx.x % kFinishedChannels,
          threadIdx.x / kFinishedChannels};
}

/// Sums both over the slices of each channel; slice 0 gets them. All threads must call it, once a kernel.
__device__ __forceinline__ void sum_slices(double& a, double& b) {
  XRAI_SHARED(double, sums, 2 * kBlockThreads);
  const unsigned t = threadIdx.x;
  sums[t] = a, sums[kBlockThreads + t] = b;
  __syncthreads();
  for (unsigned distance = kBlockThreads / 2; distance >= kFinishedChannels; distance /= 2) {
    if (t < distance) {
      sums[t] += sums[t + distance];
      sums[kBlockThreads + t] += sums[kBlockThreads + t + distance];
    }
    __syncthreads();
  }
  a = sums[t], b = sums[kBlockThreads + t];
}

}  // namespace xrai::kernels::cuda
