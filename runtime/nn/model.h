// A network on a device: parameters, and for every batch size in use its layers with their places in one arena.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/core/device.h"
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
  ModelPlan(Device& device, Parameters& parameters, const Graph& graph, std::int64_t n, Purpose purpose,
            int explained = -1);

  [[nodiscard]] std::int64_t batch_size() const { return n_; }
  [[nodiscard]] void* input() const { return value(0); }  // (n, height, width, 1), activations like all here
  [[nodiscard]] void* logits() const;                     // (n, n_logits)
  /// Gradient of the logits; filled by the loss, read by backward. Not for scoring.
  [[nodiscard]] void* logit_gradients() const;
  /// The explained tensor, behind forward, and the gradient of the logits with respect to it, behind backward.
  [[nodiscard]] void* explained() const { return value(explained_); }
  [[nodiscard]] void* explained_gradient() const { return gradient(explained_); }
  /// What a layer has written, for an observer at its end: a later layer may write over it.
  [[nodiscard]] const void* output_of(std::size_t layer) const { return value(graph_.nodes[layer].output); }

  void forward(StepContext context);
  /// Overwrites the gradients of all parameters; when explaining, of those behind the explained tensor, which then mean
  /// nothing.
  void backward(StepContext context);

  [[nodiscard]] std::size_t arena_bytes() const { return memory_.total_bytes; }
  [[nodiscard]] std::size_t peak_alive_bytes() const { return peak_bytes_; }
  [[nodiscard]] std::size_t workspace_bytes() const { return workspace_.size_bytes(); }
  [[nodiscard]] const std::vector<std::unique_ptr<Layer>>& layers() const { return layers_; }
  [[nodiscard]] const Graph& graph() const { return graph_; }

  /// Called around every layer with its index and whether it is the backward pass; for the per-layer table.
  using Observer = std::function<void(std::size_t layer, bool backward, bool begins)>;
  void set_observer(Observer observer) { observer_ = std::move(observer); }

 private:
  // Where a tensor's value or gradient lies, as an index into the memory plan; -1: nowhere.
  struct TensorPlace {
    int value = -1, gradient = -1;
  };
  [[nodiscard]] bool has_gradient(int tensor) const { return differentiated_[static_cast<std::size_t>(tensor)]; }
  /// Whether the layer takes part in the backward pass.
  [[nodiscard]] bool runs_backward(std::size_t layer) const;
  void plan_lifetimes();
  [[nodiscard]] void* place(int item) const;
  [[nodiscard]] void* value(int tensor) const { return place(tensors_[static_cast<std::size_t>(tensor)].value); }
  [[nodiscard]] void* gradient(int tensor) const { return place(tensors_[static_cast<std::size_t>(tensor)].gradient); }
  [[nodiscard]] LayerMemory memory_of(std::size_t layer) const;

  Device& device_;
  const Graph& graph_;
  std::int64_t n_;
  Purpose purpose_;
  int explained_;
  std::vector<bool> differentiated_;  // (tensors), those that have a gradient
  std::vector<std::unique_ptr<Layer>> layers_;
  std::vector<TensorPlace> tensors_;
  std::vector<int> saved_;                       // memory item of each layer, -1: none
  std::vector<std::vector<int>> contributions_;  // memory item a layer writes each input's gradient to
  MemoryPlan memory_;
  std::size_t peak_bytes_ = 0;
  Buffer arena_, workspace_;
  Observer observer_;
  std::vector<std::string> forward_names_, backward_names_;  // (layers), of the ranges in a trace
};

class Model {
 public:
  /// picture: (1, height, width, 1). Throws Error(kUsage) when the layers do not fit the picture.
  Model(Device& device, ModelSpec spec, const Shape& picture, std::int64_t n_classes);
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  [[nodiscard]] Device& device() const { return device_; }
  [[nodiscard]] const ModelSpec& spec() const { return spec_; }
  [[nodiscard]] const Shape& picture() const { return graph_.tensors.front(); }
  [[nodiscard]] std::int64_t n_classes() const { return n_classes_; }
  [[nodiscard]] std::int64_t n_logits() const { return logits_for(n_classes_); }
  [[nodiscard]] Parameters& parameters() { return parameters_; }
  [[nodiscard]] const Graph& graph() const { return graph_; }

  /// The plan for a batch size, made at the first call and kept.
  ModelPlan& prepare(std::int64_t batch_size, bool training);
  /// Gives the plans' memory back (weights stay).
  void forget_plans() { plans_.clear(); }

 private:
  Device& device_;
  ModelSpec spec_;
  std::int64_t n_classes_;
  Graph graph_;
  Parameters parameters_;
  std::map<std::pair<std::int64_t, bool>, std::unique_ptr<ModelPlan>> plans_;
};

}  // namespace xrai
