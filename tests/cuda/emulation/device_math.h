// Mathematical functions of the device that the host's <math.h> lacks. Where the GPU's fast version is less exact than
// what stands here, tests must allow for that themselves.
#pragma once

#include <cuda_runtime_api.h>
#include <math.h>

#include <bit>
#include <cstdint>
#include <type_traits>

// Both arguments of one type, or it does not compile: nvcc would convert a signed one to unsigned without a word.
template <class T>
requires std::is_arithmetic_v<T> T min(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return fmin(a, b);  // the other one if one is NaN, as on the device
  } else {
    return a < b ? a : b;
  }
}
template <class T>
requires std::is_arithmetic_v<T> T max(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return fmax(a, b);
  } else {
    return a > b ? a : b;
  }
}

inline float rsqrtf(float x) {
  return 1.0f / sqrtf(x);
}
inline double rsqrt(double x) {
  return 1.0 / sqrt(x);
}
inline float __expf(float x) {
  return expf(x);
}
inline float __logf(float x) {
  return logf(x);
}
inline float __powf(float x, float y) {
  return powf(x, y);
}
inline float __sinf(float x) {
  return sinf(x);
}
inline float __cosf(float x) {
  return cosf(x);
}
inline void __sincosf(float x, float* sine, float* cosine) {
  *sine = sinf(x);
  *cosine = cosf(x);
}
inline void sincospif(float x, float* sine, float* cosine) {
  *sine = static_cast<float>(sin(static_cast<double>(x) * M_PI));
  *cosine = static_cast<float>(cos(static_cast<double>(x) * M_PI));
}
inline float __fdividef(float a, float b) {
  return a / b;
}
inline float __frcp_rn(float x) {
  return 1.0f / x;
}
inline float __fsqrt_rn(float x) {
  return sqrtf(x);
}
inline float __fdiv_rn(float a, float b) {
  return a / b;
}
// Products and sums that nvcc does not contract; the host compiler is told not to (-ffp-contract=off).
inline float __fmul_rn(float a, float b) {
  return a * b;
}
inline float __fadd_rn(float a, float b) {
  return a + b;
}
inline float __fsub_rn(float a, float b) {
  return a - b;
}
inline float __fmaf_rn(float a, float b, float c) {
  return fmaf(a, b, c);
}
inline float __saturatef(float x) {
  return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f;  // NaN gives 0, as on the device
}

inline int __popc(unsigned x) {
  return std::popcount(x);
}
inline int __clz(int x) {
  return std::countl_zero(static_cast<unsigned>(x));
}
inline int __ffs(int x) {
  return x == 0 ? 0 : std::countr_zero(static_cast<unsigned>(x)) + 1;
}
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>(std::uint64_t{a} * b >> 32);
}
inline unsigned __float_as_uint(float x) {
  return std::bit_cast<unsigned>(x);
}
inline int __float_as_int(float x) {
  return std::bit_cast<int>(x);
}
inline float __uint_as_float(unsigned x) {
  return std::bit_cast<float>(x);
}
inline float __int_as_float(int x) {
  return std::bit_cast<float>(x);
}
inline long long __double_as_longlong(double x) {
  return std::bit_cast<long long>(x);
}
inline double __longlong_as_double(long long x) {
  return std::bit_cast<double>(x);
}

// Loads and stores with a hint for the caches.
template <class T>
T __ldg(const T* source) {
  return *source;
}
template <class T>
T __ldcs(const T* source) {
  return *source;
}
template <class T>
void __stcs(T* target, T value) {
  *target = value;
}
template <class T>
void __stwb(T* target, T value) {
  *target = value;
}
