// NumPy's archives of arrays (.npz): a ZIP file whose members are .npy files, stored or deflated. Every number taken
// from the file is checked against its size.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "runtime/hdf5/file.h"

namespace xrai {

struct NpyArray {
  hdf5::DatasetInfo info;  // shape, type, byte order; it may stand where that of a data set does
  std::vector<std::byte> values;
};

/// All arrays of numbers by their names without ".npy"; others are passed over. Throws Error(kBadData) when it is no
/// such file, is damaged, or needs ZIP64 (arrays of more than 4 GiB).
std::map<std::string, NpyArray> read_npz(const std::filesystem::path& path);

}  // namespace xrai
