// A batch becomes jobs, one a chunk, so that each chunk is read and inflated once whatever the order of its rows.
#include "loaders/direct_rows.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "runtime/core/error.h"
#include "runtime/core/host.h"

namespace xrai {
namespace {

// Work for less than this is not worth waking a thread.
constexpr std::uint64_t kPortionBytes = 32 << 10;
constexpr std::uint64_t kMegabyte = std::uint64_t{1} << 20;

}  // namespace

DirectRows::DirectRows(const hdf5::File& file, std::string dataset, hdf5::Storage storage, const RowOptions& options)
    : file_(file),
      dataset_(std::move(dataset)),
      storage_(std::move(storage)),
      geometry_(storage_),
      plan_(plan(storage_, geometry_, options)),
      cache_(std::min(plan_.bands_kept * geometry_.chunks_per_band(), storage_.chunks.size()), geometry_.chunk_bytes()),
      workers_(plan_.most_at_once, [this] { inflate_ahead(); }) {
  if (storage_.filters.empty() || geometry_.chunk_bytes() <= hdf5::kMostChunkBytes) return;
  throw Error(ExitCode::kBadData,
              fmt::format("{} of {} is compressed in chunks of {} MB, too large to be inflated; write it again with "
                          "smaller ones (h5repack)",
                          dataset_, file.path().string(), geometry_.chunk_bytes() / kMegabyte));
}

DirectRows::Plan DirectRows::plan(const hdf5::Storage& storage, const ChunkGeometry& geometry,
                                  const RowOptions& options) {
  const std::uint64_t chunk_bytes = std::max<std::uint64_t>(1, geometry.chunk_bytes()), half = options.memory_bytes / 2;
  const auto n_threads = static_cast<std::uint64_t>(options.n_threads > 0 ? options.n_threads : available_cores());
  Plan plan{static_cast<int>(n_threads), 0, 0};
  if (storage.filters.empty()) return plan;
  if (geometry.chunk_rows() == 1) {  // each is wanted once an epoch: in work as it is stored and as it becomes
    plan.most_at_once = static_cast<int>(std::clamp<std::uint64_t>(half / (2 * chunk_bytes), 1, n_threads));
    return plan;
  }
  std::uint64_t work_bytes = 0;  // of a chunk in work, without what it becomes: as it is stored, and between filters
  for (const hdf5::StoredChunk& chunk : storage.chunks) work_bytes = std::max<std::uint64_t>(work_bytes, chunk.bytes);
  work_bytes += chunk_bytes * std::min<std::uint64_t>(storage.filters.size() - 1, 2);
  const std::uint64_t band_bytes = std::max<std::uint64_t>(1, geometry.chunks_per_band() * chunk_bytes);
  // One chunk that a batch ends with stays while the next ones are made.
  const auto fits = [&](std::uint64_t n) { return n * work_bytes + (n + 1) * band_bytes <= options.memory_bytes; };
  std::uint64_t at_once = n_threads;
  while (at_once > 1 && !fits(at_once)) --at_once;
  const std::uint64_t half_of_bands = std::max<std::uint64_t>(1, half / band_bytes);
  plan.most_at_once = static_cast<int>(at_once);
  plan.bands_kept = fits(at_once) ? std::max(half_of_bands, at_once + 1) : half_of_bands;
  // The other half of what is kept is for the window that a batch begins to read while it ends with the one before.
  plan.window_rows = static_cast<std::int64_t>(std::max<std::uint64_t>(1, half_of_bands / 2) * geometry.chunk_rows());
  return plan;
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

void DirectRows::expect(std::span<const std::int64_t> rows) {
  const std::lock_guard lock(mutex_);
  expected_.assign(rows.begin(), rows.end());
}

void DirectRows::read(std::span<const std::int64_t> rows, std::byte* out) {
  const std::vector<Visit> visits = checked_visits(rows, out);
  std::vector<Job> jobs = jobs_of(visits);
  fetch(jobs);
  fetch_ahead(rows.size());
  look_for_chunks(jobs);
  const auto n_of = [&](Job::Kind kind) {
    return static_cast<std::uint64_t>(std::ranges::count(jobs, kind, &Job::kind));
  };
  // A portion is one chunk to be inflated or waited for, or some that are only copied from.
  const std::uint64_t n_inflated = n_of(Job::Kind::kInflated), n_copied = n_of(Job::Kind::kCopied);
  const std::uint64_t n_portions =
      std::min(n_copied, std::max<std::uint64_t>(1, rows.size() * geometry_.row_bytes() / kPortionBytes));
  const auto n = static_cast<std::int64_t>(jobs.size() - n_copied + n_portions);
  workers_.run(n, plan_.most_at_once, [&](std::int64_t i) {
    auto portion = static_cast<std::uint64_t>(i);
    if (portion < n_inflated) return copy(jobs[portion]);
    portion -= n_inflated;
    if (portion >= n_portions) return copy(jobs[n_inflated + n_copied + portion - n_portions]);
    const std::uint64_t end = n_inflated + n_copied * (portion + 1) / n_portions;
    for (std::uint64_t job = n_inflated + n_copied * portion / n_portions; job < end; ++job) copy(jobs[job]);
  });
  file_.require_unchanged(dataset_);
}

/// Longest jobs first, so that threads end together, but last those whose chunk a thread is inflating already. What is
/// kept is held, so that it stays.
void DirectRows::look_for_chunks(std::vector<Job>& jobs) {
  if (cache_.most() == 0) return;
  for (Job& job : jobs) {
    if (stored_chunk(job.chunk).bytes == 0) continue;
    job.kept = cache_.find(job.chunk);
    if (job.kept) continue;
    const std::lock_guard lock(mutex_);
    job.kind = in_the_making_.contains(job.chunk) ? Job::Kind::kAwaited : Job::Kind::kInflated;
  }
  std::ranges::stable_sort(jobs, {}, &Job::kind);
  look_ahead(jobs);
}

/// Chunks that come next are inflated by threads that would wait: as many as there is room for beside those of these
/// jobs, and no more than there are threads, since memory that is touched for the first time costs. Those that are
/// there already are kept by asking for them.
void DirectRows::look_ahead(std::span<const Job> jobs) {
  if (plan_.most_at_once < 2) return;
  const std::lock_guard lock(mutex_);
  const std::uint64_t chunks = geometry_.chunks_per_band();
  std::uint64_t room = cache_.most() - std::min<std::uint64_t>(jobs.size(), cache_.most());
  room = std::min<std::uint64_t>(room, static_cast<std::uint64_t>(plan_.most_at_once) * chunks);
  looked_at_.resize((geometry_.n_rows() + geometry_.chunk_rows() - 1) / geometry_.chunk_rows());
  ++n_looks_;
  for (const Job& job : jobs) looked_at_[job.chunk / chunks] = n_looks_;
  ahead_.clear();
  for (const std::int64_t row : expected_) {
    if (row < 0 || row >= n_rows()) continue;
    const std::uint64_t band = static_cast<std::uint64_t>(row) / geometry_.chunk_rows();
    if (std::exchange(looked_at_[band], n_looks_) == n_looks_) continue;
    if (room < chunks) break;
    room -= chunks;
    for (std::uint64_t chunk = band * chunks; chunk < (band + 1) * chunks; ++chunk) {
      const bool is_made = stored_chunk(chunk).bytes == 0 || cache_.touch(chunk) || in_the_making_.contains(chunk);
      if (!is_made && !spoilt_.contains(chunk)) ahead_.push_back(chunk);
    }
  }
  if (!ahead_.empty()) workers_.may_spare(static_cast<std::int64_t>(ahead_.size()));
}

/// Inflates the chunk that is wanted next, unless there is none.
void DirectRows::inflate_ahead() {
  std::uint64_t chunk = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto is_made = [&] { return in_the_making_.contains(ahead_.front()) || cache_.touch(ahead_.front()); };
    while (!ahead_.empty() && is_made()) ahead_.pop_front();
    if (ahead_.empty()) return;
    chunk = ahead_.front();
    ahead_.pop_front();
    in_the_making_.insert(chunk);
  }
  try {
    make(chunk);
  } catch (...) {  // whoever wants its rows is told
    const std::lock_guard lock(mutex_);
    spoilt_.insert(chunk);
  }
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

/// The batch after the next one: the next one was announced with the batch before.
void DirectRows::fetch_ahead(std::size_t n_rows) {
  std::vector<Visit> visits;
  {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = n_rows; i < std::min(2 * n_rows, expected_.size()); ++i) {
      const auto row = static_cast<std::uint64_t>(expected_[i]);
      if (row < geometry_.n_rows()) visits.push_back({row, nullptr});
    }
  }
  std::sort(visits.begin(), visits.end(), [](const Visit& a, const Visit& b) { return a.row < b.row; });
  fetch(jobs_of(visits));
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
  std::size_t filled = std::min(row.size(), storage_.fill.size());
  std::copy_n(storage_.fill.begin(), filled, row.begin());
  for (std::size_t more = 0; filled < row.size(); filled += more) {
    more = std::min(filled, row.size() - filled);
    std::memcpy(row.data() + filled, row.data(), more);
  }
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
  const ChunkCache::Chunk chunk = job.kept ? job.kept : made_once(job.chunk);
  for (const Visit& visit : job.visits) {
    geometry_.place(job.chunk, chunk.get() + row_in_chunk(visit) * geometry_.chunk_row_bytes(), visit.out);
  }
}

/// Whoever would wait for another thread's chunk inflates one of the next meanwhile.
ChunkCache::Chunk DirectRows::made_once(std::uint64_t chunk) {
  {
    std::unique_lock lock(mutex_);
    while (in_the_making_.contains(chunk)) {
      if (ahead_.empty()) {
        made_.wait(lock);
      } else {
        lock.unlock();
        inflate_ahead();
        lock.lock();
      }
    }
    if (ChunkCache::Chunk kept = cache_.find(chunk)) return kept;
    in_the_making_.insert(chunk);
  }
  return make(chunk);
}

/// The chunk is in the making until this ends.
ChunkCache::Chunk DirectRows::make(std::uint64_t chunk) {
  const auto end = [&](void* /*nothing*/) {
    const std::lock_guard lock(mutex_);
    in_the_making_.erase(chunk);
    made_.notify_all();
  };
  const std::unique_ptr<void, decltype(end)> at_end(this, end);
  return inflated(chunk, stored_chunk(chunk));
}

ChunkCache::Chunk DirectRows::inflated(std::uint64_t chunk, const hdf5::StoredChunk& stored) {
  if (!hdf5::can_become(storage_.filters, stored.bytes, geometry_.chunk_bytes())) {
    fail(chunk, "its chunks cannot be as large as it says");
  }
  const ChunkCache::Room room = cache_.room();
  try {
    restore(chunk, stored, room.get());
  } catch (...) {
    cache_.drop();
    throw;
  }
  cache_.keep(chunk, room);
  return room;
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
