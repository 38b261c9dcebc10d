// Which of the library's engines runs a graph, and running it. The heuristics propose a list, best first; a policy says
// what may be taken from it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/cuda/cudnn_graph.h"

namespace xrai::cuda {

/// What a plan may be.
struct CudnnPolicy {
  std::size_t workspace_cap = std::size_t{256} << 20;
  /// No engine whose result may differ from run to run (sums by float atomics).
  bool deterministic = true;
  /// Products and sums rounded as float rounds them: no tensor cores (they take 10 bits of mantissa from a float), no
  /// narrower inputs or sums; no FFT and no Winograd either, since their transforms add and subtract what the direct
  /// sum never adds, and lose up to two digits of a float: this mode exists to be held against the CPU.
  bool true_float32 = false;
};

/// Memory for one tensor of the graph.
struct CudnnBinding {
  std::int64_t uid = 0;
  void* memory = nullptr;
};

/// One engine with its settings, made ready for one graph.
class CudnnPlan {
 public:
  /// Bytes; at most the policy's cap.
  [[nodiscard]] std::size_t workspace_bytes() const { return workspace_bytes_; }
  /// "engine 34, tensor cores, workspace 12.0 MiB".
  [[nodiscard]] std::string describe() const;
  /// Number of the engine among those of its kind of graph.
  [[nodiscard]] std::int64_t engine() const { return engine_; }
  /// The engine and its settings, "34 2=5 7=1": knobs by the library's numbers for them. Two plans of one graph with
  /// the same settings are the same.
  [[nodiscard]] const std::string& settings() const { return settings_; }
  [[nodiscard]] const CudnnGraph& graph() const { return *graph_; }
  [[nodiscard]] bool has(cudnnBackendNumericalNote_t note) const { return ((notes_ >> note) & 1u) != 0; }

  /// Queues the graph on the handle's stream. One binding for each tensor that needs memory, in any order; workspace
  /// may be null where none is wanted. Allocates no device memory, on the host only for addresses not seen before;
  /// waits for nothing.
  void execute(cudnnHandle_t handle, std::span<const CudnnBinding> bindings, void* workspace);
  void execute(cudnnHandle_t handle, std::initializer_list<CudnnBinding> bindings, void* workspace) {
    execute(handle, std::span(bindings.begin(), bindings.size()), workspace);
  }

 private:
  friend class CudnnPlanList;
  CudnnPlan() = default;

  /// The addresses of one call in the library's form. It cannot be changed once finished, so each set of addresses has
  /// its own; a training step comes with the same few each time.
  struct Pack {
    std::vector<void*> memory;  // in the order of the graph's tensors, the workspace last
    CudnnDescriptor descriptor;
  };
  [[nodiscard]] const CudnnDescriptor& pack_for_called();

  std::shared_ptr<const CudnnGraph> graph_;
  CudnnDescriptor plan_;
  std::vector<Pack> packs_;
  std::size_t oldest_pack_ = 0;
  std::vector<void*> called_;  // the addresses of the present call
  std::size_t workspace_bytes_ = 0;
  std::int64_t engine_ = 0;
  std::string settings_;
  std::uint32_t notes_ = 0;
};

/// The heuristics' proposals for a graph, best first, restricted to what the policy allows.
class CudnnPlanList {
 public:
  CudnnPlanList(CudnnGraph graph, const CudnnTarget& target, const CudnnPolicy& policy);

  /// The first proposal that the library can make ready within the cap; throws NotSupported, which names the
  /// operation, the GPU and the last obstacle, when there is none.
  [[nodiscard]] CudnnPlan first() const;
  /// All that can be made ready, at most `at_most`: for timing them on the device.
  [[nodiscard]] std::vector<CudnnPlan> all(std::size_t at_most) const;

 private:
  /// Nothing, and an obstacle where the library named one, when the configuration cannot or may not be taken.
  [[nodiscard]] std::optional<CudnnPlan> make_ready(const CudnnDescriptor& configuration, std::string& obstacle) const;
  [[nodiscard]] std::vector<CudnnPlan> ready(std::size_t at_most, std::string& obstacle) const;

  std::shared_ptr<const CudnnGraph> graph_;
  const CudnnTarget* target_;
  CudnnPolicy policy_;
};

}  // namespace xrai::cuda
