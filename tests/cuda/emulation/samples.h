// Kernels for the emulation's own tests. samples_right.cu: without fault. samples_wrong.cu: a planted bug each.
#pragma once

#include <cstdint>

#include "kernels/cuda_stream.h"

namespace xrai::emulation::samples {

using kernels::Stream;

// Right ones.
/// totals[b] = sum of the 256 values of block b, through shared memory with a barrier at each halving.
void sum_blocks(const float* values, float* totals, unsigned blocks, Stream stream = nullptr);
/// Each row of 32 values -> its softmax, with shuffles; two rows a block.
void softmax_rows(const float* x, float* y, unsigned rows, Stream stream = nullptr);
/// y = a x + y with float4 and a tail.
void axpy(float a, const float* x, float* y, int n, Stream stream = nullptr);
/// Neighbouring lanes swap values through shared memory, ordered by __syncwarp.
void swap_neighbours(const float* x, float* y, Stream stream = nullptr);
/// counts[value] += 1 for 256 values a block, first in dynamic shared memory, then in global memory.
void histogram(const std::uint8_t* values, unsigned* counts, unsigned blocks, Stream stream = nullptr);
/// y = x as bfloat16 bits; neighbouring threads write halves of one word.
void to_bfloat16(const float* x, void* y, int n, Stream stream = nullptr);
/// totals[0] += x[i], exactly for small integers.
void sum_with_double_atomics(const float* x, double* total, int n, Stream stream = nullptr);
/// As thread 55 of 64 sees them: or, and, count, ballot, up, down, up at the begin of a segment of 16 lanes, down at
/// the end of a segment of 8, the value of lane 0.
void warp_and_block_words(unsigned* out, Stream stream = nullptr);
/// Lanes of one warp meet in two groups before they all meet.
void meet_in_groups(unsigned* out, Stream stream = nullptr);
/// y[x, y, z of grid and block] = linear index, to see that blocks and threads are numbered as in CUDA.
void linear_indices(unsigned* y, Stream stream = nullptr);
/// y[t] = x[0] + x[1] for 64 threads: thread 0 works both before and after the barrier, which tempts compilers to copy
/// the barrier's call into both branches.
void leader_around_barrier(const float* x, float* y, Stream stream = nullptr);
/// A struct by value, int converted to float.
struct Scale {
  float factors[40];
  int count;
};
void scale_by_struct(const Scale& scale, float* y, Stream stream = nullptr);

// Wrong ones: each is named after its bug.
enum class Bug {
  kReadsPastTheEnd,
  kWritesPastTheEnd,
  kVectorTailPastTheEnd,
  kSharedIndexPastTheEnd,
  kDynamicSharedPastTheEnd,
  kMisalignedVector,
  kBarrierMissingBeforeReduction,
  kBarrierMissingBetweenRounds,
  kBarrierInBranch,
  kBarriersAtTwoCalls,
  kBarrierAfterExit,
  kFullMaskInHalfWarp,
  kMaskNamesExitedLane,
  kCallerNotInMask,
  kLanesAtDifferentShuffles,
  kLaneOutsideTheMask,
  kWidthNotPowerOfTwo,
  kWarpSyncMissing,
  kWarpSyncOfHalfTheWarp,
  kShuffleTakenForSync,
  kBlocksWriteOneWord,
  kThreadsWriteOneByte,
  kAtomicAgainstPlain,
  kTooManyThreads,
  kEmptyGrid,
  kGridTooHigh,
  kIncompleteWarp,
  kTooMuchShared,
  kUninitialisedShared,
  kReadsHostMemory,
};
/// Launches the wrong kernel on 256 floats that the caller owns. `host` is what kReadsHostMemory reads.
void launch_wrong(Bug bug, float* memory, const float* host, Stream stream = nullptr);

}  // namespace xrai::emulation::samples
