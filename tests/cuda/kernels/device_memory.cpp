#include "device_memory.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <map>

#include "tests/cuda/narrow_types.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(begin, bytes) (static_cast<void>(begin), static_cast<void>(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(begin, bytes) (static_cast<void>(begin), static_cast<void>(bytes))
#endif

namespace xrai::testing {
namespace {

constexpr std::size_t kGuard = 256;
constexpr unsigned char kFresh = 0xFF;  // makes NaN of all types

std::map<const unsigned char*, std::size_t, std::less<>>& live() {
  static std::map<const unsigned char*, std::size_t, std::less<>> ranges;
  return ranges;
}

void store(DataType type, void* memory, std::size_t i, float value) {
  if (type == DataType::kFloat32) static_cast<float*>(memory)[i] = value;
  if (type == DataType::kFloat16) static_cast<__half*>(memory)[i] = __float2half_rn(value);
  if (type == DataType::kBfloat16) static_cast<__nv_bfloat16*>(memory)[i] = __float2bfloat16_rn(value);
}

bool same(double a, double b) {
  return a == b || (std::isnan(a) && std::isnan(b));
}

}  // namespace

DeviceMemory::DeviceMemory(std::size_t bytes, std::size_t offset)
    : bytes_(bytes), block_bytes_((bytes + offset + 2 * kGuard + kGuard - 1) / kGuard * kGuard) {
  block_ = static_cast<unsigned char*>(std::aligned_alloc(kGuard, block_bytes_));
  begin_ = block_ + kGuard + offset;
  std::fill_n(block_, block_bytes_, kFresh);
  ASAN_POISON_MEMORY_REGION(block_, static_cast<std::size_t>(begin_ - block_));
  ASAN_POISON_MEMORY_REGION(begin_ + bytes_, block_bytes_ - static_cast<std::size_t>(begin_ + bytes_ - block_));
  live()[begin_] = bytes_;
}

DeviceMemory::~DeviceMemory() {
  live().erase(begin_);
  ASAN_UNPOISON_MEMORY_REGION(block_, block_bytes_);
  const auto fresh = [](unsigned char byte) { return byte == kFresh; };
  EXPECT_TRUE(std::all_of(block_, begin_, fresh)) << "a kernel wrote before the beginning of an array";
  EXPECT_TRUE(std::all_of(begin_ + bytes_, block_ + block_bytes_, fresh)) << "a kernel wrote past the end of an array";
  std::free(block_);
}

bool is_device_memory(const void* begin, std::size_t bytes) {
  const auto* first = static_cast<const unsigned char*>(begin);
  auto after = live().upper_bound(first);
  if (after == live().begin()) return false;
  const auto& [memory, size] = *--after;
  return first + bytes <= memory + size;
}

Activations::Activations(DataType type, const Values& values, std::size_t offset)
    : Activations(type, values.size(), offset) {
  for (std::size_t i = 0; i < n_; ++i) store(type_, data(), i, values[i]);
}

Activations::Activations(DataType type, std::size_t n, std::size_t offset)
    : type_(type), n_(n), memory_(n * size_of(type), offset * size_of(type)) {}

Values Activations::values() const {
  Values values(n_);
  for (std::size_t i = 0; i < n_; ++i) values[i] = float_at(type_, data(), i);
  return values;
}

float rounded(DataType type, float value) {
  alignas(float) std::byte narrow[sizeof(float)] = {};
  store(type, narrow, 0, value);
  return float_at(type, narrow, 0);
}

Values rounded(DataType type, Values values) {
  for (float& value : values) value = rounded(type, value);
  return values;
}

double unit_roundoff(DataType type) {
  return type == DataType::kFloat32 ? 0x1p-24 : type == DataType::kBfloat16 ? 0x1p-8 : 0x1p-11;
}

double smallest_step(DataType type) {
  return type == DataType::kFloat16 ? 0x1p-24 : 0x1p-133;
}

void expect_rounded(DataType type, const Values& computed, const Doubles& reference, double arithmetic, double absolute,
                    const std::string& what) {
  ASSERT_EQ(computed.size(), reference.size()) << what;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    const double bound =
        (unit_roundoff(type) + arithmetic) * std::abs(reference[i]) + smallest_step(type) / 2 + absolute;
    ASSERT_TRUE(same(computed[i], reference[i]) || std::abs(computed[i] - reference[i]) <= bound)
        << what << '[' << i << "] is " << computed[i] << ", the reference says " << reference[i] << ", bound " << bound;
  }
}

void expect_same(const Values& computed, const Values& expected, const std::string& what) {
  ASSERT_EQ(computed.size(), expected.size()) << what;
  for (std::size_t i = 0; i < expected.size(); ++i)
    ASSERT_TRUE(same(computed[i], expected[i]))
        << what << '[' << i << "] is " << computed[i] << " and should be " << expected[i];
}

}  // namespace xrai::testing
