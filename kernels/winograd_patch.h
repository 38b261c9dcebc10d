// The window of a map under a tile, with zeros outside of the map. For kernels/winograd.cpp; knows no transform.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/lanes.h"
#include "kernels/winograd_spectrum.h"

namespace xrai::kernels::winograd {

// A vector of channels of a window of a map.
template <class V>
struct Window {
  const float* corner;
  std::int64_t row_step, column_step;
  [[nodiscard]] XRAI_INLINE V at(std::int64_t i, std::int64_t j) const {
    return load<V>(corner + i * row_step + j * column_step);
  }
};

// A window of a map, with zeros outside of the map.
template <int kSide>
class Patch {
 public:
  XRAI_INLINE Patch(const float* maps, const WinogradShape& s, const Tiles& tiles, std::int64_t channels,
                    std::int64_t tile, std::int64_t margin)
      : channels_(channels), row_step_(s.width * channels) {
    const std::int64_t image = tile / tiles.per_image, place = tile % tiles.per_image;
    const std::int64_t top = place / tiles.across * kWinogradTile - margin;
    const std::int64_t left = place % tiles.across * kWinogradTile - margin;
    corner_ = maps + (image * s.height + top) * row_step_ + left * channels;
    first_row_ = std::max<std::int64_t>(0, -top), last_row_ = std::min<std::int64_t>(kSide, s.height - top);
    first_column_ = std::max<std::int64_t>(0, -left), last_column_ = std::min<std::int64_t>(kSide, s.width - left);
    inside_ = first_row_ == 0 && first_column_ == 0 && last_row_ == kSide && last_column_ == kSide;
  }

  /// A vector of channels from c on; at the map's edge they are copied to `copy`, with the zeros.
  template <class V>
  XRAI_INLINE Window<V> channels_from(std::int64_t c, V (&copy)[kSide * kSide]) const {
    if (inside_) return {corner_ + c, row_step_, channels_};
    for (V& value : copy) value = V{};
    for (std::int64_t i = first_row_; i < last_row_; ++i)
      for (std::int64_t j = first_column_; j < last_column_; ++j)
        copy[kSide * i + j] = load<V>(corner_ + i * row_step_ + j * channels_ + c);
    return {reinterpret_cast<const float*>(copy), kSide * kLanes<V>, kLanes<V>};
  }

 private:
  const float* corner_;  // may lie outside of the map
  std::int64_t channels_, row_step_, first_row_, last_row_, first_column_, last_column_;
  bool inside_;
};

}  // namespace xrai::kernels::winograd
