// A virtual data set leads the library to other data sets, in this file or another one. Each is looked at here before
// the library opens it and reads it, as if it had been asked for by name.
#pragma once

#include <map>
#include <memory>

#include "runtime/hdf5/state.h"

namespace xrai::hdf5 {

/// Of one virtual data set, open for reading. Belongs to whoever holds the LibraryLock.
class VirtualSources {
 public:
  /// `state`: whose links may be followed, and where it was opened first. Throws Error(kBadData) where a source is in a
  /// file that is not allowed.
  VirtualSources(const OpenDataset& dataset, const File::State& state, const Task& task);
  ~VirtualSources();

  /// Looks at the sources of those rows, each once, and at the chunks that are read. Throws Error(kBadData).
  void require_sound(std::uint64_t first_row, std::uint64_t n_rows, const Task& task);
  /// Of the files of sources that were looked at. Throws Error for one that is gone, too: the library would fill in
  /// zeros.
  void require_unchanged(const Task& task) const;

 private:
  struct Part;
  void add_part(hid_t creation, std::size_t i, const Task& task);
  File::State& file_of(const Part& part, const Task& task);
  OpenDataset& open(Part& part, const Task& task);
  void require_fitting(const Part& part, const OpenDataset& source, const Task& task) const;

  const std::filesystem::path opened_first_;
  const Links links_;
  std::filesystem::path home_;  // the file that the data set is in
  Handle home_file_;            // the same, until it is wanted as a source
  H5T_class_t kind_;
  std::vector<Part> parts_;
  std::map<std::string, std::unique_ptr<File::State>, std::less<>> files_;
};

}  // namespace xrai::hdf5
