// See stress_suite.h.
#include "apps/stress/stress_suite.h"

#include <algorithm>
#include <span>
#include <string_view>

#include "apps/stress/variant_scores.h"
#include "runtime/train/confidence.h"
#include "runtime/train/judge.h"

namespace xrai {
namespace {

std::vector<Change> all_changes(std::uint64_t seed) {
  std::vector<Change> changes;
  for (std::uint64_t draw = 0; draw < kStressedDraws; ++draw)
    changes.emplace_back([=](const PictureBlock& block) { draw_stressed_views(seed, draw, block); });
  for (const Corruption& corruption : corruption_suite())
    for (int severity = 1; severity <= kSeverities; ++severity)
      changes.emplace_back([=](const PictureBlock& block) { corrupt(corruption, severity, seed, block); });
  return changes;
}

/// Figures of one variant, or the mean of some, over all pictures and over every resample of them.
struct Resampled {
  StressFigures all;
  std::vector<StressFigures> resamples;
  StressIntervals by_formula{};
  StressIntervals otherwise{};  // where the resamples are all alike, which says nothing
};

StressFigures figures_of(const Judge& judge, std::span<const std::int32_t> weights) {
  const ConfusionMatrix matrix = judge.confusion(weights);
  StressFigures figures;
  figures.accuracy = accuracy(matrix).value();
  figures.balanced_accuracy = balanced_accuracy(matrix);
  if (judge.positive_classes().size() == 1) {
    figures.auroc = judge.ranked(0).auroc(weights);
    figures.sensitivity = sensitivity(matrix, 1).value();
    figures.specificity = specificity(matrix, 1).value();
    return figures;
  }
  const MetricValues values = judge.values(weights);
  const auto named = [&](std::string_view name) {
    return values[static_cast<std::size_t>(std::ranges::find(kMetricNames, name) - kMetricNames.begin())];
  };
  figures.auroc = named("auroc");
  figures.sensitivity = named("sensitivity");
  figures.specificity = named("specificity");
  return figures;
}

void add_formula_intervals(const Judge& judge, Resampled& result) {
  const ConfusionMatrix matrix = judge.confusion({});
  result.by_formula[1] = wilson_interval(accuracy(matrix));
  if (judge.positive_classes().size() == 1) {
    const auto of_sensitivity = wilson_interval(sensitivity(matrix, 1)),
               of_specificity = wilson_interval(specificity(matrix, 1));
    result.by_formula[0] = auroc_interval(judge.scores(1), judge.is_positive(1));
    result.by_formula[3] = of_sensitivity;
    result.by_formula[4] = of_specificity;
    if (of_sensitivity && of_specificity)
      result.otherwise[2] = Interval{0.5 * (of_sensitivity->low + of_specificity->low),
                                     0.5 * (of_sensitivity->high + of_specificity->high)};
  }
  for (std::size_t i = 0; i < kStressFigures.size(); ++i)
    if (result.by_formula[i]) result.otherwise[i] = result.by_formula[i];
}

/// Judges variants of one split on the same resamples.
class VariantJudge {
 public:
  VariantJudge(const Predictions& clean, double threshold)
      : variant_(clean), threshold_(threshold), bootstrap_(clean.n_images(), clean.groups, EvaluationOptions{}.seed) {}

  Resampled judge(std::vector<float> probabilities) {
    variant_.probabilities = std::move(probabilities);
    require_sound(variant_);
    const Judge judge(variant_, threshold_);
    Resampled result{figures_of(judge, {}), {}};
    add_formula_intervals(judge, result);
    bootstrap_.for_each(EvaluationOptions{}.n_resamples, [&](std::span<const std::int32_t> weights) {
      result.resamples.push_back(figures_of(judge, weights));
    });
    return result;
  }

 private:
  Predictions variant_;
  const double threshold_;
  const GroupBootstrap bootstrap_;
};

Resampled mean_of(const std::vector<const Resampled*>& some) {
  const auto mean = [&](auto figures_of_one) {
    std::vector<StressFigures> figures;
    for (const Resampled* one : some) figures.push_back(figures_of_one(*one));
    return mean_figures(figures);
  };
  Resampled result{mean([](const Resampled& one) { return one.all; }), {}};
  for (std::size_t r = 0; r < some.front()->resamples.size(); ++r)
    result.resamples.push_back(mean([r](const Resampled& one) { return one.resamples[r]; }));
  // As if its parts were right and wrong together: no mean is less certain than that.
  for (std::size_t i = 0; i < kStressFigures.size(); ++i) {
    Interval mean_interval;
    const double share = 1.0 / static_cast<double>(some.size());
    for (const Resampled* one : some) {
      if (!one->otherwise[i]) break;
      mean_interval.low += share * one->otherwise[i]->low;
      mean_interval.high += share * one->otherwise[i]->high;
      if (one == some.back()) result.otherwise[i] = mean_interval;
    }
  }
  return result;
}

JudgedFigures with_intervals(const Resampled& figures) {
  JudgedFigures judged{figures.all, {}};
  for (std::size_t i = 0; i < kStressFigures.size(); ++i) {
    judged.ci95[i] = figures.by_formula[i];
    if (!(figures.all.*kStressFigures[i]) || judged.ci95[i]) continue;
    std::vector<std::optional<double>> values;
    for (const StressFigures& resample : figures.resamples) values.push_back(resample.*kStressFigures[i]);
    judged.ci95[i] = percentile_interval(values);
    if (!judged.ci95[i] || judged.ci95[i]->low == judged.ci95[i]->high) judged.ci95[i] = figures.otherwise[i];
  }
  return judged;
}

}  // namespace

StressFigures mean_figures(const std::vector<StressFigures>& figures) {
  StressFigures mean;
  for (const auto figure : kStressFigures) {
    double sum = 0;
    int n = 0;
    for (const StressFigures& one : figures) {
      if (!(one.*figure)) continue;
      sum += *(one.*figure);
      ++n;
    }
    if (n > 0) mean.*figure = sum / n;
  }
  return mean;
}

std::int64_t stress_variants() {
  return kStressedDraws + kSeverities * static_cast<std::int64_t>(corruption_suite().size());
}

StressResult measure_stress(DatasetReader& data, const std::string& split, const Predictions& clean, double threshold,
                            std::uint64_t seed, const Predict& predict,
                            const std::function<void(std::int64_t)>& on_images) {
  auto variants = score_variants(data, split, all_changes(seed), predict, on_images);
  VariantJudge judge(clean, threshold);
  StressResult result;
  result.seed = seed;
  result.n_images = clean.n_images();
  result.threshold = threshold;
  result.clean = with_intervals(judge.judge(clean.probabilities));
  std::vector<Resampled> judged;  // in the order of all_changes
  for (std::vector<float>& probabilities : variants) judged.push_back(judge.judge(std::move(probabilities)));
  const auto mean = [&](const auto& places) {
    std::vector<const Resampled*> some;
    for (const std::size_t place : places) some.push_back(&judged[place]);
    return with_intervals(mean_of(some));
  };
  std::vector<std::size_t> draws, corrupted;
  std::array<std::vector<std::size_t>, kSeverities> of_severity;
  for (std::size_t draw = 0; draw < kStressedDraws; ++draw) {
    result.stressed_draws.push_back(with_intervals(judged[draw]));
    draws.push_back(draw);
  }
  for (const Corruption& corruption : corruption_suite()) {
    CorruptionResult& of_corruption = result.corruptions.emplace_back();
    of_corruption.corruption = corruption;
    std::vector<std::size_t> of_this;
    for (std::size_t severity = 0; severity < kSeverities; ++severity) {
      const std::size_t place = draws.size() + corrupted.size();
      of_corruption.by_severity[severity] = with_intervals(judged[place]);
      of_this.push_back(place);
      corrupted.push_back(place);
      of_severity[severity].push_back(place);
    }
    of_corruption.mean = mean(of_this);
  }
  result.stressed = mean(draws);
  result.mean = mean(corrupted);
  for (std::size_t severity = 0; severity < kSeverities; ++severity)
    result.by_severity[severity] = mean(of_severity[severity]);
  return result;
}

}  // namespace xrai
