#include "runtime/hdf5/chunk_check.h"

#include <unistd.h>

#include <algorithm>
#include <bit>

#include "runtime/hdf5/chunk_index.h"
#include "runtime/hdf5/packed_numbers.h"

namespace xrai::hdf5 {

ChunkCheck::ChunkCheck(OpenDataset& dataset, const Task& task) {
  try {
    storage_ = locate_chunks(dataset, task);
  } catch (const NotUnderstood& kind) {
    fail(task, "its chunks cannot be checked, because " + kind.reason, kWriteOlder);
  }
  if (storage_->filters.empty()) return;
  chunk_bytes_ = storage_->element_bytes;
  for (const std::uint64_t axis : storage_->chunk_shape) chunk_bytes_ *= axis;
  for (std::size_t axis = 1; axis < storage_->shape.size(); ++axis) {
    const std::uint64_t length = storage_->chunk_shape[axis];
    chunks_per_band_ *= (storage_->shape[axis] + length - 1) / length;
  }
  sound_.resize(storage_->chunks.size());
  const std::string obstacle = obstacle_in_filters(storage_->filters);
  if (obstacle.empty()) {
    decoder_ = std::make_unique<ChunkDecoder>(storage_->filters);
  } else if (std::any_of(storage_->filters.begin(), storage_->filters.end(), packs_numbers)) {
    fail(task, "its chunks cannot be checked, because " + obstacle, "write it again: h5repack -f GZIP=4");
  }
}

void ChunkCheck::require_sound(const OpenDataset& dataset, std::uint64_t first_row, std::uint64_t n_rows,
                               const Task& task) {
  if (n_rows == 0 || storage_->filters.empty()) return;
  const std::uint64_t rows = storage_->chunk_shape[0], last_band = (first_row + n_rows - 1) / rows;
  for (std::uint64_t chunk = first_row / rows * chunks_per_band_; chunk < (last_band + 1) * chunks_per_band_; ++chunk) {
    if (sound_[chunk]) continue;
    if (storage_->chunks[chunk].bytes > 0) require_sound_chunk(dataset, chunk, task);
    sound_[chunk] = true;
  }
}

void ChunkCheck::require_sound_chunk(const OpenDataset& dataset, std::uint64_t chunk, const Task& task) {
  const StoredChunk& stored = storage_->chunks[chunk];
  if (!dataset.missing_filter.empty()) fail_without_filter(dataset, task);
  if (chunk_bytes_ > kMostChunkBytes) {
    fail(task, fmt::format("it is compressed in chunks of {} MB, too large to be inflated", chunk_bytes_ >> 20),
         "write it again with smaller ones (h5repack)");
  }
  std::vector<std::byte> other;
  std::span<std::byte> bytes;
  if (decoder_) {
    if (!can_become(storage_->filters, stored.bytes, chunk_bytes_)) {
      fail(task, "its chunks cannot be as large as it says", kCopyAgain);
    }
    bytes = decoder_->stored(stored.bytes);
  } else {
    other.resize(stored.bytes);
    bytes = other;
  }
  const ssize_t n = pread(storage_->descriptor, bytes.data(), bytes.size(), static_cast<off_t>(stored.offset));
  if (n != static_cast<ssize_t>(bytes.size())) fail(task, "it ends too early", kCopyAgain);
  if (!decoder_) {
    constexpr std::uint64_t kMostAdded = 4 * H5Z_MAX_NFILTERS;  // by checksums before it
    if (szip_claims_more(storage_->filters, stored.skipped_filters, bytes, chunk_bytes_ + kMostAdded)) {
      fail(task, "a chunk of it inflates to more than the data set declares", kCopyAgain);
    }
    const std::uint64_t n_filters = storage_->filters.size();
    if (n_filters <= 32 && std::popcount(stored.skipped_filters) == static_cast<int>(n_filters)) {
      if (stored.bytes < chunk_bytes_) fail(task, "its chunks are not as large as it says", kCopyAgain);
      return;
    }
    // The library keeps in mind which filters the chunk before had skipped.
    if (!by_library_ || skipped_before_ != stored.skipped_filters) {
      by_library_ = std::make_unique<LibraryFilters>(dataset, task);
      skipped_before_ = stored.skipped_filters;
    }
    if (by_library_->same_parameters()) by_library_->require_whole(bytes, stored.skipped_filters, task);
    return;
  }
  const auto room = std::make_unique_for_overwrite<std::byte[]>(chunk_bytes_);
  const std::string wrong = decoder_->restore(stored.skipped_filters, {room.get(), chunk_bytes_});
  if (!wrong.empty()) fail(task, wrong, kCopyAgain);
}

void require_sound_chunks(OpenDataset& dataset, std::uint64_t first_row, std::uint64_t n_rows, const Task& task) {
  if (dataset.chunk.empty()) return;
  if (!dataset.checked) dataset.checked = std::make_shared<ChunkCheck>(dataset, task);
  dataset.checked->require_sound(dataset, first_row, n_rows, task);
}

}  // namespace xrai::hdf5
