// See judge.h.
#include "runtime/train/judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kernels/philox.h"
#include "runtime/core/error.h"

namespace xrai {

void require_sound(const Predictions& p) {
  const auto n = static_cast<std::size_t>(p.n_images()), k = static_cast<std::size_t>(p.n_classes());
  const auto fail = [](const std::string& what) {
    throw Error(ExitCode::kBadData, "the predictions cannot be judged: " + what);
  };
  if (k < 2) fail(fmt::format("{} classes are named, at least two are needed", k));
  if (p.probabilities.size() != n * k) {
    fail(fmt::format("{} probabilities for {} images and {} classes", p.probabilities.size(), n, k));
  }
  if (!p.groups.empty() && p.groups.size() != n) fail(fmt::format("{} groups for {} images", p.groups.size(), n));
  if (!p.sources.empty() && p.sources.size() != n) fail(fmt::format("{} sources for {} images", p.sources.size(), n));
  for (std::size_t i = 0; i < n; ++i) {
    const std::string image =
        p.sources.empty() ? fmt::format("image {}", i) : fmt::format("image {} ({})", i, p.sources[i]);
    if (p.labels[i] < 0 || p.labels[i] >= static_cast<std::int32_t>(k)) {
      fail(fmt::format("{} has the label {}, but there are {} classes", image, p.labels[i], k));
    }
    for (std::size_t c = 0; c < k; ++c) {
      if (!std::isfinite(p.probabilities[i * k + c])) {
        fail(
            fmt::format("{} got the probability {}; the checkpoint comes from a run that diverged or is damaged, "
                        "evaluate an earlier one",
                        image, p.probabilities[i * k + c]));
      }
    }
  }
}

Judge::Judge(const Predictions& p, double threshold)
    : predictions_(p),
      predicted_(decide(p.probabilities, p.n_classes(), threshold)),
      log_losses_(log_losses(p.labels, p.probabilities, p.n_classes())),
      brier_scores_(brier_scores(p.labels, p.probabilities, p.n_classes())) {
  const bool binary = p.n_classes() == 2;
  for (std::int64_t c = binary ? 1 : 0; c < p.n_classes(); ++c) {
    positive_classes_.push_back(c);
    ranked_.emplace_back(scores(c), is_positive(c));
  }
  const auto most_probable = decide(p.probabilities, p.n_classes());
  for (std::size_t i = 0; i < p.labels.size(); ++i) {
    const std::int32_t c = binary ? 1 : most_probable[i];
    const auto probability = static_cast<double>(p.probabilities[i * p.classes.size() + static_cast<std::size_t>(c)]);
    binned_.push_back({reliability_bin(probability), probability, probability - (p.labels[i] == c ? 1.0 : 0.0)});
  }
}

std::vector<float> Judge::scores(std::int64_t c) const {
  std::vector<float> column(predictions_.labels.size());
  for (std::size_t i = 0; i < column.size(); ++i) {
    column[i] = predictions_.probabilities[i * predictions_.classes.size() + static_cast<std::size_t>(c)];
  }
  return column;
}

std::vector<std::uint8_t> Judge::is_positive(std::int64_t c) const {
  std::vector<std::uint8_t> positive(predictions_.labels.size());
  for (std::size_t i = 0; i < positive.size(); ++i) positive[i] = predictions_.labels[i] == c ? 1 : 0;
  return positive;
}

ConfusionMatrix Judge::confusion(std::span<const std::int32_t> weights) const {
  ConfusionMatrix matrix(predictions_.n_classes());
  for (std::size_t i = 0; i < predicted_.size(); ++i) {
    matrix.add(predictions_.labels[i], predicted_[i], weights.empty() ? 1 : weights[i]);
  }
  return matrix;
}

template <class OfClass>
std::optional<double> Judge::mean_over_classes(const ConfusionMatrix& matrix, OfClass of_class) const {
  if (positive_classes_.size() == 1) return of_class(std::size_t{0});
  double sum = 0.0;
  int n_occurring = 0;
  for (std::size_t i = 0; i < positive_classes_.size(); ++i) {
    if (matrix.labelled(positive_classes_[i]) == 0) continue;
    const std::optional<double> value = of_class(i);
    if (!value) return std::nullopt;
    sum += *value;
    ++n_occurring;
  }
  return n_occurring == 0 ? std::nullopt : std::optional(sum / n_occurring);
}

// As expected_calibration_error(reliability_bins(...)) with every image taken as often as its weight says.
std::optional<double> Judge::calibration_error(std::span<const std::int32_t> weights) const {
  std::array<double, kReliabilityBins> gaps{};
  double sum = 0.0;
  std::int64_t n = 0;
  for (std::size_t i = 0; i < binned_.size(); ++i) {
    const std::int32_t weight = weights.empty() ? 1 : weights[i];
    gaps[binned_[i].bin] += weight * binned_[i].gap;
    n += weight;
  }
  for (const double gap : gaps) sum += std::abs(gap);
  return n == 0 ? std::nullopt : std::optional(sum / static_cast<double>(n));
}

double Judge::drawn_calibration_error(std::int64_t draw, std::uint64_t seed) const {
  constexpr std::uint32_t kStream = 0x63616C69;  // keeps these draws apart from other random numbers
  std::array<double, kReliabilityBins> gaps{};
  double sum = 0.0;
  kernels::Philox4 numbers{};
  for (std::size_t i = 0; i < binned_.size(); ++i) {
    if (i % 4 == 0)
      numbers = kernels::philox({{static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(i >> 32),
                                  static_cast<std::uint32_t>(draw), kStream}},
                                static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32));
    const bool hit = std::ldexp(static_cast<double>(numbers.v[i % 4]), -32) < binned_[i].probability;
    gaps[binned_[i].bin] += binned_[i].probability - (hit ? 1.0 : 0.0);
  }
  for (const double gap : gaps) sum += std::abs(gap);
  return binned_.empty() ? 0.0 : sum / static_cast<double>(binned_.size());
}

MetricValues Judge::values(std::span<const std::int32_t> weights) const {
  const ConfusionMatrix matrix = confusion(weights);
  const auto rate = [&](Rate (*count)(const ConfusionMatrix&, std::int64_t)) {
    return mean_over_classes(matrix, [&](std::size_t i) { return count(matrix, positive_classes_[i]).value(); });
  };
  return {mean_over_classes(matrix, [&](std::size_t i) { return ranked_[i].auroc(weights); }),
          mean_over_classes(matrix, [&](std::size_t i) { return ranked_[i].average_precision(weights); }),
          accuracy(matrix).value(),
          balanced_accuracy(matrix),
          rate(sensitivity),
          rate(specificity),
          rate(positive_predictive_value),
          rate(negative_predictive_value),
          rate(f1_score),
          mean(brier_scores_, weights),
          calibration_error(weights),
          mean(log_losses_, weights)};
}

}  // namespace xrai
