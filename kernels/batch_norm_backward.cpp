// Gradients of batch normalisation and what follows it. With g = dy where the ReLU let through (and, with pooling, at
// the window's winner only), m positions and xhat = (x - mean) / deviation:
//   dbeta = sum g, dgamma = sum g * xhat, dx = gamma / deviation * (g - dbeta / m - xhat * dgamma / m).
#include <algorithm>
#include <cmath>

#include "kernels/activations.h"
#include "kernels/batch_norm.h"
#include "kernels/lanes.h"
#include "kernels/parallel.h"
#include "kernels/vectorise.h"

namespace xrai::kernels::cpu {
namespace {

// Rows over which sums are kept in float before they go to double: rows of windows, or runs of positions.
struct Rows {
  std::int64_t count, positions;  // `positions` per row (the last one may be shorter without pooling)
};

Rows rows_of(const BatchNormArguments& arg) {
  const BatchNormShape& s = arg.shape;
  if (arg.pool) return {s.n * (s.height / 2), s.width / 2};
  const std::int64_t per_row = std::max<std::int64_t>(1, 8192 / s.channels);
  return {(s.positions() + per_row - 1) / per_row, per_row};
}

template <class V>
XRAI_INLINE V gate(V gradient, V y, bool relu) {
  return relu ? (y > V{} ? gradient : V{}) : gradient;
}

template <class V>
XRAI_INLINE void keep_sums(V sum_g, V sum_g_xhat, double* sums, std::int64_t channels) {
  float g[kLanes<V>], g_xhat[kLanes<V>];
  store<V>(g, sum_g);
  store<V>(g_xhat, sum_g_xhat);
  for (std::int64_t lane = 0; lane < kLanes<V>; ++lane) {
    sums[lane] = g[lane];
    sums[channels + lane] = g_xhat[lane];
  }
}

// What sums need of xhat at a window's winner. Where a ReLU let through, y = gamma * xhat + beta tells it for a few
// roundings more, unless beta or the mean are many times what they are added to; then x, the largest tensor here, need
// not be read.
template <class V>
struct Normalised {
  bool from_y;
  V shift, scale;
};

template <class V>
XRAI_INLINE Normalised<V> normalised_of(const BatchNormArguments& f, std::int64_t c) {
  constexpr float kTimes = 4;
  bool from_y = f.relu;
  for (std::int64_t lane = c; lane < c + kLanes<V>; ++lane)
    from_y = from_y && std::abs(f.beta[lane]) <= kTimes * std::abs(f.gamma[lane]) && f.gamma[lane] != 0.0f &&
             std::abs(f.mean[lane] * f.inverse_deviation[lane]) <= kTimes;
  if (from_y) return {true, load<V>(f.beta + c), 1.0f / load<V>(f.gamma + c)};
  return {false, load<V>(f.mean + c), load<V>(f.inverse_deviation + c)};
}

// Without pooling: what tells whether the ReLU let through. Without a residual it is computed from x as forward did,
// since x is read anyway.
enum class Gating { kNone, kByX, kByY };

Gating gating_of(const BatchNormArguments& f) {
  if (!f.relu) return Gating::kNone;
  return f.residual == nullptr ? Gating::kByX : Gating::kByY;
}

template <class V, Gating kGating>
class Gate {
 public:
  XRAI_INLINE Gate(const BatchNormArguments& f, std::int64_t c) : y_(floats(f.y)) {
    if constexpr (kGating == Gating::kByX) {
      scale_ = load<V>(f.gamma + c) * load<V>(f.inverse_deviation + c);
      shift_ = load<V>(f.beta + c) - load<V>(f.mean + c) * scale_;
    }
  }
  XRAI_INLINE V of(V gradient, V x, std::int64_t at) const {
    if constexpr (kGating == Gating::kByX) return gate(gradient, x * scale_ + shift_, true);
    if constexpr (kGating == Gating::kByY) return gate(gradient, load<V>(y_ + at), true);
    return gradient;
  }

 private:
  const float* y_;
  V scale_{}, shift_{};
};

template <class V, Gating kGating>
XRAI_INLINE void plain_sums(const BatchNormBackwardArguments& arg, std::int64_t c, std::int64_t begin, std::int64_t end,
                            double* sums) {
  const BatchNormArguments& f = arg.forward;
  const Gate<V, kGating> gate(f, c);
  const V mean = load<V>(f.mean + c), inverse = load<V>(f.inverse_deviation + c);
  V sum_g{}, sum_g_xhat{};
  for (std::int64_t p = begin; p < end; ++p) {
    const std::int64_t at = p * f.shape.channels + c;
    const V x = load<V>(floats(f.x) + at), g = gate.of(load<V>(floats(arg.dy) + at), x, at);
    sum_g += g;
    sum_g_xhat += g * ((x - mean) * inverse);
  }
  keep_sums(sum_g, sum_g_xhat, sums + c, f.shape.channels);
}

// Where row `r` of windows starts in x (top and bottom) and in y, in elements.
struct WindowRow {
  const float *top, *bottom;
  std::int64_t out;
};

XRAI_INLINE WindowRow window_row(const BatchNormArguments& f, std::int64_t r) {
  const std::int64_t rows = f.shape.height / 2, stride = f.shape.width * f.shape.channels;
  const float* top = floats(f.x) + ((r / rows) * f.shape.height + 2 * (r % rows)) * stride;
  return {top, top + stride, r * (f.shape.width / 2) * f.shape.channels};
}

// x of a window's winner.
template <class V>
XRAI_INLINE V won(const BatchNormArguments& f, const WindowRow& row, std::int64_t window, std::int64_t c) {
  const std::int64_t channels = f.shape.channels, left = 2 * window * channels + c;
  const Index<V> winner = load_index<V>(f.winner + row.out + window * channels + c);
  V x = load<V>(row.top + left);
  x = winner == 1 ? load<V>(row.top + left + channels) : x;
  x = winner == 2 ? load<V>(row.bottom + left) : x;
  return winner == 3 ? load<V>(row.bottom + left + channels) : x;
}

template <class V, bool kFromY>
XRAI_INLINE void pooled_sums(const BatchNormBackwardArguments& arg, const Normalised<V>& n, std::int64_t c,
                             std::int64_t r, double* sums) {
  const BatchNormArguments& f = arg.forward;
  const WindowRow row = window_row(f, r);
  V sum_g{}, sum_g_xhat{};
  for (std::int64_t window = 0; window < f.shape.width / 2; ++window) {
    const std::int64_t at = row.out + window * f.shape.channels + c;
    const V y = load<V>(floats(f.y) + at), g = gate(load<V>(floats(arg.dy) + at), y, f.relu);
    V from = y;
    if constexpr (!kFromY) from = won<V>(f, row, window, c);
    sum_g += g;
    sum_g_xhat += g * ((from - n.shift) * n.scale);
  }
  keep_sums(sum_g, sum_g_xhat, sums + c, f.shape.channels);
}

template <class V>
XRAI_INLINE void pooled_row_sums(const BatchNormBackwardArguments& arg, std::int64_t r, std::int64_t c, double* sums) {
  const Normalised<V> n = normalised_of<V>(arg.forward, c);
  if (n.from_y)
    pooled_sums<V, true>(arg, n, c, r, sums);
  else
    pooled_sums<V, false>(arg, n, c, r, sums);
}

template <class V>
XRAI_INLINE void row_sums(const BatchNormBackwardArguments& arg, const Rows& rows, std::int64_t r, std::int64_t c) {
  double* sums = arg.workspace + r * 2 * arg.forward.shape.channels;
  if (arg.forward.pool) return pooled_row_sums<V>(arg, r, c, sums);
  const std::int64_t first = r * rows.positions;
  const std::int64_t end = std::min(first + rows.positions, arg.forward.shape.positions());
  const Gating gating = gating_of(arg.forward);
  if (gating == Gating::kNone) return plain_sums<V, Gating::kNone>(arg, c, first, end, sums);
  if (gating == Gating::kByX) return plain_sums<V, Gating::kByX>(arg, c, first, end, sums);
  plain_sums<V, Gating::kByY>(arg, c, first, end, sums);
}

template <class V>
XRAI_INLINE void all_sums(const BatchNormBackwardArguments& arg, const Rows& rows, std::int64_t begin,
                          std::int64_t end) {
  const std::int64_t channels = arg.forward.shape.channels;
  for (std::int64_t r = begin; r < end; ++r) {
    std::int64_t c = 0;
    for (; c + kLanes<V> <= channels; c += kLanes<V>) row_sums<V>(arg, rows, r, c);
    for (; c < channels; ++c) row_sums<float>(arg, rows, r, c);
  }
}

XRAI_VECTORISE void sums_range(const BatchNormBackwardArguments& arg, const Rows& rows, std::int64_t begin,
                               std::int64_t end) {
  if (sixteen_lanes()) return all_sums<Float16>(arg, rows, begin, end);
  all_sums<Float8>(arg, rows, begin, end);
}

XRAI_VECTORISE void add_rows(const double* sums, std::int64_t rows, std::int64_t stride, std::int64_t begin,
                             std::int64_t end, double* total) {
  for (std::int64_t i = begin; i < end; ++i) total[i] = 0;
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t i = begin; i < end; ++i) total[i] += sums[r * stride + i];
}

// dx = scale * g + slope * x + offset for one group of channels. `share`: 1 / positions of the whole batch.
template <class V>
struct Gradient {
  V scale, slope, offset;
};

template <class V>
XRAI_INLINE Gradient<V> gradient_of(const BatchNormBackwardArguments& arg, float share, std::int64_t c) {
  const BatchNormArguments& f = arg.forward;
  const V inverse = load<V>(f.inverse_deviation + c), scale = load<V>(f.gamma + c) * inverse;
  const V mean_g = load<V>(arg.dbeta + c) * share, mean_g_xhat = load<V>(arg.dgamma + c) * share;
  const V slope = -(inverse * scale * mean_g_xhat);
  return {scale, slope, -(scale * mean_g) - load<V>(f.mean + c) * slope};
}

template <class V, Gating kGating>
XRAI_INLINE void plain_dx(const BatchNormBackwardArguments& arg, float share, std::int64_t c, std::int64_t begin,
                          std::int64_t end) {
  const BatchNormArguments& f = arg.forward;
  const Gradient<V> k = gradient_of<V>(arg, share, c);
  const Gate<V, kGating> gate(f, c);
  for (std::int64_t p = begin; p < end; ++p) {
    const std::int64_t at = p * f.shape.channels + c;
    const V x = load<V>(floats(f.x) + at), g = gate.of(load<V>(floats(arg.dy) + at), x, at);
    if (arg.dx != nullptr) store<V>(floats(arg.dx) + at, k.scale * g + (k.slope * x + k.offset));
    if (arg.dresidual != nullptr) store<V>(floats(arg.dresidual) + at, g);
  }
}

template <class V, Gating kGating>
XRAI_INLINE void plain_dx_positions(const BatchNormBackwardArguments& arg, float share, std::int64_t begin,
                                    std::int64_t end) {
  constexpr std::int64_t kGroup = 32;
  const std::int64_t channels = arg.forward.shape.channels;
  for (std::int64_t p = begin; p < end; p += kGroup) {
    const std::int64_t stop = std::min(p + kGroup, end);
    std::int64_t c = 0;
    for (; c + kLanes<V> <= channels; c += kLanes<V>) plain_dx<V, kGating>(arg, share, c, p, stop);
    for (; c < channels; ++c) plain_dx<float, kGating>(arg, share, c, p, stop);
  }
}

template <class V>
XRAI_INLINE void any_plain_dx(const BatchNormBackwardArguments& arg, float share, std::int64_t begin,
                              std::int64_t end) {
  const Gating gating = gating_of(arg.forward);
  if (gating == Gating::kNone) return plain_dx_positions<V, Gating::kNone>(arg, share, begin, end);
  if (gating == Gating::kByX) return plain_dx_positions<V, Gating::kByX>(arg, share, begin, end);
  plain_dx_positions<V, Gating::kByY>(arg, share, begin, end);
}

XRAI_VECTORISE void plain_dx_range(const BatchNormBackwardArguments& arg, float share, std::int64_t begin,
                                   std::int64_t end) {
  if (sixteen_lanes()) return any_plain_dx<Float16>(arg, share, begin, end);
  any_plain_dx<Float8>(arg, share, begin, end);
}

template <class V>
XRAI_INLINE void window_dx(const BatchNormBackwardArguments& arg, float share, const WindowRow& row,
                           std::int64_t window, std::int64_t c) {
  const BatchNormArguments& f = arg.forward;
  const std::int64_t channels = f.shape.channels, at = row.out + window * channels + c;
  const Gradient<V> k = gradient_of<V>(arg, share, c);
  const V g = k.scale * gate(load<V>(floats(arg.dy) + at), load<V>(floats(f.y) + at), f.relu);
  const Index<V> winner = load_index<V>(f.winner + at);
  const std::int64_t top = (row.top - floats(f.x)) + 2 * window * channels + c, bottom = top + f.shape.width * channels;
  const std::int64_t places[4] = {top, top + channels, bottom, bottom + channels};
  for (int i = 0; i < 4; ++i) {
    const V won = winner == i ? g : V{};
    store<V>(floats(arg.dx) + places[i], won + (k.slope * load<V>(floats(f.x) + places[i]) + k.offset));
  }
}

// Positions that no window covers: the last column of an odd width.
template <class V>
XRAI_INLINE void uncovered_dx(const BatchNormBackwardArguments& arg, float share, std::int64_t c, std::int64_t begin,
                              std::int64_t end) {
  const Gradient<V> k = gradient_of<V>(arg, share, c);
  for (std::int64_t p = begin; p < end; ++p) {
    const std::int64_t at = p * arg.forward.shape.channels + c;
    store<V>(floats(arg.dx) + at, k.slope * load<V>(floats(arg.forward.x) + at) + k.offset);
  }
}

template <class V>
XRAI_INLINE void uncovered_positions(const BatchNormBackwardArguments& arg, float share, std::int64_t begin,
                                     std::int64_t end) {
  std::int64_t c = 0;
  for (; c + kLanes<V> <= arg.forward.shape.channels; c += kLanes<V>) uncovered_dx<V>(arg, share, c, begin, end);
  for (; c < arg.forward.shape.channels; ++c) uncovered_dx<float>(arg, share, c, begin, end);
}

template <class V>
XRAI_INLINE void pooled_dx(const BatchNormBackwardArguments& arg, float share, std::int64_t begin, std::int64_t end) {
  const BatchNormArguments& f = arg.forward;
  const BatchNormShape& s = f.shape;
  for (std::int64_t r = begin; r < end; ++r) {
    const WindowRow row = window_row(f, r);
    for (std::int64_t window = 0; window < s.width / 2; ++window) {
      std::int64_t c = 0;
      for (; c + kLanes<V> <= s.channels; c += kLanes<V>) window_dx<V>(arg, share, row, window, c);
      for (; c < s.channels; ++c) window_dx<float>(arg, share, row, window, c);
    }
    const std::int64_t top = (row.top - floats(f.x)) / s.channels;
    if (s.width % 2 != 0) {
      uncovered_positions<V>(arg, share, top + s.width - 1, top + s.width);
      uncovered_positions<V>(arg, share, top + 2 * s.width - 1, top + 2 * s.width);
    }
    const bool last_of_image = r % (s.height / 2) == s.height / 2 - 1;
    if (last_of_image && s.height % 2 != 0) uncovered_positions<V>(arg, share, top + 2 * s.width, top + 3 * s.width);
  }
}

XRAI_VECTORISE void pooled_dx_range(const BatchNormBackwardArguments& arg, float share, std::int64_t begin,
                                    std::int64_t end) {
  if (sixteen_lanes()) return pooled_dx<Float16>(arg, share, begin, end);
  pooled_dx<Float8>(arg, share, begin, end);
}

// The arguments of some pictures alone. dx is theirs already.
BatchNormBackwardArguments images_of(BatchNormBackwardArguments arg, std::int64_t first, std::int64_t count) {
  BatchNormArguments& f = arg.forward;
  const std::int64_t in = first * f.shape.height * f.shape.width * f.shape.channels;
  const std::int64_t out = f.pool ? first * (f.shape.height / 2) * (f.shape.width / 2) * f.shape.channels : in;
  f.x = floats(f.x) + in, f.y = floats(f.y) + out, arg.dy = floats(arg.dy) + out;
  if (f.winner != nullptr) f.winner += out;
  if (arg.dresidual != nullptr) arg.dresidual = floats(arg.dresidual) + in;
  f.shape.n = count;
  return arg;
}

}  // namespace

void batch_norm_parameter_gradients(const BatchNormBackwardArguments& arg) {
  const Rows rows = rows_of(arg.forward);
  const std::int64_t stride = 2 * arg.forward.shape.channels;
  parallel_for(rows.count, [&](std::int64_t begin, std::int64_t end) { sums_range(arg, rows, begin, end); });

  parallel_for(stride, [&](std::int64_t begin, std::int64_t end) {
    constexpr std::int64_t kTile = 64;
    for (std::int64_t first = begin; first < end; first += kTile) {
      double total[kTile];
      const std::int64_t count = std::min(kTile, end - first);
      add_rows(arg.workspace + first, rows.count, stride, 0, count, total);
      for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t at = first + i, channels = arg.forward.shape.channels;
        (at < channels ? arg.dbeta[at] : arg.dgamma[at - channels]) = static_cast<float>(total[i]);
      }
    }
  });
}

void batch_norm_input_gradients(const BatchNormBackwardArguments& whole, std::int64_t first, std::int64_t count) {
  if (whole.dx == nullptr && whole.dresidual == nullptr) return;
  const float share = 1.0f / static_cast<float>(whole.forward.shape.positions());
  const BatchNormBackwardArguments arg = images_of(whole, first, count);
  if (arg.forward.pool)
    parallel_for(rows_of(arg.forward).count,
                 [&](std::int64_t begin, std::int64_t end) { pooled_dx_range(arg, share, begin, end); });
  else
    parallel_for(arg.forward.shape.positions(),
                 [&](std::int64_t begin, std::int64_t end) { plain_dx_range(arg, share, begin, end); });
}

void batch_norm_backward(const BatchNormBackwardArguments& arg) {
  batch_norm_parameter_gradients(arg);
  batch_norm_input_gradients(arg, 0, arg.forward.shape.n);
}

}  // namespace xrai::kernels::cpu
