#include "runtime/train/batch_feeder.h"

#include <cstring>

namespace xrai {

BatchFeeder::BatchFeeder(Device& device, BatchSource& source, std::int64_t batch_size)
    : device_(device), source_(source), batch_size_(batch_size) {
  const std::size_t bytes = labels_offset() + static_cast<std::size_t>(batch_size) * sizeof(std::int32_t);
  facts_ = device.allocate(bytes);
  for (Set& set : sets_) {
    set.facts = device.allocate(bytes);
    set.staged_facts = device.allocate_staging(bytes);
    set.copied = device.make_marker();
    set.read = device.make_marker();
  }
}

std::size_t BatchFeeder::labels_offset() const {
  return ids_offset() + static_cast<std::size_t>(batch_size_) * sizeof(std::int64_t);
}

const std::uint8_t* BatchFeeder::pixels() const {
  return resident_ != nullptr ? resident_ : sets_[current_].pixels.as<std::uint8_t>();
}

const std::int64_t* BatchFeeder::sample_ids() const {
  return reinterpret_cast<const std::int64_t*>(facts_.as<std::byte>() + ids_offset());
}

const std::int32_t* BatchFeeder::labels() const {
  return reinterpret_cast<const std::int32_t*>(facts_.as<std::byte>() + labels_offset());
}

void BatchFeeder::feed(const Batch& batch, const kernels::StepNumbers& numbers) {
  const Span upload(device_.trace(), "upload");
  // One batch may still be on its way; the set of the one before is free then.
  give_back(1);
  current_ = 1 - current_;
  Set& set = sets_[current_];
  resident_ = batch.resident;
  const auto n = static_cast<std::size_t>(batch.n_images),
             picture = resident_ != nullptr ? 0 : static_cast<std::size_t>(batch.height * batch.width);
  const std::size_t most = static_cast<std::size_t>(batch_size_) * picture;
  if (set.pixels.size_bytes() < most) set.pixels = device_.allocate(most);

  auto* staged = set.staged_facts.as<std::byte>();
  std::memcpy(staged, &numbers, sizeof numbers);
  std::memcpy(staged + ids_offset(), batch.sample_ids.data(), n * sizeof(std::int64_t));
  std::memcpy(staged + labels_offset(), batch.labels.data(), n * sizeof(std::int32_t));

  device_.wait(Queue::kCopy, *set.read);
  if (picture > 0) device_.upload(set.pixels.data(), batch.pixels, n * picture, Queue::kCopy);
  device_.upload(set.facts.data(), staged, set.facts.size_bytes(), Queue::kCopy);
  device_.mark(*set.copied, Queue::kCopy);
  device_.wait(Queue::kCompute, *set.copied);
  device_.copy(facts_.data(), set.facts.data(), set.facts.size_bytes());
  lent_.push_back({batch, current_});
}

void BatchFeeder::done_with_pixels() {
  device_.mark(*sets_[current_].read, Queue::kCompute);
}

void BatchFeeder::finish() {
  give_back(0);
}

void BatchFeeder::give_back(std::size_t at_most_lent) {
  while (!lent_.empty()) {
    const Marker& copied = *sets_[lent_.front().set].copied;
    if (!device_.reached(copied)) {
      if (lent_.size() <= at_most_lent) return;
      device_.wait_until_reached(copied);
    }
    source_.release(lent_.front().batch);
    lent_.pop_front();
  }
}

}  // namespace xrai
