// A training run's memory in one HDF5 file: weights in canonical layout (O, I, H, W), running statistics, optimiser
// state, the place in the data, settings. docs/data-format.md describes the file. Always whole or not there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runtime/nn/model.h"
#include "runtime/train/optimiser.h"
#include "runtime/train/predictor.h"
#include "runtime/train/settings.h"

namespace xrai {

/// Where training stands; enough to go on bit for bit.
struct TrainingState {
  std::int64_t step = 0;      // optimiser steps taken
  std::int64_t epoch = 0;     // epochs finished
  std::int64_t position = 0;  // images of the current epoch already trained on
  double epoch_loss_sum = 0;  // over those images, weighted
  double epoch_correct = 0;
  std::optional<double> best_score;                // lowest validation loss so far
  std::int64_t best_epoch = 0;                     // counted from 1; 0: none yet
  std::optional<kernels::LossScale> loss_scale{};  // of a run in float16
  friend bool operator==(const TrainingState&, const TrainingState&) = default;
};

/// What the network says about the validation pictures, before any temperature: what thresholds are chosen on.
struct ValidationScores {
  std::vector<std::int32_t> labels;  // (n); empty: not recorded
  std::vector<float> probabilities;  // (n, classes)
};

/// What a checkpoint says about itself besides numbers of the network.
struct CheckpointFacts {
  std::string config_toml;  // resolved configuration of the run
  std::vector<std::string> classes;
  Preprocessing preprocessing;
  InputSettings input;
  std::uint64_t seed = 1;
  double threshold = 0.5;
  std::string threshold_rule = "default";  // how the threshold was chosen, as --operating-point says it
  std::string threshold_note{};            // on which pictures; empty: on none
  std::optional<double> temperature{};     // of calibration.h; absent: probabilities are as the network gives them
  std::string temperature_note{};          // on which pictures it was fitted, or why it was not
  std::optional<std::int64_t> fitted_networks{};  // whose mean temperature and threshold were chosen for; absent: none
  ValidationScores validation{};
  bool synthetic_data = false;
  std::string data_fingerprint{};  // of the training data as it was read; empty: written before there were any
  PlanChoices plan_choices{};      // of a run with --autotune
};

struct Checkpoint {
  std::filesystem::path path;
  ModelSpec model;
  CheckpointFacts facts;
  TrainingState state;
  std::map<std::string, std::vector<float>> tensors;  // canonical layout, by the path in the file
  std::string checksum;
};

/// optimiser may be null (weights only).
void save_checkpoint(const std::filesystem::path& path, Model& model, const Optimiser* optimiser,
                     const CheckpointFacts& facts, const TrainingState& state);

/// Throws Error(kBadData): not a checkpoint, another format version, damaged (checksum).
Checkpoint read_checkpoint(const std::filesystem::path& path);

/// Changes what the file at `path` says about itself and nothing else; whole or not at all, as save_checkpoint. Throws
/// as read_checkpoint does, and Error(kStorage).
void rewrite_facts(const std::filesystem::path& path, const std::function<void(CheckpointFacts&)>& change);

/// Copies weights, statistics and, if given, the optimiser's state to the device. Throws Error(kBadData) when the
/// checkpoint does not fit the model or lacks this optimiser's state.
void restore(const Checkpoint& checkpoint, Model& model, Optimiser* optimiser);

/// A run folder's best checkpoint (else its last), or the file itself. Throws Error(kBadData).
std::filesystem::path find_checkpoint(const std::filesystem::path& run_or_checkpoint);

/// Where the further networks of an ensemble are runs of their own: RUN/members/2, RUN/members/3, ...
std::filesystem::path member_folder(const std::filesystem::path& run, std::int64_t member);

/// All networks of an ensemble in order, the run's own first; one for a checkpoint file or a run without members. A
/// member that has no checkpoint yet ends the list, and so does one with fewer epochs behind it than the run's own,
/// with a warning: half trained, it would spoil the mean. Throws Error(kBadData).
std::vector<std::filesystem::path> find_checkpoints(const std::filesystem::path& run_or_checkpoint);

}  // namespace xrai
