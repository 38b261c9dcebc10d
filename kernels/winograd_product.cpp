// Compiled with contraction (kernels/CMakeLists.txt): a fused multiply-add is the whole of it, and half the
// instructions. No data layout is decided here.
#include "kernels/winograd_product.h"

#include "kernels/lanes.h"
#include "kernels/vectorise.h"

namespace xrai::kernels::cpu {
namespace {

// kRows x kVectors sums stay in registers: 12 x 2 leaves room among AVX-512's 32 for b and a broadcast, 6 x 2 among 16.
template <class V, int kRows, int kVectors>
XRAI_INLINE void block(const WinogradProduct& p, std::int64_t row, std::int64_t column) {
  V sums[kRows][kVectors];
  float* c = p.c + row * p.columns + column;
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVectors; ++v) sums[r][v] = p.add ? load<V>(c + r * p.columns + kLanes<V> * v) : V{};
  const float* a = p.a + row * p.a_row;
  const float* b = p.b + column;
  for (std::int64_t k = 0; k < p.depth; ++k) {
    V factors[kVectors];
    for (int v = 0; v < kVectors; ++v) factors[v] = load<V>(b + kLanes<V> * v);
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < kVectors; ++v) sums[r][v] += a[r * p.a_row] * factors[v];
    a += p.a_step;
    b += p.columns;
  }
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVectors; ++v) store<V>(c + r * p.columns + kLanes<V> * v, sums[r][v]);
}

// kRows at a time, and what is left in steps that divide it.
template <class V, int kRows, int kLeft, int kVectors>
XRAI_INLINE void strip(const WinogradProduct& p, std::int64_t column) {
  std::int64_t row = 0;
  for (; row + kRows <= p.rows; row += kRows) block<V, kRows, kVectors>(p, row, column);
  for (; row < p.rows; row += kLeft) block<V, kLeft, kVectors>(p, row, column);
}

template <class V, int kRows, int kLeft>
XRAI_INLINE void strips(const WinogradProduct& p) {
  constexpr std::int64_t kTwo = 2 * kLanes<V>;
  std::int64_t column = 0;
  for (; column + kTwo <= p.columns; column += kTwo) strip<V, kRows, kLeft, 2>(p, column);
  if (column < p.columns) strip<V, kRows, kLeft, 1>(p, column);
}

}  // namespace

XRAI_VECTORISE void winograd_product(const WinogradProduct& p) {
  if (sixteen_lanes()) return strips<Float16, 12, 4>(p);
  strips<Float8, 6, 2>(p);
}

}  // namespace xrai::kernels::cpu
