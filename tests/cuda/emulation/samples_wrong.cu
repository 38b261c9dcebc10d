// One planted bug a kernel. nvcc accepts all of them; the emulation must report each. Where a bug only
// gives wrong values, the kernel writes what it read to memory, for the test to look at.
#include "kernels/launch.h"
#include "samples.h"

namespace xrai::emulation::samples {

using kernels::cuda::launch;

namespace {

constexpr unsigned kAll = 0xffffffffu;

__global__ void reads_past_the_end(float* memory, int n) {
  const int i = static_cast<int>(threadIdx.x);
  if (i <= n - 256) memory[i] = memory[256 + i];
}

__global__ void writes_past_the_end(float* memory, int n) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i <= n) memory[i] = 1;
}

__global__ void vector_tail_past_the_end(float* memory, int n) {
  const int i = static_cast<int>(threadIdx.x);
  if (i >= (n + 3) / 4) return;
  const float4 four = reinterpret_cast<const float4*>(memory + 4)[i];
  memory[i] = four.x + four.y + four.z + four.w;
}

__global__ void shared_index_past_the_end(float* memory) {
  XRAI_SHARED(float, buffer, 256);
  buffer[threadIdx.x + 1] = 1;
  memory[threadIdx.x] = 1;
}

__global__ void dynamic_shared_past_the_end(float* memory) {
  XRAI_DYNAMIC_SHARED(float, buffer);
  buffer[threadIdx.x + 1] = 1;
  memory[threadIdx.x] = 1;
}

__global__ void misaligned_vector(float* memory) {
  reinterpret_cast<float4*>(memory + 1)[threadIdx.x % 32] = float4{1, 2, 3, 4};
}

__global__ void barrier_missing_before_reduction(float* memory) {
  XRAI_SHARED(float, buffer, 64);
  buffer[threadIdx.x] = memory[threadIdx.x];
  memory[threadIdx.x] = buffer[63 - threadIdx.x];
}

__global__ void barrier_missing_between_rounds(float* memory) {
  XRAI_SHARED(float, buffer, 64);
  const unsigned t = threadIdx.x;
  for (unsigned round = 0; round < 2; ++round) {
    buffer[t] = memory[64 * round + t];
    __syncthreads();
    memory[64 * round + t] = buffer[(t + 40) % 64];
  }
}

__global__ void barrier_in_branch(float* memory) {
  if (threadIdx.x < 16) __syncthreads();
  memory[threadIdx.x] = 1;
}

__global__ void barriers_at_two_calls(float* memory) {
  if (threadIdx.x % 2 != 0) {
    __syncthreads();
  } else {
    __syncthreads();
  }
  memory[threadIdx.x] = 1;
}

__global__ void barrier_after_exit(float* memory) {
  if (threadIdx.x >= 32) return;
  __syncthreads();
  memory[threadIdx.x] = 1;
}

__global__ void full_mask_in_half_warp(float* memory) {
  float x = memory[threadIdx.x];
  if (threadIdx.x < 16) x += __shfl_down_sync(kAll, x, 8);
  memory[threadIdx.x] = x;
}

__global__ void mask_names_exited_lane(float* memory) {
  if (threadIdx.x == 5) return;
  memory[threadIdx.x] = __shfl_xor_sync(kAll, memory[threadIdx.x], 1);
}

__global__ void caller_not_in_mask(float* memory) {
  memory[threadIdx.x] = __shfl_sync(0x0000ffffu, memory[threadIdx.x], 0);
}

__global__ void lanes_at_different_shuffles(float* memory) {
  float x = memory[threadIdx.x];
  if (threadIdx.x % 2 != 0) {
    x = __shfl_sync(kAll, x, 0);
  } else {
    x = __shfl_sync(kAll, x, 1);
  }
  memory[threadIdx.x] = x;
}

__global__ void lane_outside_the_mask(float* memory) {
  if (threadIdx.x < 16) memory[threadIdx.x] = __shfl_sync(0x0000ffffu, memory[threadIdx.x], 20);
}

__global__ void width_not_power_of_two(float* memory) {
  memory[threadIdx.x] = __shfl_down_sync(kAll, memory[threadIdx.x], 1, 12);
}

__global__ void warp_sync_missing(float* memory) {
  XRAI_SHARED(float, buffer, 32);
  buffer[threadIdx.x] = memory[threadIdx.x];
  memory[threadIdx.x] = buffer[threadIdx.x ^ 1u];
}

__global__ void warp_sync_of_half_the_warp(float* memory) {
  XRAI_SHARED(float, buffer, 32);
  buffer[threadIdx.x] = memory[threadIdx.x];
  __syncwarp(threadIdx.x < 16 ? 0x0000ffffu : 0xffff0000u);
  memory[threadIdx.x] = buffer[threadIdx.x ^ 16u];
}

__global__ void shuffle_taken_for_sync(float* memory) {
  XRAI_SHARED(float, buffer, 32);
  buffer[threadIdx.x] = memory[threadIdx.x];
  const float other = __shfl_xor_sync(kAll, memory[threadIdx.x], 1);
  memory[threadIdx.x] = other + buffer[threadIdx.x ^ 1u];
}

__global__ void blocks_write_one_word(float* memory) {
  if (threadIdx.x == 0) memory[0] = static_cast<float>(blockIdx.x);
}

__global__ void threads_write_one_byte(unsigned char* memory) {
  memory[threadIdx.x / 2] = static_cast<unsigned char>(threadIdx.x);
}

__global__ void atomic_against_plain(unsigned* memory) {
  if (threadIdx.x < 32) {
    atomicAdd(memory, 1u);
  } else {
    memory[threadIdx.x] = *memory;
  }
}

__global__ void right(float* memory) {
  memory[threadIdx.x] = 1;
}

__global__ void too_much_shared(float* memory) {
  XRAI_SHARED(float, buffer, 8 * 1024);
  XRAI_DYNAMIC_SHARED(float, more);
  buffer[threadIdx.x] = more[threadIdx.x] = memory[threadIdx.x];
}

__global__ void uninitialised_shared(float* memory) {
  XRAI_SHARED(float, buffer, 64);
  if (threadIdx.x != 0) buffer[threadIdx.x] = 1;
  __syncthreads();
  memory[threadIdx.x] = buffer[threadIdx.x];
}

__global__ void reads_host_memory(const float* host, float* memory) {
  memory[threadIdx.x] = host[threadIdx.x];
}

void launch_out_of_bounds(Bug bug, float* memory, Stream stream) {
  switch (bug) {
    case Bug::kReadsPastTheEnd:
      return launch(reads_past_the_end, 1, 32, 0, stream, memory, 256);
    case Bug::kWritesPastTheEnd:
      return launch(writes_past_the_end, 9, 32, 0, stream, memory, 256);
    case Bug::kVectorTailPastTheEnd:
      return launch(vector_tail_past_the_end, 1, 64, 0, stream, memory, 253);
    case Bug::kSharedIndexPastTheEnd:
      return launch(shared_index_past_the_end, 1, 256, 0, stream, memory);
    case Bug::kDynamicSharedPastTheEnd:
      return launch(dynamic_shared_past_the_end, 1, 256, 256 * sizeof(float), stream, memory);
    default:
      return launch(misaligned_vector, 1, 32, 0, stream, memory);
  }
}

void launch_wrong_barrier(Bug bug, float* memory, Stream stream) {
  switch (bug) {
    case Bug::kBarrierMissingBeforeReduction:
      return launch(barrier_missing_before_reduction, 1, 64, 0, stream, memory);
    case Bug::kBarrierMissingBetweenRounds:
      return launch(barrier_missing_between_rounds, 1, 64, 0, stream, memory);
    case Bug::kBarrierInBranch:
      return launch(barrier_in_branch, 1, 64, 0, stream, memory);
    case Bug::kBarriersAtTwoCalls:
      return launch(barriers_at_two_calls, 1, 64, 0, stream, memory);
    default:
      return launch(barrier_after_exit, 1, 64, 0, stream, memory);
  }
}

void launch_wrong_warp(Bug bug, float* memory, Stream stream) {
  switch (bug) {
    case Bug::kFullMaskInHalfWarp:
      return launch(full_mask_in_half_warp, 1, 32, 0, stream, memory);
    case Bug::kMaskNamesExitedLane:
      return launch(mask_names_exited_lane, 1, 32, 0, stream, memory);
    case Bug::kCallerNotInMask:
      return launch(caller_not_in_mask, 1, 32, 0, stream, memory);
    case Bug::kLanesAtDifferentShuffles:
      return launch(lanes_at_different_shuffles, 1, 32, 0, stream, memory);
    case Bug::kLaneOutsideTheMask:
      return launch(lane_outside_the_mask, 1, 32, 0, stream, memory);
    case Bug::kWidthNotPowerOfTwo:
      return launch(width_not_power_of_two, 1, 32, 0, stream, memory);
    case Bug::kWarpSyncMissing:
      return launch(warp_sync_missing, 1, 32, 0, stream, memory);
    case Bug::kWarpSyncOfHalfTheWarp:
      return launch(warp_sync_of_half_the_warp, 1, 32, 0, stream, memory);
    default:
      return launch(shuffle_taken_for_sync, 1, 32, 0, stream, memory);
  }
}

void launch_wrong_grid(Bug bug, float* memory, const float* host, Stream stream) {
  switch (bug) {
    case Bug::kBlocksWriteOneWord:
      return launch(blocks_write_one_word, 4, 32, 0, stream, memory);
    case Bug::kThreadsWriteOneByte:
      return launch(threads_write_one_byte, 1, 32, 0, stream, reinterpret_cast<unsigned char*>(memory));
    case Bug::kAtomicAgainstPlain:
      return launch(atomic_against_plain, 1, 64, 0, stream, reinterpret_cast<unsigned*>(memory));
    case Bug::kTooManyThreads:
      return launch(right, 1, 2048, 0, stream, memory);
    case Bug::kEmptyGrid:
      return launch(right, 0, 32, 0, stream, memory);
    case Bug::kGridTooHigh:
      return launch(right, dim3(1, 65536), 32, 0, stream, memory);
    case Bug::kIncompleteWarp:
      return launch(right, 1, 48, 0, stream, memory);
    case Bug::kTooMuchShared:
      return launch(too_much_shared, 1, 32, 20 * 1024, stream, memory);
    case Bug::kUninitialisedShared:
      return launch(uninitialised_shared, 1, 64, 0, stream, memory);
    default:
      return launch(reads_host_memory, 1, 32, 0, stream, host, memory);
  }
}

}  // namespace

void launch_wrong(Bug bug, float* memory, const float* host, Stream stream) {
  if (bug <= Bug::kMisalignedVector) return launch_out_of_bounds(bug, memory, stream);
  if (bug <= Bug::kBarrierAfterExit) return launch_wrong_barrier(bug, memory, stream);
  if (bug <= Bug::kShuffleTakenForSync) return launch_wrong_warp(bug, memory, stream);
  launch_wrong_grid(bug, memory, host, stream);
}

}  // namespace xrai::emulation::samples
