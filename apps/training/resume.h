// Going on with a run: which checkpoint, with which configuration, and what would make it another run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "apps/support/command_line.h"
#include "apps/training/train_options.h"
#include "apps/training/training_data.h"
#include "runtime/train/checkpoint.h"

namespace xrai {

/// What --resume names: nothing without --resume, and for "auto" when --out holds no checkpoint yet.
/// Throws Error(kBadData) for a path without a checkpoint and for a damaged one.
std::optional<Checkpoint> checkpoint_to_resume(const TrainOptions& options);

/// Whether the checkpoint belongs to the run in --out, so that this folder may hold a run already.
bool continues_in_place(const TrainOptions& options, const Checkpoint& checkpoint);

/// Fills options that neither flags nor --config have set with those of the checkpoint's run. Returns a line for each
/// that differs on purpose ("--epochs is now 20, was 12"). Throws Error(kUsage) naming a flag that would make it
/// another run.
std::vector<std::string> take_over_configuration(CommandLine& command_line, TrainOptions& options,
                                                 const Checkpoint& checkpoint);

/// Throws Error(kUsage) for another --model, Error(kBadData) for a data set with other classes, other pictures or
/// another number of them: its place in the epoch would mean something else.
void refuse_other_run(const Checkpoint& checkpoint, const ModelSpec& model, const TrainingData& data,
                      std::int64_t batch_size);

/// Throws Error(kUsage) when the run that is gone on with has more networks than `members`: all that are there are
/// averaged.
void refuse_fewer_members(const Checkpoint& checkpoint, std::int64_t members);

/// The run folder whose checkpoints/ the file lies in; empty when it lies elsewhere.
std::filesystem::path run_of_checkpoint(const std::filesystem::path& checkpoint);

/// A run that goes on in a new folder takes the figures, the best checkpoint and the further networks that it has so
/// far with it.
/// Throws Error(kStorage).
void bring_history(const Checkpoint& checkpoint, const std::filesystem::path& new_run);

}  // namespace xrai
