// The words of CUDA C++ that the kernels of this project use, for the host compiler: built-in variables, barriers, warp
// operations, atomics, shared memory, launch(). Types and half-precision conversions come from NVIDIA's own headers.
// What is left out is left out on purpose, so that using it does not compile: float atomics (their sum depends on the
// order), __threadfence, __activemask, a bare __shared__.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime_api.h>
#include <vector_functions.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <source_location>
#include <tuple>
#include <type_traits>
#include <utility>

#include "device_math.h"
#include "emulation.h"
#include "execution.h"
#include "kernels/cuda_stream.h"

#undef __shared__  // XRAI_SHARED instead: a bare one would be an ordinary local array here
#undef __launch_bounds__
#define __launch_bounds__(...)

// Heap memory, so that the address sanitizer puts red zones around it; a reference to an array, so that the
// undefined-behaviour sanitizer knows its length. The site is a variable, since every template instance has its own.
#define XRAI_SHARED(T, name, n)                    \
  static const char xrai_site_of_##name = 0;       \
  using xrai_type_of_##name = T[n];                \
  auto& name = *static_cast<xrai_type_of_##name*>( \
      ::xrai::emulation::static_shared(&xrai_site_of_##name, sizeof(xrai_type_of_##name)))
#define XRAI_DYNAMIC_SHARED(T, name) T* const name = static_cast<T*>(::xrai::emulation::dynamic_shared())

inline constexpr int warpSize = 32;

// A call is known by its source location: the compiler may copy a call into several branches, but not its location.
#define XRAI_HERE std::source_location where = std::source_location::current()

inline void __syncthreads(XRAI_HERE) {
  xrai::emulation::meet_block(true, where);
}
inline int __syncthreads_count(int predicate, XRAI_HERE) {
  return static_cast<int>(xrai::emulation::meet_block(predicate != 0, where));
}
inline int __syncthreads_or(int predicate, XRAI_HERE) {
  return xrai::emulation::meet_block(predicate != 0, where) != 0;
}
inline int __syncthreads_and(int predicate, XRAI_HERE) {
  return xrai::emulation::meet_block(predicate != 0, where) == blockDim.x * blockDim.y * blockDim.z;
}
inline void __syncwarp(unsigned mask = 0xffffffffu, XRAI_HERE) {
  xrai::emulation::meet_warp({xrai::emulation::WarpOperation::kSynchronise, mask, 0, 0, warpSize, where});
}
inline unsigned __ballot_sync(unsigned mask, int predicate, XRAI_HERE) {
  return static_cast<unsigned>(xrai::emulation::meet_warp(
      {xrai::emulation::WarpOperation::kBallot, mask, predicate != 0 ? 1u : 0u, 0, warpSize, where}));
}
inline int __any_sync(unsigned mask, int predicate, XRAI_HERE) {
  return __ballot_sync(mask, predicate, where) != 0;
}
inline int __all_sync(unsigned mask, int predicate, XRAI_HERE) {
  return __ballot_sync(mask, predicate, where) == mask;
}

namespace xrai::emulation {
template <class T>
T shuffle(WarpOperation operation, unsigned mask, T value, int argument, int width, std::source_location where) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = meet_warp({operation, mask, bits, argument, width, where});
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}
}  // namespace xrai::emulation

template <class T>
T __shfl_sync(unsigned mask, T value, int lane, int width = warpSize, XRAI_HERE) {
  return xrai::emulation::shuffle(xrai::emulation::WarpOperation::kShuffle, mask, value, lane, width, where);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned distance, int width = warpSize, XRAI_HERE) {
  return xrai::emulation::shuffle(xrai::emulation::WarpOperation::kShuffleUp, mask, value, static_cast<int>(distance),
                                  width, where);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned distance, int width = warpSize, XRAI_HERE) {
  return xrai::emulation::shuffle(xrai::emulation::WarpOperation::kShuffleDown, mask, value, static_cast<int>(distance),
                                  width, where);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = warpSize, XRAI_HERE) {
  return xrai::emulation::shuffle(xrai::emulation::WarpOperation::kShuffleXor, mask, value, lane_mask, width, where);
}
#undef XRAI_HERE

// Host atomics, since the race checker tells them from ordinary accesses.
template <class T>
T atomicAdd(T* target, T value) {
  static_assert(std::is_same_v<T, int> || std::is_same_v<T, unsigned> || std::is_same_v<T, unsigned long long>);
  return __atomic_fetch_add(target, value, __ATOMIC_RELAXED);
}
inline double atomicAdd(double* target, double value) {
  auto* const bits = reinterpret_cast<unsigned long long*>(target);
  unsigned long long before = __atomic_load_n(bits, __ATOMIC_RELAXED);
  while (true) {
    const double old = __longlong_as_double(static_cast<long long>(before));
    const auto after = static_cast<unsigned long long>(__double_as_longlong(old + value));
    if (__atomic_compare_exchange_n(bits, &before, after, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) return old;
  }
}
template <class T>
T atomicOr(T* target, T value) {
  static_assert(std::is_same_v<T, int> || std::is_same_v<T, unsigned>);
  return __atomic_fetch_or(target, value, __ATOMIC_RELAXED);
}
template <class T>
T atomicMax(T* target, T value) {
  static_assert(std::is_same_v<T, int> || std::is_same_v<T, unsigned>);
  T before = __atomic_load_n(target, __ATOMIC_RELAXED);
  while (before < value &&
         !__atomic_compare_exchange_n(target, &before, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
  return before;
}

namespace xrai::kernels::cuda {

/// Puts the kernel on the stream. Arguments are converted to the kernel's parameters and copied now. Throws
/// LaunchError.
template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes, Stream stream,
            Arguments&&... arguments) {
  static_assert((std::is_trivially_copyable_v<Parameters> && ...),
                "what a kernel is given crosses to the GPU as bytes");
  const std::tuple<Parameters...> values(static_cast<Parameters>(std::forward<Arguments>(arguments))...);
  emulation::Launch work;
  work.kernel = emulation::kernel_name(reinterpret_cast<const void*>(kernel));
  work.grid = grid;
  work.block = block;
  work.shared_bytes = shared_bytes;
  work.thread = [kernel, values] {
    std::apply(
        [kernel](auto... own) {  // each thread's copies, made outside of the kernel
          const emulation::InsideKernel inside;
          kernel(own...);
        },
        values);
  };
  const std::string name = work.kernel;
  const cudaError_t error = emulation::enqueue(stream, std::move(work));
  if (error != cudaSuccess) throw LaunchError(name, error, emulation::error_text(error));
}

}  // namespace xrai::kernels::cuda
