#include "runtime/train/optimiser.h"

namespace xrai {

Optimiser::Optimiser(Device& device, Parameters& parameters, const OptimiserSettings& settings)
    : device_(device), parameters_(parameters), settings_(settings) {
  const std::size_t bytes = static_cast<std::size_t>(parameters.count()) * sizeof(float);
  first_ = device.allocate(bytes);
  if (settings.kind == OptimiserKind::kAdamW) second_ = device.allocate(bytes);
  workspace_ = device.allocate(static_cast<std::size_t>(kernels::sum_of_squares_workspace_doubles(parameters.count())) *
                               sizeof(double));
  decision_ = device.allocate(sizeof(kernels::UpdateDecision));
}

void Optimiser::step(const kernels::StepNumbers* numbers, kernels::LossScale* scale) {
  const bool adamw = settings_.kind == OptimiserKind::kAdamW;
  auto* decision = decision_.as<kernels::UpdateDecision>();
  kernels::DecideUpdateArguments decide;
  decide.gradients = parameters_.gradients();
  decide.n = parameters_.count();
  decide.max_gradient_norm = static_cast<float>(settings_.max_gradient_norm);
  decide.beta1 = adamw ? static_cast<float>(settings_.beta1) : 0.0f;
  decide.beta2 = adamw ? static_cast<float>(settings_.beta2) : 0.0f;
  decide.numbers = numbers;
  decide.scale = scale;
  decide.workspace = workspace_.as<double>();
  decide.decision = decision;
  device_.decide_update(decide);
  if (adamw)
    device_.adamw({parameters_.values(), parameters_.gradients(), first_.as<float>(), second_.as<float>(),
                   parameters_.narrow_arena(), parameters_.count(), parameters_.n_decayed(),
                   static_cast<float>(settings_.beta1), static_cast<float>(settings_.beta2),
                   static_cast<float>(settings_.epsilon), static_cast<float>(settings_.weight_decay), decision});
  else
    device_.sgd({parameters_.values(), parameters_.gradients(), first_.as<float>(), parameters_.narrow_arena(),
                 parameters_.count(), parameters_.n_decayed(), static_cast<float>(settings_.momentum),
                 static_cast<float>(settings_.weight_decay), decision});
}

std::vector<Optimiser::State> Optimiser::states() const {
  if (settings_.kind == OptimiserKind::kAdamW)
    return {{"first_moment", first_.as<float>()}, {"second_moment", second_.as<float>()}};
  return {{"velocity", first_.as<float>()}};
}

}  // namespace xrai
