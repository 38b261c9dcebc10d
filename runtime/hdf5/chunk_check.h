// What filters make of a chunk is looked at before the library may use it: HDF5 1.10 takes as many bytes as the chunk
// should have out of whatever they made, past the end of its memory where that is less, and makes room for whatever a
// stream says that it holds.
#pragma once

#include "runtime/hdf5/chunk_filters.h"
#include "runtime/hdf5/library_filters.h"
#include "runtime/hdf5/state.h"

namespace xrai::hdf5 {

/// Of one data set with filters, open for reading. Belongs to whoever holds the LibraryLock.
class ChunkCheck {
 public:
  /// Reads the index of the chunks, each held against the file. Throws Error(kBadData).
  ChunkCheck(const OpenDataset& dataset, const Task& task);

  /// Restores every chunk of those rows that was not looked at yet. Throws Error(kBadData) for one that does not fill
  /// its room exactly, or, with filters that only the library has, fills less than that.
  void require_sound(const OpenDataset& dataset, std::uint64_t first_row, std::uint64_t n_rows, const Task& task);

 private:
  void require_sound_chunk(const OpenDataset& dataset, std::uint64_t chunk, const Task& task);

  Storage storage_;
  std::uint64_t chunk_bytes_ = 1, chunks_per_band_ = 1;  // of a chunk restored; of the same rows
  std::vector<bool> sound_;
  std::unique_ptr<ChunkDecoder> decoder_;       // for filters that are undone here,
  std::unique_ptr<LibraryFilters> by_library_;  // or for others
};

}  // namespace xrai::hdf5
