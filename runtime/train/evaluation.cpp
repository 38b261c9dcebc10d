// See evaluation.h.
#include "runtime/train/evaluation.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "runtime/core/error.h"

namespace xrai {
namespace {

constexpr std::array<std::string_view, 12> kNames = {"auroc",       "auprc",       "accuracy", "balanced_accuracy",
                                                     "sensitivity", "specificity", "ppv",      "npv",
                                                     "f1",          "brier",       "ece",      "log_loss"};
using Values = std::array<std::optional<double>, kNames.size()>;

void check(const Predictions& p) {
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

/// What does not change from resample to resample: sorted scores, decisions, losses image by image.
class Judge {
 public:
  Judge(const Predictions& p, double threshold)
      : predictions_(p),
        predicted_(decide(p.probabilities, p.n_classes(), threshold)),
        log_losses_(log_losses(p.labels, p.probabilities, p.n_classes())),
        brier_scores_(brier_scores(p.labels, p.probabilities, p.n_classes())) {
    for (std::int64_t c = p.n_classes() == 2 ? 1 : 0; c < p.n_classes(); ++c) {
      positive_classes_.push_back(c);
      ranked_.emplace_back(scores(c), is_positive(c));
    }
  }

  [[nodiscard]] const std::vector<std::int64_t>& positive_classes() const { return positive_classes_; }
  [[nodiscard]] const RankedScores& ranked(std::size_t curve) const { return ranked_[curve]; }
  [[nodiscard]] std::vector<float> scores(std::int64_t c) const {
    std::vector<float> column(predictions_.labels.size());
    for (std::size_t i = 0; i < column.size(); ++i) {
      column[i] = predictions_.probabilities[i * predictions_.classes.size() + static_cast<std::size_t>(c)];
    }
    return column;
  }
  [[nodiscard]] std::vector<std::uint8_t> is_positive(std::int64_t c) const {
    std::vector<std::uint8_t> positive(predictions_.labels.size());
    for (std::size_t i = 0; i < positive.size(); ++i) positive[i] = predictions_.labels[i] == c ? 1 : 0;
    return positive;
  }

  [[nodiscard]] ConfusionMatrix confusion(std::span<const std::int32_t> weights) const {
    ConfusionMatrix matrix(predictions_.n_classes());
    for (std::size_t i = 0; i < predicted_.size(); ++i) {
      matrix.add(predictions_.labels[i], predicted_[i], weights.empty() ? 1 : weights[i]);
    }
    return matrix;
  }

  /// All metrics but ece, in the order of kNames.
  [[nodiscard]] Values values(std::span<const std::int32_t> weights) const {
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
            std::nullopt,
            mean(log_losses_, weights)};
  }

 private:
  template <class OfClass>
  [[nodiscard]] std::optional<double> mean_over_classes(const ConfusionMatrix& matrix, OfClass of_class) const {
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

  const Predictions& predictions_;
  std::vector<std::int32_t> predicted_;
  std::vector<double> log_losses_, brier_scores_;
  std::vector<std::int64_t> positive_classes_;
  std::vector<RankedScores> ranked_;
};

void add_bootstrap_intervals(const Judge& judge, const Predictions& p, const EvaluationOptions& options,
                             Evaluation& evaluation) {
  const GroupBootstrap bootstrap(p.n_images(), p.groups, options.seed);
  evaluation.n_groups = bootstrap.n_groups();
  std::array<std::vector<std::optional<double>>, kNames.size()> resampled;
  std::vector<std::int32_t> weights(p.labels.size());
  // One patient resampled is the same patient: no spread to learn from.
  const std::int64_t n_resamples = bootstrap.n_groups() > 1 ? options.n_resamples : 0;
  for (std::int64_t r = 0; r < n_resamples; ++r) {
    bootstrap.resample(r, weights);
    const Values values = judge.values(weights);
    for (std::size_t m = 0; m < kNames.size(); ++m) resampled[m].push_back(values[m]);
  }
  for (std::size_t m = 0; m < kNames.size(); ++m) {
    Metric& metric = evaluation.metrics[m];
    if (!metric.value || metric.ci95 || metric.name == "ece") continue;
    metric.ci95 = percentile_interval(resampled[m]);
    metric.ci_method = "bootstrap";
  }
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
  check(predictions);
  const Judge judge(predictions, options.threshold);
  Evaluation evaluation;
  evaluation.classes = predictions.classes;
  evaluation.n_images = predictions.n_images();
  evaluation.threshold = options.threshold;
  evaluation.confusion = judge.confusion({});
  evaluation.reliability = reliability_bins(predictions.labels, predictions.probabilities, predictions.n_classes());
  const Values values = judge.values({});
  for (std::size_t m = 0; m < kNames.size(); ++m) {
    const bool is_ece = kNames[m] == "ece";
    evaluation.metrics.push_back({std::string(kNames[m]),
                                  is_ece ? expected_calibration_error(evaluation.reliability) : values[m], std::nullopt,
                                  ""});
  }
  for (std::size_t i = 0; i < judge.positive_classes().size(); ++i) {
    const RankedScores& ranked = judge.ranked(i);
    evaluation.curves.push_back({judge.positive_classes()[i], ranked.auroc(), ranked.average_precision(),
                                 ranked.roc_curve(), ranked.precision_recall_curve()});
  }
  add_formula_intervals(judge, evaluation);
  add_bootstrap_intervals(judge, predictions, options, evaluation);
  return evaluation;
}

}  // namespace xrai
