// What a plan makes of weights that stay as they are, and keeps.
#pragma once

#include <cstdint>
#include <memory>

#include "runtime/core/host_memory.h"

namespace xrai::cpu {

class KeptFloats {
 public:
  KeptFloats() = default;
  /// Not cleared, and aligned to a cache line.
  explicit KeptFloats(std::int64_t count) {
    constexpr std::size_t kLine = 64;
    const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(float);
    std::size_t room = bytes + kLine;
    memory_ = uninitialised_memory(room);
    void* begin = memory_.get();
    data_ = static_cast<float*>(std::align(kLine, bytes, begin, room));
  }
  [[nodiscard]] float* data() const { return data_; }

 private:
  std::shared_ptr<std::byte[]> memory_;
  float* data_ = nullptr;
};

}  // namespace xrai::cpu
