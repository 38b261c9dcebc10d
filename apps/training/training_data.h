// The pictures of a run: opened, with a validation part that shares no patient with the training part.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "loaders/batch_loader.h"
#include "loaders/reader.h"

namespace xrai {

struct TrainingData {
  std::shared_ptr<DatasetReader> reader;
  std::string validation_split;               // "val", or "train" when a part of it was set aside
  std::vector<std::int64_t> train_rows;       // of the train split
  std::vector<std::int64_t> validation_rows;  // of validation_split
  std::vector<std::int32_t> train_labels;     // of train_rows
};

/// Opens the file. Without a val split, sets `val_fraction` of the training pictures aside by patient, stratified by
/// class, and says so in the log. Throws Error(kBadData) without a train split or when a class has no picture in it.
TrainingData open_training_data(const std::filesystem::path& path, double val_fraction, std::uint64_t seed);

/// 1 when the file says that its pictures are drawn and not taken.
bool is_synthetic(const DatasetReader& reader);
/// A text attribute of the file, or the fallback.
std::string text_attribute(const DatasetReader& reader, const std::string& name, const std::string& fallback);

}  // namespace xrai
