// One scored split, judged: every metric with its 95 % interval, under the field's names, in a fixed order.
// Lives here: which metric gets which interval. Not here: the formulas (metrics.h, confidence.h), printing (apps).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/train/confidence.h"
#include "runtime/train/metrics.h"

namespace xrai {

/// What a network said about the images of one split.
struct Predictions {
  std::vector<std::string> classes;  // (classes), two or more; with two, the second is the positive one
  std::vector<std::int32_t> labels;  // (n), index into classes
  std::vector<float> probabilities;  // (n, classes), rows summing to 1
  std::vector<std::string> groups;   // (n), patient; or empty: every image a patient of its own
  std::vector<std::string> sources;  // (n), file each image came from; or empty
  [[nodiscard]] std::int64_t n_images() const { return static_cast<std::int64_t>(labels.size()); }
  [[nodiscard]] std::int64_t n_classes() const { return static_cast<std::int64_t>(classes.size()); }
};

struct Metric {
  std::string name;  // as in JSON: "auroc", "balanced_accuracy" ...
  std::optional<double> value;
  std::optional<Interval> ci95;
  std::string ci_method;  // "wilson", "delong", "bootstrap", "basic bootstrap"; empty where there is no interval
};

/// One class against the rest; with two classes there is one entry, for the positive class.
struct ClassCurves {
  std::int64_t positive = 1;  // index into classes
  std::optional<double> auroc, average_precision;
  std::vector<RocPoint> roc;
  std::vector<PrecisionRecallPoint> precision_recall;
};

/// What temperature scaling (calibration.h) changed.
struct Uncalibrated {
  double temperature = 1.0;
  std::vector<Metric> metrics;  // brier, ece, log_loss of the probabilities as the network gave them
  std::vector<ReliabilityBin> reliability;
};

struct Evaluation {
  std::vector<std::string> classes;
  std::int64_t n_images = 0, n_groups = 0;
  double threshold = 0.5;  // on the probability of class 1; no meaning with more than two classes
  ConfusionMatrix confusion{0};
  /// auroc, auprc, accuracy, balanced_accuracy, sensitivity, specificity, ppv, npv, f1, brier, ece, log_loss
  std::vector<Metric> metrics;
  std::vector<ClassCurves> curves;
  std::vector<ReliabilityBin> reliability;
  std::optional<Uncalibrated> uncalibrated;  // absent where no temperature was applied

  /// Throws Error(kFailure) for a name that is none of the twelve.
  [[nodiscard]] const Metric& metric(std::string_view name) const;
};

struct EvaluationOptions {
  double threshold = 0.5;
  std::optional<double> temperature{};  // that was applied to the predictions already
  std::int64_t n_resamples = 2000;      // 0: no bootstrap, for a quick look during training
  std::uint64_t seed = 20240229;
};

/// With more than two classes sensitivity, specificity, ppv, npv, f1, auroc and auprc are the plain mean over the
/// classes that occur, each against the rest; absent when one of those is undefined. Intervals: Wilson for the five
/// rates and DeLong for auroc treat every image as one observation; the others, and all means over classes, draw
/// patients. Resampling pushes ece upwards: its interval takes that off (basic_interval, or 0 where chance may do it).
/// Throws Error(kBadData) when the arrays do not fit together, a label has no class or a probability is not finite.
[[nodiscard]] Evaluation evaluate(const Predictions& predictions, const EvaluationOptions& options = {});

}  // namespace xrai
