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

// Adds a row of windows' sums of sixteen filters to `sums` (kSums, filters): S by taps, then the sum of g.
XRAI_INLINE void row_sums(const FirstBlockBackwardArguments& arg, const PaddedRows& rows, std::int64_t at,
                          double* sums) {
  const std::int64_t filters = arg.forward.shape.filters;
  Float16 taps[kTaps] = {}, total{};
  for (std::int64_t window = 0; window < arg.forward.shape.width / 2; ++window) {
    const std::int64_t here = at + window * filters;
    const Int16 winner = load_index<Float16>(arg.forward.winner + here);
    const Float16 g = winner < 4 ? load<Float16>(arg.dy + here) : Float16{};
    total += g;
    // Sixteen values are all that the window's four convolutions see: each filter picks the nine of its winner.
    Float16 patch;
    for (int r = 0; r < 4; ++r)
      for (int c = 0; c < 4; ++c) patch[4 * r + c] = rows.row(r)[2 * window + c];
    const Int16 corner = (winner & 1) + ((winner & 2) << 1);
    for (int k = 0; k < kTaps; ++k) taps[k] += g * __builtin_shuffle(patch, corner + (4 * (k / 3) + k % 3));
  }
  for (std::int64_t k = 0; k < kSums; ++k)
    for (int lane = 0; lane < 16; ++lane) sums[k * filters + lane] += k < kTaps ? taps[k][lane] : total[lane];
}

XRAI_VECTORISE void all_row_sums(const FirstBlockBackwardArguments& arg, const PaddedRows& rows, std::int64_t at,
                                 double* sums) {
  for (std::int64_t filter = 0; filter < arg.forward.shape.filters; filter += 16)
    row_sums(arg, rows, at + filter, sums + filter);
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
