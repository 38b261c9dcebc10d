// See mistakes.h.
#include "apps/report/mistakes.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "apps/report/png_data.h"
#include "runtime/core/error.h"

namespace xrai {
namespace {

constexpr std::int64_t kLargestSide = 320;  // twice what the page shows, for screens of high density

/// Means of factor x factor blocks; a rest at the right or lower edge is left out.
std::vector<std::uint8_t> averaged_down(std::span<const std::uint8_t> pixels, std::int64_t width, std::int64_t factor,
                                        std::int64_t small_width, std::int64_t small_height) {
  std::vector<std::uint8_t> small(static_cast<std::size_t>(small_width * small_height));
  for (std::int64_t y = 0; y < small_height; ++y) {
    for (std::int64_t x = 0; x < small_width; ++x) {
      std::int64_t sum = 0;
      for (std::int64_t i = 0; i < factor * factor; ++i) {
        sum += pixels[static_cast<std::size_t>((y * factor + i / factor) * width + x * factor + i % factor)];
      }
      small[static_cast<std::size_t>(y * small_width + x)] =
          static_cast<std::uint8_t>((sum + factor * factor / 2) / (factor * factor));
    }
  }
  return small;
}

}  // namespace

std::vector<Mistake> most_confident_mistakes(const Predictions& p, double threshold, std::size_t most) {
  const auto predicted = decide(p.probabilities, p.n_classes(), threshold);
  std::vector<Mistake> mistakes;
  for (std::size_t i = 0; i < p.labels.size(); ++i) {
    if (predicted[i] == p.labels[i]) continue;
    Mistake mistake;
    mistake.source = p.sources.empty() ? std::string() : p.sources[i];
    mistake.row = static_cast<std::int64_t>(i);
    mistake.label = p.labels[i];
    mistake.predicted = predicted[i];
    mistake.probability =
        static_cast<double>(p.probabilities[i * p.classes.size() + static_cast<std::size_t>(predicted[i])]);
    mistakes.push_back(std::move(mistake));
  }
  std::stable_sort(mistakes.begin(), mistakes.end(),
                   [](const Mistake& a, const Mistake& b) { return a.probability > b.probability; });
  if (mistakes.size() <= most) return mistakes;
  // The true classes take turns: where one class is missed often, the false alarms of the other are seen as well.
  std::vector<std::size_t> turn_of, taken(p.classes.size());
  for (const Mistake& mistake : mistakes) turn_of.push_back(taken[static_cast<std::size_t>(mistake.label)]++);
  std::vector<std::size_t> order(mistakes.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return turn_of[a] < turn_of[b]; });
  order.resize(most);
  std::sort(order.begin(), order.end());
  std::vector<Mistake> chosen;
  for (const std::size_t i : order) chosen.push_back(std::move(mistakes[i]));
  return chosen;
}

std::string png_data_uri(std::span<const std::uint8_t> pixels, std::int64_t width, std::int64_t height) {
  if (width <= 0 || height <= 0 || static_cast<std::int64_t>(pixels.size()) != width * height) {
    throw Error(ExitCode::kFailure,
                fmt::format("a picture of the report has {} pixels, not {} x {}", pixels.size(), width, height));
  }
  const std::int64_t factor = (std::max(width, height) + kLargestSide - 1) / kLargestSide;
  std::vector<std::uint8_t> small;
  if (factor > 1) {
    const std::int64_t small_width = std::max<std::int64_t>(1, width / factor);
    const std::int64_t small_height = std::max<std::int64_t>(1, height / factor);
    if (small_width * factor <= width && small_height * factor <= height) {
      small = averaged_down(pixels, width, factor, small_width, small_height);
      pixels = small;
      width = small_width;
      height = small_height;
    }
  }
  return png_data(pixels, width, height, PngColours::kGrey);
}

}  // namespace xrai
