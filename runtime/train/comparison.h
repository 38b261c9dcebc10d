// Two networks on the same images: who is right where the other is wrong, how far apart their metrics are, and whether
// that may be chance. Lives here: which test and which interval. Not here: their formulas (confidence.h), printing
// (apps).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/train/confidence.h"
#include "runtime/train/evaluation.h"

namespace xrai {

/// A metric of both, and of the first less that of the second.
struct MetricDifference {
  std::string name;  // as in Evaluation::metrics
  std::optional<double> first, second, difference;
  std::optional<Interval> ci95;  // of the difference, by drawing patients
};

struct Comparison {
  std::int64_t n_images = 0, n_groups = 0;
  std::int64_t both_right = 0, only_first_right = 0, only_second_right = 0, both_wrong = 0;
  McNemar mcnemar;
  std::optional<PairedAurocs> delong;         // two classes; absent where it is not defined
  std::vector<MetricDifference> differences;  // of all metrics, in the order of Evaluation::metrics

  /// Throws Error(kFailure) for a name that is none of the metrics.
  [[nodiscard]] const MetricDifference& of(std::string_view name) const;
};

struct ComparisonOptions {
  double first_threshold = 0.5, second_threshold = 0.5;
  std::int64_t n_resamples = 2000;
  std::uint64_t seed = 20240229;
};

/// Both predictions are of the same images in the same order. McNemar's and DeLong's tests take every image as one
/// observation, which is too sure where patients have several; the intervals of the differences are percentiles of
/// resampled patients, each resample scored by both. Throws Error(kBadData) as evaluate does, and when classes or
/// labels differ.
[[nodiscard]] Comparison compare(const Predictions& first, const Predictions& second,
                                 const ComparisonOptions& options = {});

}  // namespace xrai
