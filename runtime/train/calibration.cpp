// See calibration.h. Everything works on ln p, which is the logit up to a constant in each row.
#include "runtime/train/calibration.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace xrai {
namespace {

constexpr double kLowest = 0.1, kHighest = 10.0;  // temperatures; beyond, something else is wrong with the network
constexpr double kWidestError = 0.25;             // standard error of ln T up to which T is used
constexpr double kSmallestProbability = 1e-38;    // about the smallest normal float: what the network gave is not less

double log_of(float probability) {
  return std::log(std::max(static_cast<double>(probability), kSmallestProbability));
}

/// First and second derivative in b = 1/T of the summed loss, and the sum of squares of each picture's first.
struct Slopes {
  double first = 0.0, second = 0.0, squares = 0.0;
};

Slopes slopes_at(double b, std::span<const std::int32_t> labels, std::span<const double> logs, std::size_t n_classes,
                 std::span<const float> class_weights) {
  Slopes sum;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto row = logs.subspan(i * n_classes, n_classes);
    const double highest = *std::max_element(row.begin(), row.end());
    double total = 0.0, mean = 0.0, mean_square = 0.0;
    for (const double log_p : row) {
      const double share = std::exp(b * (log_p - highest)), centred = log_p - highest;
      total += share;
      mean += share * centred;
      mean_square += share * centred * centred;
    }
    mean /= total;
    mean_square /= total;
    const auto label = static_cast<std::size_t>(labels[i]);
    const double weight = static_cast<double>(class_weights[label]);
    const double slope = weight * (mean - (row[label] - highest));
    sum.first += slope;
    sum.second += weight * (mean_square - mean * mean);
    sum.squares += slope * slope;
  }
  return sum;
}

}  // namespace

TemperatureFit fit_temperature(std::span<const std::int32_t> labels, std::span<const float> probabilities,
                               std::int64_t n_classes, std::span<const float> class_weights) {
  std::vector<double> logs(probabilities.size());
  std::transform(probabilities.begin(), probabilities.end(), logs.begin(), log_of);
  const auto slopes = [&](double b) {
    return slopes_at(b, labels, logs, static_cast<std::size_t>(n_classes), class_weights);
  };
  const auto absent = [](std::string why) { return TemperatureFit{std::nullopt, std::nullopt, std::move(why)}; };
  double low = 1.0 / kHighest, high = 1.0 / kLowest;
  if (labels.empty()) return absent("there are no validation pictures");
  if (slopes(low).first >= 0.0) return absent("on the validation pictures the network does no better than chance");
  if (slopes(high).first <= 0.0)
    return absent(fmt::format("too few of the {} validation pictures are called wrongly", labels.size()));

  double b = 1.0;
  Slopes at = slopes(b);
  for (int step = 0; step < 200 && high - low > 1e-12 * b; ++step) {
    (at.first > 0.0 ? high : low) = b;
    const double newton = b - at.first / at.second;
    const double next = newton > low && newton < high ? newton : 0.5 * (low + high);
    if (std::abs(next - b) <= 1e-13 * b) break;
    b = next;
    at = slopes(b);
  }
  const double error = std::sqrt(at.squares) / (at.second * b);  // of ln b, and of ln T
  if (!(error <= kWidestError))
    return absent(fmt::format("{} validation pictures with few mistakes do not determine it", labels.size()));
  const double temperature = 1.0 / b, factor = std::exp(kZ95 * error);
  return {temperature, Interval{temperature / factor, temperature * factor}, {}};
}

void apply_temperature(std::span<float> probabilities, std::int64_t n_classes, double temperature) {
  const auto k = static_cast<std::size_t>(n_classes);
  std::vector<double> powers(k);
  for (std::size_t first = 0; first + k <= probabilities.size(); first += k) {
    const auto row = probabilities.subspan(first, k);
    const double highest = log_of(*std::max_element(row.begin(), row.end()));
    double total = 0.0;
    for (std::size_t c = 0; c < k; ++c)
      total += powers[c] = row[c] > 0.0f ? std::exp((log_of(row[c]) - highest) / temperature) : 0.0;
    for (std::size_t c = 0; c < k; ++c) row[c] = static_cast<float>(powers[c] / total);
  }
}

}  // namespace xrai
