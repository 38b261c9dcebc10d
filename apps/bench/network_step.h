// One network with everything a step needs around it: what xrai_bench times, or counts on a modelled card. Pictures are
// random and in memory: the loader has benchmarks of its own.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "runtime/nn/model.h"
#include "runtime/train/memory_use.h"
#include "runtime/train/optimiser.h"

namespace xrai {

struct BenchOptions {
  std::string model = "plain5", device = "auto", precision = "auto", device_model;
  std::int64_t size = 224, batch_size = 64;
  int iterations = 10, warmup = 2, threads = 0;
  bool gradient_checkpointing = false, limits = false, json = false;
};

class NetworkStep {
 public:
  NetworkStep(Device& device, const BenchOptions& options, bool training);

  /// Queues a training step as the trainer does, or a forward pass in evaluation form.
  void queue();

  /// Called around each part: "augment", the layers by name, "loss" or "probabilities", "optimiser".
  using Observer = std::function<void(const std::string& part, bool backward, bool begins)>;
  void set_observer(Observer observer);

  /// Multiplications and additions of a layer's forward pass over the batch, in 1e9; 0 for other parts.
  [[nodiscard]] double forward_gflop(const std::string& part) const;

  [[nodiscard]] bool training() const { return optimiser_.has_value(); }
  Model& model() { return model_; }
  ModelPlan& plan() { return plan_; }
  [[nodiscard]] PlannedMemory planned() { return planned_memory(model_, plan_, optimiser_ ? &*optimiser_ : nullptr); }

 private:
  void fill();
  void augment();
  void learn();
  template <class Work>
  void observed(const char* part, const Work& work);

  Device& device_;
  Model model_;
  ModelPlan& plan_;
  std::optional<Optimiser> optimiser_;
  Buffer numbers_, pixels_, ids_, labels_, weights_, result_, probabilities_;
  Observer observer_;
};

}  // namespace xrai
