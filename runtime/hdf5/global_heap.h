// The file's global heap: collections of objects of any length, which hold values of variable length and what a virtual
// data set is made of (HDF5 File Format Specification 3.0, III.E). No checksum protects them.
#pragma once

#include <map>

#include "runtime/hdf5/file_bytes.h"

namespace xrai::hdf5 {

/// The collections of one file that were read so far, which must be open for as long.
class GlobalHeap {
 public:
  explicit GlobalHeap(const FileBytes& file) : file_(file) {}

  /// Bytes of an object, for as long as this lives. Throws Damaged when it is not there.
  std::span<const unsigned char> object(std::uint64_t address, std::uint64_t index);
  /// Throws Damaged when the library would leave the collection, or not come to its end.
  void require_sound_for_library(std::uint64_t address);
  /// Each value was written once; throws Damaged when there are more of them than the file has bytes.
  void count_once_written(std::uint64_t n_bytes) {
    total_bytes_ += n_bytes;
    require(total_bytes_ <= file_.size());
  }

 private:
  struct Collection {
    std::vector<unsigned char> bytes;
    std::map<std::uint64_t, std::span<const unsigned char>> objects;
    bool ends_well = true;  // the free space reaches to the end
  };
  const Collection& collection(std::uint64_t address);

  const FileBytes& file_;
  std::uint64_t total_bytes_ = 0;
  std::map<std::uint64_t, Collection> collections_;
};

}  // namespace xrai::hdf5
