// Forward: statistics and results of the first block. See kernels/first_block.h for the idea.
#include "kernels/first_block.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/first_block_patch.h"
#include "kernels/parallel.h"
#include "kernels/vectorise.h"

namespace xrai::kernels {

std::int64_t first_block_workspace_doubles(const FirstBlockShape& s) {
  return s.n * std::max(kFirstBlockMoments, (kFirstBlockTaps + 1) * s.filters);
}

namespace cpu {
namespace {

constexpr std::int64_t kTaps = kFirstBlockTaps;

typedef double Double8 __attribute__((vector_size(64)));
typedef double Double8Loose __attribute__((vector_size(64), aligned(8), may_alias));

// ---- statistics -----------------------------------------------------------------------------------------------------

// Three rows of a picture, widened to double, with a zero on each side and zeros up to a whole number of vectors
// behind; rows outside of the picture are zero.
class WideRows {
 public:
  explicit WideRows(std::int64_t width)
      : steps_((width + 7) / 8), stride_(8 * steps_ + 2), values_(static_cast<std::size_t>(3 * stride_)) {}
  void read(const float* picture, std::int64_t height, std::int64_t width, std::int64_t row) {
    std::fill(values_.begin(), values_.end(), 0.0);
    for (std::int64_t r = 0; r < 3; ++r) {
      const std::int64_t from = row + r - 1;
      if (from >= 0 && from < height) std::copy_n(picture + from * width, width, values_.data() + r * stride_ + 1);
    }
  }
  [[nodiscard]] const double* row(std::int64_t r) const { return values_.data() + r * stride_; }
  [[nodiscard]] std::int64_t steps() const { return steps_; }

 private:
  std::int64_t steps_, stride_;
  std::vector<double> values_;
};

XRAI_INLINE Double8 eight(const double* p) {
  return *reinterpret_cast<const Double8Loose*>(p);
}
XRAI_INLINE const double* tap_of(const WideRows& rows, std::int64_t tap, std::int64_t step) {
  return rows.row(tap / 3) + tap % 3 + 8 * step;
}

// Adds one row's products of every tap with tap `k` and those behind it to `products` (taps). What lies behind the
// row's end is masked by the tap in the middle being no place: its `inside` is zero.
template <std::int64_t k>
XRAI_INLINE void tap_products(const WideRows& rows, const double* inside, double* products) {
  Double8 sums[kTaps + 1 - k] = {};
  for (std::int64_t step = 0; step < rows.steps(); ++step) {
    const Double8 first = eight(tap_of(rows, k, step)) * eight(inside + 8 * step);
    sums[kTaps - k] += first;
    for (std::int64_t other = k; other < kTaps; ++other) sums[other - k] += first * eight(tap_of(rows, other, step));
  }
  for (std::int64_t i = 0; i < kTaps + 1 - k; ++i) {
    double total = 0;
    for (int lane = 0; lane < 8; ++lane) total += sums[i][lane];
    products[i] += total;
  }
}

struct Moments {
  double sums[kTaps] = {}, products[kTaps][kTaps] = {};
};

template <std::int64_t k>
XRAI_INLINE void add_tap(const WideRows& rows, const double* inside, Moments& moments) {
  double products[kTaps + 1 - k] = {};
  tap_products<k>(rows, inside, products);
  for (std::int64_t other = k; other < kTaps; ++other) moments.products[k][other] += products[other - k];
  moments.sums[k] += products[kTaps - k];
}

XRAI_VECTORISE void add_row(const WideRows& rows, const double* inside, Moments& m) {
  add_tap<0>(rows, inside, m), add_tap<1>(rows, inside, m), add_tap<2>(rows, inside, m);
  add_tap<3>(rows, inside, m), add_tap<4>(rows, inside, m), add_tap<5>(rows, inside, m);
  add_tap<6>(rows, inside, m), add_tap<7>(rows, inside, m), add_tap<8>(rows, inside, m);
}

void picture_moments(const FirstBlockStatisticsArguments& arg, std::int64_t image, double* out) {
  const FirstBlockShape& s = arg.shape;
  WideRows rows(s.width);
  std::vector<double> inside(static_cast<std::size_t>(8 * rows.steps()), 0.0);
  std::fill_n(inside.begin(), s.width, 1.0);
  Moments moments;
  for (std::int64_t row = 0; row < s.height; ++row) {
    rows.read(arg.x + image * s.height * s.width, s.height, s.width, row);
    add_row(rows, inside.data(), moments);
  }
  std::copy_n(moments.sums, kTaps, out);
  for (std::int64_t k = 0; k < kTaps; ++k)
    for (std::int64_t other = 0; other < kTaps; ++other)
      out[kTaps + k * kTaps + other] = moments.products[std::min(k, other)][std::max(k, other)];
}

// mean = w . E[x], variance = w' Cov(x) w.
void filter_statistics(const FirstBlockStatisticsArguments& arg, std::int64_t filter) {
  const double count = static_cast<double>(arg.shape.n * arg.shape.height * arg.shape.width);
  const float* w = arg.weights + filter * kTaps;
  const double* products = arg.moments + kTaps;
  double mean = 0, variance = 0;
  for (std::int64_t k = 0; k < kTaps; ++k) mean += w[k] * (arg.moments[k] / count);
  for (std::int64_t k = 0; k < kTaps; ++k)
    for (std::int64_t l = 0; l < kTaps; ++l) {
      const double covariance = products[k * kTaps + l] / count - arg.moments[k] / count * (arg.moments[l] / count);
      variance += static_cast<double>(w[k]) * w[l] * covariance;
    }
  variance = std::max(variance, 0.0);  // a constant batch may come out a rounding below
  arg.mean[filter] = static_cast<float>(mean);
  arg.inverse_deviation[filter] = static_cast<float>(1.0 / std::sqrt(variance + arg.epsilon));
  if (arg.running_mean == nullptr || count < 2) return;
  const double keep = 1.0 - arg.momentum, unbiased = variance * count / (count - 1);
  arg.running_mean[filter] = static_cast<float>(keep * arg.running_mean[filter] + arg.momentum * mean);
  arg.running_variance[filter] = static_cast<float>(keep * arg.running_variance[filter] + arg.momentum * unbiased);
}

// ---- forward --------------------------------------------------------------------------------------------------------

// Weights scaled by the normalisation and, behind the taps, what is added: (filters / 16, taps + 1, 16).
constexpr std::int64_t kScaled = 16 * (kTaps + 1);

std::vector<float> scaled_filters(const FirstBlockArguments& arg) {
  std::vector<float> scaled(static_cast<std::size_t>((kTaps + 1) * arg.shape.filters));
  for (std::int64_t f = 0; f < arg.shape.filters; ++f) {
    float* lane = scaled.data() + f / 16 * kScaled + f % 16;
    const float scale = arg.gamma[f] * arg.inverse_deviation[f];
    for (std::int64_t k = 0; k < kTaps; ++k) lane[16 * k] = arg.weights[f * kTaps + k] * scale;
    lane[16 * kTaps] = arg.beta[f] - arg.mean[f] * scale;
  }
  return scaled;
}

template <bool kWinner>
XRAI_INLINE void window_row(const FirstBlockArguments& arg, const PaddedRows& rows, const float* scaled,
                            std::int64_t at) {
  Float16 weights[kTaps];
  for (int k = 0; k < kTaps; ++k) weights[k] = load<Float16>(scaled + 16 * k);
  const Float16 shift = load<Float16>(scaled + 16 * kTaps);
  for (std::int64_t window = 0; window < arg.shape.width / 2; ++window) {
    const float* patch[4];
    for (int r = 0; r < 4; ++r) patch[r] = rows.row(r) + 2 * window;
    Float16 best{};
    Int16 winner = Int16{} + 4;
    for (int place = 0; place < 4; ++place) {
      Float16 v = shift;
      for (int k = 0; k < kTaps; ++k) v += patch[place / 2 + k / 3][place % 2 + k % 3] * weights[k];
      // The first of equals wins, as in PyTorch; zero is where ReLU begins, so what is not above it never wins. A NaN
      // does, so that nobody goes on with it unnoticed.
      winner = v <= best ? winner : Int16{} + place;
      best = v <= best ? best : v;
    }
    const std::int64_t out = at + window * arg.shape.filters;
    store<Float16>(arg.y + out, best);
    if constexpr (kWinner) store_index<Float16>(arg.winner + out, winner);
  }
}

XRAI_VECTORISE void any_row(const FirstBlockArguments& arg, const PaddedRows& rows, const float* scaled,
                            std::int64_t at) {
  for (std::int64_t filter = 0; filter < arg.shape.filters; filter += 16) {
    if (arg.winner != nullptr)
      window_row<true>(arg, rows, scaled + filter / 16 * kScaled, at + filter);
    else
      window_row<false>(arg, rows, scaled + filter / 16 * kScaled, at + filter);
  }
}

}  // namespace

void first_block_statistics(const FirstBlockStatisticsArguments& arg) {
  parallel_for(arg.shape.n, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t image = begin; image < end; ++image)
      picture_moments(arg, image, arg.workspace + image * kFirstBlockMoments);
  });
  std::fill_n(arg.moments, kFirstBlockMoments, 0.0);
  for (std::int64_t image = 0; image < arg.shape.n; ++image)
    for (std::int64_t i = 0; i < kFirstBlockMoments; ++i)
      arg.moments[i] += arg.workspace[image * kFirstBlockMoments + i];
  for (std::int64_t filter = 0; filter < arg.shape.filters; ++filter) filter_statistics(arg, filter);
}

void first_block(const FirstBlockArguments& arg) {
  const FirstBlockShape& s = arg.shape;
  const std::vector<float> scaled = scaled_filters(arg);
  parallel_for(s.n * (s.height / 2), [&](std::int64_t begin, std::int64_t end) {
    PaddedRows rows(s.width);
    for (std::int64_t r = begin; r < end; ++r) {
      rows.read(arg.x, s, r);
      any_row(arg, rows, scaled.data(), r * (s.width / 2) * s.filters);
    }
  });
}

}  // namespace cpu
}  // namespace xrai::kernels
