// The small operations that nothing fuses away: addition, ReLU, dropout, global average pooling. Channels last.
#pragma once

#include <cstdint>

namespace xrai::kernels {

/// Inverted dropout: keeps an element with probability 1 - p and scales it by 1 / (1 - p). The numbers depend on
/// (seed, step, layer, element): backward draws them again instead of remembering a mask.
struct DropoutArguments {
  const float* x = nullptr;
  float* y = nullptr;  // may be x
  std::int64_t n = 0;
  float probability = 0;
  std::uint64_t seed = 0, step = 0;
  std::uint32_t layer = 0;
};

namespace cpu {
void add(const float* a, const float* b, float* sum, std::int64_t n);            // sum may be a or b
void relu(const float* x, float* y, std::int64_t n);                             // y may be x
void relu_backward(const float* y, const float* dy, float* dx, std::int64_t n);  // dx may be dy
void dropout(const DropoutArguments& arguments);                                 // forward and backward alike
/// x (n, positions, channels) -> y (n, channels), mean over positions.
void global_average_pool(const float* x, float* y, std::int64_t n, std::int64_t positions, std::int64_t channels);
void global_average_pool_backward(const float* dy, float* dx, std::int64_t n, std::int64_t positions,
                                  std::int64_t channels);
}  // namespace cpu

}  // namespace xrai::kernels
