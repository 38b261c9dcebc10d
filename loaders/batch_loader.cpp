// The reading thread, and the consumer's bookkeeping of where it is.
#include "loaders/batch_loader.h"

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <numeric>

#include "runtime/core/error.h"

namespace xrai {
namespace {

std::vector<std::int64_t> checked_rows(std::vector<std::int64_t> rows, const DatasetReader& reader,
                                       const std::string& split) {
  const std::int64_t n_images = reader.n_images(split);
  if (rows.empty()) {
    rows.resize(static_cast<std::size_t>(n_images));
    std::iota(rows.begin(), rows.end(), std::int64_t{0});
  }
  if (rows.empty()) {
    throw Error(ExitCode::kBadData, fmt::format("split '{}' of {} holds no pictures", split, reader.path().string()));
  }
  const auto [least, most] = std::minmax_element(rows.begin(), rows.end());
  if (*least < 0 || *most >= n_images) {
    throw Error(ExitCode::kBadData, fmt::format("row {} was asked for, but split '{}' of {} has {} pictures",
                                                *least < 0 ? *least : *most, split, reader.path().string(), n_images));
  }
  return rows;
}

BatchLoaderOptions checked_options(BatchLoaderOptions options) {
  if (options.batch_size < 1) {
    throw Error(ExitCode::kUsage, fmt::format("the batch size is {}; it must be 1 or more", options.batch_size));
  }
  if (!options.allocate) options.allocate = allocate_host_memory;
  return options;
}

}  // namespace

std::shared_ptr<void> allocate_host_memory(std::size_t bytes) {
  constexpr std::size_t kAlignment = 64;  // a cache line, and the widest vector register
  const std::size_t rounded = (std::max<std::size_t>(bytes, 1) + kAlignment - 1) / kAlignment * kAlignment;
  void* const memory = std::aligned_alloc(kAlignment, rounded);
  if (memory == nullptr) {
    throw Error(ExitCode::kOutOfMemory,
                fmt::format("allocating {} MiB for batches of pictures failed; use a smaller batch size", bytes >> 20));
  }
  return {memory, [](void* m) { std::free(m); }};
}

BatchLoader::BatchLoader(std::shared_ptr<DatasetReader> reader, std::string split, std::vector<std::int64_t> rows,
                         BatchLoaderOptions options)
    : reader_(std::move(reader)),
      split_(std::move(split)),
      options_(checked_options(std::move(options))),
      rows_(checked_rows(std::move(rows), *reader_, split_)),
      labels_(reader_->labels(split_)),
      height_(reader_->height(split_)),
      width_(reader_->width(split_)),
      ring_(options_.n_slots) {
  if (batch_images(0) == 0) {
    throw Error(ExitCode::kUsage, fmt::format("no batch is left of {} pictures in batches of {} when the last, partial "
                                              "one is dropped; use a smaller batch size",
                                              size(), options_.batch_size));
  }
  const std::int64_t slot_bytes = std::min(options_.batch_size, size()) * height_ * width_;
  slots_.resize(static_cast<std::size_t>(options_.n_slots));
  if (options_.resident == nullptr)
    for (Slot& slot : slots_) slot.pixels = options_.allocate(static_cast<std::size_t>(slot_bytes));
  thread_ = std::thread([this] { read_ahead(); });
}

BatchLoader::~BatchLoader() {
  ring_.close();
  if (thread_.joinable()) thread_.join();
}

std::int64_t BatchLoader::batch_images(std::int64_t position) const {
  const std::int64_t left = size() - position;
  if (options_.drop_last && left < options_.batch_size) return 0;
  return std::min(left, options_.batch_size);
}

Cursor BatchLoader::upcoming(const Cursor& cursor) const {
  return batch_images(cursor.position) > 0 ? cursor : Cursor{cursor.epoch + 1, 0};
}

void BatchLoader::read_ahead() {
  if (options_.trace != nullptr) options_.trace->name_thread("loader, " + split_);
  std::uint64_t generation = 0;  // the ring's first is 1
  std::int64_t ordered_epoch = -1;
  std::vector<std::int64_t> order;
  Cursor at;
  while (const auto ticket = ring_.wait_free()) {
    std::exception_ptr failure;
    try {
      if (ticket->generation != generation) {
        generation = ticket->generation;
        at = ticket->start;
      }
      if (at.epoch != ordered_epoch) {
        order = order_of(at.epoch);
        ordered_epoch = at.epoch;
      }
      fill(slots_[static_cast<std::size_t>(ticket->slot)], at, order);
    } catch (...) {
      failure = std::current_exception();
    }
    // Handed over after the handler has ended, so that this thread keeps no reference to what the other one reads.
    if (failure) {
      ring_.finish(*ticket, std::move(failure));
      continue;
    }
    ring_.publish(*ticket);
    at.position += batch_images(at.position);
    at = upcoming(at);
  }
}

std::vector<std::int64_t> BatchLoader::order_of(std::int64_t epoch) const {
  if (options_.order != Order::kShuffledByChunk) return epoch_order(options_.order, size(), options_.seed, epoch);
  const std::int64_t window = reader_->window_rows(split_);
  // Where nothing is inflated twice there is nothing to gain.
  if (window == 0) return epoch_order(Order::kShuffled, size(), options_.seed, epoch);
  return chunk_order(rows_, reader_->rows_per_chunk(split_), window, options_.seed, epoch);
}

void BatchLoader::fill(Slot& slot, const Cursor& at, const std::vector<std::int64_t>& order) {
  const Span read(options_.trace, "read");
  const auto first = static_cast<std::size_t>(at.position);
  const auto n_images = static_cast<std::size_t>(batch_images(at.position));
  slot.first_position = at.position;
  slot.sample_ids.resize(n_images);
  slot.labels.resize(n_images);
  for (std::size_t i = 0; i < n_images; ++i) {
    const std::int64_t row = rows_[static_cast<std::size_t>(order[first + i])];
    slot.sample_ids[i] = row;
    slot.labels[i] = labels_[static_cast<std::size_t>(row)];
  }
  if (!slot.pixels) return;
  expect_rows(first + n_images, order);
  reader_->read_rows(split_, slot.sample_ids, static_cast<std::uint8_t*>(slot.pixels.get()));
}

/// What the epoch has after this batch: two batches for the disk, and two windows where chunks are inflated.
void BatchLoader::expect_rows(std::size_t first, const std::vector<std::int64_t>& order) {
  const std::int64_t n_wanted = 2 * std::max(options_.batch_size, reader_->window_rows(split_));
  const std::size_t end = std::min(order.size(), first + static_cast<std::size_t>(n_wanted));
  expected_.clear();
  for (std::size_t i = first; i < end; ++i) expected_.push_back(rows_[static_cast<std::size_t>(order[i])]);
  reader_->expect(split_, expected_);
}

bool BatchLoader::next(Batch& batch) {
  if (batch_images(next_.position) == 0) return false;
  const std::optional<int> taken = ring_.take();
  if (!taken) return false;  // closed: nothing of this object may be touched any more
  const Slot& slot = slots_[static_cast<std::size_t>(*taken)];
  batch.n_images = static_cast<std::int64_t>(slot.sample_ids.size());
  batch.height = height_;
  batch.width = width_;
  batch.pixels = static_cast<const std::uint8_t*>(slot.pixels.get());
  batch.resident = options_.resident;
  batch.labels = slot.labels;
  batch.sample_ids = slot.sample_ids;
  batch.epoch = next_.epoch;
  batch.first_position = slot.first_position;
  batch.slot = *taken;
  next_.position += batch.n_images;
  return true;
}

void BatchLoader::release(const Batch& batch) {
  ring_.give_back(batch.slot);
}

void BatchLoader::start_epoch(const Cursor& cursor) {
  if (cursor.epoch < 0 || cursor.position < 0 || cursor.position > size()) {
    throw Error(ExitCode::kBadData,
                fmt::format("epoch {} cannot start at picture {}: split '{}' of {} has {} here; resume with the data "
                            "and the settings that the run was started with",
                            cursor.epoch, cursor.position, split_, reader_->path().string(), size()));
  }
  const Cursor wanted = upcoming(cursor), coming = upcoming(next_);
  const bool same_order = options_.order == Order::kSequential || wanted.epoch == coming.epoch;
  if (!same_order || wanted.position != coming.position || ring_.has_failed()) ring_.restart(wanted);
  next_ = cursor;
  ring_.reset_waited();
}

}  // namespace xrai
