#include "apps/bench/network_step.h"

#include <random>

namespace xrai {

namespace {

// When scoring, the weights stay as they are, as in a predictor.
Model& made_ready(Model& model, bool training) {
  model.parameters().initialise(1);
  if (!training) model.parameters().settle();
  return model;
}

}  // namespace

NetworkStep::NetworkStep(Device& device, const BenchOptions& options, bool training)
    : device_(device),
      model_(device, find_model(options.model), {1, options.size, options.size, 1}, 2, options.gradient_checkpointing),
      plan_(made_ready(model_, training).prepare(options.batch_size, training)) {
  if (training) optimiser_.emplace(device, model_.parameters(), OptimiserSettings{});
  const auto n = static_cast<std::size_t>(options.batch_size);
  pixels_ = device.allocate(n * static_cast<std::size_t>(options.size * options.size));
  ids_ = device.allocate(n * sizeof(std::int64_t));
  labels_ = device.allocate(n * sizeof(std::int32_t));
  weights_ = device.allocate(2 * sizeof(float));
  numbers_ = device.allocate(sizeof(kernels::StepNumbers));
  result_ = device.allocate(sizeof(kernels::LossResult));
  probabilities_ = device.allocate(2 * n * sizeof(float));
  fill();
}

// One random picture as often as the batch has places: what is in it costs no time.
void NetworkStep::fill() {
  const auto n = static_cast<std::size_t>(plan_.batch_size());
  std::vector<std::uint8_t> picture(pixels_.size_bytes() / n);
  std::minstd_rand random(1);
  for (std::uint8_t& pixel : picture) pixel = static_cast<std::uint8_t>(random());
  std::vector<std::int64_t> ids(n);
  std::vector<std::int32_t> labels(n);
  for (std::size_t i = 0; i < n; ++i) {
    device_.upload(pixels_.as<std::uint8_t>() + i * picture.size(), picture.data(), picture.size(), Queue::kCompute);
    ids[i] = static_cast<std::int64_t>(i), labels[i] = static_cast<std::int32_t>(i % 2);
  }
  const float weights[2] = {1, 1};
  const kernels::StepNumbers numbers{1, 0, 0, 0, 1e-3f};
  device_.upload(ids_.data(), ids.data(), n * sizeof(std::int64_t), Queue::kCompute);
  device_.upload(labels_.data(), labels.data(), n * sizeof(std::int32_t), Queue::kCompute);
  device_.upload(weights_.data(), weights, sizeof weights, Queue::kCompute);
  device_.upload(numbers_.data(), &numbers, sizeof numbers, Queue::kCompute);
  device_.synchronize();
}

template <class Work>
void NetworkStep::observed(const char* part, const Work& work) {
  if (observer_) observer_(part, false, true);
  work();
  if (observer_) observer_(part, false, false);
}

void NetworkStep::set_observer(Observer observer) {
  observer_ = std::move(observer);
  plan_.set_observer([this](std::size_t layer, bool backward, bool begins) {
    observer_(plan_.layers()[layer]->name(), backward, begins);
  });
}

void NetworkStep::augment() {
  kernels::AugmentArguments view;
  view.pixels = pixels_.as<std::uint8_t>();
  view.sample_ids = ids_.as<std::int64_t>();
  view.out = plan_.input();
  view.n = plan_.batch_size();
  view.stored_height = view.height = model_.picture().height;
  view.stored_width = view.width = model_.picture().width;
  if (training()) view.ranges = {10, 0.15f, 0.1f, 0.05f, 0.35f, 0.25f, 0.1f, 0};
  device_.augment(view);
}

void NetworkStep::learn() {
  const auto* numbers = numbers_.as<kernels::StepNumbers>();
  optimiser_->begin_step();
  plan_.forward(numbers);
  observed("loss", [&] {
    device_.loss({plan_.logits(), labels_.as<std::int32_t>(), weights_.as<float>(), plan_.logit_gradients(),
                  result_.as<kernels::LossResult>(), plan_.batch_size(), model_.n_logits(), 0, numbers,
                  optimiser_->loss_scale()});
  });
  plan_.backward(numbers);
  observed("optimiser", [&] { optimiser_->step(numbers); });
}

void NetworkStep::queue() {
  observed("augment", [&] { augment(); });
  if (training()) return learn();
  plan_.forward({});
  observed("probabilities", [&] {
    device_.probabilities({plan_.logits(), probabilities_.as<float>(), plan_.batch_size(), model_.n_logits()});
  });
}

double NetworkStep::forward_gflop(const std::string& part) const {
  const std::vector<LayerFacts> facts = infer_shapes(model_.spec(), model_.picture(), model_.n_classes());
  const std::string joined = "+" + part + "+";
  double flops = 0;
  for (std::size_t i = 0; i < facts.size(); ++i)
    if (joined.find("+" + model_.spec().layers[i].name + "+") != std::string::npos) flops += facts[i].forward_flops;
  return flops * static_cast<double>(plan_.batch_size()) / 1e9;
}

}  // namespace xrai
