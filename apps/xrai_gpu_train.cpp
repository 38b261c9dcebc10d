// xrai_gpu_train: from a data set to a run folder with checkpoints, curves and a report.
#include <filesystem>

#include "apps/report/curves.h"
#include "apps/support/command_line.h"
#include "apps/support/devices.h"
#include "apps/support/json_output.h"
#include "apps/support/progress.h"
#include "apps/support/run_folder.h"
#include "apps/training/train_options.h"
#include "apps/training/training_data.h"
#include "runtime/core/error.h"
#include "runtime/core/file_io.h"
#include "runtime/core/interrupt.h"
#include "runtime/core/log.h"
#include "runtime/train/trainer.h"

namespace {

using namespace xrai;
namespace fs = std::filesystem;

constexpr const char* kExamples =
    "  xrai_gpu_train --data xrays.h5 --out runs/first\n"
    "  xrai_gpu_train --data xrays.h5 --out runs/big --model resnet18 --image-size 128 --epochs 20\n"
    "  xrai_gpu_train --data xrays.h5 --out runs/first --resume auto\n";

// Which checkpoint to go on from; empty: none.
fs::path checkpoint_to_resume(const TrainOptions& options) {
  if (options.resume.empty()) return {};
  if (options.resume != "auto") return find_checkpoint(options.resume);
  const fs::path last = options.out / "checkpoints" / "last.h5";
  return fs::exists(last) ? last : fs::path();
}

// A resumed run keeps its own configuration; flags given now beat it.
void take_over_configuration(CommandLine& command_line, const TrainOptions& options) {
  const fs::path own = options.out / "config.toml";
  if (options.resume == "auto" && fs::exists(own)) command_line.apply_config_file(own);
}

CheckpointFacts facts_of(const TrainingData& data, const TrainSettings& settings, const std::string& config) {
  CheckpointFacts facts;
  facts.config_toml = config;
  facts.classes = data.reader->classes();
  facts.preprocessing = {data.reader->height("train"), text_attribute(*data.reader, "fit", "squash"),
                         text_attribute(*data.reader, "decoder", "unknown")};
  facts.input = settings.input;
  facts.seed = settings.seed;
  facts.threshold_rule = "0.5, not tuned";
  facts.synthetic_data = is_synthetic(*data.reader);
  return facts;
}

void refuse_other_run(const Checkpoint& checkpoint, const Model& model, const TrainSettings& settings,
                      const CheckpointFacts& facts) {
  const auto refuse = [&](const std::string& what) {
    throw Error(ExitCode::kUsage, fmt::format("cannot resume from {}: {}; give the same as before or start a new --out",
                                              checkpoint.path.string(), what));
  };
  if (to_toml(checkpoint.model) != to_toml(model.spec())) refuse("its --model is another one");
  if (checkpoint.facts.input.image_size != settings.input.image_size)
    refuse(fmt::format("its --image-size is {}, not {}", checkpoint.facts.input.image_size, settings.input.image_size));
  if (checkpoint.facts.seed != settings.seed)
    refuse(fmt::format("its --seed is {}, not {}", checkpoint.facts.seed, settings.seed));
  if (checkpoint.facts.classes != facts.classes) refuse("the data set has other classes");
  if (checkpoint.state.position % settings.batch_size != 0)
    refuse("it stopped within an epoch of another --batch-size");
}

BatchLoaderOptions loader_options(Device& device, const TrainSettings& settings, int slots, Order order) {
  BatchLoaderOptions options;
  options.batch_size = order == Order::kShuffled ? settings.batch_size : settings.evaluation_batch_size;
  options.order = order;
  options.seed = settings.seed;
  options.n_slots = slots;
  options.allocate = [&device](std::size_t bytes) -> std::shared_ptr<void> {
    auto memory = std::make_shared<Buffer>(device.allocate_staging(bytes));
    return {memory, memory->data()};
  };
  return options;
}

// Draws what the trainer says: a bar per epoch, a line per finished epoch, the curves.
class Screen {
 public:
  Screen(const TrainOptions& options, const HistoryWriter& history) : options_(options), history_(history) {}

  TrainingListener listener() {
    TrainingListener l;
    l.on_images = [this](std::int64_t epoch, std::int64_t images, std::int64_t of, double loss) {
      if (!bar_ || epoch != bar_epoch_) {
        bar_.emplace(fmt::format("epoch {}/{}", epoch, options_.epochs), of, "images", options_.quiet || options_.json);
        bar_epoch_ = epoch;
      }
      bar_->update(std::min(images, of), loss > 0 ? fmt::format("loss {:.3f}", loss) : std::string());
    };
    l.on_epoch = [this](const EpochRecord& record, bool best) {
      bar_.reset();
      log::info(line(record, best));
      write_curves(history_.epochs(), options_.out);
    };
    return l;
  }

 private:
  std::string line(const EpochRecord& r, bool best) const {
    std::string text = fmt::format("epoch {:>2}/{}  train loss {:.4f} accuracy {:.4f}", r.epoch, options_.epochs,
                                   r.train_loss, r.train_accuracy);
    if (r.val_loss) text += fmt::format("  val loss {:.4f} accuracy {:.4f}", *r.val_loss, r.val_accuracy.value_or(0));
    if (r.val_auroc) text += fmt::format(" AUROC {:.4f}", *r.val_auroc);
    return text + fmt::format("  {:.0f} images/s  waiting {:.1f} %{}", r.images_per_second, 100 * r.data_wait_fraction,
                              best ? "  best" : "");
  }
  const TrainOptions& options_;
  const HistoryWriter& history_;
  std::optional<Progress> bar_;
  std::int64_t bar_epoch_ = 0;
};

void print_result(const TrainOptions& options, const HistoryWriter& history, const TrainingState& state, RunEnd end) {
  const auto number = [](const std::optional<double>& value) {
    return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
  };
  nlohmann::ordered_json result;
  result["run"] = options.out.string();
  result["finished"] = end == RunEnd::kFinished;
  result["step"] = state.step;
  result["best_epoch"] = state.best_epoch;
  if (!history.epochs().empty()) {
    const EpochRecord& last = history.epochs().back();
    result["epoch"] = last.epoch;
    result["train_loss"] = last.train_loss;
    result["train_accuracy"] = last.train_accuracy;
    result["val_loss"] = number(last.val_loss);
    result["val_accuracy"] = number(last.val_accuracy);
    result["val_auroc"] = number(last.val_auroc);
    result["images_per_second"] = last.images_per_second;
  }
  print_json(result);
}

int end_of_run(const TrainOptions& options, RunEnd end) {
  const std::string out = options.out.string();
  if (end == RunEnd::kInterrupted) {
    log::info(fmt::format("stopped and saved; go on with: xrai_gpu_train --data {} --out {} --resume auto",
                          options.data.string(), out));
    return 128 + interrupt_requested();
  }
  log::info(fmt::format("done: {0}/curves.svg, {0}/metrics.csv, {0}/checkpoints/best.h5\n"
                        "next: xrai_evaluate --checkpoint {0} --data {1}",
                        out, options.data.string()));
  return 0;
}

int train(TrainOptions& options, CommandLine& command_line, int argc, char** argv) {
  const fs::path start = checkpoint_to_resume(options);
  take_over_configuration(command_line, options);
  log::set_quiet(options.quiet || options.json);
  TrainingData data = open_training_data(options.data, options.val_fraction, options.seed);
  if (options.fast_dev_run) {
    options.epochs = 1;
    options.max_steps = 4;
    data.validation_rows.resize(std::min<std::size_t>(data.validation_rows.size(), 256));
  }
  const auto n_classes = static_cast<std::int64_t>(data.reader->classes().size());
  const TrainSettings settings =
      train_settings(options, data.reader->height("train"),
                     options.class_weight == "balanced" ? balanced_class_weights(data.train_labels, n_classes)
                                                        : std::vector<float>(static_cast<std::size_t>(n_classes), 1.0f));
  const ModelSpec spec = find_model(options.model);
  const Shape picture{1, settings.input.image_size, settings.input.image_size, 1};
  const std::string summary = summary_table(spec, picture, n_classes);

  RunFolder run(options.out, !options.resume.empty());
  log::also_to_file(run.path() / "train.log");
  const std::unique_ptr<Device> device = make_device(options.device, options.threads);
  run.write_environment(device->description(), argc, argv);
  const std::string config = command_line.resolved_toml();
  write_text_file(run.path() / "config.toml", config);
  log::info(config + "\n" + spec.name + "\n" + summary);
  if (is_synthetic(*data.reader)) log::info("the data set is synthetic: its pictures are drawn and show no patient");
  log::info(fmt::format("{} pictures to learn from, {} to validate on, stored at {}x{}, seen at {}x{}",
                        data.train_rows.size(), data.validation_rows.size(), data.reader->height("train"),
                        data.reader->width("train"), picture.height, picture.width));

  Model model(*device, spec, picture, n_classes);
  model.parameters().initialise(settings.seed);
  const CheckpointFacts facts = facts_of(data, settings, config);
  BatchLoader train_source(data.reader, "train", data.train_rows,
                           loader_options(*device, settings, options.workers, Order::kShuffled));
  BatchLoader validation_source(data.reader, data.validation_split, data.validation_rows,
                                loader_options(*device, settings, options.workers, Order::kSequential));
  Trainer trainer(model, settings, facts, train_source, &validation_source, run.path());
  if (!start.empty()) {
    const Checkpoint checkpoint = read_checkpoint(start);
    refuse_other_run(checkpoint, model, settings, facts);
    trainer.resume(checkpoint);
    log::info(fmt::format("going on from {} at step {} (epoch {})", start.string(), checkpoint.state.step,
                          checkpoint.state.epoch + 1));
  }
  HistoryWriter history(run.path(), trainer.state().step);
  install_interrupt_handlers();
  Screen screen(options, history);
  const RunEnd end = trainer.run(history, screen.listener());
  if (options.json) print_result(options, history, trainer.state(), end);
  return end_of_run(options, end);
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("xrai_gpu_train", [&] {
    TrainOptions options;
    CommandLine command_line("xrai_gpu_train",
                             "Trains a convolutional network to tell classes of radiographs apart. Ctrl-C saves and says "
                             "how to go on.");
    add_train_options(command_line, options);
    command_line.set_examples(kExamples);
    if (!command_line.parse(argc, argv)) return 0;
    return train(options, command_line, argc, argv);
  });
}
