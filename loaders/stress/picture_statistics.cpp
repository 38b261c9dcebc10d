// See picture_statistics.h.
#include "loaders/stress/picture_statistics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <numeric>

#include "kernels/parallel.h"
#include "loaders/stress/regions.h"

namespace xrai {
namespace {

constexpr std::uint8_t kNearBlack = 16;
constexpr double kRimShare = 0.05, kBrightShare = 0.02;
constexpr std::int64_t kBytesAtOnce = std::int64_t{16} << 20;

using Histogram = std::array<std::int64_t, 256>;

double brightest_mean(const Histogram& levels, double share) {
  const std::int64_t n = std::accumulate(levels.begin(), levels.end(), std::int64_t{0});
  const auto wanted = std::max<std::int64_t>(1, std::llround(share * static_cast<double>(n)));
  std::int64_t taken = 0, sum = 0;
  for (std::int64_t level = 255; level >= 0 && taken < wanted; --level) {
    const std::int64_t more = std::min(levels[static_cast<std::size_t>(level)], wanted - taken);
    taken += more;
    sum += more * level;
  }
  return taken == 0 ? 0.0 : static_cast<double>(sum) / static_cast<double>(taken);
}

double mean_absolute_laplacian(const std::uint8_t* pixels, std::int64_t height, std::int64_t width) {
  if (height < 3 || width < 3) return 0.0;
  std::int64_t sum = 0;
  for (std::int64_t y = 1; y + 1 < height; ++y) {
    const std::uint8_t* const row = pixels + y * width;
    for (std::int64_t x = 1; x + 1 < width; ++x)
      sum += std::abs(4 * row[x] - row[x - 1] - row[x + 1] - row[x - width] - row[x + width]);
  }
  return static_cast<double>(sum) / static_cast<double>((height - 2) * (width - 2));
}

void add_original_sizes(const DatasetReader& data, std::string_view split, std::vector<StatisticColumn>& columns) {
  const auto sizes = data.original_sizes(split);
  if (sizes.empty()) return;
  StatisticColumn height{"original_height", "original height", {}}, width{"original_width", "original width", {}};
  StatisticColumn aspect{"original_aspect", "original aspect", {}};
  for (const OriginalSize& size : sizes) {
    height.values.push_back(size.height);
    width.values.push_back(size.width);
    aspect.values.push_back(static_cast<double>(size.width) / std::max(size.height, 1));
  }
  columns.insert(columns.end(), {height, width, aspect});
}

}  // namespace

PictureStatistics picture_statistics(const std::uint8_t* pixels, std::int64_t height, std::int64_t width) {
  const std::int64_t n = height * width;
  std::int64_t sum = 0, squares = 0, rim = 0, dark = 0;
  Histogram corner_levels{};
  const Regions regions(height, width);
  const std::int64_t rim_width = regions.length(kRimShare);
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x) {
      const std::int64_t level = pixels[y * width + x];
      sum += level;
      squares += level * level;
      if (y < rim_width || x < rim_width || y >= height - rim_width || x >= width - rim_width) {
        ++rim;
        dark += level < kNearBlack ? 1 : 0;
      }
      if (regions.in_corner(y, x)) ++corner_levels[static_cast<std::size_t>(level)];
    }
  PictureStatistics s;
  s.mean_grey = static_cast<double>(sum) / static_cast<double>(n);
  // Exact in whole numbers up to pictures of 300,000 pixels: equal pictures have equal deviations to the last bit.
  const auto total = static_cast<double>(sum), pixels_n = static_cast<double>(n);
  s.deviation = std::sqrt(std::max(pixels_n * static_cast<double>(squares) - total * total, 0.0)) / pixels_n;
  s.dark_rim = static_cast<double>(dark) / static_cast<double>(rim);
  s.corners = brightest_mean(corner_levels, kBrightShare);
  s.sharpness = mean_absolute_laplacian(pixels, height, width);
  return s;
}

std::vector<StatisticColumn> varying_columns(std::vector<StatisticColumn> columns) {
  std::erase_if(columns, [](const StatisticColumn& column) {
    return std::all_of(column.values.begin(), column.values.end(),
                       [&](double value) { return value == column.values.front(); });
  });
  return columns;
}

std::vector<std::size_t> thirds_of(const std::vector<double>& values) {
  std::vector<double> sorted = values;
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::size_t> thirds;
  for (const double value : values) {
    thirds.push_back(value < sorted[sorted.size() / 3] ? 0 : value < sorted[2 * sorted.size() / 3] ? 1 : 2);
  }
  return thirds;
}

std::vector<StatisticColumn> split_statistics(DatasetReader& data, std::string_view split) {
  const std::int64_t n = data.n_images(split), height = data.height(split), width = data.width(split);
  std::vector<PictureStatistics> found(static_cast<std::size_t>(n));
  const std::int64_t at_once = std::max<std::int64_t>(kBytesAtOnce / (height * width), 1);
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(std::min(n, at_once) * height * width));
  for (std::int64_t first = 0; first < n; first += at_once) {
    std::vector<std::int64_t> rows(static_cast<std::size_t>(std::min(at_once, n - first)));
    std::iota(rows.begin(), rows.end(), first);
    data.read_rows(split, rows, pixels.data());
    kernels::parallel_for(static_cast<std::int64_t>(rows.size()), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        found[static_cast<std::size_t>(first + i)] =
            picture_statistics(pixels.data() + i * height * width, height, width);
    });
  }
  std::vector<StatisticColumn> columns{{"mean_grey", "mean grey", {}},
                                       {"deviation", "contrast (deviation)", {}},
                                       {"dark_rim", "dark rim", {}},
                                       {"corners", "bright corners", {}},
                                       {"sharpness", "sharpness", {}}};
  for (const PictureStatistics& s : found) {
    const double values[] = {s.mean_grey, s.deviation, s.dark_rim, s.corners, s.sharpness};
    for (std::size_t i = 0; i < columns.size(); ++i) columns[i].values.push_back(values[i]);
  }
  add_original_sizes(data, split, columns);
  return columns;
}

}  // namespace xrai
