// In which numbers a network computes: a choice of the user's that a device grants or not.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "kernels/data_type.h"

namespace xrai {

/// Sums, weights, statistics and the optimiser's state are float32 in all of them.
enum class Precision : std::uint8_t {
  kFloat32,   // true float32
  kTf32,      // float32 in memory; tensor cores round the factors of products to 10 bits of mantissa
  kBfloat16,  // activations and the network's copy of the weights in bfloat16
  kFloat16,   // ... in float16, with a loss scale
  kInt8       // scoring on the CPU only: maps in bytes, weights in signed bytes, sums in 32 bits; all else float32
};

/// Those that one can train in.
constexpr Precision kPrecisions[] = {Precision::kFloat32, Precision::kTf32, Precision::kBfloat16, Precision::kFloat16};

/// "fp32", "tf32", "bf16", "fp16", "int8".
constexpr std::string_view precision_name(Precision precision) {
  constexpr std::string_view kNames[] = {"fp32", "tf32", "bf16", "fp16", "int8"};
  return kNames[static_cast<std::size_t>(precision)];
}

constexpr DataType activation_type_of(Precision precision) {
  return precision == Precision::kBfloat16  ? DataType::kBfloat16
         : precision == Precision::kFloat16 ? DataType::kFloat16
                                            : DataType::kFloat32;
}

}  // namespace xrai
