// See comparison.h.
#include "runtime/train/comparison.h"

#include <fmt/format.h>

#include "runtime/core/error.h"
#include "runtime/train/judge.h"

namespace xrai {
namespace {

void require_same_images(const Predictions& first, const Predictions& second) {
  require_sound(first);
  require_sound(second);
  if (first.classes != second.classes || first.labels != second.labels)
    throw Error(ExitCode::kBadData,
                fmt::format("the two networks cannot be compared: {} images with the classes {} stand against {} with "
                            "{}, or their labels differ; score the same split of the same file with both",
                            first.n_images(), fmt::join(first.classes, ", "), second.n_images(),
                            fmt::join(second.classes, ", ")));
}

void count_agreement(const Judge& first, const Judge& second, std::span<const std::int32_t> labels, Comparison& c) {
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const bool first_right = first.predicted()[i] == labels[i], second_right = second.predicted()[i] == labels[i];
    ++(first_right ? (second_right ? c.both_right : c.only_first_right)
                   : (second_right ? c.only_second_right : c.both_wrong));
  }
}

MetricValues differences(const MetricValues& first, const MetricValues& second) {
  MetricValues result;
  for (std::size_t m = 0; m < result.size(); ++m)
    if (first[m] && second[m]) result[m] = *first[m] - *second[m];
  return result;
}

ResampledMetrics resampled_differences(const Judge& first, const Judge& second, const GroupBootstrap& bootstrap,
                                       std::int64_t n_resamples) {
  ResampledMetrics resampled;
  bootstrap.for_each(n_resamples, [&](std::span<const std::int32_t> weights) {
    const MetricValues values = differences(first.values(weights), second.values(weights));
    for (std::size_t m = 0; m < values.size(); ++m) resampled[m].push_back(values[m]);
  });
  return resampled;
}

}  // namespace

const MetricDifference& Comparison::of(std::string_view name) const {
  for (const MetricDifference& difference : differences)
    if (difference.name == name) return difference;
  throw Error(ExitCode::kFailure, fmt::format("there is no metric named '{}'", name));
}

Comparison compare(const Predictions& first, const Predictions& second, const ComparisonOptions& options) {
  require_same_images(first, second);
  const Judge one(first, options.first_threshold), other(second, options.second_threshold);
  const GroupBootstrap bootstrap(first.n_images(), first.groups, options.seed);
  Comparison c;
  c.n_images = first.n_images();
  c.n_groups = bootstrap.n_groups();
  count_agreement(one, other, first.labels, c);
  c.mcnemar = mcnemar(c.only_first_right, c.only_second_right);
  if (first.n_classes() == 2) c.delong = paired_delong(one.scores(1), other.scores(1), one.is_positive(1));
  const MetricValues of_one = one.values({}), of_other = other.values({}), apart = differences(of_one, of_other);
  const ResampledMetrics resampled = resampled_differences(one, other, bootstrap, options.n_resamples);
  for (std::size_t m = 0; m < kMetricNames.size(); ++m)
    c.differences.push_back({std::string(kMetricNames[m]), of_one[m], of_other[m], apart[m],
                             apart[m] ? percentile_interval(resampled[m]) : std::nullopt});
  return c;
}

}  // namespace xrai
