// Numbers of the narrow types as floats, by their bits: for what lies in memory, with or without CUDA's headers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/data_type.h"

namespace xrai::testing {

/// Element i of an array of this type.
inline float float_at(DataType type, const void* array, std::size_t i) {
  const auto* at = static_cast<const std::byte*>(array) + i * size_of(type);
  if (type == DataType::kFloat16) {
    _Float16 half = 0;
    std::memcpy(&half, at, 2);
    return static_cast<float>(half);
  }
  std::uint32_t bits = 0;
  std::memcpy(&bits, at, size_of(type));
  if (type == DataType::kBfloat16) bits <<= 16;
  float value = 0;
  std::memcpy(&value, &bits, 4);
  return value;
}

}  // namespace xrai::testing
