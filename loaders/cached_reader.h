// Keeps the pictures of a data set that fits in host memory, so that each chunk of the file is read, and inflated,
// once and not once an epoch.
#pragma once

#include <map>
#include <mutex>

#include "loaders/reader.h"

namespace xrai {

/// Wraps a reader. Throws Error(kOutOfMemory) at the first read of a split that the system promises no memory for.
/// Loaders that share the result share the memory. Pictures are kept as they are asked for, a chunk of the file at a
/// time, so nothing waits for the whole split.
std::shared_ptr<DatasetReader> keep_in_memory(std::shared_ptr<DatasetReader> reader);

}  // namespace xrai
