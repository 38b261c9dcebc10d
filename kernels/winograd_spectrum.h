// How tiles of maps are numbered, and where their values lie in the other basis. For kernels/winograd*.cpp.
#pragma once

#include <cstdint>

#include "kernels/winograd.h"
#include "kernels/winograd_transforms.h"

namespace xrai::kernels::winograd {

// Frequencies lie a line further apart than their size: at powers of two they would share a few sets of the cache.
inline constexpr std::int64_t kLine = 16;

struct Tiles {
  std::int64_t across, per_image, count;
};

inline Tiles tiles_of(const WinogradShape& s) {
  const std::int64_t across = (s.width + kWinogradTile - 1) / kWinogradTile;
  const std::int64_t per_image = across * ((s.height + kWinogradTile - 1) / kWinogradTile);
  return {across, per_image, per_image * s.n};
}

inline std::int64_t rounded_up(std::int64_t count, std::int64_t step) {
  return (count + step - 1) / step * step;
}

// Matrices (rows, channels), one a frequency.
struct Spectrum {
  float* data;
  std::int64_t channels, frequency_step;

  Spectrum(float* place, std::int64_t rows, std::int64_t n_channels)
      : data(place), channels(n_channels), frequency_step(floats(rows, n_channels) / kWinogradFrequencies) {}
  static std::int64_t floats(std::int64_t rows, std::int64_t channels) {
    return kWinogradFrequencies * (rows * channels + kLine);
  }
  [[nodiscard]] float* frequency(std::int64_t f) const { return data + f * frequency_step; }
};

}  // namespace xrai::kernels::winograd
