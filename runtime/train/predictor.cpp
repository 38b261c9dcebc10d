#include "runtime/train/predictor.h"

#include <algorithm>

#include "runtime/train/calibration.h"
#include "runtime/train/checkpoint.h"
#include "runtime/train/explainer.h"
#include "runtime/train/scorer.h"

namespace xrai {

struct Predictor::State {
  State(Checkpoint read, Device& device, std::int64_t pictures_a_batch)
      : checkpoint(std::move(read)),
        model(device, checkpoint.model, {1, checkpoint.facts.input.image_size, checkpoint.facts.input.image_size, 1},
              static_cast<std::int64_t>(checkpoint.facts.classes.size())),
        scorer(model, checkpoint.facts.input, pictures_a_batch),
        batch_size(pictures_a_batch) {
    restore(checkpoint, model, nullptr);
    checkpoint.tensors.clear();
  }

  Checkpoint checkpoint;
  Model model;
  Scorer scorer;
  std::int64_t batch_size;
};

Predictor::Predictor(std::unique_ptr<State> state) : state_(std::move(state)) {}
Predictor::Predictor(Predictor&&) noexcept = default;
Predictor::~Predictor() = default;

Predictor Predictor::load(const std::filesystem::path& run_or_checkpoint, Device& device, std::int64_t batch_size) {
  return Predictor(std::make_unique<State>(read_checkpoint(find_checkpoint(run_or_checkpoint)), device, batch_size));
}

const std::filesystem::path& Predictor::checkpoint_path() const {
  return state_->checkpoint.path;
}
const std::vector<std::string>& Predictor::classes() const {
  return state_->checkpoint.facts.classes;
}
const std::string& Predictor::model_name() const {
  return state_->checkpoint.model.name;
}
std::int64_t Predictor::epoch() const {
  return state_->checkpoint.state.epoch;
}
const Preprocessing& Predictor::preprocessing() const {
  return state_->checkpoint.facts.preprocessing;
}
const std::string& Predictor::config_toml() const {
  return state_->checkpoint.facts.config_toml;
}
double Predictor::threshold() const {
  return state_->checkpoint.facts.threshold;
}
std::optional<double> Predictor::temperature() const {
  return state_->checkpoint.facts.temperature;
}
const CheckpointFacts& Predictor::facts() const {
  return state_->checkpoint.facts;
}
bool Predictor::trained_on_synthetic() const {
  return state_->checkpoint.facts.synthetic_data;
}

std::vector<float> Predictor::predict(const std::uint8_t* pixels, std::int64_t n, std::int64_t height,
                                      std::int64_t width) {
  std::vector<float> probabilities = predict_uncalibrated(pixels, n, height, width);
  if (const auto t = temperature()) apply_temperature(probabilities, std::ssize(classes()), *t);
  return probabilities;
}

std::vector<float> Predictor::predict_uncalibrated(const std::uint8_t* pixels, std::int64_t n, std::int64_t height,
                                                   std::int64_t width) {
  std::vector<float> probabilities;
  for (std::int64_t first = 0; first < n; first += state_->batch_size)
    state_->scorer.score(pixels + first * height * width, std::min(state_->batch_size, n - first), height, width,
                         probabilities);
  return probabilities;
}

Explainer Predictor::make_explainer(const std::string& layer) const {
  return {state_->model, state_->checkpoint.facts.input, layer};
}

}  // namespace xrai
