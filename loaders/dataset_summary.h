// What is in a data set, and what to beware of before training on it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "loaders/reader.h"

namespace xrai {

struct PixelStatistics {
  double mean = 0.0, standard_deviation = 0.0;  // over all pixels of the split, 0 to 255
  int lowest = 255, highest = 0;
  std::int64_t n_constant_pictures = 0;  // all pixels the same
};

struct SplitSummary {
  std::string name;
  std::string layout;                  // what was decided about the file, in one line
  std::int64_t height = 0, width = 0;  // pixels
  hdf5::DatasetInfo images;            // of the first data set with pictures; empty when each has one of its own
  std::uint64_t stored_bytes = 0;      // of all of them
  std::vector<std::int64_t> of_class;  // pictures of each label
  std::int64_t n_pictures = 0, n_groups = 0;
  PixelStatistics pixels;
};

struct DatasetSummary {
  std::filesystem::path path;
  std::vector<std::string> classes;
  std::map<std::string, hdf5::Attribute> attributes;  // of the root, those our writer sets
  bool synthetic = false;
  std::vector<SplitSummary> splits;  // train, val, test: those that are there
  std::vector<std::string> warnings;
  std::uintmax_t file_bytes = 0;
};

/// Reads every picture once, a few megabytes at a time. `progress` gets pictures done and their number. Throws
/// Error(kBadData).
DatasetSummary summarise_dataset(DatasetReader& data, const std::function<void(std::int64_t, std::int64_t)>& progress);

}  // namespace xrai
