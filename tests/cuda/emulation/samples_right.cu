// Kernels without fault: the emulation must run them to the right result in every order, and report nothing.
#include "kernels/launch.h"
#include "samples.h"

namespace xrai::emulation::samples {

using kernels::cuda::launch;

namespace {

constexpr int kBlock = 256;

__global__ void sum_blocks_kernel(const float* __restrict__ values, float* __restrict__ totals) {
  XRAI_SHARED(float, partial, kBlock);
  const unsigned t = threadIdx.x;
  partial[t] = values[blockIdx.x * kBlock + t];
  __syncthreads();
  for (unsigned half = kBlock / 2; half > 0; half /= 2) {
    if (t < half) partial[t] += partial[t + half];
    __syncthreads();
  }
  if (t == 0) totals[blockIdx.x] = partial[0];
}

__device__ __forceinline__ float warp_max(float x) {
  for (int mask = 16; mask > 0; mask /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, mask));
  return x;
}

__device__ __forceinline__ float warp_sum(float x) {
  for (int mask = 16; mask > 0; mask /= 2) x += __shfl_xor_sync(0xffffffffu, x, mask);
  return x;
}

__global__ void __launch_bounds__(64) softmax_rows_kernel(const float* x, float* y, unsigned rows) {
  const unsigned row = blockIdx.x * 2 + threadIdx.x / 32, lane = threadIdx.x % 32;
  if (row >= rows) return;  // a whole warp
  const float value = x[row * 32 + lane];
  const float e = __expf(value - warp_max(value));
  y[row * 32 + lane] = e / warp_sum(e);
}

__global__ void axpy_kernel(float a, const float* x, float* y, int n) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n / 4) {
    const float4 from = reinterpret_cast<const float4*>(x)[i];
    float4 to = reinterpret_cast<float4*>(y)[i];
    to.x += a * from.x;
    to.y += a * from.y;
    to.z += a * from.z;
    to.w += a * from.w;
    reinterpret_cast<float4*>(y)[i] = to;
  }
  const int tail = n / 4 * 4 + i;
  if (tail < n) y[tail] += a * x[tail];
}

__global__ void swap_neighbours_kernel(const float* x, float* y) {
  XRAI_SHARED(float, buffer, 32);
  buffer[threadIdx.x] = x[threadIdx.x];
  __syncwarp();
  y[threadIdx.x] = buffer[threadIdx.x ^ 1u];
}

__global__ void histogram_kernel(const std::uint8_t* values, unsigned* counts) {
  XRAI_DYNAMIC_SHARED(unsigned, local);
  local[threadIdx.x] = 0;
  __syncthreads();
  atomicAdd(&local[values[blockIdx.x * blockDim.x + threadIdx.x]], 1u);
  __syncthreads();
  if (local[threadIdx.x] != 0) atomicAdd(&counts[threadIdx.x], local[threadIdx.x]);
}

__global__ void to_bfloat16_kernel(const float* x, __nv_bfloat16* y, int n) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) y[i] = __float2bfloat16(x[i]);
}

__global__ void sum_with_double_atomics_kernel(const float* x, double* total, int n) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) atomicAdd(total, static_cast<double>(x[i]));
}

__global__ void warp_and_block_words_kernel(unsigned* out) {
  const unsigned t = threadIdx.x, lane = t % warpSize;
  const int any = __syncthreads_or(t == 40), all = __syncthreads_and(t != 40), count = __syncthreads_count(t < 10);
  const unsigned ballot = __ballot_sync(0xffffffffu, lane % 2);
  const unsigned up = __shfl_up_sync(0xffffffffu, lane, 1), down = __shfl_down_sync(0xffffffffu, lane, 1);
  const unsigned up_at_begin = __shfl_up_sync(0xffffffffu, lane, 8, 16);
  const unsigned down_at_end = __shfl_down_sync(0xffffffffu, lane, 1, 8);
  const unsigned first = __shfl_sync(0xffffffffu, t, 0);
  if (t != 55) return;
  const unsigned words[] = {static_cast<unsigned>(any),
                            static_cast<unsigned>(all),
                            static_cast<unsigned>(count),
                            ballot,
                            up,
                            down,
                            up_at_begin,
                            down_at_end,
                            first};
  for (int i = 0; i < 9; ++i) out[i] = words[i];
}

__global__ void meet_in_groups_kernel(unsigned* out) {
  const unsigned lane = threadIdx.x;
  unsigned sum = lane;
  if (lane < 8) sum += __shfl_xor_sync(0x000000ffu, sum, 1);
  sum += __shfl_xor_sync(0xffffffffu, sum, 16);
  out[lane] = sum;
}

__global__ void linear_indices_kernel(unsigned* y) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  const unsigned i = block * blockDim.x * blockDim.y * blockDim.z + thread;
  y[i] = i;
}

__global__ void leader_around_barrier_kernel(const float* x, float* y) {
  XRAI_SHARED(float, sum, 1);
  const unsigned t = threadIdx.x;
  if (t == 0) sum[0] = x[0];
  __syncthreads();
  if (t == 0) sum[0] += x[1];
  __syncthreads();
  y[t] = sum[0];
}

__global__ void scale_by_struct_kernel(const __grid_constant__ Scale scale, float* y, float offset) {
  const int i = static_cast<int>(threadIdx.x);
  if (i < scale.count) y[i] = y[i] * scale.factors[i] + offset;
}

}  // namespace

void sum_blocks(const float* values, float* totals, unsigned blocks, Stream stream) {
  launch(sum_blocks_kernel, blocks, kBlock, 0, stream, values, totals);
}
void softmax_rows(const float* x, float* y, unsigned rows, Stream stream) {
  launch(softmax_rows_kernel, (rows + 1) / 2, 64, 0, stream, x, y, rows);
}
void axpy(float a, const float* x, float* y, int n, Stream stream) {
  launch(axpy_kernel, static_cast<unsigned>(n / 4 + 128) / 128, 128, 0, stream, a, x, y, n);
}
void swap_neighbours(const float* x, float* y, Stream stream) {
  launch(swap_neighbours_kernel, 1, 32, 0, stream, x, y);
}
void histogram(const std::uint8_t* values, unsigned* counts, unsigned blocks, Stream stream) {
  launch(histogram_kernel, blocks, kBlock, kBlock * sizeof(unsigned), stream, values, counts);
}
void to_bfloat16(const float* x, void* y, int n, Stream stream) {
  launch(to_bfloat16_kernel, static_cast<unsigned>(n + 31) / 32, 32, 0, stream, x, static_cast<__nv_bfloat16*>(y), n);
}
void sum_with_double_atomics(const float* x, double* total, int n, Stream stream) {
  launch(sum_with_double_atomics_kernel, static_cast<unsigned>(n + 63) / 64, 64, 0, stream, x, total, n);
}
void warp_and_block_words(unsigned* out, Stream stream) {
  launch(warp_and_block_words_kernel, 1, 64, 0, stream, out);
}
void meet_in_groups(unsigned* out, Stream stream) {
  launch(meet_in_groups_kernel, 1, 32, 0, stream, out);
}
void linear_indices(unsigned* y, Stream stream) {
  launch(linear_indices_kernel, dim3(2, 3, 2), dim3(4, 4, 4), 0, stream, y);
}
void leader_around_barrier(const float* x, float* y, Stream stream) {
  launch(leader_around_barrier_kernel, 1, 64, 0, stream, x, y);
}
void scale_by_struct(const Scale& scale, float* y, Stream stream) {
  launch(scale_by_struct_kernel, 1, 64, 0, stream, scale, y, 1);
}

}  // namespace xrai::emulation::samples
