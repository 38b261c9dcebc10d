// Keeps the pictures of a data set that fits in host memory, so that each chunk of the file is read, and inflated,
// once and not once an epoch.
#pragma once

#include <map>
#include <mutex>

#include "loaders/reader.h"

namespace xrai {

enum class CacheMode {
  kAuto,  // a split whose pixels take less than a quarter of the memory that is free when it is first read
  kAlways,
  kNever
};

/// Wraps a reader; loaders that share the result share the memory. Pictures are kept as they are asked for, a chunk
/// of the file at a time, so nothing waits for the whole split.
std::shared_ptr<DatasetReader> keep_in_memory(std::shared_ptr<DatasetReader> reader, CacheMode mode = CacheMode::kAuto);

/// Bytes that the system, and the control group this process runs in, would still give; 0 where neither says.
std::uint64_t available_memory_bytes();

}  // namespace xrai
