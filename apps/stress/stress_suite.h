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
  std::optional<double> auroc, balanced_accuracy, sensitivity, specificity;
};
StressFigures stress_figures(const Predictions& predictions, double threshold);
/// Figure by figure over those that are defined; absent when none is.
StressFigures mean_figures(const std::vector<StressFigures>& figures);

struct CorruptionResult {
  Corruption corruption{};
  std::array<StressFigures, kSeverities> by_severity;
  StressFigures mean;  // over the severities
};

struct StressResult {
  std::uint64_t seed = 0;
  std::int64_t n_images = 0;
  double threshold = 0.5;
  StressFigures clean;
  std::vector<StressFigures> stressed_draws;  // everything at once, one random draw a picture each
  StressFigures stressed;                     // mean over the draws
  std::vector<CorruptionResult> corruptions;
  std::array<StressFigures, kSeverities> by_severity;  // mean over the corruptions
  StressFigures mean;                                  // over corruptions and severities
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
