// See checkpoint_attributes.h.
#include "runtime/train/checkpoint_attributes.h"

#include <fmt/format.h>

#include <bit>

#include "runtime/core/error.h"

namespace xrai {
namespace {

template <class T>
T needed(const hdf5::File& file, const std::string& name) {
  const std::optional<hdf5::Attribute> value = file.attribute("/", name);
  if (!value || !std::holds_alternative<T>(*value))
    throw Error(ExitCode::kBadData, fmt::format("the checkpoint {} lacks '{}': it is damaged or not one of xrai's",
                                                file.path().string(), name));
  return std::get<T>(*value);
}

}  // namespace

// The checksum is of these, so what older files do not have is left out where it is not set.
Attributes attributes_of(const CheckpointFacts& facts, const TrainingState& s) {
  Attributes a;
  a["classes"] = facts.classes;
  a["stored_size"] = facts.preprocessing.stored_size;
  a["fit"] = facts.preprocessing.fit;
  a["decoder"] = facts.preprocessing.decoder;
  a["image_size"] = facts.input.image_size;
  a["view_crop"] = static_cast<double>(facts.input.view.crop);
  a["view_mean"] = static_cast<double>(facts.input.view.mean);
  a["view_deviation"] = static_cast<double>(facts.input.view.deviation);
  a["view_standardise"] = std::int64_t{facts.input.view.standardise};
  a["seed"] = std::bit_cast<std::int64_t>(facts.seed);
  a["threshold"] = facts.threshold;
  a["threshold_rule"] = facts.threshold_rule;
  if (!facts.threshold_note.empty()) a["threshold_note"] = facts.threshold_note;
  if (facts.temperature) a["temperature"] = *facts.temperature;
  if (!facts.temperature_note.empty()) a["temperature_note"] = facts.temperature_note;
  if (facts.fitted_networks) a["fitted_networks"] = *facts.fitted_networks;
  a["synthetic"] = std::int64_t{facts.synthetic_data};
  if (!facts.data_fingerprint.empty()) a["data_fingerprint"] = facts.data_fingerprint;
  a["step"] = s.step;
  a["epoch"] = s.epoch;
  a["position"] = s.position;
  a["epoch_loss_sum"] = s.epoch_loss_sum;
  a["epoch_correct"] = s.epoch_correct;
  if (s.best_score) a["best_score"] = *s.best_score;
  a["best_epoch"] = s.best_epoch;
  if (s.loss_scale) {
    a["loss_scale"] = static_cast<double>(s.loss_scale->scale);
    a["loss_scale_good_steps"] = std::int64_t{s.loss_scale->good_steps};
    a["loss_scale_skipped_in_a_row"] = std::int64_t{s.loss_scale->skipped_in_a_row};
    a["loss_scale_skipped"] = s.loss_scale->skipped;
  }
  return a;
}

std::string attributes_text(const Attributes& attributes) {
  std::string text;
  for (const auto& [name, value] : attributes) {
    text += name + "=";
    if (const auto* number = std::get_if<std::int64_t>(&value)) text += std::to_string(*number);
    if (const auto* real = std::get_if<double>(&value)) text += std::to_string(std::bit_cast<std::uint64_t>(*real));
    if (const auto* word = std::get_if<std::string>(&value)) text += *word;
    if (const auto* words = std::get_if<std::vector<std::string>>(&value))
      for (const std::string& word : *words) text += word + "\n";
    text += ";";
  }
  return text;
}

void read_attributes(const hdf5::File& file, Checkpoint& c) {
  CheckpointFacts& f = c.facts;
  f.classes = needed<std::vector<std::string>>(file, "classes");
  f.preprocessing = {needed<std::int64_t>(file, "stored_size"), needed<std::string>(file, "fit"),
                     needed<std::string>(file, "decoder")};
  f.input.image_size = needed<std::int64_t>(file, "image_size");
  f.input.view.crop = static_cast<float>(needed<double>(file, "view_crop"));
  f.input.view.mean = static_cast<float>(needed<double>(file, "view_mean"));
  f.input.view.deviation = static_cast<float>(needed<double>(file, "view_deviation"));
  f.input.view.standardise = needed<std::int64_t>(file, "view_standardise") != 0;
  f.seed = std::bit_cast<std::uint64_t>(needed<std::int64_t>(file, "seed"));
  f.threshold = needed<double>(file, "threshold");
  f.threshold_rule = needed<std::string>(file, "threshold_rule");
  if (file.attribute("/", "threshold_note")) f.threshold_note = needed<std::string>(file, "threshold_note");
  if (file.attribute("/", "temperature")) f.temperature = needed<double>(file, "temperature");
  if (file.attribute("/", "temperature_note")) f.temperature_note = needed<std::string>(file, "temperature_note");
  if (file.attribute("/", "fitted_networks")) f.fitted_networks = needed<std::int64_t>(file, "fitted_networks");
  f.synthetic_data = needed<std::int64_t>(file, "synthetic") != 0;
  if (file.attribute("/", "data_fingerprint")) f.data_fingerprint = needed<std::string>(file, "data_fingerprint");
  TrainingState& s = c.state;
  s.step = needed<std::int64_t>(file, "step");
  s.epoch = needed<std::int64_t>(file, "epoch");
  s.position = needed<std::int64_t>(file, "position");
  s.epoch_loss_sum = needed<double>(file, "epoch_loss_sum");
  s.epoch_correct = needed<double>(file, "epoch_correct");
  if (file.attribute("/", "best_score")) s.best_score = needed<double>(file, "best_score");
  s.best_epoch = needed<std::int64_t>(file, "best_epoch");
  if (file.attribute("/", "loss_scale"))
    s.loss_scale =
        kernels::LossScale{static_cast<float>(needed<double>(file, "loss_scale")),
                           static_cast<std::int32_t>(needed<std::int64_t>(file, "loss_scale_good_steps")),
                           static_cast<std::int32_t>(needed<std::int64_t>(file, "loss_scale_skipped_in_a_row")),
                           needed<std::int64_t>(file, "loss_scale_skipped")};
}

std::string needed_text(const hdf5::File& file, const std::string& name) {
  return needed<std::string>(file, name);
}

}  // namespace xrai
