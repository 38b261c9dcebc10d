// The optimiser's state beside the flat arena, and its one step.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/nn/parameters.h"
#include "runtime/train/settings.h"

namespace xrai {

class Optimiser {
 public:
  Optimiser(Device& device, Parameters& parameters, const OptimiserSettings& settings);

  /// Queues one step with the gradients in the arena; `numbers` lies in device memory. `scale`: of the loss, or null.
  void step(const kernels::StepNumbers* numbers, kernels::LossScale* scale = nullptr);

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
};

}  // namespace xrai
