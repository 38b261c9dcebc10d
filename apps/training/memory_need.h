// Whether a training fits into memory, asked before it starts: Linux promises more than it has and ends a process that
// takes the promise seriously, without a word.
#pragma once

#include <cstdint>

#include "runtime/nn/model.h"

namespace xrai {

/// Bytes that training and scoring in batches of these sizes take, from plans for one picture.
struct MemoryNeed {
  double training_bytes_per_picture = 0, scoring_bytes_per_picture = 0;
  /// One arena serves both, and an epoch's smaller last batch (Model::prepare).
  [[nodiscard]] double total(std::int64_t training_batch, std::int64_t scoring_batch) const;
};
MemoryNeed memory_need(Model& model);

/// --batch-size auto: the largest power of two, 256 and n_train at most, with which half of the free memory is enough.
/// The other half is for what memory_need does not see. At least 1;
/// 32 where free_bytes is 0, unknown.
std::int64_t largest_batch(const MemoryNeed& need, std::int64_t scoring_batch, std::int64_t n_train,
                           std::uint64_t free_bytes);

/// Pictures that are scored at once: 64, or fewer where their stored pixels would take more than 16 MiB. At least 1.
std::int64_t scoring_batch(std::int64_t picture_bytes);

/// Batches that the loader's thread keeps ready: `asked`, or fewer where they would take more than 64 MiB; at least 1.
int batches_ahead(int asked, std::int64_t batch_bytes);

/// Throws Error(kOutOfMemory) that names the need, what is free and a batch size that fits. free_bytes 0: unknown.
void require_memory(const MemoryNeed& need, std::int64_t training_batch, std::int64_t scoring_batch,
                    std::uint64_t free_bytes, const Shape& picture);

}  // namespace xrai
