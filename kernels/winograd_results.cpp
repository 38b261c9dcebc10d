// A tile's results are sixteen channels at a time in registers, where the normalisation reaches them.
#include "kernels/winograd_results.h"

#include <algorithm>

#include "kernels/activations.h"
#include "kernels/batch_norm_line.h"
#include "kernels/vectorise.h"
#include "kernels/winograd_transforms.h"

namespace xrai::kernels::winograd {

using cpu::affine;
using cpu::Affine;
using cpu::floats;
using cpu::relu_of;

namespace {

// Where a tile of results lies, and how much of it is inside the map.
struct TilePlace {
  std::int64_t image, top, left, rows, columns;
};

XRAI_INLINE TilePlace place_of(const WinogradShape& s, const Tiles& tiles, std::int64_t tile) {
  const std::int64_t image = tile / tiles.per_image, place = tile % tiles.per_image;
  const std::int64_t top = place / tiles.across * kWinogradTile, left = place % tiles.across * kWinogradTile;
  return {image, top, left, std::min<std::int64_t>(kWinogradTile, s.height - top),
          std::min<std::int64_t>(kWinogradTile, s.width - left)};
}

// A vector of channels of a tile, half of the way back: lines of six for each row of results.
template <class V>
XRAI_INLINE void half_results(const Spectrum& results, std::int64_t tile, std::int64_t c, V (&half)[24]) {
  const float* column = results.frequency(0) + tile * results.channels + c;
  for (int j = 0; j < 6; ++j, column += results.frequency_step) {
    V in[6];
    for (int i = 0; i < 6; ++i) in[i] = load<V>(column + 6 * i * results.frequency_step);
    results_line(in, 1, half + j, 6);
  }
}

template <class V>
XRAI_INLINE void results_of_tiles(const Spectrum& results, const WinogradShape& s, std::int64_t first,
                                  std::int64_t begin, std::int64_t end, float* y) {
  const Tiles tiles = tiles_of(s);
  for (std::int64_t t = begin; t < end; ++t) {
    const TilePlace p = place_of(s, tiles, first + t);
    float* corner = y + ((p.image * s.height + p.top) * s.width + p.left) * s.outputs;
    for (std::int64_t c = 0; c < s.outputs; c += kLanes<V>) {
      V half[24];
      half_results(results, t, c, half);
      for (std::int64_t i = 0; i < p.rows; ++i) {
        V out[4];
        results_line(half + 6 * i, 1, out, 1);
        float* row = corner + i * s.width * s.outputs + c;
        store<V>(row, out[0]);
        if (p.columns > 1) store<V>(row + s.outputs, out[1]);
        if (p.columns > 2) store<V>(row + 2 * s.outputs, out[2]);
        if (p.columns > 3) store<V>(row + 3 * s.outputs, out[3]);
      }
    }
  }
}

template <class V, bool kRelu, bool kResidual>
XRAI_INLINE void normalised_tile(const V (&half)[24], const WinogradShape& s, const TilePlace& p,
                                 const BatchNormArguments& norm, std::int64_t c) {
  const Affine<V> a = affine<V>(norm, c);
  for (std::int64_t i = 0; i < p.rows; ++i) {
    V out[4];
    results_line(half + 6 * i, 1, out, 1);
    const std::int64_t row = ((p.image * s.height + p.top + i) * s.width + p.left) * s.outputs + c;
    for (int j = 0; j < 4; ++j) {
      if (j >= p.columns) continue;
      V v = out[j] * a.scale + a.shift;
      if constexpr (kResidual) v += load<V>(floats(norm.residual) + row + j * s.outputs);
      store<V>(floats(norm.y) + row + j * s.outputs, kRelu ? relu_of(v) : v);
    }
  }
}

// A tile holds whole windows: both begin at even places.
template <class V, bool kRelu>
XRAI_INLINE void pooled_tile(const V (&half)[24], const WinogradShape& s, const TilePlace& p,
                             const BatchNormArguments& norm, std::int64_t c) {
  const Affine<V> a = affine<V>(norm, c);
  for (std::int64_t i = 0; i + 1 < p.rows; i += 2) {
    V rows[2][4];
    results_line(half + 6 * i, 1, rows[0], 1);
    results_line(half + 6 * i + 6, 1, rows[1], 1);
    const std::int64_t window_row = p.image * (s.height / 2) + (p.top + i) / 2;
    float* y = floats(norm.y) + (window_row * (s.width / 2) + p.left / 2) * s.outputs + c;
    for (int window = 0; window < 2; ++window) {
      if (2 * window + 1 >= p.columns) continue;
      V best = rows[0][2 * window] * a.scale + a.shift;
      for (int k = 1; k < 4; ++k) {
        const V v = rows[k / 2][2 * window + k % 2] * a.scale + a.shift;
        best = v > best ? v : best;
      }
      store<V>(y + window * s.outputs, kRelu ? relu_of(best) : best);
    }
  }
}

template <class V, bool kRelu, bool kResidual, bool kPool>
XRAI_INLINE void normalised_tiles(const Spectrum& results, const WinogradShape& s, std::int64_t first,
                                  std::int64_t begin, std::int64_t end, const BatchNormArguments& norm) {
  const Tiles tiles = tiles_of(s);
  for (std::int64_t t = begin; t < end; ++t) {
    const TilePlace place = place_of(s, tiles, first + t);
    for (std::int64_t c = 0; c < s.outputs; c += kLanes<V>) {
      V half[24];
      half_results(results, t, c, half);
      if constexpr (kPool)
        pooled_tile<V, kRelu>(half, s, place, norm, c);
      else
        normalised_tile<V, kRelu, kResidual>(half, s, place, norm, c);
    }
  }
}

template <class V>
XRAI_INLINE void any_normalised_tiles(const Spectrum& results, const WinogradShape& s, std::int64_t first,
                                      std::int64_t begin, std::int64_t end, const BatchNormArguments& norm) {
  if (norm.pool && norm.relu) return normalised_tiles<V, true, false, true>(results, s, first, begin, end, norm);
  if (norm.pool) return normalised_tiles<V, false, false, true>(results, s, first, begin, end, norm);
  const bool residual = norm.residual != nullptr;
  if (norm.relu && residual) return normalised_tiles<V, true, true, false>(results, s, first, begin, end, norm);
  if (norm.relu) return normalised_tiles<V, true, false, false>(results, s, first, begin, end, norm);
  if (residual) return normalised_tiles<V, false, true, false>(results, s, first, begin, end, norm);
  normalised_tiles<V, false, false, false>(results, s, first, begin, end, norm);
}

}  // namespace

XRAI_VECTORISE void write_results(const Spectrum& results, const WinogradShape& s, std::int64_t first,
                                  std::int64_t begin, std::int64_t end, float* y) {
  if (sixteen_lanes()) return results_of_tiles<Float16>(results, s, first, begin, end, y);
  results_of_tiles<Float8>(results, s, first, begin, end, y);
}

XRAI_VECTORISE void write_normalised(const Spectrum& results, const WinogradShape& s, std::int64_t first,
                                     std::int64_t begin, std::int64_t end, const BatchNormArguments& norm) {
  if (sixteen_lanes()) return any_normalised_tiles<Float16>(results, s, first, begin, end, norm);
  any_normalised_tiles<Float8>(results, s, first, begin, end, norm);
}

}  // namespace xrai::kernels::winograd
