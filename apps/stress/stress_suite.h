// A network on pictures that were made worse: the corruption suite and the stressed views of
// loaders/stress/corruption.h, scored picture by picture as the clean split is. Lives here: running the suite and its
// means. Not here: how pictures are changed (loaders/stress), words and pages (stress_words.h, stress_section.h).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "apps/report/score_split.h"
#include "loaders/stress/corruption.h"
#include "runtime/train/evaluation.h"

namespace xrai {

/// What is reported of each variant of the split, at the network's threshold; absent where the data do not define it.
struct StressFigures {
  std::optional<double> auroc, accuracy, balanced_accuracy, sensitivity, specificity;
};
inline constexpr std::array kStressFigures{&StressFigures::auroc, &StressFigures::accuracy,
                                           &StressFigures::balanced_accuracy, &StressFigures::sensitivity,
                                           &StressFigures::specificity};
/// Figure by figure over those that are defined; absent when none is.
StressFigures mean_figures(const std::vector<StressFigures>& figures);

using StressIntervals = std::array<std::optional<Interval>, kStressFigures.size()>;  // in the order of kStressFigures

/// With 95 % intervals: DeLong's and Wilson's of one variant, as evaluate() has them; of means over variants, and where
/// there is no formula, from a bootstrap by group (GroupBootstrap) that takes the same resamples of every variant.
struct JudgedFigures : StressFigures {
  StressIntervals ci95;
};

struct CorruptionResult {
  Corruption corruption{};
  std::array<JudgedFigures, kSeverities> by_severity;
  JudgedFigures mean;  // over the severities
};

struct StressResult {
  std::uint64_t seed = 0;
  std::int64_t n_images = 0;
  double threshold = 0.5;
  JudgedFigures clean;
  std::vector<JudgedFigures> stressed_draws;  // everything at once, one random draw a picture each
  JudgedFigures stressed;                     // mean over the draws
  std::vector<CorruptionResult> corruptions;
  std::array<JudgedFigures, kSeverities> by_severity;  // mean over the corruptions
  JudgedFigures mean;                                  // over corruptions and severities
};

inline constexpr int kStressedDraws = 5;
/// Pictures that the suite scores for each one of the split.
std::int64_t stress_variants();

/// Scores every variant of the split. `clean`: the predictions of the split itself. `on_images` is told how many
/// pictures are done, stress_variants() for each of the split. Throws what reading and `predict` throw.
StressResult measure_stress(DatasetReader& data, const std::string& split, const Predictions& clean, double threshold,
                            std::uint64_t seed, const Predict& predict,
                            const std::function<void(std::int64_t)>& on_images);

}  // namespace xrai
