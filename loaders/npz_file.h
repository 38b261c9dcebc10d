// NumPy's archives of arrays (.npz): a ZIP file whose members are .npy files. An array is read while it is inflated,
// and never held whole here.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "loaders/zip_archive.h"
#include "runtime/hdf5/file.h"

namespace xrai {

/// An array of numbers. Errors are Error(kBadData, reason), without the file's name.
class NpyArray {
 public:
  /// Throws when it does not hold numbers of NumPy's types in C's order, or is damaged.
  explicit NpyArray(std::unique_ptr<ZipMember> member);

  /// Shape, type and byte order; it may stand where that of a data set does.
  [[nodiscard]] const hdf5::DatasetInfo& info() const { return info_; }
  /// Rows [first, first + count) as they are stored, into count * info().row_bytes() bytes. Cheap for rows that follow
  /// those read last; going back inflates from the beginning. Throws when they are damaged.
  void read_rows(std::uint64_t first, std::uint64_t count, std::byte* out);

 private:
  std::unique_ptr<ZipMember> member_;
  hdf5::DatasetInfo info_;
  std::uint64_t values_at_ = 0;  // in the member
};

/// The arrays of an archive by their names without ".npy".
class NpzFile {
 public:
  /// Throws Error(kBadData, reason).
  explicit NpzFile(std::filesystem::path path);

  /// In order.
  [[nodiscard]] std::vector<std::string> names() const;
  [[nodiscard]] NpyArray open(const std::string& name) const;

 private:
  const std::filesystem::path path_;
  std::map<std::string, ZipEntry> entries_;
};

}  // namespace xrai
