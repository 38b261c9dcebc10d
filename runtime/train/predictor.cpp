#include "runtime/train/predictor.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/core/error.h"
#include "runtime/train/calibration.h"
#include "runtime/train/checkpoint.h"
#include "runtime/train/explainer.h"
#include "runtime/train/layer_viewer.h"
#include "runtime/train/scorer.h"

namespace xrai {
namespace {

// One network, ready to score.
struct Member {
  Member(Checkpoint read, Device& device, std::int64_t pictures_a_batch)
      : checkpoint(std::move(read)),
        model(device, checkpoint.model, {1, checkpoint.facts.input.image_size, checkpoint.facts.input.image_size, 1},
              static_cast<std::int64_t>(checkpoint.facts.classes.size())),
        scorer(model, checkpoint.facts.input, pictures_a_batch),
        batch_size(pictures_a_batch) {
    restore(checkpoint, model, nullptr);
    model.parameters().settle();
    checkpoint.tensors.clear();
  }

  Checkpoint checkpoint;
  Model model;
  Scorer scorer;
  std::int64_t batch_size;
};

std::unique_ptr<Member> load_member(const std::filesystem::path& path, Device& device, std::int64_t batch_size) {
  return std::make_unique<Member>(read_checkpoint(path), device, batch_size);
}

}  // namespace

struct Predictor::State {
  std::vector<std::unique_ptr<Member>> members;  // at least one; the first speaks for all
  [[nodiscard]] const Checkpoint& checkpoint() const { return members.front()->checkpoint; }
};

Predictor::Predictor(std::unique_ptr<State> state) : state_(std::move(state)) {}
Predictor::Predictor(Predictor&&) noexcept = default;
Predictor::~Predictor() = default;

Predictor Predictor::load(const std::filesystem::path& run_or_checkpoint, Device& device, std::int64_t batch_size) {
  auto state = std::make_unique<State>();
  for (const std::filesystem::path& path : find_checkpoints(run_or_checkpoint)) {
    state->members.push_back(load_member(path, device, batch_size));
    if (state->members.back()->checkpoint.facts.classes != state->checkpoint().facts.classes)
      throw Error(ExitCode::kBadData, fmt::format("{} was trained on other classes than {}: they are no ensemble",
                                                  path.string(), state->checkpoint().path.string()));
  }
  return Predictor(std::move(state));
}

const std::filesystem::path& Predictor::checkpoint_path() const {
  return state_->checkpoint().path;
}
const std::vector<std::string>& Predictor::classes() const {
  return state_->checkpoint().facts.classes;
}
const std::string& Predictor::model_name() const {
  return state_->checkpoint().model.name;
}
std::int64_t Predictor::epoch() const {
  return state_->checkpoint().state.epoch;
}
const Preprocessing& Predictor::preprocessing() const {
  return state_->checkpoint().facts.preprocessing;
}
const std::string& Predictor::config_toml() const {
  return state_->checkpoint().facts.config_toml;
}
std::int64_t Predictor::n_members() const {
  return static_cast<std::int64_t>(state_->members.size());
}
double Predictor::threshold() const {
  return state_->checkpoint().facts.threshold;
}
std::optional<double> Predictor::temperature() const {
  return state_->checkpoint().facts.temperature;
}
const CheckpointFacts& Predictor::facts() const {
  return state_->checkpoint().facts;
}
bool Predictor::trained_on_synthetic() const {
  return state_->checkpoint().facts.synthetic_data;
}

std::vector<float> Predictor::predict(const std::uint8_t* pixels, std::int64_t n, std::int64_t height,
                                      std::int64_t width) {
  std::vector<float> probabilities = predict_uncalibrated(pixels, n, height, width);
  if (const auto t = temperature()) apply_temperature(probabilities, std::ssize(classes()), *t);
  return probabilities;
}

std::vector<float> Predictor::predict_uncalibrated(const std::uint8_t* pixels, std::int64_t n, std::int64_t height,
                                                   std::int64_t width) {
  std::vector<float> mean;
  for (const std::unique_ptr<Member>& member : state_->members) {
    std::vector<float> probabilities;
    for (std::int64_t first = 0; first < n; first += member->batch_size)
      member->scorer.score(pixels + first * height * width, std::min(member->batch_size, n - first), height, width,
                           probabilities);
    mean.resize(probabilities.size());
    const float share = 1.0f / static_cast<float>(state_->members.size());
    for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += share * probabilities[i];
  }
  return mean;
}

Explainer Predictor::make_explainer(const std::string& layer) const {
  std::vector<ExplainedNetwork> networks;
  for (const std::unique_ptr<Member>& member : state_->members)
    networks.push_back({member->model, member->checkpoint.facts.input});
  return Explainer(networks, layer);
}

LayerViewer Predictor::make_layer_viewer() const {
  Member& first = *state_->members.front();
  return {first.model, first.checkpoint.facts.input};
}

}  // namespace xrai
