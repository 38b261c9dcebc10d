#include "apps/training/resume.h"

#include <algorithm>
#include <array>

#include "loaders/data_fingerprint.h"
#include "runtime/core/error.h"
#include "runtime/nn/model_spec.h"

namespace xrai {
namespace {

namespace fs = std::filesystem;

// With another value of these the steps before and after would not be one run: another order of pictures, other
// shapes, another loss than the best score was measured with, or pictures that change sides.
constexpr std::array kFixed{"image-size",   "batch-size",      "optimizer", "momentum", "schedule",
                            "class-weight", "label-smoothing", "seed",      "shuffle",  "augment",
                            "rotation",     "scale",           "aspect",    "shift",    "gamma",
                            "contrast",     "brightness",      "flip",      "crop",     "standardise",
                            "val-fraction", "val-seed",        "precision"};

// These may change, and do when a run is prolonged or was about to diverge.
constexpr std::array kMayChange{
    "epochs",          "lr",      "warmup-epochs", "weight-decay",          "clip-norm", "autotune",
    "operating-point", "members", "keep",          "gradient-checkpointing"};

fs::path newest_in(const fs::path& run) {
  for (const char* name : {"last.h5", "best.h5"})
    if (const fs::path path = run / "checkpoints" / name; fs::is_regular_file(path)) return path;
  return {};
}

// A damaged file among several is no end: the sentence names one that may be whole.
Checkpoint read_one_of_run(const fs::path& newest) {
  try {
    return read_checkpoint(newest);
  } catch (const Error& error) {
    const fs::path best = newest.parent_path() / "best.h5";
    if (newest.filename() == best.filename() || !fs::exists(best)) throw;
    throw Error(error.code(),
                fmt::format("{}; or go on from the epoch that is kept: --resume {}", error.what(), best.string()));
  }
}

void refuse_changes(const CommandLine& now, const CommandLine& before, const Checkpoint& checkpoint) {
  for (const char* name : kFixed) {
    const std::string value = now.value_text(name), was = before.value_text(name);
    if (value == was) continue;
    throw Error(ExitCode::kUsage,
                fmt::format("cannot resume from {} with --{} {}: its run has {}; leave it out, or start a new run "
                            "without --resume in another --out",
                            checkpoint.path.string(), name, value, was));
  }
}

void copy_if_there(const fs::path& from, const fs::path& to) {
  std::error_code problem;
  if (!fs::exists(from, problem)) return;
  fs::copy_file(from, to, fs::copy_options::overwrite_existing, problem);
  if (problem)
    throw Error(ExitCode::kStorage,
                fmt::format("cannot copy {} to {}: {}", from.string(), to.string(), problem.message()));
}

}  // namespace

std::optional<Checkpoint> checkpoint_to_resume(const TrainOptions& options) {
  if (options.resume.empty()) return std::nullopt;
  if (options.resume == "auto") {
    const fs::path newest = newest_in(options.out);
    return newest.empty() ? std::nullopt : std::optional(read_one_of_run(newest));
  }
  const fs::path asked = options.resume;
  if (fs::is_regular_file(asked)) return read_checkpoint(asked);
  if (const fs::path newest = newest_in(asked); !newest.empty()) return read_one_of_run(newest);
  throw Error(ExitCode::kBadData, fmt::format("cannot resume from {}: it is neither a checkpoint nor a run folder with "
                                              "checkpoints/last.h5 in it",
                                              asked.string()));
}

fs::path run_of_checkpoint(const fs::path& checkpoint) {
  const fs::path folder = fs::weakly_canonical(checkpoint).parent_path();
  return folder.filename() == "checkpoints" ? folder.parent_path() : fs::path();
}

bool continues_in_place(const TrainOptions& options, const Checkpoint& checkpoint) {
  return run_of_checkpoint(checkpoint.path) == fs::weakly_canonical(options.out / "x").parent_path();
}

std::vector<std::string> take_over_configuration(CommandLine& command_line, TrainOptions& options,
                                                 const Checkpoint& checkpoint) {
  if (options.fast_dev_run)
    throw Error(ExitCode::kUsage, "--fast-dev-run starts a run of its own: leave out --resume, and name a new --out");
  const std::string source = "the configuration in " + checkpoint.path.string();
  TrainOptions earlier;
  CommandLine before("xrai_gpu_train", "");
  add_train_options(before, earlier);
  before.apply_config_text(checkpoint.facts.config_toml, source);
  command_line.apply_config_text(checkpoint.facts.config_toml, source);
  if (!options.batch_size) options.batch_size = earlier.batch_size;  // auto: as it was found then
  refuse_changes(command_line, before, checkpoint);
  std::vector<std::string> changes;
  for (const char* name : kMayChange) {
    const std::string value = command_line.value_text(name), was = before.value_text(name);
    if (value != was) changes.push_back(fmt::format("--{} is now {}, was {}", name, value, was));
  }
  return changes;
}

void refuse_other_run(const Checkpoint& checkpoint, const ModelSpec& model, const TrainingData& data,
                      std::int64_t batch_size) {
  const std::vector<std::string> classes = data.reader->classes();
  const auto n_train = static_cast<std::int64_t>(data.train_rows.size());
  const std::string task = "cannot resume from " + checkpoint.path.string();
  if (to_toml(checkpoint.model) != to_toml(model))
    throw Error(
        ExitCode::kUsage,
        fmt::format("{} with --model {}: its run has {} with other layers or names; leave --model out, or start "
                    "a new run in another --out",
                    task, model.name, checkpoint.model.name));
  if (checkpoint.facts.classes != classes)
    throw Error(ExitCode::kBadData,
                fmt::format("{}: it tells {} apart, the data set holds {}; give the --data of that "
                            "run",
                            task, fmt::join(checkpoint.facts.classes, ", "), fmt::join(classes, ", ")));
  const TrainingState& s = checkpoint.state;
  const auto steps_for = [&](std::int64_t pictures) { return (pictures + batch_size - 1) / batch_size; };
  if (s.position > n_train || s.step != s.epoch * steps_for(n_train) + steps_for(s.position))
    throw Error(
        ExitCode::kBadData,
        fmt::format("{}: its {} steps do not fit {} training pictures in batches of {}; give the --data of that "
                    "run, unchanged",
                    task, s.step, n_train, batch_size));
  if (const std::string& then = checkpoint.facts.data_fingerprint;
      !then.empty() && then != data_fingerprint(*data.file))
    throw Error(ExitCode::kBadData,
                fmt::format("{}: {} has other pictures or labels than its run had, or they are read in another way; "
                            "give the --data of that run, unchanged, with its --range, --layout and keys",
                            task, data.file->path().string()));
}

void refuse_fewer_members(const Checkpoint& checkpoint, std::int64_t members) {
  const fs::path run = run_of_checkpoint(checkpoint.path);
  if (run.empty()) return;
  const fs::path next = member_folder(run, members + 1);
  if (!fs::exists(next)) return;
  throw Error(ExitCode::kUsage,
              fmt::format("cannot resume with --members {}: {} is one more network of the run, and all that are there "
                          "are averaged; move it away, or leave --members out",
                          members, next.string()));
}

void bring_history(const Checkpoint& checkpoint, const fs::path& new_run) {
  const fs::path old_run = run_of_checkpoint(checkpoint.path);
  if (old_run.empty()) return;
  for (const char* name : {"metrics.csv", "metrics.jsonl"}) copy_if_there(old_run / name, new_run / name);
  const fs::path best = old_run / "checkpoints" / "best.h5";
  // A network of later epochs is none of this run's past.
  if (fs::exists(best) && read_checkpoint(best).state.step <= checkpoint.state.step)
    copy_if_there(best, new_run / "checkpoints" / "best.h5");
  if (!fs::exists(old_run / "members")) return;
  std::error_code problem;
  fs::copy(old_run / "members", new_run / "members", fs::copy_options::recursive, problem);
  if (problem)
    throw Error(ExitCode::kStorage, fmt::format("cannot copy {} to {}: {}", (old_run / "members").string(),
                                                (new_run / "members").string(), problem.message()));
}

}  // namespace xrai
