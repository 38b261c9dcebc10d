// The end of a training: what is fitted to the best network on its validation pictures, and kept in its checkpoint.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "apps/training/training_data.h"
#include "runtime/train/evaluation.h"

namespace xrai {

class Device;

/// Before hours of training rather than behind them. Throws Error(kUsage) for a rule that needs two classes where there
/// are more, Error(kBadData) where the validation pictures are all of one class.
void refuse_impossible_rule(const std::string& rule, const TrainingData& data);

/// Scores the validation pictures with the run's best checkpoint, fits the temperature by the log loss weighted by
/// class, chooses the operating point on the calibrated probabilities, and writes all of it into that checkpoint. A
/// rule that no threshold meets is a warning, and the point stays at 0.5: the training is not thrown away for it.
/// Returns the calibrated predictions.
Predictions fit_on_validation(const TrainingData& data, const std::filesystem::path& run_folder, Device& device,
                              std::int64_t batch_size, const std::string& rule, std::span<const float> class_weights);

}  // namespace xrai
