// The matrix product inside kernels/winograd.cpp: small enough to stay in registers and the second-level cache.
#pragma once

#include <cstdint>

namespace xrai::kernels {

/// c(rows, columns) = a(rows, depth) * b(depth, columns), or added to c. a's elements lie `a_row` and `a_step` apart,
/// so that it may be stored either way round; b and c are row-major and dense. rows: a multiple of 4, columns of 16.
struct WinogradProduct {
  const float* a = nullptr;
  std::int64_t a_row = 0, a_step = 0;
  const float* b = nullptr;
  float* c = nullptr;
  std::int64_t rows = 0, columns = 0, depth = 0;
  bool add = false;
};

namespace cpu {
/// Each element's sum runs through the depth in order, whatever the sizes.
void winograd_product(const WinogradProduct& product);
}  // namespace cpu

}  // namespace xrai::kernels
