#include "runtime/train/checkpoint.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <optional>

#include "runtime/core/error.h"
#include "runtime/core/file_io.h"
#include "runtime/core/log.h"
#include "runtime/hdf5/file.h"
#include "runtime/train/checkpoint_attributes.h"

namespace xrai {
namespace {

// 2: a temperature and the validation scores may be there.
constexpr std::int64_t kFormatVersion = 2, kOldestVersion = 1;
constexpr const char* kValidationLabels = "/validation/labels";
constexpr const char* kValidationProbabilities = "/validation/probabilities";
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
  sum.add(attributes_text(attributes));
  for (const std::string& line : choice_lines(facts.plan_choices)) sum.add(line);
  const ValidationScores& v = facts.validation;
  sum.add(v.labels.data(), v.labels.size() * sizeof(std::int32_t));
  sum.add(v.probabilities.data(), v.probabilities.size() * sizeof(float));
  return sum.text();
}

void write_facts(hdf5::File& file, const CheckpointFacts& facts, const Attributes& attributes,
                 const std::string& model_toml, const std::string& checksum) {
  file.write_strings("/model_toml", {model_toml});
  file.write_strings("/config_toml", {facts.config_toml});
  if (!facts.plan_choices.empty()) file.write_strings(kPlanChoices, choice_lines(facts.plan_choices));
  if (const ValidationScores& v = facts.validation; !v.labels.empty()) {
    file.write(kValidationLabels, {v.labels.size()}, v.labels.data());
    file.write(kValidationProbabilities, {v.labels.size(), v.probabilities.size() / v.labels.size()},
               v.probabilities.data());
  }
  for (const auto& [name, value] : attributes) file.set_attribute("/", name, value);
  file.set_attribute("/", "xrai_checkpoint", kFormatVersion);
  file.set_attribute("/", "checksum", checksum);
}

// What a checksum cannot see: a file that was wrong when it was written.
void require_sound(const CheckpointFacts& facts, const std::filesystem::path& path) {
  const auto refuse = [&](const char* what) {
    throw Error(ExitCode::kBadData, fmt::format("the checkpoint {} is damaged: {}; use another one of the run's "
                                                "checkpoints/",
                                                path.string(), what));
  };
  if (facts.temperature && !(*facts.temperature > 0 && std::isfinite(*facts.temperature)))
    refuse("its temperature is not a number above 0");
  const auto n_classes = static_cast<std::int32_t>(facts.classes.size());
  const ValidationScores& v = facts.validation;
  if (v.probabilities.size() != v.labels.size() * facts.classes.size() ||
      std::any_of(v.labels.begin(), v.labels.end(),
                  [&](std::int32_t label) { return label < 0 || label >= n_classes; }))
    refuse("its validation scores do not fit its classes");
}

ValidationScores read_validation(const hdf5::File& file) {
  if (!file.has(kValidationLabels) || !file.has(kValidationProbabilities)) return {};
  return {file.read<std::int32_t>(kValidationLabels), file.read<float>(kValidationProbabilities)};
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
    write_facts(file, facts, attributes, model_toml, checksum);
    file.close();
  });
}

Checkpoint read_checkpoint(const std::filesystem::path& path) {
  const hdf5::File file = hdf5::File::open(path);
  const auto version = file.attribute("/", "xrai_checkpoint");
  if (!version || !std::holds_alternative<std::int64_t>(*version))
    throw Error(ExitCode::kBadData,
                fmt::format("{} is not a checkpoint of xrai (a data set goes to --data)", path.string()));
  if (std::get<std::int64_t>(*version) < kOldestVersion || std::get<std::int64_t>(*version) > kFormatVersion)
    throw Error(ExitCode::kBadData,
                fmt::format("the checkpoint {} has format version {}, this program reads versions {} to {}: use the "
                            "xrai that wrote it",
                            path.string(), std::get<std::int64_t>(*version), kOldestVersion, kFormatVersion));
  Checkpoint c;
  c.path = path;
  read_attributes(file, c);
  for (const char* group : {"/parameters", "/statistics", "/optimiser"}) read_tensors(file, group, c);
  const std::string model_toml = text_dataset(file, "/model_toml");
  c.facts.config_toml = text_dataset(file, "/config_toml");
  c.facts.plan_choices = read_choices(file);
  c.facts.validation = read_validation(file);
  c.checksum = needed_text(file, "checksum");
  if (checksum_of(c.tensors, model_toml, c.facts, attributes_of(c.facts, c.state)) != c.checksum)
    throw Error(ExitCode::kBadData,
                fmt::format("the checkpoint {} is damaged: its checksum does not match; use another "
                            "one of the run's checkpoints/",
                            path.string()));
  require_sound(c.facts, path);
  c.model = parse_model_toml(model_toml, path.string());
  return c;
}

void rewrite_facts(const std::filesystem::path& path, const std::function<void(CheckpointFacts&)>& change) {
  Checkpoint c = read_checkpoint(path);
  change(c.facts);
  const Attributes attributes = attributes_of(c.facts, c.state);
  const std::string model_toml = to_toml(c.model);
  const std::string checksum = checksum_of(c.tensors, model_toml, c.facts, attributes);
  write_aside_and_rename(path, [&](const std::filesystem::path& aside) {
    const hdf5::File before = hdf5::File::open(path);
    hdf5::File file = hdf5::File::create(aside);
    for (const char* group : {"/parameters", "/statistics", "/optimiser"})
      if (before.has(group)) file.copy(before, group);
    write_facts(file, c.facts, attributes, model_toml, checksum);
    file.close();
  });
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

namespace {

/// By the newest state in a run folder; nothing where that is gone or cannot be read.
std::optional<std::int64_t> epochs_finished(const std::filesystem::path& run) {
  const std::filesystem::path last = run / "checkpoints" / "last.h5";
  if (!std::filesystem::is_regular_file(last)) return std::nullopt;
  try {
    const auto epoch = hdf5::File::open(last).attribute("/", "epoch");
    if (epoch && std::holds_alternative<std::int64_t>(*epoch)) return std::get<std::int64_t>(*epoch);
  } catch (const Error&) {  // what is wanted is in the other file
  }
  return std::nullopt;
}

}  // namespace

std::vector<std::filesystem::path> find_checkpoints(const std::filesystem::path& run_or_checkpoint) {
  std::vector<std::filesystem::path> found{find_checkpoint(run_or_checkpoint)};
  if (!std::filesystem::is_directory(run_or_checkpoint)) return found;
  const auto wanted = epochs_finished(run_or_checkpoint);  // the first one ends before the second begins
  for (std::int64_t member = 2;; ++member) {
    const std::filesystem::path folder = member_folder(run_or_checkpoint, member), path = checkpoint_in(folder);
    if (path.empty()) break;
    const auto finished = epochs_finished(folder);
    if (wanted && finished && *finished < *wanted) {
      log::warning(
          fmt::format("network {} of {} was stopped in epoch {} of {} and is left out; xrai_gpu_train --resume "
                      "finishes it",
                      member, run_or_checkpoint.string(), *finished + 1, *wanted));
      continue;
    }
    found.push_back(path);
  }
  return found;
}

}  // namespace xrai
