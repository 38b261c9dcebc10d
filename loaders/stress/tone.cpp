// Changes of grey levels: by a table of 256 where a level's neighbours don't matter.
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <vector>

#include "kernels/philox.h"
#include "loaders/stress/pixel_changes.h"
#include "loaders/stress/rounding.h"

namespace xrai::pixels {
namespace {

using Levels = std::array<std::uint8_t, 256>;
using Histogram = std::array<double, 256>;  // whole numbers until they are clipped

void apply_levels(const Picture& p, const Levels& levels) {
  for (std::int64_t i = 0; i < p.count(); ++i) p.out[i] = levels[p.in[i]];
}

template <class Map>
Levels levels_of(Map map) {
  Levels levels{};
  for (int level = 0; level < 256; ++level) levels[static_cast<std::size_t>(level)] = to_level(map(level));
  return levels;
}

double mean_of(const Picture& p) {
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < p.count(); ++i) sum += p.in[i];
  return static_cast<double>(sum) / static_cast<double>(p.count());
}

struct Tiles {
  int n_rows, n_columns;
  std::vector<std::array<float, 256>> mappings;  // (n_rows, n_columns)
};

std::array<float, 256> clipped_mapping(Histogram histogram, double n_pixels, double clip) {
  // A limit below the mean bin could not be kept; at it the histogram becomes flat and the mapping a straight line.
  const double limit = std::max(clip, 1.0) * n_pixels / 256.0;
  double cut = 0;
  for (double& bin : histogram) {
    cut += std::max(bin - limit, 0.0);
    bin = std::min(bin, limit);
  }
  std::array<float, 256> mapping{};
  double below = 0;
  for (std::size_t level = 0; level < 256; ++level) {
    below += histogram[level] + cut / 256.0;
    mapping[level] = static_cast<float>(255.0 * below / n_pixels);
  }
  return mapping;
}

Tiles tiles_of(const Picture& p, double clip) {
  constexpr int kTilesPerSide = 8;
  Tiles tiles{std::min(kTilesPerSide, p.height), std::min(kTilesPerSide, p.width), {}};
  for (int row = 0; row < tiles.n_rows; ++row)
    for (int column = 0; column < tiles.n_columns; ++column) {
      const int top = row * p.height / tiles.n_rows, bottom = (row + 1) * p.height / tiles.n_rows;
      const int left = column * p.width / tiles.n_columns, right = (column + 1) * p.width / tiles.n_columns;
      Histogram histogram{};
      for (int y = top; y < bottom; ++y)
        for (int x = left; x < right; ++x) histogram[p.in[std::int64_t{y} * p.width + x]] += 1;
      tiles.mappings.push_back(clipped_mapping(histogram, double(bottom - top) * (right - left), clip));
    }
  return tiles;
}

/// Between which two tiles a pixel lies on one axis, and how near it is to the second.
struct Between {
  int first, second;
  float part;
};

std::vector<Between> between_tiles(int n_pixels, int n_tiles) {
  std::vector<Between> places;
  for (int i = 0; i < n_pixels; ++i) {
    const float at = (static_cast<float>(i) + 0.5f) * static_cast<float>(n_tiles) / static_cast<float>(n_pixels) - 0.5f;
    const float clamped = std::clamp(at, 0.0f, static_cast<float>(n_tiles - 1));
    const int first = static_cast<int>(clamped);
    places.push_back({first, std::min(first + 1, n_tiles - 1), clamped - static_cast<float>(first)});
  }
  return places;
}

}  // namespace

void change_brightness(const Picture& p, double added) {
  apply_levels(p, levels_of([&](int level) { return level + 255.0 * added; }));
}

void change_contrast(const Picture& p, double factor) {
  const double mean = mean_of(p);
  apply_levels(p, levels_of([&](int level) { return (level - mean) * factor + mean; }));
}

void change_gamma(const Picture& p, double exponent) {
  apply_levels(p, levels_of([&](int level) { return 255.0 * std::pow(level / 255.0, exponent); }));
}

void equalise_histogram(const Picture& p, double share) {
  std::array<std::int64_t, 256> at_most{};  // pixels of this level or below
  for (std::int64_t i = 0; i < p.count(); ++i) ++at_most[p.in[i]];
  std::partial_sum(at_most.begin(), at_most.end(), at_most.begin());
  const std::int64_t lowest = *std::find_if(at_most.begin(), at_most.end(), [](std::int64_t n) { return n > 0; });
  const auto above_lowest = static_cast<double>(p.count() - lowest);
  apply_levels(p, levels_of([&](int level) {
                 if (above_lowest == 0) return static_cast<double>(level);
                 const auto n = static_cast<double>(at_most[static_cast<std::size_t>(level)] - lowest);
                 return level + share * (255.0 * n / above_lowest - level);
               }));
}

void equalise_locally(const Picture& p, double clip, double share) {
  const Tiles tiles = tiles_of(p, clip);
  const auto rows = between_tiles(p.height, tiles.n_rows), columns = between_tiles(p.width, tiles.n_columns);
  for (int y = 0; y < p.height; ++y) {
    const Between& row = rows[static_cast<std::size_t>(y)];
    const auto* above = &tiles.mappings[static_cast<std::size_t>(row.first * tiles.n_columns)];
    const auto* below = &tiles.mappings[static_cast<std::size_t>(row.second * tiles.n_columns)];
    for (int x = 0; x < p.width; ++x) {
      const Between& column = columns[static_cast<std::size_t>(x)];
      const std::int64_t i = std::int64_t{y} * p.width + x;
      const std::uint8_t level = p.in[i];
      const float top = std::lerp(above[column.first][level], above[column.second][level], column.part);
      const float bottom = std::lerp(below[column.first][level], below[column.second][level], column.part);
      const double equalised = std::lerp(top, bottom, row.part);
      p.out[i] = to_level(level + share * (equalised - level));
    }
  }
}

void add_noise(const Picture& p, double deviation, std::uint64_t key) {
  const auto key0 = static_cast<std::uint32_t>(key), key1 = static_cast<std::uint32_t>(key >> 32);
  // The sum of four uniform 16-bit numbers is bell-shaped, with mean 131070 and standard deviation 37837: no logarithm,
  // hence the same grain with every C library.
  const double scale = 255.0 * deviation / 37837.0;
  for (std::int64_t i = 0; i < p.count(); i += 2) {
    const auto numbers = kernels::philox({{static_cast<std::uint32_t>(i), 0, 0, 0}}, key0, key1);
    for (std::int64_t j = i; j < std::min(i + 2, p.count()); ++j) {
      const std::uint32_t a = numbers.v[2 * (j - i)], b = numbers.v[2 * (j - i) + 1];
      const auto sum = static_cast<double>((a & 0xFFFFU) + (a >> 16) + (b & 0xFFFFU) + (b >> 16));
      p.out[j] = to_level(p.in[j] + scale * (sum - 131070.0));
    }
  }
}

}  // namespace xrai::pixels
