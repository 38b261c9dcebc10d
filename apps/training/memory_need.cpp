#include "apps/training/memory_need.h"

#include <algorithm>

#include "runtime/core/error.h"

namespace xrai {
namespace {

// The rest is for the batches that are read ahead, the libraries and everybody else.
constexpr double kUsablePart = 0.9;

double gibibytes(double bytes) {
  return bytes / (1024.0 * 1024.0 * 1024.0);
}

}  // namespace

double MemoryNeed::total(std::int64_t training_batch, std::int64_t scoring_batch) const {
  return std::max(training_bytes_per_picture * static_cast<double>(training_batch),
                  scoring_bytes_per_picture * static_cast<double>(scoring_batch));
}

MemoryNeed memory_need(Model& model) {
  const auto bytes = [&](bool training) {
    const ModelPlan& plan = model.prepare(1, training);
    return static_cast<double>(plan.arena_bytes());
  };
  const MemoryNeed need{bytes(true), bytes(false)};
  model.forget_plans();
  return need;
}

std::int64_t largest_batch(const MemoryNeed& need, std::int64_t scoring_batch, std::int64_t n_train,
                           std::uint64_t free_bytes) {
  // Larger ones bring next to no speed at the sizes of these networks, and fewer steps an epoch.
  constexpr std::int64_t kMost = 256, kUnknown = 32;
  const std::int64_t most = std::min(free_bytes == 0 ? kUnknown : kMost, n_train);
  const double usable = 0.5 * static_cast<double>(free_bytes);
  std::int64_t batch = 1;
  while (batch * 2 <= most && (free_bytes == 0 || need.total(batch * 2, scoring_batch) <= usable)) batch *= 2;
  return batch;
}

std::int64_t scoring_batch(std::int64_t picture_bytes) {
  constexpr std::int64_t kMost = 64, kBytes = std::int64_t{16} << 20;
  return std::clamp<std::int64_t>(kBytes / std::max<std::int64_t>(picture_bytes, 1), 1, kMost);
}

int batches_ahead(int asked, std::int64_t batch_bytes) {
  constexpr std::int64_t kBytes = std::int64_t{64} << 20;
  return static_cast<int>(
      std::clamp<std::int64_t>(kBytes / std::max<std::int64_t>(batch_bytes, 1), 1, std::int64_t{asked}));
}

void require_memory(const MemoryNeed& need, std::int64_t training_batch, std::int64_t scoring_batch,
                    std::uint64_t free_bytes, const Shape& picture) {
  const double usable = kUsablePart * static_cast<double>(free_bytes);
  if (free_bytes == 0 || need.total(training_batch, scoring_batch) <= usable) return;
  std::int64_t fits = 1;
  while (fits * 2 < training_batch && need.total(fits * 2, scoring_batch) <= usable) fits *= 2;
  const bool smaller_batch_helps = fits < training_batch && need.total(fits, scoring_batch) <= usable;
  throw Error(
      ExitCode::kOutOfMemory,
      fmt::format("training on batches of {} pictures of {}x{} pixels needs about {:.1f} GiB of memory, and "
                  "{:.1f} GiB are free; try {}a smaller --image-size or a smaller --model",
                  training_batch, picture.height, picture.width, gibibytes(need.total(training_batch, scoring_batch)),
                  gibibytes(static_cast<double>(free_bytes)),
                  smaller_batch_helps ? fmt::format("--batch-size {}, ", fits) : std::string()));
}

}  // namespace xrai
