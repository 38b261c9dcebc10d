// What the optimisers' tests need around one update on the CPU twin.
#pragma once

#include <vector>

#include "kernels/optimiser.h"

namespace xrai::testing {

inline double sum_of_squares(const std::vector<float>& x) {
  const auto n = static_cast<std::int64_t>(x.size());
  std::vector<double> workspace(static_cast<std::size_t>(kernels::sum_of_squares_workspace_doubles(n)));
  double sum = -1;
  kernels::cpu::sum_of_squares(x.data(), n, workspace.data(), &sum);
  return sum;
}

struct UpdateRates {
  float learning_rate = 0, beta1 = 0, beta2 = 0, max_gradient_norm = 0;
};

/// The decision for a step that is counted from 1.
inline kernels::UpdateDecision decide(std::int64_t step, const UpdateRates& rates,
                                      const std::vector<float>& gradients = {}, kernels::LossScale* scale = nullptr) {
  const auto n = static_cast<std::int64_t>(gradients.size());
  std::vector<double> workspace(static_cast<std::size_t>(kernels::sum_of_squares_workspace_doubles(n)));
  kernels::StepNumbers numbers;
  numbers.step = static_cast<std::uint64_t>(step - 1);
  numbers.learning_rate = rates.learning_rate;
  kernels::UpdateDecision decision;
  kernels::DecideUpdateArguments arguments;
  arguments.gradients = gradients.data(), arguments.n = n;
  arguments.max_gradient_norm = rates.max_gradient_norm, arguments.beta1 = rates.beta1, arguments.beta2 = rates.beta2;
  arguments.numbers = &numbers, arguments.scale = scale;
  arguments.workspace = workspace.data(), arguments.decision = &decision;
  kernels::cpu::decide_update(arguments);
  return decision;
}

}  // namespace xrai::testing
