// A batch becomes jobs, one a chunk, so that each chunk is read and inflated once whatever the order of its rows.
#include "loaders/direct_rows.h"

#include <algorithm>
#include <cstring>

#include "runtime/core/error.h"
#include "runtime/core/host.h"

namespace xrai {
namespace {

// Work for less than this is not worth waking a thread.
constexpr std::uint64_t kPortionBytes = 32 << 10;
constexpr std::uint64_t kLargestChunk = std::uint64_t{1} << 30;
constexpr std::uint64_t kMegabyte = std::uint64_t{1} << 20;

/// Half of the memory is for chunks in work, each as it is stored and as it becomes; the other half is the cache's.
int chunks_in_work(const ChunkGeometry& geometry, const RowOptions& options, bool filtered) {
  const int n_threads = options.n_threads > 0 ? options.n_threads : available_cores();
  if (!filtered) return n_threads;
  const std::uint64_t most = options.memory_bytes / 2 / std::max<std::uint64_t>(1, 2 * geometry.chunk_bytes());
  return static_cast<int>(std::clamp<std::uint64_t>(most, 1, static_cast<std::uint64_t>(n_threads)));
}

/// Rows of a band of chunks are kept together.
std::uint64_t bands_kept(const ChunkGeometry& geometry, const RowOptions& options, bool filtered) {
  if (!filtered || geometry.chunk_rows() == 1) return 0;  // each chunk is wanted once an epoch
  const std::uint64_t band_bytes = geometry.chunks_per_band() * geometry.chunk_bytes();
  return std::max<std::uint64_t>(1, options.memory_bytes / 2 / std::max<std::uint64_t>(1, band_bytes));
}

/// The other half of what is kept is for the window that a batch begins to read while it ends with the one before.
std::int64_t window_rows_of(const ChunkGeometry& geometry, const RowOptions& options, bool filtered) {
  const std::uint64_t kept = bands_kept(geometry, options, filtered);
  return kept == 0 ? 0 : static_cast<std::int64_t>(std::max<std::uint64_t>(1, kept / 2) * geometry.chunk_rows());
}

}  // namespace

DirectRows::DirectRows(const hdf5::File& file, std::string dataset, hdf5::Storage storage, const RowOptions& options)
    : file_(file),
      dataset_(std::move(dataset)),
      storage_(std::move(storage)),
      geometry_(storage_),
      most_at_once_(chunks_in_work(geometry_, options, !storage_.filters.empty())),
      window_rows_(window_rows_of(geometry_, options, !storage_.filters.empty())),
      cache_(bands_kept(geometry_, options, !storage_.filters.empty()) * geometry_.chunks_per_band()),
      workers_(most_at_once_) {
  if (storage_.filters.empty() || geometry_.chunk_bytes() <= kLargestChunk) return;
  throw Error(ExitCode::kBadData,
              fmt::format("{} of {} is compressed in chunks of {} MB, too large to be inflated; write it again with "
                          "smaller ones (h5repack)",
                          dataset_, file.path().string(), geometry_.chunk_bytes() / kMegabyte));
}

std::int64_t DirectRows::rows_per_chunk() const {
  return storage_.chunk_shape.empty() ? 1 : static_cast<std::int64_t>(geometry_.chunk_rows());
}

std::string DirectRows::how() const {
  if (storage_.chunk_shape.empty()) return "outside the HDF5 library, contiguous";
  std::vector<std::string> filters;
  for (const hdf5::StoredFilter& filter : storage_.filters) filters.push_back(filter.name);
  return fmt::format("outside the HDF5 library, chunks ({}), {}", fmt::join(storage_.chunk_shape, ", "),
                     filters.empty() ? "uncompressed" : fmt::format("{}", fmt::join(filters, " + ")));
}

void DirectRows::read(std::span<const std::int64_t> rows, std::byte* out) {
  const std::vector<Visit> visits = checked_visits(rows, out);
  const std::vector<Job> jobs = jobs_of(visits);
  fetch(jobs);
  const auto n_jobs = static_cast<std::uint64_t>(jobs.size());
  const std::uint64_t n_portions =
      std::min(n_jobs, std::max<std::uint64_t>(1, rows.size() * geometry_.row_bytes() / kPortionBytes));
  workers_.run(static_cast<std::int64_t>(n_portions), most_at_once_, [&](std::int64_t i) {
    const auto portion = static_cast<std::uint64_t>(i);
    const std::uint64_t end = n_jobs * (portion + 1) / n_portions;
    for (std::uint64_t job = n_jobs * portion / n_portions; job < end; ++job) copy(jobs[job]);
  });
  file_.require_unchanged(dataset_);
}

std::vector<DirectRows::Visit> DirectRows::checked_visits(std::span<const std::int64_t> rows, std::byte* out) const {
  std::vector<Visit> visits;
  visits.reserve(rows.size());
  for (const std::int64_t row : rows) {
    if (row < 0 || row >= n_rows()) {
      throw Error(ExitCode::kBadData, fmt::format("row {} of {} in {} was asked for, but it has {}", row, dataset_,
                                                  file_.path().string(), n_rows()));
    }
    visits.push_back({static_cast<std::uint64_t>(row), out});
    out += row_bytes();
  }
  std::stable_sort(visits.begin(), visits.end(), [](const Visit& a, const Visit& b) { return a.row < b.row; });
  return visits;
}

std::vector<DirectRows::Job> DirectRows::jobs_of(std::span<const Visit> visits) const {
  std::vector<Job> jobs;
  const std::uint64_t rows = geometry_.chunk_rows(), chunks = geometry_.chunks_per_band();
  for (std::size_t begin = 0, end = 0; begin < visits.size(); begin = end) {
    const std::uint64_t band = visits[begin].row / rows;
    for (end = begin + 1; end < visits.size() && visits[end].row / rows == band;) ++end;
    for (std::uint64_t i = 0; i < chunks; ++i) {
      jobs.push_back({band * chunks + i, visits.subspan(begin, end - begin)});
    }
  }
  return jobs;
}

hdf5::StoredChunk DirectRows::stored_chunk(std::uint64_t chunk) const {
  if (!storage_.chunk_shape.empty()) return storage_.chunks[chunk];
  // The last of these may reach past the end; no row of it there is ever asked for.
  return {storage_.offset + chunk * geometry_.chunk_bytes(), storage_.written ? 1U : 0U, 0};
}

// A disk that is told of the whole batch gives more rows than one that is asked for one chunk after the other (1.3
// times, measured with 32 chunks of 40 kB). Telling it of what is in memory would cost a third of copying it, so one
// chunk is looked at.
void DirectRows::fetch(std::span<const Job> jobs) const {
  const auto is_stored = [&](const Job& job) { return stored_chunk(job.chunk).bytes > 0; };
  const auto first = std::find_if(jobs.begin(), jobs.end(), is_stored);
  if (first == jobs.end() || hdf5::File::is_in_memory(storage_, first_byte(*first))) return;
  for (const Job& job : std::span(first, jobs.end())) {
    const hdf5::StoredChunk stored = stored_chunk(job.chunk);
    if (!storage_.filters.empty()) {
      hdf5::File::fetch(storage_, stored.offset, stored.bytes);
      continue;
    }
    const std::uint64_t bytes = geometry_.chunk_row_bytes();
    for (const Visit& visit : job.visits) {
      if (stored.bytes > 0) hdf5::File::fetch(storage_, stored.offset + row_in_chunk(visit) * bytes, bytes);
    }
  }
}

std::uint64_t DirectRows::first_byte(const Job& job) const {
  const std::uint64_t row = storage_.filters.empty() ? row_in_chunk(job.visits[0]) : 0;
  return stored_chunk(job.chunk).offset + row * geometry_.chunk_row_bytes();
}

void DirectRows::copy(const Job& job) {
  const hdf5::StoredChunk stored = stored_chunk(job.chunk);
  if (stored.bytes == 0) {
    copy_unwritten(job);
  } else if (storage_.filters.empty()) {
    copy_stored(job, stored);
  } else {
    copy_restored(job, stored);
  }
}

void DirectRows::copy_unwritten(const Job& job) const {
  std::vector<std::byte> row(geometry_.chunk_row_bytes());
  for (std::size_t i = 0; i < row.size(); ++i) row[i] = storage_.fill[i % storage_.fill.size()];
  for (const Visit& visit : job.visits) geometry_.place(job.chunk, row.data(), visit.out);
}

void DirectRows::copy_stored(const Job& job, const hdf5::StoredChunk& stored) const {
  const std::uint64_t bytes = geometry_.chunk_row_bytes();
  const auto offset = [&](const Visit& visit) { return stored.offset + row_in_chunk(visit) * bytes; };
  if (!geometry_.holds_whole_rows()) {
    std::vector<std::byte> row(bytes);
    for (const Visit& visit : job.visits) {
      file_.read_bytes(dataset_, storage_, offset(visit), bytes, row.data());
      geometry_.place(job.chunk, row.data(), visit.out);
    }
    return;
  }
  // Neighbours that are neighbours in the batch, too, are one read.
  for (std::size_t begin = 0, end = 0; begin < job.visits.size(); begin = end) {
    const Visit& first = job.visits[begin];
    for (end = begin + 1; end < job.visits.size(); ++end) {
      const std::uint64_t run = end - begin;
      if (job.visits[end].row != first.row + run || job.visits[end].out != first.out + run * bytes) break;
    }
    file_.read_bytes(dataset_, storage_, offset(first), (end - begin) * bytes, first.out);
  }
}

void DirectRows::copy_restored(const Job& job, const hdf5::StoredChunk& stored) {
  if (geometry_.holds_whole_rows() && geometry_.chunk_rows() == 1) {
    restore(job.chunk, stored, job.visits[0].out);
    for (const Visit& visit : job.visits.subspan(1)) {
      std::memcpy(visit.out, job.visits[0].out, geometry_.row_bytes());
    }
    return;
  }
  ChunkCache::Chunk chunk = cache_.find(job.chunk);
  if (!chunk) {
    if (geometry_.chunk_bytes() / hdf5::kMostInflation > stored.bytes)
      fail(job.chunk, "its chunks cannot be as large as it says");
    const auto made = std::make_shared_for_overwrite<std::byte[]>(geometry_.chunk_bytes());
    restore(job.chunk, stored, made.get());
    chunk = made;
    cache_.keep(job.chunk, chunk);
  }
  for (const Visit& visit : job.visits) {
    geometry_.place(job.chunk, chunk.get() + row_in_chunk(visit) * geometry_.chunk_row_bytes(), visit.out);
  }
}

void DirectRows::restore(std::uint64_t chunk, const hdf5::StoredChunk& stored, std::byte* to) {
  std::unique_ptr<hdf5::ChunkDecoder> decoder;
  {
    const std::lock_guard lock(mutex_);
    if (!idle_decoders_.empty()) {
      decoder = std::move(idle_decoders_.back());
      idle_decoders_.pop_back();
    }
  }
  if (!decoder) decoder = std::make_unique<hdf5::ChunkDecoder>(storage_.filters);
  const std::span<std::byte> bytes = decoder->stored(stored.bytes);
  file_.read_bytes(dataset_, storage_, stored.offset, bytes.size(), bytes.data());
  const std::string wrong = decoder->restore(stored.skipped_filters, {to, geometry_.chunk_bytes()});
  if (!wrong.empty()) fail(chunk, wrong);
  const std::lock_guard lock(mutex_);
  idle_decoders_.push_back(std::move(decoder));
}

void DirectRows::fail(std::uint64_t chunk, const std::string& reason) const {
  file_.require_unchanged(dataset_);  // the better sentence, when that is why
  const std::uint64_t first = chunk / geometry_.chunks_per_band() * geometry_.chunk_rows();
  throw Error(ExitCode::kBadData,
              fmt::format("reading rows {} to {} of {} in {} failed: {}; copy or make the file again", first,
                          std::min(first + geometry_.chunk_rows(), geometry_.n_rows()) - 1, dataset_,
                          file_.path().string(), reason));
}

}  // namespace xrai
