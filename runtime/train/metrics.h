// How well scores and labels agree: the confusion matrix and what is counted from it, and the measures that need no
// threshold. Lives here: point values and curves. Not here: intervals (confidence.h), what to print (apps).
//
// A value that the data do not define (sensitivity without a positive image, AUROC with one class only) is absent
// (nullopt), never 0 or NaN. `weights` count how often each image is taken, as a bootstrap needs it; empty: once each.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace xrai {

/// Counts of images by true and predicted class. With two classes, class 1 is the positive one.
class ConfusionMatrix {
 public:
  explicit ConfusionMatrix(std::int64_t n_classes);

  void add(std::int32_t label, std::int32_t predicted, std::int64_t count = 1) {
    counts_[static_cast<std::size_t>(label * n_classes_ + predicted)] += count;
  }
  [[nodiscard]] std::int64_t n_classes() const { return n_classes_; }
  [[nodiscard]] std::int64_t operator()(std::int64_t label, std::int64_t predicted) const {
    return counts_[static_cast<std::size_t>(label * n_classes_ + predicted)];
  }
  [[nodiscard]] std::int64_t total() const;
  [[nodiscard]] std::int64_t correct() const;
  [[nodiscard]] std::int64_t labelled(std::int64_t c) const;   // images whose true class is c
  [[nodiscard]] std::int64_t predicted(std::int64_t c) const;  // images that were called c

 private:
  std::int64_t n_classes_;
  std::vector<std::int64_t> counts_;  // (classes, classes), row: true class
};

/// A rate as the counts it comes from, so that an interval can be put around it.
struct Rate {
  std::int64_t hits = 0, of = 0;
  [[nodiscard]] std::optional<double> value() const;  // absent when `of` is 0
};

Rate accuracy(const ConfusionMatrix& matrix);
/// One class against the rest: TP/(TP+FN), TN/(TN+FP), TP/(TP+FP), TN/(TN+FN).
Rate sensitivity(const ConfusionMatrix& matrix, std::int64_t positive);
Rate specificity(const ConfusionMatrix& matrix, std::int64_t positive);
Rate positive_predictive_value(const ConfusionMatrix& matrix, std::int64_t positive);
Rate negative_predictive_value(const ConfusionMatrix& matrix, std::int64_t positive);
/// 2TP / (2TP + FP + FN).
Rate f1_score(const ConfusionMatrix& matrix, std::int64_t positive);
/// Mean of the classes' sensitivities over the classes that occur; needs at least two of them to occur.
std::optional<double> balanced_accuracy(const ConfusionMatrix& matrix);

/// What a network says: class 1 when its probability is at least `threshold` (two classes), else the most probable
/// class, of equals the first. probabilities: (n, classes).
std::vector<std::int32_t> decide(std::span<const float> probabilities, std::int64_t n_classes, double threshold = 0.5);

struct RocPoint {
  double false_positive_rate = 0.0, true_positive_rate = 0.0;
  double threshold = 0.0;  // images with at least this score are called positive
};
struct PrecisionRecallPoint {
  double recall = 0.0, precision = 0.0;
  double threshold = 0.0;
};

/// Images in order of falling score with ties marked: sorted once, O(n log n), then walked in O(n) for every measure
/// and every bootstrap resample.
class RankedScores {
 public:
  /// scores: (n); positive: (n), not zero where the image is of the positive class. Throws Error(kBadData) when a
  /// score is not finite.
  RankedScores(std::span<const float> scores, std::span<const std::uint8_t> positive);

  /// Area under the ROC curve: the share of (positive, negative) pairs in the right order, ties counting half
  /// (Hanley and McNeil, Radiology 143:29, 1982).
  [[nodiscard]] std::optional<double> auroc(std::span<const std::int32_t> weights = {}) const;
  /// Average precision: sum over thresholds of (recall_k - recall_{k-1}) * precision_k, without interpolation.
  /// Undefined with one class only, as is the area above.
  [[nodiscard]] std::optional<double> average_precision(std::span<const std::int32_t> weights = {}) const;
  /// From (0, 0) to (1, 1), a point per distinct score, points within a straight line left out. Empty when undefined.
  [[nodiscard]] std::vector<RocPoint> roc_curve() const;
  /// From the highest threshold to the lowest, a point per distinct score. Empty without positives.
  [[nodiscard]] std::vector<PrecisionRecallPoint> precision_recall_curve() const;

 private:
  template <class Visit>
  void walk(std::span<const std::int32_t> weights, Visit visit) const;

  struct Entry {
    std::int64_t image;
    float score;
    bool positive;
  };
  std::vector<Entry> entries_;
};

/// Per image -ln p(true class), p not below 1e-15. probabilities: (n, classes).
std::vector<double> log_losses(std::span<const std::int32_t> labels, std::span<const float> probabilities,
                               std::int64_t n_classes);
/// Per image the squared distance of probabilities and truth (Brier, Mon. Weather Rev. 78:1, 1950): (p1 - y)^2 for two
/// classes, the sum over classes for more.
std::vector<double> brier_scores(std::span<const std::int32_t> labels, std::span<const float> probabilities,
                                 std::int64_t n_classes);
/// Absent when the weights sum to 0.
std::optional<double> mean(std::span<const double> values, std::span<const std::int32_t> weights = {});

/// Images whose probability lies in [low, high), the last bin's end included.
struct ReliabilityBin {
  double low = 0.0, high = 0.0;
  std::int64_t n_images = 0, n_hits = 0;  // hits: positive (two classes) or rightly called (more)
  double mean_probability = 0.0;          // 0 when empty
};
inline constexpr std::int64_t kReliabilityBins = 10;
/// Index of the bin, of kReliabilityBins or `n_bins` equal ones, that a probability falls into.
std::size_t reliability_bin(double probability, std::int64_t n_bins = kReliabilityBins);

/// Two classes: by the probability of class 1 against how often it is class 1 (Naeini et al., AAAI 2015). More: by the
/// probability of the most probable class against how often it is right (Guo et al., ICML 2017).
std::vector<ReliabilityBin> reliability_bins(std::span<const std::int32_t> labels, std::span<const float> probabilities,
                                             std::int64_t n_classes, std::int64_t n_bins = kReliabilityBins);
/// Expected calibration error: mean over images of |mean probability - observed rate| of their bin.
std::optional<double> expected_calibration_error(std::span<const ReliabilityBin> bins);

}  // namespace xrai
