// xrai_gpu_train: from a data set to a run folder with checkpoints, curves and a report.
#include <algorithm>
#include <filesystem>

#include "apps/report/run_report.h"
#include "apps/report/score_split.h"
#include "apps/support/command_line.h"
#include "apps/support/devices.h"
#include "apps/support/json_output.h"
#include "apps/support/run_folder.h"
#include "apps/support/waiting_threads.h"
#include "apps/training/memory_need.h"
#include "apps/training/picture_cache.h"
#include "apps/training/resume.h"
#include "apps/training/screen.h"
#include "apps/training/train_options.h"
#include "apps/training/training_data.h"
#include "loaders/batch_loader.h"
#include "loaders/cached_reader.h"
#include "runtime/core/chrome_trace.h"
#include "runtime/core/error.h"
#include "runtime/core/file_io.h"
#include "runtime/core/host.h"
#include "runtime/core/interrupt.h"
#include "runtime/core/log.h"
#include "runtime/train/trainer.h"

namespace xrai {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kFastDevSteps = 4;
constexpr std::size_t kFastDevValidation = 256;

constexpr const char* kExamples =
    "  xrai_gpu_train --data xrays.h5 --out runs/first\n"
    "  xrai_gpu_train --data xrays.h5 --out runs/big --model resnet18 --image-size 128 --epochs 20\n"
    "  xrai_gpu_train --data xrays.h5 --out runs/first --resume auto\n"
    "  xrai_gpu_train --data xrays.h5 --out runs/again --config runs/first/config.toml --seed 2\n";

/// `picture_bytes`: of one picture as it is stored. So much memory is taken whatever the size of the file.
BatchLoaderOptions loader_options(Device& device, const TrainSettings& settings, int workers,
                                  std::int64_t picture_bytes, Order order) {
  BatchLoaderOptions options;
  options.batch_size = order == Order::kSequential ? settings.evaluation_batch_size : settings.batch_size;
  options.order = order;
  options.seed = settings.seed;
  options.n_slots = batches_ahead(workers, options.batch_size * picture_bytes) + BatchFeeder::kMostLent;
  options.trace = device.trace();
  options.allocate = [&device](std::size_t bytes) -> std::shared_ptr<void> {
    auto memory = std::make_shared<Buffer>(device.allocate_staging(bytes));
    return {memory, memory->data()};
  };
  return options;
}

/// One call of the program: what was asked, opened and checked, in the order in which the next thing needs it. Nothing
/// is written before everything that can be refused without a device has been.
class Training {
 public:
  Training(TrainOptions& options, CommandLine& command_line) : options_(options), command_line_(command_line) {}
  int run(int argc, char** argv);

 private:
  void prepare();
  void start_folder(int argc, char** argv);
  void say_what_will_happen();
  void start_trace();
  void write_trace() const;
  void write_trace_if_possible() const;
  void make_model();
  void take_batch_size(std::int64_t batch_size);
  RunEnd train();
  void write_report();
  void say_what_is_next(bool interrupted);
  int end(RunEnd end);
  /// One picture as it is stored.
  [[nodiscard]] std::int64_t picture_bytes(const std::string& split) const {
    return data_.reader->height(split) * data_.reader->width(split);
  }
  [[nodiscard]] std::unique_ptr<BatchLoader> open_loader(const std::string& split,
                                                         const std::vector<std::int64_t>& rows, Order order) const {
    return store_->loader(split, rows,
                          loader_options(*device_, settings_, options_.workers, picture_bytes(split), order));
  }

  TrainOptions& options_;
  CommandLine& command_line_;
  std::optional<Checkpoint> start_;
  std::vector<std::string> changes_;  // of the configuration, at a resume
  TrainingData data_;
  TrainSettings settings_;
  ModelSpec spec_;
  Shape picture_;
  std::string program_, summary_, config_;
  int threads_ = 0;
  std::unique_ptr<RunFolder> folder_;
  std::unique_ptr<ChromeTrace> trace_;  // outlives what opens ranges
  std::unique_ptr<Device> device_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<PictureStore> store_;
  std::unique_ptr<BatchLoader> train_source_, validation_source_;
  std::unique_ptr<Trainer> trainer_;
  std::unique_ptr<HistoryWriter> history_;
  std::optional<Evaluation> validation_;
};

// Reads and checks; writes nothing.
void Training::prepare() {
  RunFolder::refuse_second_writer(options_.out);
  start_ = checkpoint_to_resume(options_);
  const bool model_asked_for = command_line_.given("model");
  if (start_) changes_ = take_over_configuration(command_line_, options_, *start_);
  if (!start_ || !continues_in_place(options_, *start_)) RunFolder::refuse_occupied(options_.out);
  refuse_contradictions(options_);
  require_device({options_.device, options_.threads, options_.precision});
  data_ = open_training_data(options_.data, options_.layout, options_.val_fraction, options_.seed);
  if (options_.fast_dev_run) {
    options_.epochs = 1;
    options_.max_steps = kFastDevSteps;
    shorten_validation(data_, kFastDevValidation);
  }
  const DatasetReader& reader = *data_.reader;
  const auto n_classes = static_cast<std::int64_t>(reader.classes().size());
  resolve_defaults(options_, std::min(reader.height("train"), reader.width("train")));
  settings_ = train_settings(options_, options_.class_weight == "balanced"
                                           ? balanced_class_weights(data_.train_labels, n_classes)
                                           : std::vector<float>(static_cast<std::size_t>(n_classes), 1.0f));
  const auto n_validation = static_cast<std::int64_t>(data_.validation_rows.size());
  settings_.evaluation_batch_size = std::min(scoring_batch(picture_bytes(data_.validation_split)), n_validation);
  // A run that goes on has its network with it: the model file may have been changed or moved since.
  spec_ = start_ && !model_asked_for ? start_->model : find_model(options_.model);
  if (start_)
    refuse_other_run(*start_, spec_, reader.classes(), static_cast<std::int64_t>(data_.train_rows.size()),
                     settings_.batch_size);
  picture_ = {1, settings_.input.image_size, settings_.input.image_size, 1};
  summary_ = summary_table(spec_, picture_, n_classes);
  threads_ = options_.threads > 0 ? options_.threads : available_cores();
  config_ = command_line_.resolved_toml();
}

void Training::start_folder(int argc, char** argv) {
  const bool in_place = start_ && continues_in_place(options_, *start_);
  folder_ = std::make_unique<RunFolder>(options_.out, in_place);
  log::also_to_file(folder_->path() / "train.log");
  const int threads_before = start_ ? threads_of_run(run_of_checkpoint(start_->path)) : 0;
  if (threads_before > 0 && threads_before != threads_)
    log::warning(
        fmt::format("the run had {} threads so far and goes on with {}: sums are taken in another order, and "
                    "the last digits may differ; --threads {} keeps them",
                    threads_before, threads_, threads_before));
  if (start_ && !in_place) bring_history(*start_, folder_->path());
  device_ = make_device({options_.device, options_.threads, options_.precision});
  start_trace();
  make_model();
  folder_->write_environment({device_->description(), threads_}, argc, argv);
  write_text_file(folder_->path() / "config.toml", config_);
}

void Training::start_trace() {
  if (!options_.trace.empty()) trace_ = std::make_unique<ChromeTrace>(device_->trace());
  if (trace_) device_->set_trace(trace_.get());
  if (device_->trace() != nullptr) device_->trace()->name_thread("training");
}

void Training::write_trace() const {
  if (!trace_) return;
  trace_->write(options_.trace);
  log::info(fmt::format("open at ui.perfetto.dev: {}", options_.trace.string()));
}

// What a run that failed did may be what somebody wants to see; its own error is the one to end with.
void Training::write_trace_if_possible() const {
  try {
    write_trace();
  } catch (const Error& error) {
    log::warning(error.what());
  }
}

void Training::make_model() {
  model_ =
      std::make_unique<Model>(*device_, spec_, picture_, static_cast<std::int64_t>(data_.reader->classes().size()));
  const auto n_train = static_cast<std::int64_t>(data_.train_rows.size());
  const std::uint64_t on_card = device_->free_bytes(), free = on_card > 0 ? on_card : available_memory_bytes();
  const MemoryNeed need = on_card == 0 || !options_.batch_size ? memory_need(*model_) : MemoryNeed{};
  if (!options_.batch_size) take_batch_size(largest_batch(need, settings_.evaluation_batch_size, n_train, free));
  // A graphics card's memory is its own, and its allocations say when it is full.
  if (on_card == 0)
    require_memory(need, std::min(settings_.batch_size, n_train), settings_.evaluation_batch_size, free, picture_);
  if (options_.autotune && on_card == 0) log::info("--autotune has nothing to time: the CPU does the work");
  if (options_.autotune) device_->time_plans(start_ ? start_->facts.plan_choices : PlanChoices{});
  model_->parameters().initialise(settings_.seed);
}

// From here on as if the number had been asked for.
void Training::take_batch_size(std::int64_t batch_size) {
  options_.batch_size = settings_.batch_size = batch_size;
  config_ = command_line_.resolved_toml();
  log::info(fmt::format("--batch-size auto: {}", batch_size));
}

void Training::say_what_will_happen() {
  log::info(config_ + "\n" + spec_.name + "\n" + summary_);
  const Layout& layout = data_.reader->layout();
  for (const SplitLayout& split : layout.splits) log::info(describe(layout, split));
  for (const std::string& warning : layout.warnings) log::warning(warning);
  if (data_is_synthetic(*data_.reader))
    log::info("the data set is synthetic: its pictures are drawn and show no patient");
  if (!data_.note.empty()) log::info(data_.note);
  log::info(fmt::format("{}: {} pictures to learn from, {} to validate on, stored at {}x{}, seen at {}x{}",
                        options_.data.string(), data_.train_rows.size(), data_.validation_rows.size(),
                        data_.reader->height("train"), data_.reader->width("train"), picture_.height, picture_.width));
  if (start_)
    log::info(fmt::format("going on from {} at step {}, in epoch {}", start_->path.string(), start_->state.step,
                          start_->state.epoch + 1));
  for (const std::string& change : changes_) log::info(change);
  if (options_.resume == "auto" && !start_)
    log::info(fmt::format("no checkpoint in {} yet: a new run starts", folder_->path().string()));
}

RunEnd Training::train() {
  const Order order = options_.shuffle == "chunk" ? Order::kShuffledByChunk : Order::kShuffled;
  store_ = std::make_unique<PictureStore>(data_, *device_, options_.cache, options_.quiet || options_.json);
  log::info(store_->remark());
  train_source_ = open_loader("train", data_.train_rows, order);
  validation_source_ = open_loader(data_.validation_split, data_.validation_rows, Order::kSequential);
  trainer_ = std::make_unique<Trainer>(*model_, settings_, checkpoint_facts(data_, settings_, config_), *train_source_,
                                       validation_source_.get(), folder_->path());
  if (start_) trainer_->resume(*start_);
  start_.reset();
  history_ = std::make_unique<HistoryWriter>(folder_->path(), trainer_->state().step);
  if (trainer_->state().epoch >= settings_.epochs)
    log::info(fmt::format("all {} epochs are done already; a larger --epochs goes on", settings_.epochs));
  install_interrupt_handlers();
  TrainingScreen screen(settings_.epochs, options_.quiet || options_.json, folder_->path(), *history_,
                        trainer_->state().position);
  return trainer_->run(*history_, screen.listener([this] { require_unchanged_file(data_); }));
}

// The best network's, so the training's own memory is given back first.
void Training::write_report() {
  const Span evaluate(device_->trace(), "evaluate");
  model_->forget_plans();
  Predictor best = Predictor::load(folder_->path(), *device_, settings_.evaluation_batch_size);
  validation_ = write_validation_report(folder_->path(), best, *data_.reader, data_.validation_split,
                                        data_.validation_rows, device_->name());
  log::info(validation_line(*validation_) +
            (best.epoch() > 0 ? fmt::format(", after epoch {}", best.epoch()) : ", within the first epoch"));
}

void Training::say_what_is_next(bool interrupted) {
  const std::string out = folder_->path().string(), data = options_.data.string();
  const bool done = trainer_->state().epoch >= settings_.epochs;
  if (!interrupted)
    log::info(fmt::format("look at: {0}/report.html, {0}/curves.png, {0}/metrics.csv, {0}/checkpoints/best.h5", out));
  if (options_.fast_dev_run && !interrupted) {
    log::info("everything works; train without --fast-dev-run into another --out");
  } else if (interrupted || !done) {
    log::info(fmt::format("stopped at step {}{}; go on with: {}", trainer_->state().step,
                          interrupted ? " and saved" : " as asked",
                          shell_command({program_, "--data", data, "--out", out, "--resume", "auto"})));
  } else if (const auto splits = data_.file->splits(); splits.back() == "test") {
    log::info(fmt::format("when nothing is to be tuned any more, score the test split: {}",
                          shell_command({"xrai_evaluate", "--checkpoint", out, "--data", data})));
  }
}

int Training::end(RunEnd end) {
  const bool interrupted = end == RunEnd::kInterrupted;
  if (!interrupted) write_report();
  if (options_.json)
    print_json(finite_json(training_result(folder_->path(), *history_, trainer_->state(), end, validation_)));
  if (interrupted) log::set_quiet(false);  // whoever stops a run wants to know how to go on
  say_what_is_next(interrupted);
  write_trace();
  return interrupted ? 128 + interrupt_requested() : 0;
}

int Training::run(int argc, char** argv) {
  log::set_quiet(options_.quiet || options_.json);
  program_ = argv[0];
  prepare();
  try {
    start_folder(argc, argv);
    say_what_will_happen();
    return end(train());
  } catch (const Error& error) {
    log::set_quiet(true);  // on the terminal it is the last line, from run_program
    log::info(fmt::format("ended by an error: {}", error.what()));
    write_trace_if_possible();
    throw;
  }
}

}  // namespace
}  // namespace xrai

int main(int argc, char** argv) {
  xrai::let_waiting_threads_sleep(argv);
  return xrai::run_program("xrai_gpu_train", [&] {
    xrai::TrainOptions options;
    xrai::CommandLine command_line("xrai_gpu_train",
                                   "Trains a convolutional network to tell classes of radiographs apart. Ctrl-C saves "
                                   "and says how to go on.");
    xrai::add_train_options(command_line, options);
    command_line.set_examples(xrai::kExamples);
    if (!command_line.parse(argc, argv)) return 0;
    return xrai::Training(options, command_line).run(argc, argv);
  });
}
