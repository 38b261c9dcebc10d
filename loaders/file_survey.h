// Which data sets a file holds, and which files lie beside it that belong to it. Only names, shapes and types are read.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "loaders/object_name.h"
#include "runtime/hdf5/file.h"

namespace xrai {

struct FoundDataset {
  std::size_t file = 0;  // which of the files that were opened
  std::string object;
  hdf5::DatasetInfo info;
  ObjectName name;  // the file's name says the split when the data set's does not
};

/// Above so many names in one group they are ids of pictures, and only the first few data sets are looked at.
inline constexpr std::size_t kManyNames = 512;

/// Data sets down to four groups deep. Throws Error(kBadData) when the file is damaged, or is a Keras model or a
/// checkpoint, which people mistake for data.
std::vector<FoundDataset> survey(const hdf5::File& file, std::size_t index);

/// "(5216, 224, 224)".
std::string shape_text(const hdf5::DatasetInfo& info);

/// Files with this one's extension in its folder, in name order, without itself.
struct FileBeside {
  std::filesystem::path path;
  ObjectName name;
};
std::vector<FileBeside> files_beside(const std::filesystem::path& path, const std::string& extension);

}  // namespace xrai
