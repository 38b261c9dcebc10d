// Gradients of the first block, from one walk over dy. With g = dy at each window's winner and c = w . x(place) there,
// and the gradient of the convolution's output scale * g + slope * c + offset as in kernels/batch_norm_backward.cpp:
//   dbeta = sum g, S = sum g * x(winner), dgamma = (w . S - mean * dbeta) / deviation,
//   dw = scale * S + slope * (sum x x') w + offset * sum x.
#include <algorithm>

#include "kernels/first_block_patch.h"
#include "kernels/parallel.h"
#include "kernels/vectorise.h"

namespace xrai::kernels::cpu {
namespace {

constexpr std::int64_t kTaps = kFirstBlockTaps, kSums = kFirstBlockTaps + 1;

// The sixteen values that a window's four convolutions see, from which each lane picks one.
template <class V>
struct SeenValues;
template <>
struct SeenValues<Float16> {
  Float16 all;
  XRAI_INLINE SeenValues(const PaddedRows& rows, std::int64_t left) {
    for (int r = 0; r < 4; ++r)
      for (int c = 0; c < 4; ++c) all[4 * r + c] = rows.row(r)[left + c];
  }
  [[nodiscard]] XRAI_INLINE Float16 pick(Index<Float16> which) const { return __builtin_shuffle(all, which); }
};
template <>
struct SeenValues<Float8> {
  Float8 upper, lower;
  XRAI_INLINE SeenValues(const PaddedRows& rows, std::int64_t left)
      : upper(two(rows.row(0) + left, rows.row(1) + left)), lower(two(rows.row(2) + left, rows.row(3) + left)) {}
  [[nodiscard]] XRAI_INLINE Float8 pick(Index<Float8> which) const { return __builtin_shuffle(upper, lower, which); }

 private:
  XRAI_INLINE static Float8 two(const float* above, const float* below) {
    return __builtin_shufflevector(load<Float4>(above), load<Float4>(below), 0, 1, 2, 3, 4, 5, 6, 7);
  }
};

// Adds a row of windows' sums of a vector of filters to `sums` (kSums, filters): S by taps, then the sum of g.
template <class V>
XRAI_INLINE void row_sums(const FirstBlockBackwardArguments& arg, const PaddedRows& rows, std::int64_t at,
                          double* sums) {
  const std::int64_t filters = arg.forward.shape.filters;
  V taps[kTaps] = {}, total{};
  for (std::int64_t window = 0; window < arg.forward.shape.width / 2; ++window) {
    const std::int64_t here = at + window * filters;
    const Index<V> winner = load_index<V>(arg.forward.winner + here);
    const V g = winner < 4 ? load<V>(arg.dy + here) : V{};
    total += g;
    // Each filter picks the nine values of its winner.
    const SeenValues<V> seen(rows, 2 * window);
    const Index<V> corner = (winner & 1) + ((winner & 2) << 1);
    for (int k = 0; k < kTaps; ++k) taps[k] += g * seen.pick(corner + (4 * (k / 3) + k % 3));
  }
  for (std::int64_t k = 0; k < kSums; ++k)
    for (std::int64_t lane = 0; lane < kLanes<V>; ++lane)
      sums[k * filters + lane] += k < kTaps ? taps[k][lane] : total[lane];
}

template <class V>
XRAI_INLINE void all_filter_sums(const FirstBlockBackwardArguments& arg, const PaddedRows& rows, std::int64_t at,
                                 double* sums) {
  for (std::int64_t filter = 0; filter < arg.forward.shape.filters; filter += kLanes<V>)
    row_sums<V>(arg, rows, at + filter, sums + filter);
}

XRAI_VECTORISE void all_row_sums(const FirstBlockBackwardArguments& arg, const PaddedRows& rows, std::int64_t at,
                                 double* sums) {
  if (sixteen_lanes()) return all_filter_sums<Float16>(arg, rows, at, sums);
  all_filter_sums<Float8>(arg, rows, at, sums);
}

void write_gradients(const FirstBlockBackwardArguments& arg, const double* sums, std::int64_t f) {
  const FirstBlockArguments& forward = arg.forward;
  const FirstBlockShape& s = forward.shape;
  const double count = static_cast<double>(s.n * s.height * s.width), mean = forward.mean[f];
  const double inverse = forward.inverse_deviation[f], scale = forward.gamma[f] * inverse;
  const double* products = arg.moments + kTaps;
  const float* w = forward.weights + f * kTaps;
  const double sum_g = sums[kTaps * s.filters + f];
  double sum_g_c = 0;
  for (std::int64_t k = 0; k < kTaps; ++k) sum_g_c += w[k] * sums[k * s.filters + f];
  const double sum_g_xhat = (sum_g_c - mean * sum_g) * inverse;
  const double slope = -scale * inverse * sum_g_xhat / count, offset = -scale * sum_g / count - mean * slope;
  for (std::int64_t k = 0; k < kTaps; ++k) {
    double sum_c_x = 0;
    for (std::int64_t l = 0; l < kTaps; ++l) sum_c_x += w[l] * products[k * kTaps + l];
    arg.dweights[f * kTaps + k] =
        static_cast<float>(scale * sums[k * s.filters + f] + slope * sum_c_x + offset * arg.moments[k]);
  }
  arg.dgamma[f] = static_cast<float>(sum_g_xhat);
  arg.dbeta[f] = static_cast<float>(sum_g);
}

}  // namespace

void first_block_backward(const FirstBlockBackwardArguments& arg) {
  const FirstBlockShape& s = arg.forward.shape;
  const std::int64_t rows_per_image = s.height / 2, size = kSums * s.filters;
  parallel_for(s.n, [&](std::int64_t begin, std::int64_t end) {
    PaddedRows rows(s.width);
    for (std::int64_t image = begin; image < end; ++image) {
      double* sums = arg.workspace + image * size;
      std::fill_n(sums, size, 0.0);
      for (std::int64_t r = image * rows_per_image; r < (image + 1) * rows_per_image; ++r) {
        rows.read(arg.forward.x, s, r);
        all_row_sums(arg, rows, r * (s.width / 2) * s.filters, sums);
      }
    }
  });
  for (std::int64_t image = 1; image < s.n; ++image)
    for (std::int64_t i = 0; i < size; ++i) arg.workspace[i] += arg.workspace[image * size + i];
  for (std::int64_t f = 0; f < s.filters; ++f) write_gradients(arg, arg.workspace, f);
}

}  // namespace xrai::kernels::cpu
