// See validation_fit.h.
#include "apps/training/validation_fit.h"

#include <fmt/format.h>

#include <algorithm>

#include "apps/report/score_split.h"
#include "runtime/core/error.h"
#include "runtime/core/interrupt.h"
#include "runtime/core/log.h"
#include "runtime/train/calibration.h"
#include "runtime/train/checkpoint.h"
#include "runtime/train/operating_point.h"
#include "runtime/train/predictor.h"

namespace xrai {
namespace {

Predictions uncalibrated_predictions(const TrainingData& data, Predictor& network) {
  return score_split(
      *data.reader, data.validation_split, data.validation_rows, network.classes(), network.checkpoint_path().string(),
      [&](const std::uint8_t* pixels, std::int64_t n, std::int64_t height, std::int64_t width) {
        return network.predict_uncalibrated(pixels, n, height, width);
      },
      [](std::int64_t) {
        stop_if_requested("every network is trained and saved, and --resume auto writes the report");
      });
}

void calibrate(const Predictions& p, std::span<const float> class_weights, CheckpointFacts& facts) {
  const TemperatureFit fit = fit_temperature(p.labels, p.probabilities, p.n_classes(), class_weights);
  facts.temperature = fit.temperature;
  facts.temperature_note = fit.temperature ? fmt::format("{:.2f} to {:.2f} by {} validation pictures", fit.ci95->low,
                                                         fit.ci95->high, p.n_images())
                                           : fit.remark;
  log::info(fit.temperature
                ? fmt::format("calibration: temperature {:.3f} ({})", *fit.temperature, facts.temperature_note)
                : fmt::format("calibration: no temperature, {}", facts.temperature_note));
}

void choose_point(const Predictions& p, const std::string& rule, CheckpointFacts& facts) {
  OperatingPoint point;
  try {
    if (p.n_classes() == 2)
      point =
          choose_operating_point(rule, p.labels, p.probabilities, fmt::format("{} validation pictures", p.n_images()));
  } catch (const Error& error) {
    log::warning(fmt::format("{}; the threshold stays at 0.5", error.what()));
  }
  facts.threshold = point.threshold;
  facts.threshold_rule = point.rule;
  facts.threshold_note = point.chosen_on;
  if (!point.chosen_on.empty())
    log::info(fmt::format("operating point: {} from a probability of {:.3f} on; {}, chosen on {}", p.classes[1],
                          point.threshold, point.rule, point.chosen_on));
}

}  // namespace

void refuse_impossible_rule(const std::string& rule, const TrainingData& data) {
  if (rule == "default") return;
  const std::size_t n_classes = data.reader->classes().size();
  if (n_classes != 2)
    throw Error(ExitCode::kUsage,
                fmt::format("--operating-point {} is for two classes, and {} has {}: the most probable one is named; "
                            "leave it out",
                            rule, data.reader->path().string(), n_classes));
  const std::vector<std::int32_t>& labels = data.reader->labels(data.validation_split);
  const auto n_positive = std::count_if(data.validation_rows.begin(), data.validation_rows.end(),
                                        [&](std::int64_t row) { return labels[static_cast<std::size_t>(row)] == 1; });
  if (n_positive == 0 || n_positive == std::ssize(data.validation_rows))
    throw Error(ExitCode::kBadData,
                fmt::format("--operating-point {} needs validation pictures of both classes, and those of {} are all "
                            "{}; leave it out, or import with another --splits",
                            rule, data.reader->path().string(), data.reader->classes()[n_positive == 0 ? 0 : 1]));
}

Predictions fit_on_validation(const TrainingData& data, const std::filesystem::path& run_folder, Device& device,
                              std::int64_t batch_size, const std::string& rule, std::span<const float> class_weights) {
  Predictor kept = Predictor::load(run_folder, device, batch_size);
  Predictions predictions = uncalibrated_predictions(data, kept);
  rewrite_facts(kept.checkpoint_path(), [&](CheckpointFacts& facts) {
    facts.validation = {predictions.labels, predictions.probabilities};
    facts.fitted_networks = kept.n_members();
    calibrate(predictions, class_weights, facts);
    if (facts.temperature) apply_temperature(predictions.probabilities, predictions.n_classes(), *facts.temperature);
    choose_point(predictions, rule, facts);
  });
  return predictions;
}

}  // namespace xrai
