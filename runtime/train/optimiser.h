// The optimiser's state beside the flat arena, and its one step.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runtime/nn/parameters.h"
#include "runtime/train/settings.h"

namespace xrai {

class Optimiser {
 public:
  Optimiser(Device& device, Parameters& parameters, const OptimiserSettings& settings);

  /// To be queued before the forward pass: keeps what a step changes before it is known whether it may be taken.
  void begin_step();
  /// Queues one step with the gradients in the arena; `numbers` lies in device memory.
  void step(const kernels::StepNumbers* numbers);

  /// In device memory, for the loss; null where the activations' type needs no scale.
  [[nodiscard]] kernels::LossScale* loss_scale() const { return scale_.as<kernels::LossScale>(); }
  /// Waits for the device. Nothing where there is no scale.
  [[nodiscard]] std::optional<kernels::LossScale> read_loss_scale() const;
  void set_loss_scale(const kernels::LossScale& scale);

  /// State arenas by name ("first_moment", "second_moment" or "velocity"), each of parameters.count() floats.
  struct State {
    std::string name;
    float* values;
  };
  [[nodiscard]] std::vector<State> states() const;

 private:
  Device& device_;
  Parameters& parameters_;
  OptimiserSettings settings_;
  Buffer first_, second_, workspace_, decision_;
  Buffer scale_, statistics_before_;  // float16 only
};

}  // namespace xrai
