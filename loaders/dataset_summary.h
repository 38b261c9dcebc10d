// What is in one of our HDF5 data sets, and what to beware of before training on it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "runtime/hdf5/file.h"

namespace xrai {

struct PixelStatistics {
  double mean = 0.0, standard_deviation = 0.0;  // over all pixels of the split, 0 to 255
  int lowest = 255, highest = 0;
  std::int64_t n_constant_pictures = 0;  // all pixels the same
};

struct SplitSummary {
  std::string name;
  hdf5::DatasetInfo images;
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

/// Reads every picture once, a few megabytes at a time. `progress` gets pictures done and their number.
/// Throws Error(kBadData) when the file is no data set of the layout in docs/data-format.md.
DatasetSummary summarise_dataset(const std::filesystem::path& path,
                                 const std::function<void(std::int64_t, std::int64_t)>& progress);

}  // namespace xrai
