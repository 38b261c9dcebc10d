// Strides of rows and chunks, and copying where they overlap.
#include "loaders/chunk_geometry.h"

#include <algorithm>
#include <cstring>

namespace xrai {
namespace {

// Neighbours are then read at once, and the rows of a batch still make work for several threads.
constexpr std::uint64_t kContiguousBytes = 64 << 10;

std::vector<std::uint64_t> strides(const std::vector<std::uint64_t>& shape, std::uint64_t element_bytes) {
  std::vector<std::uint64_t> bytes(shape.size(), element_bytes);
  for (std::size_t axis = shape.size() - 1; axis-- > 0;) bytes[axis] = bytes[axis + 1] * shape[axis + 1];
  return bytes;
}

}  // namespace

ChunkGeometry::ChunkGeometry(const hdf5::Storage& storage)
    : shape_(storage.shape),
      chunk_shape_(storage.chunk_shape.empty() ? storage.shape : storage.chunk_shape),
      row_strides_(strides(storage.shape, storage.element_bytes)) {
  if (storage.chunk_shape.empty()) {
    chunk_shape_[0] = std::max<std::uint64_t>(1, kContiguousBytes / std::max<std::uint64_t>(1, row_bytes()));
  }
  chunk_strides_ = strides(chunk_shape_, storage.element_bytes);
  for (std::size_t axis = 0; axis < shape_.size(); ++axis) {
    counts_.push_back(shape_[axis] == 0 ? 0 : (shape_[axis] - 1) / chunk_shape_[axis] + 1);
    if (axis > 0) chunks_per_band_ *= counts_[axis];
  }
  whole_from_ = shape_.size() - 1;
  while (whole_from_ > 1 && chunk_shape_[whole_from_] == shape_[whole_from_]) --whole_from_;
}

void ChunkGeometry::place(std::uint64_t chunk, const std::byte* from, std::byte* row) const {
  std::vector<std::uint64_t> extents(shape_.size());
  for (std::size_t axis = shape_.size(); axis-- > 1;) {
    const std::uint64_t first = chunk % counts_[axis] * chunk_shape_[axis];
    extents[axis] = std::min(chunk_shape_[axis], shape_[axis] - first);
    row += first * row_strides_[axis];
    chunk /= counts_[axis];
  }
  place_axis(1, extents, from, row);
}

void ChunkGeometry::place_axis(std::size_t axis, std::span<const std::uint64_t> extents, const std::byte* from,
                               std::byte* row) const {
  if (axis >= whole_from_) {
    const bool element = axis == shape_.size();
    std::memcpy(row, from, element ? row_strides_[axis - 1] : extents[axis] * row_strides_[axis]);
    return;
  }
  for (std::uint64_t i = 0; i < extents[axis]; ++i) {
    place_axis(axis + 1, extents, from + i * chunk_strides_[axis], row + i * row_strides_[axis]);
  }
}

}  // namespace xrai
