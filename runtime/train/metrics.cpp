// See metrics.h. Counts stay integers to the last division.
#include "runtime/train/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "runtime/core/error.h"

namespace xrai {
namespace {

constexpr double kSmallestProbability = 1e-15;  // keeps the logarithm finite where a network is wrong beyond doubt

std::int64_t weight_of(std::span<const std::int32_t> weights, std::int64_t image) {
  return weights.empty() ? 1 : weights[static_cast<std::size_t>(image)];
}

std::int64_t true_negatives(const ConfusionMatrix& m, std::int64_t positive) {
  return m.total() - m.labelled(positive) - m.predicted(positive) + m(positive, positive);
}

/// loss(row of probabilities, label) of each image.
template <class Loss>
std::vector<double> per_image(std::span<const std::int32_t> labels, std::span<const float> probabilities,
                              std::int64_t n_classes, Loss loss) {
  const auto k = static_cast<std::size_t>(n_classes);
  std::vector<double> values(labels.size());
  for (std::size_t i = 0; i < labels.size(); ++i) values[i] = loss(probabilities.subspan(i * k, k), labels[i]);
  return values;
}

}  // namespace

ConfusionMatrix::ConfusionMatrix(std::int64_t n_classes)
    : n_classes_(n_classes), counts_(static_cast<std::size_t>(n_classes * n_classes), 0) {}

std::int64_t ConfusionMatrix::total() const {
  std::int64_t sum = 0;
  for (const std::int64_t count : counts_) sum += count;
  return sum;
}

std::int64_t ConfusionMatrix::correct() const {
  std::int64_t sum = 0;
  for (std::int64_t c = 0; c < n_classes_; ++c) sum += (*this)(c, c);
  return sum;
}

std::int64_t ConfusionMatrix::labelled(std::int64_t c) const {
  std::int64_t sum = 0;
  for (std::int64_t other = 0; other < n_classes_; ++other) sum += (*this)(c, other);
  return sum;
}

std::int64_t ConfusionMatrix::predicted(std::int64_t c) const {
  std::int64_t sum = 0;
  for (std::int64_t other = 0; other < n_classes_; ++other) sum += (*this)(other, c);
  return sum;
}

std::optional<double> Rate::value() const {
  if (of == 0) return std::nullopt;
  return static_cast<double>(hits) / static_cast<double>(of);
}

Rate accuracy(const ConfusionMatrix& matrix) {
  return {matrix.correct(), matrix.total()};
}

Rate sensitivity(const ConfusionMatrix& matrix, std::int64_t positive) {
  return {matrix(positive, positive), matrix.labelled(positive)};
}

Rate specificity(const ConfusionMatrix& matrix, std::int64_t positive) {
  return {true_negatives(matrix, positive), matrix.total() - matrix.labelled(positive)};
}

Rate positive_predictive_value(const ConfusionMatrix& matrix, std::int64_t positive) {
  return {matrix(positive, positive), matrix.predicted(positive)};
}

Rate negative_predictive_value(const ConfusionMatrix& matrix, std::int64_t positive) {
  return {true_negatives(matrix, positive), matrix.total() - matrix.predicted(positive)};
}

Rate f1_score(const ConfusionMatrix& matrix, std::int64_t positive) {
  return {2 * matrix(positive, positive), matrix.labelled(positive) + matrix.predicted(positive)};
}

std::optional<double> balanced_accuracy(const ConfusionMatrix& matrix) {
  double sum = 0.0;
  int n_occurring = 0;
  for (std::int64_t c = 0; c < matrix.n_classes(); ++c) {
    if (const auto value = sensitivity(matrix, c).value()) {
      sum += *value;
      ++n_occurring;
    }
  }
  return n_occurring < 2 ? std::nullopt : std::optional(sum / n_occurring);
}

std::vector<std::int32_t> decide(std::span<const float> probabilities, std::int64_t n_classes, double threshold) {
  const auto k = static_cast<std::size_t>(n_classes);
  std::vector<std::int32_t> predicted(probabilities.size() / k);
  for (std::size_t i = 0; i < predicted.size(); ++i) {
    const auto row = probabilities.subspan(i * k, k);
    if (k == 2) {
      predicted[i] = static_cast<double>(row[1]) >= threshold ? 1 : 0;
    } else {
      predicted[i] = static_cast<std::int32_t>(std::max_element(row.begin(), row.end()) - row.begin());
    }
  }
  return predicted;
}

RankedScores::RankedScores(std::span<const float> scores, std::span<const std::uint8_t> positive) {
  entries_.reserve(scores.size());
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (!std::isfinite(scores[i])) {
      throw Error(ExitCode::kBadData,
                  fmt::format("the network gives image {} of {} the score {}, which cannot be ranked; the checkpoint "
                              "comes from a run that diverged or is damaged: evaluate an earlier one",
                              i, scores.size(), scores[i]));
    }
    entries_.push_back({static_cast<std::int64_t>(i), scores[i], positive[i] != 0});
  }
  std::sort(entries_.begin(), entries_.end(),
            [](const Entry& a, const Entry& b) { return a.score != b.score ? a.score > b.score : a.image < b.image; });
}

/// visit(score, positives, negatives) for each distinct score from high to low, with the counts of that score only.
template <class Visit>
void RankedScores::walk(std::span<const std::int32_t> weights, Visit visit) const {
  for (std::size_t begin = 0; begin < entries_.size();) {
    std::int64_t positives = 0, negatives = 0;
    std::size_t end = begin;
    for (; end < entries_.size() && entries_[end].score == entries_[begin].score; ++end) {
      (entries_[end].positive ? positives : negatives) += weight_of(weights, entries_[end].image);
    }
    if (positives + negatives > 0) visit(entries_[begin].score, positives, negatives);
    begin = end;
  }
}

std::optional<double> RankedScores::auroc(std::span<const std::int32_t> weights) const {
  std::int64_t n_positive = 0, n_negative = 0;
  double pairs = 0.0;  // in the right order, ties counting half
  walk(weights, [&](float, std::int64_t positives, std::int64_t negatives) {
    pairs += static_cast<double>(negatives) * (static_cast<double>(n_positive) + 0.5 * static_cast<double>(positives));
    n_positive += positives;
    n_negative += negatives;
  });
  if (n_positive == 0 || n_negative == 0) return std::nullopt;
  return pairs / (static_cast<double>(n_positive) * static_cast<double>(n_negative));
}

std::optional<double> RankedScores::average_precision(std::span<const std::int32_t> weights) const {
  std::int64_t n_positive = 0, n_called = 0;
  double sum = 0.0;
  walk(weights, [&](float, std::int64_t positives, std::int64_t negatives) {
    n_positive += positives;
    n_called += positives + negatives;
    sum += static_cast<double>(positives) * static_cast<double>(n_positive) / static_cast<double>(n_called);
  });
  if (n_positive == 0 || n_positive == n_called) return std::nullopt;
  return sum / static_cast<double>(n_positive);
}

std::vector<RocPoint> RankedScores::roc_curve() const {
  std::int64_t n_positive = 0, n_negative = 0;
  for (const Entry& entry : entries_) ++(entry.positive ? n_positive : n_negative);
  if (n_positive == 0 || n_negative == 0) return {};
  std::vector<RocPoint> curve = {{0.0, 0.0, static_cast<double>(entries_.front().score) + 1.0}};
  std::int64_t true_positives = 0, false_positives = 0, last_positives = 0, last_negatives = 0;
  walk({}, [&](float score, std::int64_t positives, std::int64_t negatives) {
    true_positives += positives;
    false_positives += negatives;
    const RocPoint point{static_cast<double>(false_positives) / static_cast<double>(n_negative),
                         static_cast<double>(true_positives) / static_cast<double>(n_positive), score};
    const bool goes_straight_on = curve.size() > 1 && last_positives * negatives == last_negatives * positives;
    if (goes_straight_on) {
      curve.back() = point;
    } else {
      curve.push_back(point);
    }
    last_positives = positives;
    last_negatives = negatives;
  });
  return curve;
}

std::vector<PrecisionRecallPoint> RankedScores::precision_recall_curve() const {
  std::int64_t n_positive = 0;
  for (const Entry& entry : entries_) n_positive += entry.positive ? 1 : 0;
  if (n_positive == 0) return {};
  std::vector<PrecisionRecallPoint> curve;
  std::int64_t true_positives = 0, n_called = 0;
  walk({}, [&](float score, std::int64_t positives, std::int64_t negatives) {
    true_positives += positives;
    n_called += positives + negatives;
    curve.push_back({static_cast<double>(true_positives) / static_cast<double>(n_positive),
                     static_cast<double>(true_positives) / static_cast<double>(n_called), score});
  });
  return curve;
}

std::vector<double> log_losses(std::span<const std::int32_t> labels, std::span<const float> probabilities,
                               std::int64_t n_classes) {
  return per_image(labels, probabilities, n_classes, [](auto row, std::int32_t label) {
    return -std::log(std::max(static_cast<double>(row[static_cast<std::size_t>(label)]), kSmallestProbability));
  });
}

std::vector<double> brier_scores(std::span<const std::int32_t> labels, std::span<const float> probabilities,
                                 std::int64_t n_classes) {
  return per_image(labels, probabilities, n_classes, [](auto row, std::int32_t label) {
    double sum = 0.0;
    for (std::size_t c = row.size() == 2 ? 1 : 0; c < row.size(); ++c) {
      const double distance = static_cast<double>(row[c]) - (static_cast<std::int32_t>(c) == label ? 1.0 : 0.0);
      sum += distance * distance;
    }
    return sum;
  });
}

std::optional<double> mean(std::span<const double> values, std::span<const std::int32_t> weights) {
  double sum = 0.0;
  std::int64_t n = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::int64_t weight = weight_of(weights, static_cast<std::int64_t>(i));
    sum += static_cast<double>(weight) * values[i];
    n += weight;
  }
  return n == 0 ? std::nullopt : std::optional(sum / static_cast<double>(n));
}

std::size_t reliability_bin(double probability, std::int64_t n_bins) {
  const auto bin = static_cast<std::int64_t>(probability * static_cast<double>(n_bins));
  return static_cast<std::size_t>(std::clamp<std::int64_t>(bin, 0, n_bins - 1));
}

std::vector<ReliabilityBin> reliability_bins(std::span<const std::int32_t> labels, std::span<const float> probabilities,
                                             std::int64_t n_classes, std::int64_t n_bins) {
  std::vector<ReliabilityBin> bins(static_cast<std::size_t>(n_bins));
  for (std::size_t b = 0; b < bins.size(); ++b) {
    bins[b].low = static_cast<double>(b) / static_cast<double>(n_bins);
    bins[b].high = static_cast<double>(b + 1) / static_cast<double>(n_bins);
  }
  const auto predicted = decide(probabilities, n_classes);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::int32_t c = n_classes == 2 ? 1 : predicted[i];
    const double p = static_cast<double>(probabilities[i * static_cast<std::size_t>(n_classes) + c]);
    ReliabilityBin& b = bins[reliability_bin(p, n_bins)];
    ++b.n_images;
    b.n_hits += labels[i] == c ? 1 : 0;
    b.mean_probability += p;
  }
  for (ReliabilityBin& b : bins) {
    if (b.n_images > 0) b.mean_probability /= static_cast<double>(b.n_images);
  }
  return bins;
}

std::optional<double> expected_calibration_error(std::span<const ReliabilityBin> bins) {
  double sum = 0.0;
  std::int64_t n = 0;
  for (const ReliabilityBin& b : bins) {
    sum += std::abs(b.mean_probability * static_cast<double>(b.n_images) - static_cast<double>(b.n_hits));
    n += b.n_images;
  }
  return n == 0 ? std::nullopt : std::optional(sum / static_cast<double>(n));
}

}  // namespace xrai
