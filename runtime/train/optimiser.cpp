#include "runtime/train/optimiser.h"

namespace xrai {

Optimiser::Optimiser(Device& device, Parameters& parameters, const OptimiserSettings& settings)
    : device_(device), parameters_(parameters), settings_(settings) {
  const std::size_t bytes = static_cast<std::size_t>(parameters.count()) * sizeof(float);
  first_ = device.allocate(bytes);
  if (settings.kind == OptimiserKind::kAdamW) second_ = device.allocate(bytes);
  norm_ = device.allocate(sizeof(double));
}

void Optimiser::step(std::int64_t step, double learning_rate) {
  float* gradients = parameters_.gradients();
  kernels::GradientClip clip;
  if (settings_.max_gradient_norm > 0) {
    device_.sum_of_squares(gradients, parameters_.count(), norm_.as<double>());
    clip = {norm_.as<double>(), static_cast<float>(settings_.max_gradient_norm)};
  }
  if (settings_.kind == OptimiserKind::kAdamW) {
    device_.adamw({parameters_.values(), gradients, first_.as<float>(), second_.as<float>(), parameters_.count(),
                   parameters_.n_decayed(), step, static_cast<float>(learning_rate),
                   static_cast<float>(settings_.beta1), static_cast<float>(settings_.beta2),
                   static_cast<float>(settings_.epsilon), static_cast<float>(settings_.weight_decay), clip});
  } else {
    device_.sgd({parameters_.values(), gradients, first_.as<float>(), parameters_.count(), parameters_.n_decayed(),
                 static_cast<float>(learning_rate), static_cast<float>(settings_.momentum),
                 static_cast<float>(settings_.weight_decay), clip});
  }
}

std::vector<Optimiser::State> Optimiser::states() const {
  if (settings_.kind == OptimiserKind::kAdamW)
    return {{"first_moment", first_.as<float>()}, {"second_moment", second_.as<float>()}};
  return {{"velocity", first_.as<float>()}};
}

}  // namespace xrai
