#include "runtime/train/checkpoint.h"

#include <bit>
#include <cstring>
#include <functional>

#include "runtime/core/error.h"
#include "runtime/core/file_io.h"
#include "runtime/hdf5/file.h"

namespace xrai {
namespace {

constexpr std::int64_t kFormatVersion = 1;
constexpr const char* kPlanChoices = "/plan_choices";

// FNV-1a over 64-bit words (Fowler, Noll, Vo): finds damage, not malice.
class Checksum {
 public:
  void add(const void* data, std::size_t bytes) {
    const auto* p = static_cast<const unsigned char*>(data);
    for (; bytes >= 8; bytes -= 8, p += 8) {
      std::uint64_t word;
      std::memcpy(&word, p, 8);
      mix(word);
    }
    for (; bytes > 0; --bytes, ++p) mix(*p);
  }
  void add(const std::string& text) { add(text.data(), text.size()); }
  [[nodiscard]] std::string text() const { return fmt::format("{:016x}", value_); }

 private:
  void mix(std::uint64_t word) {
    value_ = (value_ ^ word) * 0x100000001b3ull;
    // Words of a float array differ in their upper halves; a rotation brings those back into the low bits.
    value_ = std::rotl(value_, 29);
  }
  std::uint64_t value_ = 0xcbf29ce484222325ull;
};

struct NamedTensor {
  std::string path;
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

// Downloads one arena's slices in canonical layout.
void collect(Model& model, const std::string& group, const float* arena, std::vector<NamedTensor>& out) {
  for (const ParameterSpec& spec : model.parameters().specs()) {
    std::vector<float> stored(static_cast<std::size_t>(spec.count()));
    model.device().download(stored.data(), arena + spec.offset, stored.size() * sizeof(float));
    out.push_back({group + "/" + spec.name, canonical_shape(spec), to_canonical(spec, stored.data())});
  }
}

std::vector<NamedTensor> collect_all(Model& model, const Optimiser* optimiser) {
  std::vector<NamedTensor> tensors;
  Parameters& parameters = model.parameters();
  collect(model, "/parameters", parameters.values(), tensors);
  for (const StatisticsSpec& spec : parameters.statistics_specs())
    for (const bool mean : {true, false}) {
      std::vector<float> values(static_cast<std::size_t>(spec.channels));
      const float* from = parameters.statistics() + (mean ? spec.mean_offset : spec.variance_offset);
      model.device().download(values.data(), from, values.size() * sizeof(float));
      tensors.push_back({"/statistics/" + spec.name + (mean ? ".mean" : ".variance"), {spec.channels}, values});
    }
  if (optimiser != nullptr)
    for (const Optimiser::State& state : optimiser->states())
      collect(model, "/optimiser/" + state.name, state.values, tensors);
  return tensors;
}

using Attributes = std::map<std::string, hdf5::Attribute>;

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
  a["synthetic"] = std::int64_t{facts.synthetic_data};
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

// The state of training as text, for the checksum: doubles by their bits.
std::string state_text(const Attributes& attributes) {
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

template <class T>
T needed(const hdf5::File& file, const std::string& name) {
  const std::optional<hdf5::Attribute> value = file.attribute("/", name);
  if (!value || !std::holds_alternative<T>(*value))
    throw Error(ExitCode::kBadData, fmt::format("the checkpoint {} lacks '{}': it is damaged or not one of xrai's",
                                                file.path().string(), name));
  return std::get<T>(*value);
}

void read_facts(const hdf5::File& file, Checkpoint& c) {
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
  f.synthetic_data = needed<std::int64_t>(file, "synthetic") != 0;
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

void read_tensors(const hdf5::File& file, const std::string& group, Checkpoint& c) {
  if (!file.has(group)) return;
  for (const std::string& name : file.names_in(group)) {
    const std::string path = group + "/" + name;
    if (file.is_dataset(path))
      c.tensors[path] = file.read<float>(path);
    else
      read_tensors(file, path, c);
  }
}

std::string text_dataset(const hdf5::File& file, const std::string& path) {
  const std::vector<std::string> lines = file.read_strings(path);
  return lines.empty() ? std::string() : lines.front();
}

// Operation and choice, one after the other.
std::vector<std::string> choice_lines(const PlanChoices& choices) {
  std::vector<std::string> lines;
  for (const auto& [operation, choice] : choices) lines.push_back(operation), lines.push_back(choice);
  return lines;
}

PlanChoices read_choices(const hdf5::File& file) {
  PlanChoices choices;
  const auto lines = file.has(kPlanChoices) ? file.read_strings(kPlanChoices) : std::vector<std::string>{};
  for (std::size_t i = 0; i + 1 < lines.size(); i += 2) choices[lines[i]] = lines[i + 1];
  return choices;
}

std::string checksum_of(const std::map<std::string, std::vector<float>>& tensors, const std::string& model_toml,
                        const CheckpointFacts& facts, const Attributes& attributes) {
  Checksum sum;
  for (const auto& [path, values] : tensors) {
    sum.add(path);
    sum.add(values.data(), values.size() * sizeof(float));
  }
  sum.add(model_toml);
  sum.add(facts.config_toml);
  sum.add(state_text(attributes));
  for (const std::string& line : choice_lines(facts.plan_choices)) sum.add(line);
  return sum.text();
}

}  // namespace

void save_checkpoint(const std::filesystem::path& path, Model& model, const Optimiser* optimiser,
                     const CheckpointFacts& facts, const TrainingState& state) {
  model.device().synchronize();
  const std::vector<NamedTensor> tensors = collect_all(model, optimiser);
  const Attributes attributes = attributes_of(facts, state);
  const std::string model_toml = to_toml(model.spec());
  std::map<std::string, std::vector<float>> by_path;
  for (const NamedTensor& tensor : tensors) by_path[tensor.path] = tensor.values;
  const std::string checksum = checksum_of(by_path, model_toml, facts, attributes);

  write_aside_and_rename(path, [&](const std::filesystem::path& aside) {
    hdf5::File file = hdf5::File::create(aside);
    for (const NamedTensor& tensor : tensors)
      file.write(tensor.path, {tensor.shape.begin(), tensor.shape.end()}, tensor.values.data());
    file.write_strings("/model_toml", {model_toml});
    file.write_strings("/config_toml", {facts.config_toml});
    if (!facts.plan_choices.empty()) file.write_strings(kPlanChoices, choice_lines(facts.plan_choices));
    for (const auto& [name, value] : attributes) file.set_attribute("/", name, value);
    file.set_attribute("/", "xrai_checkpoint", kFormatVersion);
    file.set_attribute("/", "checksum", checksum);
    file.close();
  });
}

Checkpoint read_checkpoint(const std::filesystem::path& path) {
  const hdf5::File file = hdf5::File::open(path);
  const auto version = file.attribute("/", "xrai_checkpoint");
  if (!version || !std::holds_alternative<std::int64_t>(*version))
    throw Error(ExitCode::kBadData,
                fmt::format("{} is not a checkpoint of xrai (a data set goes to --data)", path.string()));
  if (std::get<std::int64_t>(*version) != kFormatVersion)
    throw Error(ExitCode::kBadData,
                fmt::format("the checkpoint {} has format version {}, this program reads version {}: use the xrai that "
                            "wrote it",
                            path.string(), std::get<std::int64_t>(*version), kFormatVersion));
  Checkpoint c;
  c.path = path;
  read_facts(file, c);
  for (const char* group : {"/parameters", "/statistics", "/optimiser"}) read_tensors(file, group, c);
  const std::string model_toml = text_dataset(file, "/model_toml");
  c.facts.config_toml = text_dataset(file, "/config_toml");
  c.facts.plan_choices = read_choices(file);
  c.checksum = needed<std::string>(file, "checksum");
  if (checksum_of(c.tensors, model_toml, c.facts, attributes_of(c.facts, c.state)) != c.checksum)
    throw Error(ExitCode::kBadData,
                fmt::format("the checkpoint {} is damaged: its checksum does not match; use another "
                            "one of the run's checkpoints/",
                            path.string()));
  c.model = parse_model_toml(model_toml, path.string());
  return c;
}

void restore(const Checkpoint& checkpoint, Model& model, Optimiser* optimiser) {
  const auto tensor = [&](const std::string& path, std::int64_t count) -> const std::vector<float>& {
    const auto found = checkpoint.tensors.find(path);
    if (found == checkpoint.tensors.end() || static_cast<std::int64_t>(found->second.size()) != count)
      throw Error(ExitCode::kBadData, fmt::format("the checkpoint {} does not fit this model: '{}' is missing or has "
                                                  "another size",
                                                  checkpoint.path.string(), path));
    return found->second;
  };
  Parameters& parameters = model.parameters();
  const auto upload = [&](const std::string& group, float* arena) {
    for (const ParameterSpec& spec : parameters.specs()) {
      const std::vector<float> stored = from_canonical(spec, tensor(group + "/" + spec.name, spec.count()).data());
      model.device().upload(arena + spec.offset, stored.data(), stored.size() * sizeof(float), Queue::kCompute);
    }
  };
  upload("/parameters", parameters.values());
  parameters.narrow();
  for (const StatisticsSpec& spec : parameters.statistics_specs()) {
    const auto put = [&](const char* suffix, std::int64_t offset) {
      const std::vector<float>& values = tensor("/statistics/" + spec.name + suffix, spec.channels);
      model.device().upload(parameters.statistics() + offset, values.data(), values.size() * sizeof(float),
                            Queue::kCompute);
    };
    put(".mean", spec.mean_offset);
    put(".variance", spec.variance_offset);
  }
  if (optimiser != nullptr)
    for (const Optimiser::State& state : optimiser->states()) upload("/optimiser/" + state.name, state.values);
  model.device().synchronize();
}

namespace {

// Empty where there is none.
std::filesystem::path checkpoint_in(const std::filesystem::path& run) {
  for (const char* name : {"best.h5", "last.h5"})
    if (const std::filesystem::path path = run / "checkpoints" / name; std::filesystem::is_regular_file(path))
      return path;
  return {};
}

}  // namespace

std::filesystem::path find_checkpoint(const std::filesystem::path& run_or_checkpoint) {
  if (std::filesystem::is_regular_file(run_or_checkpoint)) return run_or_checkpoint;
  if (const std::filesystem::path path = checkpoint_in(run_or_checkpoint); !path.empty()) return path;
  throw Error(ExitCode::kBadData,
              fmt::format("{} is neither a checkpoint nor a run folder with checkpoints/best.h5 in it",
                          run_or_checkpoint.string()));
}

std::filesystem::path member_folder(const std::filesystem::path& run, std::int64_t member) {
  return run / "members" / std::to_string(member);
}

std::vector<std::filesystem::path> find_checkpoints(const std::filesystem::path& run_or_checkpoint) {
  std::vector<std::filesystem::path> found{find_checkpoint(run_or_checkpoint)};
  if (!std::filesystem::is_directory(run_or_checkpoint)) return found;
  for (std::int64_t member = 2;; ++member) {
    const std::filesystem::path path = checkpoint_in(member_folder(run_or_checkpoint, member));
    if (path.empty()) break;
    found.push_back(path);
  }
  return found;
}

}  // namespace xrai
