// Compiled with contraction (kernels/CMakeLists.txt): a fused multiply-add is the whole of it, and half the
// instructions. No data layout is decided here.
#include "kernels/winograd_product.h"

#include "kernels/vector16.h"
#include "kernels/vectorise.h"

namespace xrai::kernels::cpu {
namespace {

// kRows x kVectors sums stay in registers: 12 x 2 leaves room among AVX-512's 32 for b and a broadcast.
template <int kRows, int kVectors>
XRAI_INLINE void block(const WinogradProduct& p, std::int64_t row, std::int64_t column) {
  Float16 sums[kRows][kVectors];
  float* c = p.c + row * p.columns + column;
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVectors; ++v) sums[r][v] = p.add ? load<Float16>(c + r * p.columns + 16 * v) : Float16{};
  const float* a = p.a + row * p.a_row;
  const float* b = p.b + column;
  for (std::int64_t k = 0; k < p.depth; ++k) {
    Float16 factors[kVectors];
    for (int v = 0; v < kVectors; ++v) factors[v] = load<Float16>(b + 16 * v);
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < kVectors; ++v) sums[r][v] += a[r * p.a_row] * factors[v];
    a += p.a_step;
    b += p.columns;
  }
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVectors; ++v) store<Float16>(c + r * p.columns + 16 * v, sums[r][v]);
}

template <int kVectors>
XRAI_INLINE void strip(const WinogradProduct& p, std::int64_t column) {
  std::int64_t row = 0;
  for (; row + 12 <= p.rows; row += 12) block<12, kVectors>(p, row, column);
  for (; row < p.rows; row += 4) block<4, kVectors>(p, row, column);
}

}  // namespace

XRAI_VECTORISE void winograd_product(const WinogradProduct& p) {
  std::int64_t column = 0;
  for (; column + 32 <= p.columns; column += 32) strip<2>(p, column);
  for (; column < p.columns; column += 16) strip<1>(p, column);
}

}  // namespace xrai::kernels::cpu
