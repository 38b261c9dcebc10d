// The pictures of a run: opened, with a validation part that shares no patient with the training part.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "loaders/reader.h"
#include "runtime/train/checkpoint.h"
#include "runtime/train/settings.h"

namespace xrai {

struct TrainingData {
  std::shared_ptr<DatasetReader> file;        // reads the file every time
  std::shared_ptr<DatasetReader> reader;      // the same, or one that keeps pictures in memory
  std::string validation_split;               // "val", or "train" when a part of it was set aside
  std::vector<std::int64_t> train_rows;       // of the train split
  std::vector<std::int64_t> validation_rows;  // of validation_split
  std::vector<std::int32_t> train_labels;     // of train_rows
  std::string note;                           // how validation pictures were set aside; empty: the file has a val split
};

/// Opens the file. Without a val split, sets `val_fraction` of the training pictures aside by patient, stratified by
/// class. Throws Error(kBadData) without a train split, when a class has no picture in it, or when it is too small.
TrainingData open_training_data(const std::filesystem::path& path, const LayoutOptions& layout, double val_fraction,
                                std::uint64_t seed);

/// Keeps at most so many validation pictures, spread evenly over them so that every class stays.
void shorten_validation(TrainingData& data, std::size_t most);

/// Throws Error(kBadData) when the file was written to, cut or replaced since it was opened: pictures kept in memory
/// would hide that, and names and figures would no longer belong together.
void require_unchanged_file(const TrainingData& data);

/// A text attribute of the file, or the fallback.
std::string text_attribute(const DatasetReader& reader, const std::string& name, const std::string& fallback);

/// What a checkpoint of this training says about itself; config: the resolved configuration.
CheckpointFacts checkpoint_facts(const TrainingData& data, const TrainSettings& settings, const std::string& config);

}  // namespace xrai
