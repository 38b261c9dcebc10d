#include "runtime/train/optimiser.h"

namespace xrai {
namespace {

// Where PyTorch's scaler starts, too: too large for most networks, which costs a few skipped steps at the beginning.
constexpr float kFirstScale = 65536;

}  // namespace

Optimiser::Optimiser(Device& device, Parameters& parameters, const OptimiserSettings& settings)
    : device_(device), parameters_(parameters), settings_(settings) {
  const std::size_t bytes = static_cast<std::size_t>(parameters.count()) * sizeof(float);
  first_ = device.allocate(bytes);
  if (settings.kind == OptimiserKind::kAdamW) second_ = device.allocate(bytes);
  workspace_ = device.allocate(static_cast<std::size_t>(kernels::sum_of_squares_workspace_doubles(parameters.count())) *
                               sizeof(double));
  decision_ = device.allocate(sizeof(kernels::UpdateDecision));
  if (device.activation_type() != DataType::kFloat16) return;
  scale_ = device.allocate(sizeof(kernels::LossScale));
  statistics_before_ = device.allocate(static_cast<std::size_t>(parameters.statistics_count()) * sizeof(float));
  set_loss_scale({kFirstScale});
}

std::optional<kernels::LossScale> Optimiser::read_loss_scale() const {
  if (loss_scale() == nullptr) return std::nullopt;
  kernels::LossScale scale;
  device_.download(&scale, loss_scale(), sizeof scale);
  return scale;
}

void Optimiser::set_loss_scale(const kernels::LossScale& scale) {
  device_.upload(loss_scale(), &scale, sizeof scale, Queue::kCompute);
}

void Optimiser::begin_step() {
  if (loss_scale() == nullptr) return;
  device_.copy(statistics_before_.data(), parameters_.statistics(), statistics_before_.size_bytes());
}

void Optimiser::step(const kernels::StepNumbers* numbers) {
  const Span update(device_.trace(), "update");
  const bool adamw = settings_.kind == OptimiserKind::kAdamW;
  auto* decision = decision_.as<kernels::UpdateDecision>();
  kernels::DecideUpdateArguments decide;
  decide.gradients = parameters_.gradients();
  decide.n = parameters_.count();
  decide.max_gradient_norm = static_cast<float>(settings_.max_gradient_norm);
  decide.beta1 = adamw ? static_cast<float>(settings_.beta1) : 0.0f;
  decide.beta2 = adamw ? static_cast<float>(settings_.beta2) : 0.0f;
  decide.numbers = numbers;
  decide.scale = loss_scale();
  decide.workspace = workspace_.as<double>();
  decide.decision = decision;
  device_.decide_update(decide);
  if (loss_scale() != nullptr)
    device_.undo_if_skipped(decision, statistics_before_.as<float>(), parameters_.statistics(),
                            parameters_.statistics_count());
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
