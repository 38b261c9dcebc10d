// What every CUDA kernel needs: activations as floats, 16 bytes at a time where the addresses allow it, and sums over a
// warp or a block in a fixed order. Included by kernels/*.cu only; knows no particular kernel.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/data_type.h"
#include "kernels/launch.h"

namespace xrai::kernels::cuda {

// ---- types ----------------------------------------------------------------------------------------------------------

template <class T>
struct ElementType {
  using Type = T;
};

/// Calls f(ElementType<T>{}) with the T that `type` names.
template <class F>
void with_type(DataType type, const F& f) {
  switch (type) {
    case DataType::kFloat32:
      return f(ElementType<float>{});
    case DataType::kBfloat16:
      return f(ElementType<__nv_bfloat16>{});
    case DataType::kFloat16:
      return f(ElementType<__half>{});
  }
}

__device__ __forceinline__ float to_float(float x) {
  return x;
}
__device__ __forceinline__ float to_float(__half x) {
  return __half2float(x);
}
__device__ __forceinline__ float to_float(__nv_bfloat16 x) {
  return __bfloat162float(x);
}

/// Rounds to the nearest, ties to even.
template <class T>
__device__ __forceinline__ T from_float(float x) {
  if constexpr (std::is_same_v<T, float>)
    return x;
  else if constexpr (std::is_same_v<T, __half>)
    return __float2half_rn(x);
  else
    return __float2bfloat16_rn(x);
}

// ---- several elements at once ---------------------------------------------------------------------------------------

/// Elements in 16 bytes, the widest access of a thread.
template <class T>
inline constexpr int kElementsIn16Bytes = 16 / static_cast<int>(sizeof(T));

/// What one load or store moves; an address must be a multiple of its size.
template <class T, int kCount>
struct alignas(kCount * sizeof(T)) Pack {
  T elements[kCount];
};
template <class T, int kCount>
inline constexpr int kPackElements = kCount < kElementsIn16Bytes<T> ? kCount : kElementsIn16Bytes<T>;

/// One access. nvcc takes a struct that is assigned apart and may store its members one by one, so what is stored at
/// once is named as such: __stwb is the ordinary store.
template <class T, int kCount>
__device__ __forceinline__ void store_pack(T* target, const Pack<T, kCount>& pack) {
  if constexpr (sizeof(pack) == 16) {
    uint4 word;
    memcpy(&word, &pack, sizeof(word));
    __stwb(reinterpret_cast<uint4*>(target), word);
  } else if constexpr (sizeof(pack) == 8) {
    uint2 word;
    memcpy(&word, &pack, sizeof(word));
    __stwb(reinterpret_cast<uint2*>(target), word);
  } else {
    *reinterpret_cast<Pack<T, kCount>*>(target) = pack;
  }
}

/// values[0 .. kCount) = source[0 .. kCount), in as few accesses as 16 bytes each allow.
template <int kCount, class T>
__device__ __forceinline__ void load_floats(const T* source, float (&values)[kCount]) {
  constexpr int kPack = kPackElements<T, kCount>;
  static_assert(kCount % kPack == 0);
#pragma unroll
  for (int first = 0; first < kCount; first += kPack) {
    const auto pack = *reinterpret_cast<const Pack<T, kPack>*>(source + first);
#pragma unroll
    for (int i = 0; i < kPack; ++i) values[first + i] = to_float(pack.elements[i]);
  }
}

template <int kCount, class T>
__device__ __forceinline__ void store_floats(T* target, const float (&values)[kCount]) {
  constexpr int kPack = kPackElements<T, kCount>;
  static_assert(kCount % kPack == 0);
#pragma unroll
  for (int first = 0; first < kCount; first += kPack) {
    Pack<T, kPack> pack;
#pragma unroll
    for (int i = 0; i < kPack; ++i) pack.elements[i] = from_float<T>(values[first + i]);
    store_pack(target + first, pack);
  }
}

/// Whether an element of each array can begin an access of `count` elements, 16 bytes at most.
template <int kCount, class... T>
bool all_aligned(const T*... arrays) {
  return ((reinterpret_cast<std::uintptr_t>(arrays) % sizeof(Pack<T, kPackElements<T, kCount>>) == 0) && ...);
}

// ---- walking over flat arrays ---------------------------------------------------------------------------------------

/// n elements of some arrays as single elements up to an address where all are aligned, groups, and single elements
/// again. Arrays that are never aligned together are single elements throughout.
struct Groups {
  std::int64_t n, head, count;
};

/// Groups of kCount elements. A null array has no say.
template <int kCount, class... T>
Groups groups_of(std::int64_t n, const T*... arrays) {
  for (std::int64_t head = 0; head < kCount && head < n; ++head)
    if (all_aligned<kCount>((arrays == nullptr ? nullptr : arrays + head)...)) return {n, head, (n - head) / kCount};
  return {n, n, 0};
}

template <int kCount>
using Count = std::integral_constant<int, kCount>;

/// Shares the elements among all threads of the grid: calls body(Count<kCount>{}, first) for groups and
/// body(Count<1>{}, i) for single elements.
template <int kCount, class Body>
__device__ __forceinline__ void for_each_group(const Groups& groups, const Body& body) {
  const std::int64_t thread = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  const std::int64_t threads = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t group = thread; group < groups.count; group += threads)
    body(Count<kCount>{}, groups.head + group * kCount);
  const std::int64_t grouped = groups.count * kCount;
  for (std::int64_t i = thread; i < groups.n - grouped; i += threads)
    body(Count<1>{}, i < groups.head ? i : i + grouped);
}

inline constexpr int kBlockThreads = 256;
inline constexpr int kWarpThreads = 32;
/// Enough to fill the largest GPU twice; not asked of the device, so that nothing depends on which one it is.
inline constexpr std::int64_t kMostBlocks = 2048;

/// Blocks of kBlockThreads for so many threads' work, at least one.
inline unsigned blocks_for(std::int64_t threads) {
  const std::int64_t blocks = (threads + kBlockThreads - 1) / kBlockThreads;
  return static_cast<unsigned>(blocks < 1 ? 1 : blocks > kMostBlocks ? kMostBlocks : blocks);
}
/// The grid of a kernel that uses for_each_group<kCount>.
template <int kCount>
unsigned blocks_for(const Groups& groups) {
  const std::int64_t single = groups.n - groups.count * kCount;
  return blocks_for(single > groups.count ? single : groups.count);
}

// ---- sums -----------------------------------------------------------------------------------------------------------

inline constexpr unsigned kWholeWarp = 0xffffffffu;

/// The sum over the warp, in every lane. All lanes must call it.
template <class T>
__device__ __forceinline__ T warp_sum(T value) {
#pragma unroll
  for (int distance = kWarpThreads / 2; distance > 0; distance /= 2)
    value += __shfl_xor_sync(kWholeWarp, value, distance);
  return value;
}

/// The sum over a block of kThreads, the same bits in every thread. All threads must call it; may be called again.
template <int kThreads, class T>
__device__ __forceinline__ T block_sum(T value) {
  constexpr int kWarps = kThreads / kWarpThreads;
  XRAI_SHARED(T, warp_sums, kWarps);
  value = warp_sum(value);
  __syncthreads();  // an earlier sum may still be read
  if (threadIdx.x % kWarpThreads == 0) warp_sums[threadIdx.x / kWarpThreads] = value;
  __syncthreads();
  T sum = 0;
#pragma unroll
  for (int warp = 0; warp < kWarps; ++warp) sum += warp_sums[warp];
  return sum;
}

}  // namespace xrai::kernels::cuda
