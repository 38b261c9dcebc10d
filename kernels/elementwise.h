// The small operations that nothing fuses away: addition, ReLU, dropout, global average pooling. Channels last.
#pragma once

#include <cstdint>

#include "kernels/cuda_stream.h"
#include "kernels/data_type.h"
#include "kernels/step_numbers.h"

namespace xrai::kernels {

/// Inverted dropout: keeps an element with probability 1 - p and scales it by 1 / (1 - p). The numbers depend on
/// (seed, step, layer, element): backward draws them again instead of remembering a mask.
struct DropoutArguments {
  const void* x = nullptr;
  void* y = nullptr;  // may be x
  std::int64_t n = 0;
  float probability = 0;
  const StepNumbers* numbers = nullptr;  // seed and step; null: all zero
  std::uint32_t layer = 0;
};

// All pointers but the sums' are activations.
namespace cpu {
void add(const void* a, const void* b, void* sum, std::int64_t n);            // sum may be a or b
void relu(const void* x, void* y, std::int64_t n);                            // y may be x
void relu_backward(const void* y, const void* dy, void* dx, std::int64_t n);  // dx may be dy
void dropout(const DropoutArguments& arguments);                              // forward and backward alike
/// x (n, positions, channels) -> y (n, channels), mean over positions.
void global_average_pool(const void* x, void* y, std::int64_t n, std::int64_t positions, std::int64_t channels);
void global_average_pool_backward(const void* dy, void* dx, std::int64_t n, std::int64_t positions,
                                  std::int64_t channels);
}  // namespace cpu

namespace cuda {
void add(const void* a, const void* b, void* sum, std::int64_t n, DataType type, Stream stream);
void relu(const void* x, void* y, std::int64_t n, DataType type, Stream stream);
void relu_backward(const void* y, const void* dy, void* dx, std::int64_t n, DataType type, Stream stream);
void dropout(const DropoutArguments& arguments, DataType type, Stream stream);
void global_average_pool(const void* x, void* y, std::int64_t n, std::int64_t positions, std::int64_t channels,
                         DataType type, Stream stream);
void global_average_pool_backward(const void* dy, void* dx, std::int64_t n, std::int64_t positions,
                                  std::int64_t channels, DataType type, Stream stream);
/// to[i] = from[i] in the activations' type.
void narrow(const float* from, void* to, std::int64_t n, DataType type, Stream stream);
/// The other way: to[i] = from[i] as float.
void widen(const void* from, float* to, std::int64_t n, DataType type, Stream stream);
/// sums[c] = sum over rows of x (rows, channels): a bias' gradient. `workspace`: column_sums_workspace_floats().
void column_sums(const void* x, float* sums, std::int64_t rows, std::int64_t channels, float* workspace, DataType type,
                 Stream stream);
std::int64_t column_sums_workspace_floats(std::int64_t rows, std::int64_t channels);
}  // namespace cuda

}  // namespace xrai::kernels
