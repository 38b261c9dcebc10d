// The index of a chunked data set, read at once from the file's own bytes: asking the library for one chunk after the
// other walks the whole index each time (H5Dget_chunk_info of HDF5 1.10). Formats: HDF5 File Format Specification 3.0,
// III.A.1 (B-tree of version 1), III.A.2 (version 2) and VII.B to VII.E (the other indexes).
#pragma once

#include <functional>
#include <optional>
#include <span>

#include "runtime/hdf5/layout_message.h"
#include "runtime/hdf5/storage.h"

namespace xrai::hdf5 {

/// What an index says of one chunk.
struct IndexEntry {
  std::uint64_t address = kNowhere;
  std::uint64_t bytes = 0;
  std::uint64_t skipped_filters = 0;
};

struct ChunkGridSpec {
  std::vector<std::uint64_t> shape;    // of the data set, outermost axis first
  std::vector<std::uint64_t> largest;  // to which it may grow; kNowhere: no limit
  std::vector<std::uint64_t> chunk_shape;
  std::uint64_t chunk_bytes = 0;  // before filters
  bool filtered = false;
  bool plain_edges = false;  // filters were not applied to chunks that reach past the shape
};

/// Chunks of a data set as a grid, filled by the readers of indexes.
class ChunkGrid {
 public:
  using Place = std::span<const std::uint64_t>;  // of a chunk in the grid, one number an axis

  /// Throws NotUnderstood for a grid far larger than the file.
  ChunkGrid(const FileBytes& file, ChunkGridSpec spec);

  [[nodiscard]] const ChunkGridSpec& spec() const { return spec_; }
  [[nodiscard]] std::size_t rank() const { return counts_.size(); }
  /// Notes a chunk; one outside the grid is passed over. Throws Damaged when its bytes are not in the file.
  void put(Place place, const IndexEntry& entry);
  /// The same by the number that the file gives to the chunk. With an axis of no limit that one counts as the
  /// outermost, so that the numbers of the others' chunks stay when it grows.
  void put(std::uint64_t number, const IndexEntry& entry);
  /// Calls `take` with the place of each chunk and its number.
  void visit(const std::function<void(Place place, std::uint64_t number)>& take) const;
  [[nodiscard]] std::vector<StoredChunk> take() { return std::move(chunks_); }

 private:
  void order_axes();
  [[nodiscard]] std::uint64_t number_of(Place place) const;  // kNowhere: past all numbers
  [[nodiscard]] bool reaches_past_the_shape(Place place) const;

  const FileBytes& file_;
  ChunkGridSpec spec_;
  std::vector<std::uint64_t> counts_;          // chunks along each axis
  std::vector<std::uint64_t> largest_counts_;  // the same when it has grown as far as it may
  std::vector<std::size_t> numbered_axes_;     // innermost first, as chunks are numbered
  std::vector<StoredChunk> chunks_;            // C order
};

/// Shape, filters and chunks of a chunked data set, from the file that it is in. Read at the first call, and kept with
/// the data set. Throws Error(kBadData) when the index is damaged, or NotUnderstood.
std::shared_ptr<const Storage> locate_chunks(OpenDataset& dataset, const Task& task);

/// Reads the whole index. `node_entries`: most children of a node of a version 1 tree. Throws Damaged or NotUnderstood.
void read_chunk_index(const FileBytes& file, const LayoutMessage& layout, std::uint64_t node_entries, ChunkGrid& grid);

// One function an index, in files of their own.
void read_btree1(const FileBytes& file, std::uint64_t address, std::uint64_t node_entries, ChunkGrid& grid);
void read_btree2(const FileBytes& file, std::uint64_t address, ChunkGrid& grid);
void read_fixed_array(const FileBytes& file, std::uint64_t address, ChunkGrid& grid);
void read_extensible_array(const FileBytes& file, std::uint64_t address, ChunkGrid& grid);

/// An entry of `entry_bytes` as arrays and version 2 trees store it: an address, and with filters the bytes stored and
/// the filters skipped.
IndexEntry parse_entry(Fields& fields, std::size_t entry_bytes, const ChunkGrid& grid);

}  // namespace xrai::hdf5
