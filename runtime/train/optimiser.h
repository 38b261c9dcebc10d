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

  /// Takes one step with the gradients in the arena. `step` counts from 1.
  void step(std::int64_t step, double learning_rate);

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
  Buffer first_, second_, norm_;
};

}  // namespace xrai
