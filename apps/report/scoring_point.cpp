// See scoring_point.h.
#include "apps/report/scoring_point.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/core/error.h"
#include "runtime/core/log.h"
#include "runtime/train/calibration.h"

namespace xrai {
namespace {

OperatingPoint chosen_on_kept_scores(const std::string& rule, const CheckpointFacts& facts) {
  std::vector<float> probabilities = facts.validation.probabilities;
  if (facts.temperature) apply_temperature(probabilities, std::ssize(facts.classes), *facts.temperature);
  return choose_operating_point(rule, facts.validation.labels, probabilities,
                                fmt::format("the run's {} validation pictures", facts.validation.labels.size()));
}

OperatingPoint chosen_on_split(const std::string& rule, const CheckpointFacts& facts, const std::string& checkpoint,
                               DatasetReader& data, const Predict& predict) {
  log::info(fmt::format("scoring the split 'val' of {} for the operating point", data.path().string()));
  const Predictions p = score_split(data, "val", {}, facts.classes, checkpoint, predict);
  return choose_operating_point(rule, p.labels, p.probabilities,
                                fmt::format("{} pictures of the val split of {}", p.n_images(), data.path().string()));
}

}  // namespace

OperatingPoint scoring_point(const std::string& rule, const CheckpointFacts& facts, const std::string& checkpoint,
                             DatasetReader& data, const Predict& predict) {
  if (rule.empty()) return {facts.threshold, facts.threshold_rule, facts.threshold_note};
  if (facts.classes.size() != 2)
    throw Error(ExitCode::kUsage,
                fmt::format("--operating-point is for two classes, and {} tells {} apart: the most probable one is "
                            "named; leave it out",
                            checkpoint, fmt::join(facts.classes, ", ")));
  if (rule == "default") return {};
  if (!facts.validation.labels.empty()) return chosen_on_kept_scores(rule, facts);
  const auto splits = data.splits();
  if (std::find(splits.begin(), splits.end(), "val") != splits.end())
    return chosen_on_split(rule, facts, checkpoint, data, predict);
  throw Error(ExitCode::kBadData,
              fmt::format("there is nothing to choose the operating point {} on: {} keeps no validation scores (its "
                          "training did not end), and {} has no val split; take --operating-point default",
                          rule, checkpoint, data.path().string()));
}

std::string scoring_point_warning(const OperatingPoint& point, bool calibrated, const std::string& split) {
  if (split != "val") return {};
  if (point.chosen_on.empty())
    return calibrated ? "The temperature was fitted on validation pictures, and validation pictures are scored: where "
                        "they are the same, the calibration flatters the network."
                      : "";
  return fmt::format(
      "The threshold ({}) was chosen on validation pictures, and validation pictures are scored: where they are the "
      "same, sensitivity and specificity flatter the network.",
      point.rule);
}

std::string fitted_for_others_warning(const CheckpointFacts& facts, std::int64_t n_networks) {
  if (!facts.fitted_networks || facts.fitted_networks == n_networks) return {};
  const std::string fitted =
      facts.fitted_networks == 1 ? "one network alone" : fmt::format("the mean of {} networks", *facts.fitted_networks);
  return fmt::format(
      "The temperature and the threshold were chosen for {}, and {} scored: the probabilities may be off.", fitted,
      n_networks == 1 ? "one alone is" : fmt::format("{} are", n_networks));
}

}  // namespace xrai
