// How a number of an activation is stored. Arithmetic is float everywhere; only what lies in memory is narrower.
#pragma once

#include <cstddef>
#include <cstdint>

namespace xrai {

enum class DataType : std::uint8_t { kFloat32, kBfloat16, kFloat16 };

constexpr std::size_t size_of(DataType type) {
  return type == DataType::kFloat32 ? 4 : 2;
}
constexpr const char* data_type_name(DataType type) {
  return type == DataType::kFloat32 ? "float32" : type == DataType::kBfloat16 ? "bfloat16" : "float16";
}

}  // namespace xrai
