// Some steps of an Optimiser over an arena with weights, which decay, and scales, which do not, beside the same in
// double. AdamW: Loshchilov and Hutter, ICLR 2019, algorithm 2. SGD: Nesterov's momentum as PyTorch writes it.
#pragma once

#include <gtest/gtest.h>

#include <cmath>

#include "runtime/train/optimiser.h"
#include "tests/support/compare.h"
#include "tests/support/random.h"

namespace xrai::testing {

constexpr int kOptimiserSteps = 3;
constexpr double kOptimiserRate = 0.1;

struct ReferenceSteps {
  Doubles weights, first, second;  // second: AdamW only

  void step(const OptimiserSettings& s, const Values& gradients, std::int64_t n_decayed, int t) {
    double squares = 0;
    for (const float g : gradients) squares += static_cast<double>(g) * g;
    const double norm = std::sqrt(squares);
    const double clip = s.max_gradient_norm > 0 && norm > s.max_gradient_norm ? s.max_gradient_norm / norm : 1;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const double decay = static_cast<std::int64_t>(i) < n_decayed ? s.weight_decay : 0, g = clip * gradients[i];
      if (s.kind == OptimiserKind::kAdamW) {
        first[i] = s.beta1 * first[i] + (1 - s.beta1) * g;
        second[i] = s.beta2 * second[i] + (1 - s.beta2) * g * g;
        const double m = first[i] / (1 - std::pow(s.beta1, t)), v = second[i] / (1 - std::pow(s.beta2, t));
        weights[i] -= kOptimiserRate * (decay * weights[i] + m / (std::sqrt(v) + s.epsilon));
      } else {
        const double decayed = g + decay * weights[i];
        first[i] = s.momentum * first[i] + decayed;
        weights[i] -= kOptimiserRate * (decayed + s.momentum * first[i]);
      }
    }
  }
};

/// What the device holds of `count` floats.
inline Values floats_of(Device& device, const float* floats, std::int64_t count) {
  Values values(static_cast<std::size_t>(count));
  device.download(values.data(), floats, values.size() * sizeof(float));
  return values;
}

/// Steps with gradients whose norm is over the clip. Returns the parameters, for who wants to look at more of them.
inline std::unique_ptr<Parameters> expect_reference_steps(Device& device, const OptimiserSettings& settings) {
  auto parameters =
      std::make_unique<Parameters>(device,
                                   std::vector<ParameterSpec>{{"layer.weight", ParameterRole::kWeight, {5, 4}, 4},
                                                              {"norm.scale", ParameterRole::kNormScale, {5}, 0}},
                                   std::vector<StatisticsSpec>{});
  const std::int64_t n = parameters->count(), n_decayed = parameters->n_decayed();
  const Values begin = random_values(n, 1);
  device.upload(parameters->values(), begin.data(), begin.size() * sizeof(float), Queue::kCompute);
  parameters->narrow();
  Optimiser optimiser(device, *parameters, settings);
  if (optimiser.loss_scale() != nullptr) optimiser.set_loss_scale({1});
  ReferenceSteps reference{{begin.begin(), begin.end()}, Doubles(begin.size()), Doubles(begin.size())};
  const Buffer numbers = device.allocate(sizeof(kernels::StepNumbers));
  for (int t = 1; t <= kOptimiserSteps; ++t) {
    const Values gradients = random_values(n, 1 + static_cast<std::uint64_t>(t));
    device.upload(parameters->gradients(), gradients.data(), gradients.size() * sizeof(float), Queue::kCompute);
    kernels::StepNumbers now;
    now.step = static_cast<std::uint64_t>(t - 1);
    now.learning_rate = static_cast<float>(kOptimiserRate);
    device.upload(numbers.data(), &now, sizeof now, Queue::kCompute);
    optimiser.begin_step();
    optimiser.step(numbers.as<kernels::StepNumbers>());
    reference.step(settings, gradients, n_decayed, t);
  }
  expect_near(floats_of(device, parameters->values(), n), reference.weights, 2e-6, "weights");
  for (const Optimiser::State& state : optimiser.states())
    expect_near(floats_of(device, state.values, n), state.name == "second_moment" ? reference.second : reference.first,
                2e-6, state.name);
  return parameters;
}

inline OptimiserSettings clipped(OptimiserKind kind) {
  OptimiserSettings settings;
  settings.kind = kind;
  settings.weight_decay = 0.3;
  settings.max_gradient_norm = 0.5;
  return settings;
}

}  // namespace xrai::testing
