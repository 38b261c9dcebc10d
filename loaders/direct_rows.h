// Rows read from the file's own bytes, outside the HDF5 library and its lock: contiguous data sets, and chunks whose
// filters are undone here.
#pragma once

#include <condition_variable>
#include <deque>
#include <set>

#include "loaders/chunk_cache.h"
#include "loaders/chunk_geometry.h"
#include "loaders/row_source.h"
#include "loaders/workers.h"
#include "runtime/hdf5/chunk_filters.h"

namespace xrai {

class DirectRows final : public RowSource {
 public:
  /// `storage` has no obstacle, and neither have its filters. Throws Error(kBadData) for chunks that are too large.
  DirectRows(const hdf5::File& file, std::string dataset, hdf5::Storage storage, const RowOptions& options);

  [[nodiscard]] std::int64_t n_rows() const override { return static_cast<std::int64_t>(geometry_.n_rows()); }
  [[nodiscard]] std::int64_t row_bytes() const override { return static_cast<std::int64_t>(geometry_.row_bytes()); }
  [[nodiscard]] std::int64_t rows_per_chunk() const override;
  [[nodiscard]] std::int64_t window_rows() const override { return plan_.window_rows; }
  [[nodiscard]] std::string how() const override;
  void expect(std::span<const std::int64_t> rows) override;
  void read(std::span<const std::int64_t> rows, std::byte* out) override;

 private:
  /// How the memory of the options is used.
  struct Plan {
    int most_at_once = 1;          // chunks in work
    std::uint64_t bands_kept = 0;  // bands of chunks that are kept, those in work with them
    std::int64_t window_rows = 0;
  };
  struct Visit {
    std::uint64_t row;
    std::byte* out;
  };
  struct Job {
    std::uint64_t chunk;
    std::span<const Visit> visits;  // rows that go through this chunk, rising
    ChunkCache::Chunk kept = nullptr;
    enum class Kind { kInflated, kCopied, kAwaited } kind = Kind::kCopied;
  };

  [[nodiscard]] std::vector<Visit> checked_visits(std::span<const std::int64_t> rows, std::byte* out) const;
  [[nodiscard]] static Plan plan(const hdf5::Storage& storage, const ChunkGeometry& geometry,
                                 const RowOptions& options);
  [[nodiscard]] std::vector<Job> jobs_of(std::span<const Visit> visits) const;
  [[nodiscard]] hdf5::StoredChunk stored_chunk(std::uint64_t chunk) const;
  void fetch(std::span<const Job> jobs) const;
  void fetch_ahead(std::size_t n_rows);
  void look_for_chunks(std::vector<Job>& jobs);
  void look_ahead(std::span<const Job> jobs);
  void inflate_ahead();
  [[nodiscard]] std::uint64_t first_byte(const Job& job) const;
  void copy(const Job& job);
  void copy_unwritten(const Job& job) const;
  void copy_stored(const Job& job, const hdf5::StoredChunk& stored) const;
  void copy_restored(const Job& job, const hdf5::StoredChunk& stored);
  [[nodiscard]] ChunkCache::Chunk made_once(std::uint64_t chunk);
  ChunkCache::Chunk make(std::uint64_t chunk);
  [[nodiscard]] ChunkCache::Chunk inflated(std::uint64_t chunk, const hdf5::StoredChunk& stored);
  void restore(std::uint64_t chunk, const hdf5::StoredChunk& stored, std::byte* to);
  [[noreturn]] void fail(std::uint64_t chunk, const std::string& reason) const;
  [[nodiscard]] std::uint64_t row_in_chunk(const Visit& visit) const { return visit.row % geometry_.chunk_rows(); }

  const hdf5::File& file_;
  const std::string dataset_;
  const hdf5::Storage storage_;
  const ChunkGeometry geometry_;
  const Plan plan_;
  ChunkCache cache_;
  std::mutex mutex_;  // of the next lines
  std::vector<std::int64_t> expected_;
  std::vector<std::unique_ptr<hdf5::ChunkDecoder>> idle_decoders_;
  std::deque<std::uint64_t> ahead_;  // chunks that may be inflated before they are asked for, soonest first
  std::set<std::uint64_t> in_the_making_, spoilt_;
  std::condition_variable made_;          // one of those in the making, or it could not be made
  std::vector<std::uint32_t> looked_at_;  // by band: the number of the look that came across it
  std::uint32_t n_looks_ = 0;
  Workers workers_;  // stop before what they work on goes
};

}  // namespace xrai
