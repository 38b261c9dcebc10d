// What the loader hands to the trainer. Lives here so that neither room includes the other.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace xrai {

/// A view into a filled ring slot; valid until it is given back with BatchSource::release.
struct Batch {
  std::int64_t n_images = 0;                 // of this batch; the last of an epoch may be smaller
  std::int64_t height = 0, width = 0;        // stored size in pixels
  const std::uint8_t* pixels = nullptr;      // (n_images, height, width), in staging memory of the device
  std::span<const std::int32_t> labels;      // (n_images), class index
  std::span<const std::int64_t> sample_ids;  // (n_images), row in the split: key of the random numbers
  std::int64_t epoch = 0;                    // counted from 0
  std::int64_t first_position = 0;           // place of the batch's first image in the epoch's order
  int slot = -1;                             // ring slot, for release
  const std::uint8_t* resident = nullptr;    // instead of pixels: all of the split in device memory, by row
};

/// Order of one epoch: a pure function of (seed, epoch), whatever the number of threads.
struct Cursor {
  std::int64_t epoch = 0;
  std::int64_t position = 0;  // images of this epoch that were already handed out
};

/// A stream of batches, one epoch after the other, ended by next() returning false.
class BatchSource {
 public:
  virtual ~BatchSource() = default;
  /// Waits for the next batch of the current epoch; false at the epoch's end. Rethrows what the reader threw.
  virtual bool next(Batch& batch) = 0;
  /// Gives the slot back. The pixels must not be read afterwards.
  virtual void release(const Batch& batch) = 0;
  /// Starts an epoch at the cursor's position (0: its beginning); drops what was prefetched for another place.
  virtual void start_epoch(const Cursor& cursor) = 0;
  /// Images in the split.
  [[nodiscard]] virtual std::int64_t size() const = 0;
  /// Seconds that next() has waited since the last start_epoch.
  [[nodiscard]] virtual double wait_seconds() const = 0;
};

}  // namespace xrai
