// Device and pinned memory, and the copies between host and device.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/core/buffer.h"
#include "runtime/cuda/streams.h"

namespace xrai::cuda {

/// Of the current card.
std::uint64_t free_device_bytes();
/// Not zeroed. Throws Error(kOutOfMemory) with what was wanted and what is free.
Buffer allocate_device(std::size_t bytes);
/// Host memory that the card reads and writes by itself. Throws Error(kOutOfMemory).
Buffer allocate_pinned(std::size_t bytes);

/// Copies through a pinned buffer of its own what does not lie in pinned memory: the driver would do the same, but out
/// of sight and in an order that only it knows.
class HostCopies {
 public:
  HostCopies();
  /// From pinned memory it is queued only; else it has read `from` when it returns.
  void upload(void* to, const void* from, std::size_t bytes, cudaStream_t stream);
  /// Waits for the stream.
  void download(void* to, const void* from, std::size_t bytes, cudaStream_t stream);

 private:
  Buffer bounce_;
};

}  // namespace xrai::cuda
