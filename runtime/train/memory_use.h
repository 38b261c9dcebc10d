// What a training or a scoring takes of the device's memory by plan, by kind, and what the process took of the host's.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "runtime/nn/model.h"
#include "runtime/train/optimiser.h"

namespace xrai {

/// Bytes at the worst moment of a step, where values and workspaces share one arena.
struct PlannedMemory {
  std::size_t weights = 0;      // in every type and basis that they are kept in, and running statistics
  std::size_t gradients = 0;    // of the weights
  std::size_t optimiser = 0;    // moments
  std::size_t activations = 0;  // values and their gradients
  std::size_t workspace = 0;
  [[nodiscard]] std::size_t total() const { return weights + gradients + optimiser + activations + workspace; }
};

/// `optimiser` null: scoring.
PlannedMemory planned_memory(Model& model, const ModelPlan& plan, const Optimiser* optimiser);

/// By the words above, in that order.
std::vector<std::pair<std::string, std::size_t>> by_kind(const PlannedMemory& memory);

/// "412 MiB (weights 0.9, gradients 0.9, optimiser 1.8, activations 392.2, workspace 16.0)"
std::string describe(const PlannedMemory& memory);

}  // namespace xrai
