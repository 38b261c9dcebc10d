// How rows of a data set and chunks of its file overlap. Chunks may be cut along any axis, a row go through several.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "runtime/hdf5/storage.h"

namespace xrai {

class ChunkGeometry {
 public:
  /// Contiguous data sets are taken as chunks of a few whole rows, one after the other.
  explicit ChunkGeometry(const hdf5::Storage& storage);

  [[nodiscard]] std::uint64_t n_rows() const { return shape_[0]; }
  [[nodiscard]] std::uint64_t row_bytes() const { return row_strides_[0]; }
  [[nodiscard]] std::uint64_t chunk_rows() const { return chunk_shape_[0]; }
  [[nodiscard]] std::uint64_t chunk_row_bytes() const { return chunk_strides_[0]; }
  [[nodiscard]] std::uint64_t chunk_bytes() const { return chunk_rows() * chunk_row_bytes(); }
  [[nodiscard]] bool holds_whole_rows() const { return chunks_per_band_ == 1 && chunk_row_bytes() == row_bytes(); }
  /// Chunks of the same rows stand one after the other in C order: that many.
  [[nodiscard]] std::uint64_t chunks_per_band() const { return chunks_per_band_; }
  /// Copies what a chunk has of a row; `from`: that row of the chunk, `row`: the whole row.
  void place(std::uint64_t chunk, const std::byte* from, std::byte* row) const;

 private:
  void place_axis(std::size_t axis, std::span<const std::uint64_t> extents, const std::byte* from,
                  std::byte* row) const;

  std::vector<std::uint64_t> shape_, chunk_shape_, counts_;  // counts of chunks
  std::vector<std::uint64_t> row_strides_, chunk_strides_;   // bytes of one step along each axis
  std::size_t whole_from_ = 1;  // from this axis inwards a chunk's bytes lie as they do in the row
  std::uint64_t chunks_per_band_ = 1;
};

}  // namespace xrai
