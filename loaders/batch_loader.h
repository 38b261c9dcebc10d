// Batches of pictures from a data set, read ahead by a thread into a ring of slots. Here is the one thread that
// reads pixels; the memory of the slots comes from the caller, so that a device can hand out pinned memory.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "loaders/reader.h"
#include "loaders/ring.h"
#include "loaders/sampler.h"
#include "runtime/core/batch.h"
#include "runtime/core/trace.h"

namespace xrai {

/// Memory of at least `bytes` bytes that is freed with its last owner.
using SlotAllocator = std::function<std::shared_ptr<void>(std::size_t bytes)>;

/// Ordinary memory, aligned to 64 bytes. Throws Error(kOutOfMemory).
std::shared_ptr<void> allocate_host_memory(std::size_t bytes);

struct BatchLoaderOptions {
  std::int64_t batch_size = 32;
  Order order = Order::kShuffled;
  std::uint64_t seed = 0;  // of the shuffle
  bool drop_last = false;  // leaves out an epoch's last batch when it is smaller
  int n_slots = 4;         // batches read ahead, and those that the consumer has not released
  SlotAllocator allocate = allocate_host_memory;
  /// All pictures of the split, by row, in memory of the device: batches say which, and no pixel is read.
  const std::uint8_t* resident = nullptr;
  Trace* trace = nullptr;  // of the reading thread; must outlive the loader
};

/// next(), release() and start_epoch() belong to one thread. What the reader throws comes out of next() when the
/// batches before it have been delivered, and again at every next() until start_epoch(), which tries anew.
class BatchLoader final : public BatchSource {
 public:
  /// `rows`: the rows of the split that belong to this source; empty: all. The reader may be shared with other
  /// loaders. Starts to read epoch 0 at once. Throws Error (kUsage, kBadData, kOutOfMemory).
  BatchLoader(std::shared_ptr<DatasetReader> reader, std::string split, std::vector<std::int64_t> rows = {},
              BatchLoaderOptions options = {});
  BatchLoader(const BatchLoader&) = delete;
  BatchLoader& operator=(const BatchLoader&) = delete;
  /// Ends the thread after the read it may be in; a next() that waits in another thread returns false.
  ~BatchLoader() override;

  bool next(Batch& batch) override;
  void release(const Batch& batch) override;
  /// Costs nothing at the place that would come next anyway: the epoch after the one that has ended or, in
  /// sequential order, its repetition. Throws Error(kBadData) for a place that this source does not have.
  void start_epoch(const Cursor& cursor) override;
  [[nodiscard]] std::int64_t size() const override { return static_cast<std::int64_t>(rows_.size()); }
  [[nodiscard]] double wait_seconds() const override { return ring_.waited_seconds(); }

  /// Wakes a next() that waits, which returns false as every later one does. May be called from any thread.
  void close() { ring_.close(); }

 private:
  struct Slot {
    std::shared_ptr<void> pixels;          // (batch_size, height, width) uint8
    std::vector<std::int32_t> labels;      // (n_images)
    std::vector<std::int64_t> sample_ids;  // (n_images), row in the split
    std::int64_t first_position = 0;
  };
  void read_ahead();
  [[nodiscard]] std::vector<std::int64_t> order_of(std::int64_t epoch) const;
  void expect_rows(std::size_t first, const std::vector<std::int64_t>& order);
  void fill(Slot& slot, const Cursor& at, const std::vector<std::int64_t>& order);
  /// Images of the batch at a position of an epoch; 0: the epoch ends there.
  [[nodiscard]] std::int64_t batch_images(std::int64_t position) const;
  /// The place where the next batch comes from: the cursor's, or the next epoch's beginning.
  [[nodiscard]] Cursor upcoming(const Cursor& cursor) const;

  const std::shared_ptr<DatasetReader> reader_;
  const std::string split_;
  const BatchLoaderOptions options_;
  std::vector<std::int64_t> rows_;          // of the split, in the order given
  const std::vector<std::int32_t> labels_;  // of the whole split
  std::int64_t height_ = 0, width_ = 0;
  std::vector<Slot> slots_;             // (n_slots)
  std::vector<std::int64_t> expected_;  // the reading thread's
  Cursor next_;                         // the consumer's place
  Ring ring_;
  std::thread thread_;
};

}  // namespace xrai
