// A network on a device: parameters, and for every batch size in use its layers with their places in one arena.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/core/device.h"
#include "runtime/nn/call_plan.h"
#include "runtime/nn/graph.h"
#include "runtime/nn/layer.h"
#include "runtime/nn/memory_plan.h"
#include "runtime/nn/parameters.h"

namespace xrai {

/// What a plan is for. Training: batch statistics, dropout, the gradients of all parameters. Explaining: running
/// statistics, and gradients from the logits back to one tensor.
enum class Purpose { kScoring, kTraining, kExplaining };

/// A model made ready for one batch size and one purpose. Made by Model::prepare and by GradCam.
class ModelPlan {
 public:
  /// `explained`: the tensor of an unfused graph that gradients go back to; explaining only.
  /// `recompute`: in training only. `arena`: that of another plan, taken if it is large enough; null: none.
  ModelPlan(Device& device, Parameters& parameters, const Graph& graph, std::int64_t n, Purpose purpose,
            int explained = -1, Recompute recompute = Recompute::kNothing, std::shared_ptr<Buffer> arena = nullptr);

  [[nodiscard]] std::int64_t batch_size() const { return n_; }
  [[nodiscard]] void* input() const {
    return place(calls_.picture);
  }                                    // (n, height, width, 1), activations like all here
  [[nodiscard]] void* logits() const;  // (n, n_logits)
  /// Gradient of the logits; filled by the loss, read by backward. Not for scoring.
  [[nodiscard]] void* logit_gradients() const;
  /// The explained tensor, behind forward, and the gradient of the logits with respect to it, behind backward.
  [[nodiscard]] void* explained() const { return place(calls_.explained); }
  [[nodiscard]] void* explained_gradient() const { return place(calls_.explained_gradient); }
  /// What a layer has written, for an observer at its end: a later layer may write over it.
  [[nodiscard]] const void* output_of(std::size_t layer) const { return place(calls_.calls[layer].output); }

  void forward(StepContext context);
  /// Overwrites the gradients of all parameters; when explaining, of those behind the explained tensor, which then mean
  /// nothing.
  void backward(StepContext context);

  /// Values, gradients and workspaces; peak_alive_bytes: what of them is there at once at the worst moment.
  [[nodiscard]] std::size_t arena_bytes() const { return memory_.total_bytes; }
  [[nodiscard]] std::size_t peak_alive_bytes() const { return peak_bytes_; }
  /// Of the layer that needs the largest one, and of the one that runs at the worst moment.
  [[nodiscard]] std::size_t workspace_bytes() const;
  [[nodiscard]] std::size_t workspace_bytes_at_peak() const;
  /// Beside the arena: what layers make of parameters that stay as they are.
  [[nodiscard]] std::size_t kept_bytes() const;
  [[nodiscard]] const std::shared_ptr<Buffer>& arena() const { return arena_; }
  [[nodiscard]] const std::vector<std::unique_ptr<Layer>>& layers() const { return layers_; }
  [[nodiscard]] const Graph& graph() const { return graph_; }

  /// Called around every layer with its index and whether it is the backward pass, to which belongs what that computes
  /// again; for the per-layer table.
  using Observer = std::function<void(std::size_t layer, bool backward, bool begins)>;
  void set_observer(Observer observer) { observer_ = std::move(observer); }

 private:
  [[nodiscard]] const Call& loss_call() const { return calls_.calls[layers_.size()]; }
  [[nodiscard]] void* place(int item) const;
  [[nodiscard]] LayerMemory memory_of(const Call& call) const;
  void run(const Call& call, StepContext context);
  void add_gradients(const Call& call);

  Device& device_;
  const Graph& graph_;
  std::int64_t n_;
  std::vector<std::unique_ptr<Layer>> layers_;
  CallPlan calls_;
  MemoryPlan memory_;
  std::size_t peak_bytes_ = 0;
  std::shared_ptr<Buffer> arena_;
  Observer observer_;
  std::vector<std::string> names_[3];  // of the ranges in a trace: (layers) forward, backward, again
};

class Model {
 public:
  /// picture: (1, height, width, 1). Throws Error(kUsage) when the layers do not fit the picture.
  /// gradient_checkpointing: training keeps few activations and computes the rest a second time
  /// (Recompute::kSegments): the same bits, in less memory and more time.
  Model(Device& device, ModelSpec spec, const Shape& picture, std::int64_t n_classes,
        bool gradient_checkpointing = false);
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  [[nodiscard]] Device& device() const { return device_; }
  [[nodiscard]] const ModelSpec& spec() const { return spec_; }
  [[nodiscard]] const Shape& picture() const { return graph_.tensors.front(); }
  [[nodiscard]] std::int64_t n_classes() const { return n_classes_; }
  [[nodiscard]] std::int64_t n_logits() const { return logits_for(n_classes_); }
  [[nodiscard]] Parameters& parameters() { return parameters_; }
  [[nodiscard]] const Graph& graph() const { return graph_; }

  /// The plan for a batch size, made at the first call and kept. A plan takes the largest arena that is there already,
  /// if it fits: what one leaves in it is gone when another has run.
  ModelPlan& prepare(std::int64_t batch_size, bool training);
  /// Gives the plans' memory back (weights stay).
  void forget_plans() { plans_.clear(), arena_.reset(); }

 private:
  [[nodiscard]] Recompute recompute() const;

  Device& device_;
  ModelSpec spec_;
  std::int64_t n_classes_;
  bool gradient_checkpointing_;
  Graph graph_;
  std::optional<Graph> byte_graph_;  // where the device scores in whole numbers
  Parameters parameters_;
  std::map<std::pair<std::int64_t, bool>, std::unique_ptr<ModelPlan>> plans_;
  std::shared_ptr<Buffer> arena_;  // the largest one
};

}  // namespace xrai
