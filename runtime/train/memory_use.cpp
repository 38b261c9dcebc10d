#include "runtime/train/memory_use.h"

#include <fmt/format.h>

namespace xrai {

PlannedMemory planned_memory(Model& model, const ModelPlan& plan, const Optimiser* optimiser) {
  const Parameters& parameters = model.parameters();
  const auto floats = [](std::int64_t count) { return static_cast<std::size_t>(count) * sizeof(float); };
  PlannedMemory memory;
  memory.weights = floats(parameters.count()) + floats(parameters.statistics_count());
  if (parameters.narrow_arena() != nullptr)
    memory.weights += static_cast<std::size_t>(parameters.count()) * size_of(model.device().activation_type());
  memory.weights += plan.kept_bytes();
  memory.workspace = plan.workspace_bytes_at_peak();
  memory.activations = plan.arena_bytes() - memory.workspace;
  if (optimiser == nullptr) return memory;
  memory.gradients = floats(parameters.count());
  memory.optimiser = optimiser->states().size() * floats(parameters.count());
  return memory;
}

std::vector<std::pair<std::string, std::size_t>> by_kind(const PlannedMemory& memory) {
  return {{"weights", memory.weights},
          {"gradients", memory.gradients},
          {"optimiser", memory.optimiser},
          {"activations", memory.activations},
          {"workspace", memory.workspace}};
}

std::string describe(const PlannedMemory& memory) {
  const auto mebibytes = [](std::size_t bytes) { return static_cast<double>(bytes) / 1048576.0; };
  std::string kinds;
  for (const auto& [kind, bytes] : by_kind(memory))
    kinds += fmt::format("{}{} {:.1f}", kinds.empty() ? "" : ", ", kind, mebibytes(bytes));
  return fmt::format("{:.0f} MiB ({})", mebibytes(memory.total()), kinds);
}

}  // namespace xrai
