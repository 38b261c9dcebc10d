// Inflated chunks of several rows, kept until others need their place, so that a chunk is not inflated again for each
// of its rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "runtime/core/host_memory.h"

namespace xrai {

/// May be used from several threads. All chunks have the same size.
class ChunkCache {
 public:
  using Chunk = std::shared_ptr<const std::byte[]>;
  using Room = std::shared_ptr<std::byte[]>;

  /// At most `most` chunks of `chunk_bytes` are kept or in the making; the one that was asked for longest ago goes
  /// first.
  ChunkCache(std::size_t most, std::size_t chunk_bytes) : most_(most), chunk_bytes_(chunk_bytes) {}

  [[nodiscard]] std::size_t most() const { return most_; }
  /// Null when it is not there.
  Chunk find(std::uint64_t number) {
    const std::lock_guard lock(mutex_);
    const auto found = places_.find(number);
    if (found == places_.end()) return nullptr;
    chunks_.splice(chunks_.begin(), chunks_, found->second);
    return found->second->chunk;
  }
  /// Whether it is there; then it is as if it had been asked for just now.
  bool touch(std::uint64_t number) {
    const std::lock_guard lock(mutex_);
    const auto found = places_.find(number);
    if (found == places_.end()) return false;
    chunks_.splice(chunks_.begin(), chunks_, found->second);
    return true;
  }

  /// Memory for one more chunk. Large ones come out of one piece that is used again, since new pages for each would
  /// cost a tenth of inflating; small ones the allocator uses again by itself, and faster (measured with 1 MB and 50
  /// MB). To be given to keep() or to drop(), and not to outlive the cache.
  Room room() {
    Room oldest;
    {
      const std::lock_guard lock(mutex_);
      ++n_in_the_making_;
      if (!chunks_.empty() && chunks_.size() + n_in_the_making_ > most_) {
        oldest = std::move(chunks_.back().chunk);
        places_.erase(chunks_.back().number);
        chunks_.pop_back();
      }
    }
    oldest.reset();  // its memory is free now, unless somebody reads it
    const std::lock_guard lock(mutex_);
    const bool is_small = chunk_bytes_ < kLeastInHugePages;
    if (is_small || (free_.empty() && n_rooms_ == most_)) return uninitialised_memory(chunk_bytes_);
    if (!memory_) memory_ = uninitialised_memory(most_ * chunk_bytes_);
    if (free_.empty()) free_.push_back(memory_.get() + n_rooms_++ * chunk_bytes_);
    std::byte* const bytes = free_.back();
    free_.pop_back();
    return {bytes, [this](std::byte* unused) {
              const std::lock_guard lock_again(mutex_);
              free_.push_back(unused);
            }};
  }
  void keep(std::uint64_t number, Room chunk) {
    const std::lock_guard lock(mutex_);
    --n_in_the_making_;
    if (most_ == 0 || places_.contains(number)) return;
    chunks_.push_front({number, std::move(chunk)});
    places_[number] = chunks_.begin();
  }
  /// When it could not be made.
  void drop() {
    const std::lock_guard lock(mutex_);
    --n_in_the_making_;
  }

 private:
  struct Kept {
    std::uint64_t number;
    Room chunk;
  };
  const std::size_t most_, chunk_bytes_;
  std::mutex mutex_;
  std::size_t n_in_the_making_ = 0, n_rooms_ = 0;
  std::shared_ptr<std::byte[]> memory_;  // (most, chunk_bytes)
  std::vector<std::byte*> free_;         // of those rooms that were used
  std::list<Kept> chunks_;               // last used first
  std::unordered_map<std::uint64_t, std::list<Kept>::iterator> places_;
};

}  // namespace xrai
