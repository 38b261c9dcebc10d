// Gradients of batch normalisation and what follows it. With g = dy where the ReLU let through (and, with pooling, at
// the window's winner only), m positions and xhat = (x - mean) / deviation:
//   dbeta = sum g, dgamma = sum g * xhat, dx = gamma / deviation * (g - dbeta / m - xhat * dgamma / m).
#include <algorithm>

#include "kernels/activations.h"
#include "kernels/batch_norm.h"
#include "kernels/parallel.h"
#include "kernels/vector16.h"
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

template <class V>
XRAI_INLINE void plain_sums(const BatchNormBackwardArguments& arg, std::int64_t c, std::int64_t begin, std::int64_t end,
                            double* sums) {
  const BatchNormArguments& f = arg.forward;
  const V mean = load<V>(f.mean + c), inverse = load<V>(f.inverse_deviation + c);
  V sum_g{}, sum_g_xhat{};
  for (std::int64_t p = begin; p < end; ++p) {
    const std::int64_t at = p * f.shape.channels + c;
    const V g = gate(load<V>(floats(arg.dy) + at), load<V>(floats(f.y) + at), f.relu);
    sum_g += g;
    sum_g_xhat += g * ((load<V>(floats(f.x) + at) - mean) * inverse);
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

template <class V>
XRAI_INLINE void pooled_sums(const BatchNormBackwardArguments& arg, std::int64_t c, std::int64_t r, double* sums) {
  const BatchNormArguments& f = arg.forward;
  const std::int64_t channels = f.shape.channels;
  const WindowRow row = window_row(f, r);
  const V mean = load<V>(f.mean + c), inverse = load<V>(f.inverse_deviation + c);
  V sum_g{}, sum_g_xhat{};
  for (std::int64_t window = 0; window < f.shape.width / 2; ++window) {
    const std::int64_t at = row.out + window * channels + c, left = 2 * window * channels + c;
    const V g = gate(load<V>(floats(arg.dy) + at), load<V>(floats(f.y) + at), f.relu);
    const Index<V> winner = load_index<V>(f.winner + at);
    V x = load<V>(row.top + left);
    x = winner == 1 ? load<V>(row.top + left + channels) : x;
    x = winner == 2 ? load<V>(row.bottom + left) : x;
    x = winner == 3 ? load<V>(row.bottom + left + channels) : x;
    sum_g += g;
    sum_g_xhat += g * ((x - mean) * inverse);
  }
  keep_sums(sum_g, sum_g_xhat, sums + c, channels);
}

template <class V>
XRAI_INLINE void row_sums(const BatchNormBackwardArguments& arg, const Rows& rows, std::int64_t r, std::int64_t c) {
  double* sums = arg.workspace + r * 2 * arg.forward.shape.channels;
  if (arg.forward.pool) return pooled_sums<V>(arg, c, r, sums);
  const std::int64_t first = r * rows.positions;
  plain_sums<V>(arg, c, first, std::min(first + rows.positions, arg.forward.shape.positions()), sums);
}

XRAI_VECTORISE void sums_range(const BatchNormBackwardArguments& arg, const Rows& rows, std::int64_t begin,
                               std::int64_t end) {
  const std::int64_t channels = arg.forward.shape.channels;
  for (std::int64_t r = begin; r < end; ++r) {
    std::int64_t c = 0;
    for (; c + 16 <= channels; c += 16) row_sums<Float16>(arg, rows, r, c);
    for (; c < channels; ++c) row_sums<float>(arg, rows, r, c);
  }
}

XRAI_VECTORISE void add_rows(const double* sums, std::int64_t rows, std::int64_t stride, std::int64_t begin,
                             std::int64_t end, double* total) {
  for (std::int64_t i = begin; i < end; ++i) total[i] = 0;
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t i = begin; i < end; ++i) total[i] += sums[r * stride + i];
}

// dx = scale * g + slope * x + offset for one group of channels.
template <class V>
struct Gradient {
  V scale, slope, offset;
};

template <class V>
XRAI_INLINE Gradient<V> gradient_of(const BatchNormBackwardArguments& arg, std::int64_t c) {
  const BatchNormArguments& f = arg.forward;
  const float share = 1.0f / static_cast<float>(f.shape.positions());
  const V inverse = load<V>(f.inverse_deviation + c), scale = load<V>(f.gamma + c) * inverse;
  const V mean_g = load<V>(arg.dbeta + c) * share, mean_g_xhat = load<V>(arg.dgamma + c) * share;
  const V slope = -(inverse * scale * mean_g_xhat);
  return {scale, slope, -(scale * mean_g) - load<V>(f.mean + c) * slope};
}

template <class V>
XRAI_INLINE void plain_dx(const BatchNormBackwardArguments& arg, std::int64_t c, std::int64_t begin, std::int64_t end) {
  const BatchNormArguments& f = arg.forward;
  const Gradient<V> k = gradient_of<V>(arg, c);
  for (std::int64_t p = begin; p < end; ++p) {
    const std::int64_t at = p * f.shape.channels + c;
    const V g = gate(load<V>(floats(arg.dy) + at), load<V>(floats(f.y) + at), f.relu);
    if (arg.dx != nullptr)
      store<V>(floats(arg.dx) + at, k.scale * g + (k.slope * load<V>(floats(f.x) + at) + k.offset));
    if (arg.dresidual != nullptr) store<V>(floats(arg.dresidual) + at, g);
  }
}

XRAI_VECTORISE void plain_dx_range(const BatchNormBackwardArguments& arg, std::int64_t begin, std::int64_t end) {
  constexpr std::int64_t kGroup = 32;
  const std::int64_t channels = arg.forward.shape.channels;
  for (std::int64_t p = begin; p < end; p += kGroup) {
    const std::int64_t stop = std::min(p + kGroup, end);
    std::int64_t c = 0;
    for (; c + 16 <= channels; c += 16) plain_dx<Float16>(arg, c, p, stop);
    for (; c < channels; ++c) plain_dx<float>(arg, c, p, stop);
  }
}

template <class V>
XRAI_INLINE void window_dx(const BatchNormBackwardArguments& arg, const WindowRow& row, std::int64_t window,
                           std::int64_t c) {
  const BatchNormArguments& f = arg.forward;
  const std::int64_t channels = f.shape.channels, at = row.out + window * channels + c;
  const Gradient<V> k = gradient_of<V>(arg, c);
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
XRAI_INLINE void uncovered_dx(const BatchNormBackwardArguments& arg, std::int64_t c, std::int64_t begin,
                              std::int64_t end) {
  const Gradient<V> k = gradient_of<V>(arg, c);
  for (std::int64_t p = begin; p < end; ++p) {
    const std::int64_t at = p * arg.forward.shape.channels + c;
    store<V>(floats(arg.dx) + at, k.slope * load<V>(floats(arg.forward.x) + at) + k.offset);
  }
}

XRAI_INLINE void uncovered_positions(const BatchNormBackwardArguments& arg, std::int64_t begin, std::int64_t end) {
  std::int64_t c = 0;
  for (; c + 16 <= arg.forward.shape.channels; c += 16) uncovered_dx<Float16>(arg, c, begin, end);
  for (; c < arg.forward.shape.channels; ++c) uncovered_dx<float>(arg, c, begin, end);
}

XRAI_VECTORISE void pooled_dx_range(const BatchNormBackwardArguments& arg, std::int64_t begin, std::int64_t end) {
  const BatchNormArguments& f = arg.forward;
  const BatchNormShape& s = f.shape;
  for (std::int64_t r = begin; r < end; ++r) {
    const WindowRow row = window_row(f, r);
    for (std::int64_t window = 0; window < s.width / 2; ++window) {
      std::int64_t c = 0;
      for (; c + 16 <= s.channels; c += 16) window_dx<Float16>(arg, row, window, c);
      for (; c < s.channels; ++c) window_dx<float>(arg, row, window, c);
    }
    const std::int64_t top = (row.top - floats(f.x)) / s.channels;
    if (s.width % 2 != 0) {
      uncovered_positions(arg, top + s.width - 1, top + s.width);
      uncovered_positions(arg, top + 2 * s.width - 1, top + 2 * s.width);
    }
    const bool last_of_image = r % (s.height / 2) == s.height / 2 - 1;
    if (last_of_image && s.height % 2 != 0) uncovered_positions(arg, top + 2 * s.width, top + 3 * s.width);
  }
}

}  // namespace

void batch_norm_backward(const BatchNormBackwardArguments& arg) {
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
  if (arg.dx == nullptr && arg.dresidual == nullptr) return;
  if (arg.forward.pool)
    parallel_for(rows.count, [&](std::int64_t begin, std::int64_t end) { pooled_dx_range(arg, begin, end); });
  else
    parallel_for(arg.forward.shape.positions(),
                 [&](std::int64_t begin, std::int64_t end) { plain_dx_range(arg, begin, end); });
}

}  // namespace xrai::kernels::cpu
