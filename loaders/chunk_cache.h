// Inflated chunks of several rows, kept until others need their place, so that a chunk is not inflated again for each
// of its rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

namespace xrai {

/// May be used from several threads. All chunks have the same size.
class ChunkCache {
 public:
  using Chunk = std::shared_ptr<const std::byte[]>;

  /// Keeps at most so many; the one that was asked for longest ago goes first.
  explicit ChunkCache(std::size_t most) : most_(most) {}

  /// Null when it is not there.
  Chunk find(std::uint64_t number) {
    const std::lock_guard lock(mutex_);
    const auto found = places_.find(number);
    if (found == places_.end()) return nullptr;
    chunks_.splice(chunks_.begin(), chunks_, found->second);
    return found->second->chunk;
  }

  void keep(std::uint64_t number, Chunk chunk) {
    const std::lock_guard lock(mutex_);
    if (most_ == 0 || places_.contains(number)) return;
    if (chunks_.size() == most_) {
      places_.erase(chunks_.back().number);
      chunks_.pop_back();
    }
    chunks_.push_front({number, std::move(chunk)});
    places_[number] = chunks_.begin();
  }

 private:
  struct Kept {
    std::uint64_t number;
    Chunk chunk;
  };
  const std::size_t most_;
  std::mutex mutex_;
  std::list<Kept> chunks_;  // last used first
  std::unordered_map<std::uint64_t, std::list<Kept>::iterator> places_;
};

}  // namespace xrai
