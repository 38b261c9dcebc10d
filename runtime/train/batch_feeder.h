// The way of a batch onto the device: what the loader filled goes over on the copy queue while the batch before is
// computed, and the loader gets its slot back when the copy is done.
#pragma once

#include <array>
#include <deque>

#include "runtime/core/batch.h"
#include "runtime/core/device.h"

namespace xrai {

class BatchFeeder {
 public:
  /// Slots of the source that it may hold while the next one is asked for; a source needs one more at least.
  static constexpr int kMostLent = 2;

  /// Labels and sample ids of at most `batch_size` images. The source's slots are given back as the copies end.
  BatchFeeder(Device& device, BatchSource& source, std::int64_t batch_size);

  /// Queues the batch's copy, and lets the compute queue wait for it. Waits itself only when the device is two batches
  /// behind.
  void feed(const Batch& batch, const kernels::StepNumbers& numbers);

  // The batch that was fed last, in device memory. The small things have a fixed place, so that recorded work finds
  // them; the pixels are to be read by work that is queued before done_with_pixels().
  [[nodiscard]] const std::uint8_t* pixels() const;
  /// Where in pixels() each picture stands (n_images); null: one after the other.
  [[nodiscard]] const std::int64_t* rows() const { return resident_ != nullptr ? sample_ids() : nullptr; }
  [[nodiscard]] const kernels::StepNumbers* numbers() const { return facts_.as<kernels::StepNumbers>(); }
  [[nodiscard]] const std::int64_t* sample_ids() const;  // (n_images)
  [[nodiscard]] const std::int32_t* labels() const;      // (n_images)
  /// The compute work queued from now on does not read the pixels.
  void done_with_pixels();

  /// Waits for the copies under way and gives all slots back: before the source goes to another place.
  void finish();

 private:
  // Numbers, sample ids and labels cross together.
  struct Set {
    Buffer pixels, facts, staged_facts;
    std::unique_ptr<Marker> copied, read;
  };
  struct Lent {
    Batch batch;
    std::size_t set;
  };
  [[nodiscard]] std::size_t ids_offset() const { return sizeof(kernels::StepNumbers); }
  [[nodiscard]] std::size_t labels_offset() const;
  void give_back(std::size_t at_most_lent);

  Device& device_;
  BatchSource& source_;
  std::int64_t batch_size_;
  std::array<Set, 2> sets_;
  std::size_t current_ = 1;
  Buffer facts_;
  const std::uint8_t* resident_ = nullptr;
  std::deque<Lent> lent_;  // the oldest first
};

}  // namespace xrai
