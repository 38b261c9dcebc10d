// Every metric of one network's predictions, over all images or a resample of them: what is sorted and decided once is
// kept. For evaluation.cpp, comparison.cpp and the stress suite; others call evaluate().
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "runtime/train/evaluation.h"

namespace xrai {

inline constexpr std::array<std::string_view, 12> kMetricNames = {
    "auroc", "auprc", "accuracy", "balanced_accuracy", "sensitivity", "specificity", "ppv", "npv",
    "f1",    "brier", "ece",      "log_loss"};
using MetricValues = std::array<std::optional<double>, kMetricNames.size()>;
using ResampledMetrics = std::array<std::vector<std::optional<double>>, kMetricNames.size()>;

/// Throws Error(kBadData) when the arrays do not fit together, a label has no class or a probability is not finite.
void require_sound(const Predictions& predictions);

class Judge {
 public:
  /// The predictions must be sound, and outlive the judge.
  Judge(const Predictions& predictions, double threshold);

  /// Classes with a curve: the second of two, each of more.
  [[nodiscard]] const std::vector<std::int64_t>& positive_classes() const { return positive_classes_; }
  [[nodiscard]] const RankedScores& ranked(std::size_t curve) const { return ranked_[curve]; }
  [[nodiscard]] std::vector<float> scores(std::int64_t c) const;
  [[nodiscard]] std::vector<std::uint8_t> is_positive(std::int64_t c) const;
  [[nodiscard]] const std::vector<std::int32_t>& predicted() const { return predicted_; }
  /// weights: (n) how often each image counts; empty: once.
  [[nodiscard]] ConfusionMatrix confusion(std::span<const std::int32_t> weights) const;
  /// In the order of kMetricNames.
  [[nodiscard]] MetricValues values(std::span<const std::int32_t> weights) const;
  /// The calibration error of a perfectly calibrated network with these probabilities, by chance alone: every hit is
  /// drawn with its probability (Broecker and Smith, Weather Forecast. 22:651, 2007). No images: 0.
  [[nodiscard]] double drawn_calibration_error(std::int64_t draw, std::uint64_t seed) const;

 private:
  /// Where an image falls in the reliability diagram.
  struct Binned {
    std::size_t bin = 0;
    double probability = 0.0, gap = 0.0;  // gap: probability less 1 for a hit, less 0 for none
  };
  template <class OfClass>
  [[nodiscard]] std::optional<double> mean_over_classes(const ConfusionMatrix& matrix, OfClass of_class) const;
  [[nodiscard]] std::optional<double> calibration_error(std::span<const std::int32_t> weights) const;

  const Predictions& predictions_;
  std::vector<std::int32_t> predicted_;
  std::vector<double> log_losses_, brier_scores_;
  std::vector<Binned> binned_;
  std::vector<std::int64_t> positive_classes_;
  std::vector<RankedScores> ranked_;
};

}  // namespace xrai
