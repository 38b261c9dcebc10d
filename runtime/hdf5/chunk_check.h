// The index of chunks, and what filters make of one, are looked at before the library may use them: HDF5 1.10 follows
// an index that leads back to itself until its stack ends, takes as many bytes as the chunk should have out of whatever
// filters made, past the end of its memory where that is less, and makes room for whatever a stream says that it holds.
#pragma once

#include "runtime/hdf5/chunk_filters.h"
#include "runtime/hdf5/library_filters.h"
#include "runtime/hdf5/state.h"

namespace xrai::hdf5 {

/// Of one chunked data set, open for reading. Belongs to whoever holds the LibraryLock.
class ChunkCheck {
 public:
  /// Reads the index of the chunks, each held against the file. Throws Error(kBadData).
  ChunkCheck(OpenDataset& dataset, const Task& task);

  /// Restores every filtered chunk of those rows that was not looked at yet. Throws Error(kBadData) for one that does
  /// not fill its room exactly, or, with filters that only the library has, fills less than that.
  void require_sound(const OpenDataset& dataset, std::uint64_t first_row, std::uint64_t n_rows, const Task& task);

 private:
  void require_sound_chunk(const OpenDataset& dataset, std::uint64_t chunk, const Task& task);

  std::shared_ptr<const Storage> storage_;
  std::uint64_t chunk_bytes_ = 1, chunks_per_band_ = 1;  // of a chunk restored; of the same rows
  std::vector<bool> sound_;
  std::unique_ptr<ChunkDecoder> decoder_;       // for filters that are undone here,
  std::unique_ptr<LibraryFilters> by_library_;  // or for others
  std::uint32_t skipped_before_ = 0;            // by the chunk that was given to the library last
};

/// Makes the check of a chunked data set at the first call, and asks it of those rows; of others nothing.
void require_sound_chunks(OpenDataset& dataset, std::uint64_t first_row, std::uint64_t n_rows, const Task& task);

}  // namespace xrai::hdf5
