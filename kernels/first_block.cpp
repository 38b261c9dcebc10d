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

// The product of two taps, summed over the picture, depends on how far they lie apart, and at the picture's edge on
// where they lie: a tap to the right of the middle never sees the first column. So sums are taken for the thirteen
// distances (the other twelve are these turned round) and for single values, and what a tap does not see is taken off.
constexpr std::int64_t kDistances = 13, kSingle = kDistances, kRowSums = kDistances + 1;
struct Distance {
  std::int64_t down, right;
};
constexpr Distance kDistance[kDistances] = {{0, 0}, {0, 1},  {0, 2},  {1, -2}, {1, -1}, {1, 0}, {1, 1},
                                            {1, 2}, {2, -2}, {2, -1}, {2, 0},  {2, 1},  {2, 2}};
constexpr std::int64_t number_of(std::int64_t down, std::int64_t right) {
  return down == 0 ? right : 5 * down + right;  // {1, -2} is number 3, {2, -2} number 8
}
static_assert(number_of(1, -2) == 3 && number_of(2, 2) == kDistances - 1);

// Three rows of a picture from `row` on, widened to double, with two zeros on each side and zeros up to a whole number
// of vectors; rows below the picture are zero.
class WideRows {
 public:
  explicit WideRows(std::int64_t width)
      : steps_((width + 7) / 8), stride_(8 * steps_ + 4), values_(static_cast<std::size_t>(3 * stride_)) {}
  void read(const float* picture, std::int64_t height, std::int64_t width, std::int64_t row) {
    for (std::int64_t r = 0; r < 3; ++r) {
      double* to = values_.data() + r * stride_ + 2;
      if (row + r < height)
        std::copy_n(picture + (row + r) * width, width, to);
      else
        std::fill_n(to, width, 0.0);
    }
  }
  /// The value in column 0.
  [[nodiscard]] const double* row(std::int64_t r) const { return values_.data() + r * stride_ + 2; }
  [[nodiscard]] std::int64_t steps() const { return steps_; }

 private:
  std::int64_t steps_, stride_;
  std::vector<double> values_;
};

XRAI_INLINE Double8 eight(const double* p) {
  return *reinterpret_cast<const Double8Loose*>(p);
}

// Over one row's columns: all of them, the first, the last.
struct RowSums {
  double all[kRowSums] = {}, first[kRowSums] = {}, last[kRowSums] = {};
};

XRAI_VECTORISE void sum_row(const WideRows& rows, std::int64_t width, RowSums& out) {
  Double8 sums[kRowSums] = {};
  for (std::int64_t step = 0; step < rows.steps(); ++step) {
    const Double8 here = eight(rows.row(0) + 8 * step);
    sums[kSingle] += here;
    for (std::int64_t d = 0; d < kDistances; ++d)
      sums[d] += here * eight(rows.row(kDistance[d].down) + 8 * step + kDistance[d].right);
  }
  const double first = rows.row(0)[0], last = rows.row(0)[width - 1];
  for (std::int64_t d = 0; d < kRowSums; ++d) {
    out.all[d] = 0;
    for (int lane = 0; lane < 8; ++lane) out.all[d] += sums[d][lane];
    const bool single = d == kSingle;
    const double* other = single ? nullptr : rows.row(kDistance[d].down) + kDistance[d].right;
    out.first[d] = single ? first : first * other[0];
    out.last[d] = single ? last : last * other[width - 1];
  }
}

void add(const RowSums& row, RowSums& sums) {
  for (std::int64_t d = 0; d < kRowSums; ++d) {
    sums.all[d] += row.all[d];
    sums.first[d] += row.first[d];
    sums.last[d] += row.last[d];
  }
}

// Tap k in `row`'s columns: those that it sees.
double seen_by(std::int64_t k, const RowSums& row, std::int64_t d) {
  const std::int64_t right = k % 3 - 1;
  return row.all[d] - (right > 0 ? row.first[d] : 0) - (right < 0 ? row.last[d] : 0);
}

void picture_moments(const FirstBlockStatisticsArguments& arg, std::int64_t image, double* out) {
  const FirstBlockShape& s = arg.shape;
  WideRows rows(s.width);
  RowSums whole, top, bottom;
  for (std::int64_t row = 0; row < s.height; ++row) {
    RowSums here;
    rows.read(arg.x + image * s.height * s.width, s.height, s.width, row);
    sum_row(rows, s.width, here);
    add(here, whole);
    if (row == 0) top = here;
    if (row == s.height - 1) bottom = here;
  }
  const auto seen = [&](std::int64_t k, std::int64_t d) {
    const std::int64_t down = k / 3 - 1;
    return seen_by(k, whole, d) - (down > 0 ? seen_by(k, top, d) : 0) - (down < 0 ? seen_by(k, bottom, d) : 0);
  };
  for (std::int64_t k = 0; k < kTaps; ++k) {
    out[k] = seen(k, kSingle);
    for (std::int64_t other = k; other < kTaps; ++other) {
      const double product = seen(k, number_of(other / 3 - k / 3, other % 3 - k % 3));
      out[kTaps + k * kTaps + other] = out[kTaps + other * kTaps + k] = product;
    }
  }
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
  // ReLU and the largest of four mind no positive factor, so steps are counted from the beginning.
  const float per_step = arg.bytes != nullptr ? 1 / arg.step : 1;
  for (std::int64_t f = 0; f < arg.shape.filters; ++f) {
    float* lane = scaled.data() + f / 16 * kScaled + f % 16;
    const float scale = arg.gamma[f] * arg.inverse_deviation[f];
    for (std::int64_t k = 0; k < kTaps; ++k) lane[16 * k] = arg.weights[f * kTaps + k] * scale * per_step;
    lane[16 * kTaps] = (arg.beta[f] - arg.mean[f] * scale) * per_step;
  }
  return scaled;
}

enum class Wanted { kFloats, kFloatsAndWinners, kBytes };

template <class V, Wanted kWanted>
XRAI_INLINE void window_row(const FirstBlockArguments& arg, const PaddedRows& rows, const float* scaled,
                            std::int64_t at) {
  V weights[kTaps];
  for (int k = 0; k < kTaps; ++k) weights[k] = load<V>(scaled + 16 * k);
  const V shift = load<V>(scaled + 16 * kTaps);
  for (std::int64_t window = 0; window < arg.shape.width / 2; ++window) {
    const float* patch[4];
    for (int r = 0; r < 4; ++r) patch[r] = rows.row(r) + 2 * window;
    V best{};
    Index<V> winner = Index<V>{} + 4;
    for (int place = 0; place < 4; ++place) {
      V v = shift;
      for (int k = 0; k < kTaps; ++k) v += patch[place / 2 + k / 3][place % 2 + k % 3] * weights[k];
      // The first of equals wins, as in PyTorch; zero is where ReLU begins, so what is not above it never wins. A NaN
      // does, so that nobody goes on with it unnoticed.
      winner = v <= best ? winner : Index<V>{} + place;
      best = v <= best ? best : v;
    }
    const std::int64_t out = at + window * arg.shape.filters;
    if constexpr (kWanted == Wanted::kBytes) {
      const V most = V{} + 255.0f;
      store_index<V>(arg.bytes + out, __builtin_convertvector((best < most ? best : most) + 0.5f, Index<V>));
    } else {
      store<V>(arg.y + out, best);
    }
    if constexpr (kWanted == Wanted::kFloatsAndWinners) store_index<V>(arg.winner + out, winner);
  }
}

template <class V>
XRAI_INLINE void all_filters(const FirstBlockArguments& arg, const PaddedRows& rows, const float* scaled,
                             std::int64_t at) {
  for (std::int64_t filter = 0; filter < arg.shape.filters; filter += kLanes<V>) {
    const float* own = scaled + filter / 16 * kScaled + filter % 16;
    if (arg.bytes != nullptr)
      window_row<V, Wanted::kBytes>(arg, rows, own, at + filter);
    else if (arg.winner != nullptr)
      window_row<V, Wanted::kFloatsAndWinners>(arg, rows, own, at + filter);
    else
      window_row<V, Wanted::kFloats>(arg, rows, own, at + filter);
  }
}

XRAI_VECTORISE void any_row(const FirstBlockArguments& arg, const PaddedRows& rows, const float* scaled,
                            std::int64_t at) {
  if (sixteen_lanes()) return all_filters<Float16>(arg, rows, scaled, at);
  all_filters<Float8>(arg, rows, scaled, at);
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
