// Whether a training fits into memory, asked before it starts: Linux promises more than it has and ends a process that
// takes the promise seriously, without a word.
#pragma once

#include <cstdint>

#include "runtime/nn/model.h"

namespace xrai {

/// Bytes that training and scoring in batches of these sizes take, from plans for one picture.
struct MemoryNeed {
  double training_bytes_per_picture = 0, scoring_bytes_per_picture = 0;
  [[nodiscard]] double total(std::int64_t training_batch, std::int64_t scoring_batch) const;
};
MemoryNeed memory_need(Model& model);

/// Throws Error(kOutOfMemory) that names the need, what is free and a batch size that fits. free_bytes 0: unknown.
void require_memory(const MemoryNeed& need, std::int64_t training_batch, std::int64_t scoring_batch,
                    std::uint64_t free_bytes, const Shape& picture);

}  // namespace xrai
