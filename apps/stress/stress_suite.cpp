// See stress_suite.h.
#include "apps/stress/stress_suite.h"

#include "apps/stress/variant_scores.h"

namespace xrai {
namespace {

constexpr std::optional<double> StressFigures::*kFigures[] = {&StressFigures::auroc, &StressFigures::balanced_accuracy,
                                                              &StressFigures::sensitivity, &StressFigures::specificity};

std::vector<Change> all_changes(std::uint64_t seed) {
  std::vector<Change> changes;
  for (std::uint64_t draw = 0; draw < kStressedDraws; ++draw)
    changes.emplace_back([=](const PictureBlock& block) { draw_stressed_views(seed, draw, block); });
  for (const Corruption& corruption : corruption_suite())
    for (int severity = 1; severity <= kSeverities; ++severity)
      changes.emplace_back([=](const PictureBlock& block) { corrupt(corruption, severity, seed, block); });
  return changes;
}

void add_means(StressResult& result) {
  result.stressed = mean_figures(result.stressed_draws);
  std::vector<StressFigures> all;
  for (CorruptionResult& corruption : result.corruptions) {
    corruption.mean = mean_figures({corruption.by_severity.begin(), corruption.by_severity.end()});
    all.insert(all.end(), corruption.by_severity.begin(), corruption.by_severity.end());
  }
  result.mean = mean_figures(all);
  for (std::size_t severity = 0; severity < kSeverities; ++severity) {
    std::vector<StressFigures> of_severity;
    for (const CorruptionResult& corruption : result.corruptions)
      of_severity.push_back(corruption.by_severity[severity]);
    result.by_severity[severity] = mean_figures(of_severity);
  }
}

}  // namespace

StressFigures stress_figures(const Predictions& predictions, double threshold) {
  const Evaluation e = evaluate(predictions, {.threshold = threshold, .n_resamples = 0});
  return {e.metric("auroc").value, e.metric("balanced_accuracy").value, e.metric("sensitivity").value,
          e.metric("specificity").value};
}

StressFigures mean_figures(const std::vector<StressFigures>& figures) {
  StressFigures mean;
  for (const auto figure : kFigures) {
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
  const auto variants = score_variants(data, split, clean, all_changes(seed), predict, on_images);
  StressResult result;
  result.seed = seed;
  result.n_images = clean.n_images();
  result.threshold = threshold;
  result.clean = stress_figures(clean, threshold);
  auto variant = variants.begin();
  for (int draw = 0; draw < kStressedDraws; ++draw)
    result.stressed_draws.push_back(stress_figures(*variant++, threshold));
  for (const Corruption& corruption : corruption_suite()) {
    CorruptionResult& of_corruption = result.corruptions.emplace_back();
    of_corruption.corruption = corruption;
    for (StressFigures& figures : of_corruption.by_severity) figures = stress_figures(*variant++, threshold);
  }
  add_means(result);
  return result;
}

}  // namespace xrai
