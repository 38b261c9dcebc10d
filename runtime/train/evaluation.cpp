// See evaluation.h.
#include "runtime/train/evaluation.h"

#include <fmt/format.h>

#include "runtime/core/error.h"
#include "runtime/train/calibration.h"
#include "runtime/train/judge.h"

namespace xrai {
namespace {

/// The metrics without their intervals.
std::vector<Metric> plain_metrics(const Judge& judge) {
  const MetricValues values = judge.values({});
  std::vector<Metric> metrics;
  for (std::size_t m = 0; m < kMetricNames.size(); ++m)
    metrics.push_back({std::string(kMetricNames[m]), values[m], std::nullopt, ""});
  return metrics;
}

/// Whether chance alone gives a calibrated network so large a calibration error in one of forty draws or more.
bool may_be_calibrated(const Judge& judge, double value, std::int64_t n_draws, std::uint64_t seed) {
  std::int64_t n_larger = 0;
  for (std::int64_t draw = 0; draw < n_draws; ++draw)
    n_larger += judge.drawn_calibration_error(draw, seed) >= value ? 1 : 0;
  return 40 * n_larger >= n_draws;
}

/// Gives every metric that has a value and no interval yet one from resamples.
void add_bootstrap_intervals(const Judge& judge, const GroupBootstrap& bootstrap, const EvaluationOptions& options,
                             std::vector<Metric>& metrics) {
  ResampledMetrics resampled;
  bootstrap.for_each(options.n_resamples, [&](std::span<const std::int32_t> weights) {
    const MetricValues values = judge.values(weights);
    for (std::size_t m = 0; m < kMetricNames.size(); ++m) resampled[m].push_back(values[m]);
  });
  for (std::size_t m = 0; m < kMetricNames.size(); ++m) {
    Metric& metric = metrics[m];
    if (!metric.value || metric.ci95) continue;
    const bool pushed_up = metric.name == "ece";
    metric.ci95 = pushed_up ? basic_interval(*metric.value, resampled[m]) : percentile_interval(resampled[m]);
    metric.ci_method = pushed_up ? "basic bootstrap" : "bootstrap";
    if (pushed_up && metric.ci95 && may_be_calibrated(judge, *metric.value, options.n_resamples, options.seed))
      metric.ci95->low = 0.0;
  }
}

/// The figures of the probabilities as they were before the temperature was applied to them.
Uncalibrated uncalibrated_figures(Predictions p, const EvaluationOptions& options, const GroupBootstrap& bootstrap) {
  const double temperature = *options.temperature;
  apply_temperature(p.probabilities, p.n_classes(), 1.0 / temperature);
  const Judge judge(p, options.threshold);
  std::vector<Metric> metrics = plain_metrics(judge);
  add_bootstrap_intervals(judge, bootstrap, options, metrics);
  Uncalibrated before{temperature, {}, reliability_bins(p.labels, p.probabilities, p.n_classes())};
  for (Metric& metric : metrics)
    if (metric.name == "brier" || metric.name == "ece" || metric.name == "log_loss")
      before.metrics.push_back(std::move(metric));
  return before;
}

/// Wilson and DeLong intervals, where a formula exists.
void add_formula_intervals(const Judge& judge, Evaluation& evaluation) {
  const auto set = [&](std::string_view name, std::optional<Interval> interval, std::string_view method) {
    for (Metric& metric : evaluation.metrics) {
      if (metric.name != name || !interval) continue;
      metric.ci95 = interval;
      metric.ci_method = method;
    }
  };
  const ConfusionMatrix& matrix = evaluation.confusion;
  set("accuracy", wilson_interval(accuracy(matrix)), "wilson");
  if (evaluation.classes.size() != 2) return;
  set("sensitivity", wilson_interval(sensitivity(matrix, 1)), "wilson");
  set("specificity", wilson_interval(specificity(matrix, 1)), "wilson");
  set("ppv", wilson_interval(positive_predictive_value(matrix, 1)), "wilson");
  set("npv", wilson_interval(negative_predictive_value(matrix, 1)), "wilson");
  set("auroc", auroc_interval(judge.scores(1), judge.is_positive(1)), "delong");
}

}  // namespace

const Metric& Evaluation::metric(std::string_view name) const {
  for (const Metric& metric : metrics) {
    if (metric.name == name) return metric;
  }
  throw Error(ExitCode::kFailure, fmt::format("there is no metric named '{}'", name));
}

Evaluation evaluate(const Predictions& predictions, const EvaluationOptions& options) {
  require_sound(predictions);
  const Judge judge(predictions, options.threshold);
  const GroupBootstrap bootstrap(predictions.n_images(), predictions.groups, options.seed);
  Evaluation evaluation;
  evaluation.classes = predictions.classes;
  evaluation.n_images = predictions.n_images();
  evaluation.n_groups = bootstrap.n_groups();
  evaluation.threshold = options.threshold;
  evaluation.confusion = judge.confusion({});
  evaluation.reliability = reliability_bins(predictions.labels, predictions.probabilities, predictions.n_classes());
  evaluation.metrics = plain_metrics(judge);
  for (std::size_t i = 0; i < judge.positive_classes().size(); ++i) {
    const RankedScores& ranked = judge.ranked(i);
    evaluation.curves.push_back({judge.positive_classes()[i], ranked.auroc(), ranked.average_precision(),
                                 ranked.roc_curve(), ranked.precision_recall_curve()});
  }
  add_formula_intervals(judge, evaluation);
  add_bootstrap_intervals(judge, bootstrap, options, evaluation.metrics);
  if (options.temperature) evaluation.uncalibrated = uncalibrated_figures(predictions, options, bootstrap);
  return evaluation;
}

}  // namespace xrai
