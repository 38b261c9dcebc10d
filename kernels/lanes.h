// Sixteen or eight floats as one value, in the compiler's own vector extension: an AVX-512 register, or one of AVX2.
// Bodies are templates over the value type, so that the channels left over after the last vector run the same code
// on single floats. A vector wider than a register is parted by the compiler, but its comparisons and choices are done
// float by float then, so what runs is chosen when the program runs (sixteen_lanes). No lane knows of another: results
// are the same bits at any width.
#pragma once

#include <cstdint>

namespace xrai::kernels {

typedef float Float16 __attribute__((vector_size(64)));
typedef float Float8 __attribute__((vector_size(32)));
typedef float Float4 __attribute__((vector_size(16)));

#define XRAI_INLINE inline __attribute__((always_inline))

/// Whether one register holds sixteen floats, and there are 32 registers.
inline bool sixteen_lanes() {
#if defined(XRAI_MULTIVERSION)
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
#else
  return false;
#endif
}

/// What belongs to a value type: how it lies in memory at any address, and small non-negative numbers, kept as bytes in
/// memory and as lanes of 32 bits in registers.
template <class V>
struct Lanes;
template <>
struct Lanes<float> {
  using Loose = float;
  using Index = std::int32_t;
  using Bytes = std::uint8_t;
};
template <>
struct Lanes<Float4> {
  typedef float Loose __attribute__((vector_size(16), aligned(4), may_alias));
};
template <>
struct Lanes<Float8> {
  typedef float Loose __attribute__((vector_size(32), aligned(4), may_alias));
  typedef std::int32_t Index __attribute__((vector_size(32)));
  typedef std::uint8_t Bytes __attribute__((vector_size(8), aligned(1), may_alias));
};
template <>
struct Lanes<Float16> {
  typedef float Loose __attribute__((vector_size(64), aligned(4), may_alias));
  typedef std::int32_t Index __attribute__((vector_size(64)));
  typedef std::uint8_t Bytes __attribute__((vector_size(16), aligned(1), may_alias));
};

template <class V>
constexpr std::int64_t kLanes = sizeof(V) / sizeof(float);
template <class V>
using Index = typename Lanes<V>::Index;

template <class V>
XRAI_INLINE V load(const float* p) {
  return *reinterpret_cast<const typename Lanes<V>::Loose*>(p);
}

template <class V>
XRAI_INLINE void store(float* p, V v) {
  *reinterpret_cast<typename Lanes<V>::Loose*>(p) = v;
}

template <class V>
XRAI_INLINE Index<V> load_index(const std::uint8_t* p) {
  if constexpr (kLanes<V> == 1)
    return *p;
  else
    return __builtin_convertvector(*reinterpret_cast<const typename Lanes<V>::Bytes*>(p), Index<V>);
}

template <class V>
XRAI_INLINE void store_index(std::uint8_t* p, Index<V> index) {
  if constexpr (kLanes<V> == 1)
    *p = static_cast<std::uint8_t>(index);
  else
    *reinterpret_cast<typename Lanes<V>::Bytes*>(p) = __builtin_convertvector(index, typename Lanes<V>::Bytes);
}

}  // namespace xrai::kernels
