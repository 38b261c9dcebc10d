// Sixteen floats as one value, in the compiler's own vector extension: an AVX-512 register, two AVX2 or four SSE ones.
// Bodies are templates over the value type, so that the channels left over after the last sixteen run the same code
// on single floats.
#pragma once

#include <cstdint>

namespace xrai::kernels {

typedef float Float16 __attribute__((vector_size(64)));
typedef float Float16Loose __attribute__((vector_size(64), aligned(4), may_alias));
typedef std::int32_t Int16 __attribute__((vector_size(64)));
typedef std::uint8_t Byte16Loose __attribute__((vector_size(16), aligned(1), may_alias));

#define XRAI_INLINE inline __attribute__((always_inline))

template <class V>
constexpr std::int64_t kLanes = sizeof(V) / sizeof(float);

template <class V>
XRAI_INLINE V load(const float* p) {
  if constexpr (kLanes<V> == 1)
    return *p;
  else
    return *reinterpret_cast<const Float16Loose*>(p);
}

template <class V>
XRAI_INLINE void store(float* p, V v) {
  if constexpr (kLanes<V> == 1)
    *p = v;
  else
    *reinterpret_cast<Float16Loose*>(p) = v;
}

/// Small non-negative numbers kept as bytes in memory and as lanes of 32 bits in registers.
template <class V>
struct IndexOf {
  using Type = std::int32_t;
};
template <>
struct IndexOf<Float16> {
  using Type = Int16;
};
template <class V>
using Index = typename IndexOf<V>::Type;

template <class V>
XRAI_INLINE Index<V> load_index(const std::uint8_t* p) {
  if constexpr (kLanes<V> == 1)
    return *p;
  else
    return __builtin_convertvector(*reinterpret_cast<const Byte16Loose*>(p), Int16);
}

template <class V>
XRAI_INLINE void store_index(std::uint8_t* p, Index<V> index) {
  if constexpr (kLanes<V> == 1)
    *p = static_cast<std::uint8_t>(index);
  else
    *reinterpret_cast<Byte16Loose*>(p) = __builtin_convertvector(index, Byte16Loose);
}

}  // namespace xrai::kernels
