#include "apps/training/training_run.h"

#include <fmt/format.h>

#include <algorithm>

#include "apps/report/run_report.h"
#include "apps/report/score_split.h"
#include "apps/support/devices.h"
#include "apps/support/json_output.h"
#include "apps/training/memory_need.h"
#include "apps/training/resume.h"
#include "apps/training/screen.h"
#include "apps/training/validation_fit.h"
#include "loaders/cached_reader.h"
#include "runtime/core/error.h"
#include "runtime/core/file_io.h"
#include "runtime/core/host.h"
#include "runtime/core/interrupt.h"
#include "runtime/core/log.h"

namespace xrai {
namespace {

constexpr std::int64_t kFastDevSteps = 4;
constexpr std::size_t kFastDevValidation = 256;

/// One picture as it is stored.
std::int64_t picture_bytes(const DatasetReader& reader, const std::string& split) {
  return reader.height(split) * reader.width(split);
}

/// So much memory is taken whatever the size of the file.
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

}  // namespace

// Reads and checks; writes nothing.
void TrainingRun::prepare() {
  RunFolder::refuse_second_writer(options_.out);
  start_ = checkpoint_to_resume(options_);
  const bool model_asked_for = command_line_.given("model");
  if (start_) {
    changes_ = take_over_configuration(command_line_, options_, *start_);
    refuse_fewer_members(*start_, options_.members);
  }
  if (!start_ || !continues_in_place(options_, *start_)) RunFolder::refuse_occupied(options_.out);
  refuse_contradictions(options_);
  require_device({options_.device, options_.threads, options_.precision});
  if (!data_.file)
    data_ = open_training_data(options_.data, options_.layout, options_.val_fraction,
                               options_.val_seed.value_or(options_.seed));
  if (options_.fast_dev_run) {
    options_.members = options_.epochs = 1;
    options_.max_steps = kFastDevSteps;
    shorten_validation(data_, kFastDevValidation);
  }
  refuse_impossible_rule(options_.operating_point, data_);
  const DatasetReader& reader = *data_.reader;
  const auto n_classes = static_cast<std::int64_t>(reader.classes().size());
  resolve_defaults(options_, std::min(reader.height("train"), reader.width("train")));
  settings_ = train_settings(options_, data_.train_labels, n_classes);
  const auto n_validation = static_cast<std::int64_t>(data_.validation_rows.size());
  settings_.evaluation_batch_size =
      std::min(scoring_batch(picture_bytes(reader, data_.validation_split)), n_validation);
  // A run that goes on has its network with it: the model file may have been changed or moved since.
  spec_ = start_ && !model_asked_for ? start_->model : find_model(options_.model);
  if (start_) refuse_other_run(*start_, spec_, data_, settings_.batch_size);
  picture_ = {1, settings_.input.image_size, settings_.input.image_size, 1};
  summary_ = summary_table(spec_, picture_, n_classes);
  threads_ = options_.threads > 0 ? options_.threads : available_cores();
  config_ = configuration();
}

// Its values are all there, so that the file can be read back where the recipe's own is not.
std::string TrainingRun::configuration() const {
  const std::string text = command_line_.resolved_toml();
  return options_.recipe == "default" ? text : fmt::format("# by the recipe {}\n{}", options_.recipe, text);
}

void TrainingRun::start_folder(int argc, char** argv) {
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

void TrainingRun::start_trace() {
  if (!options_.trace.empty()) trace_ = std::make_unique<ChromeTrace>(device_->trace());
  if (trace_) device_->set_trace(trace_.get());
  if (device_->trace() != nullptr) device_->trace()->name_thread("training");
}

void TrainingRun::write_trace() const {
  if (!trace_) return;
  trace_->write(options_.trace);
  log::info(fmt::format("open at ui.perfetto.dev: {}", options_.trace.string()));
}

// What a run that failed did may be what somebody wants to see; its own error is the one to end with.
void TrainingRun::write_trace_if_possible() const {
  try {
    write_trace();
  } catch (const Error& error) {
    log::warning(error.what());
  }
}

void TrainingRun::make_model() {
  model_ = std::make_unique<Model>(*device_, spec_, picture_, static_cast<std::int64_t>(data_.reader->classes().size()),
                                   options_.gradient_checkpointing);
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
void TrainingRun::take_batch_size(std::int64_t batch_size) {
  options_.batch_size = settings_.batch_size = batch_size;
  config_ = configuration();
  log::info(fmt::format("--batch-size auto: {}", batch_size));
}

void TrainingRun::say_what_will_happen() {
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

RunEnd TrainingRun::train() {
  const Order order = options_.shuffle == "chunk" ? Order::kShuffledByChunk : Order::kShuffled;
  store_ = std::make_unique<PictureStore>(data_, *device_, options_.cache, options_.quiet || options_.json);
  log::info(store_->remark());
  const auto options = [&](const std::string& split, Order of_split) {
    return loader_options(*device_, settings_, options_.workers, picture_bytes(*data_.reader, split), of_split);
  };
  train_source_ = store_->loader("train", data_.train_rows, options("train", order));
  validation_source_ = store_->loader(data_.validation_split, data_.validation_rows,
                                      options(data_.validation_split, Order::kSequential));
  trainer_ = std::make_unique<Trainer>(*model_, settings_, checkpoint_facts(data_, settings_, config_), *train_source_,
                                       validation_source_.get(), folder_->path());
  planned_ = trainer_->planned_memory();
  log::info(fmt::format("memory by plan: {}", describe(planned_)));
  if (start_) trainer_->resume(*start_);
  start_.reset();
  history_ = std::make_unique<HistoryWriter>(folder_->path(), trainer_->state().step);
  if (trainer_->state().epoch >= settings_.epochs)
    log::info(fmt::format("all {} epochs are done already; a larger --epochs goes on", settings_.epochs));
  install_interrupt_handlers();
  TrainingScreen screen(settings_.epochs, options_.quiet || options_.json, folder_->path(), *history_,
                        trainer_->state().position);
  if (order == Order::kShuffled && store_->reads_the_file() && data_.reader->window_rows("train") > 0)
    screen.advise_on_waiting(fmt::format(
        "they are compressed {} a chunk, and each inflates its chunk; 'xrai_dataset repack {} OUT.h5' cures "
        "it, and --shuffle chunk helps",
        data_.reader->rows_per_chunk("train"), options_.data.string()));
  return trainer_->run(*history_, screen.listener([this] { require_unchanged_file(data_); }));
}

// What evaluation and further networks need the memory for.
void TrainingRun::forget_training() {
  reached_ = trainer_->state();
  trainer_.reset();
  train_source_.reset();
  validation_source_.reset();
  store_.reset();
  model_.reset();
}

// Networks that differ in their seed (first weights, order of pictures, augmentation) and share everything else: the
// split into training and validation, and the pictures that are in host memory already. A resumed run finds those that
// are done and goes on with the next.
RunEnd TrainingRun::train_members(int argc, char** argv) {
  constexpr std::uint64_t kSeedsApart = 1000;  // so that runs with seeds 1, 2, 3 share no network
  for (std::int64_t member = 2; member <= options_.members; ++member) {
    TrainOptions options;
    CommandLine line("xrai_gpu_train", "");
    add_train_options(line, options);
    line.apply_config_text(config_, (folder_->path() / "config.toml").string());
    options.data = options_.data;
    options.out = member_folder(folder_->path(), member);
    options.val_seed = options_.val_seed.value_or(options_.seed);
    options.seed += kSeedsApart * static_cast<std::uint64_t>(member - 1);
    options.members = 1;
    options.resume = "auto";
    options.quiet = options_.quiet || options_.json;
    log::info(fmt::format("network {} of {}, with seed {}, in {}", member, options_.members, options.seed,
                          options.out.string()));
    const RunEnd end = TrainingRun(options, line).run_as_member(data_, argc, argv);
    log::also_to_file(folder_->path() / "train.log");
    if (end == RunEnd::kInterrupted) return end;
  }
  return RunEnd::kFinished;
}

RunEnd TrainingRun::run_as_member(const TrainingData& data, int argc, char** argv) {
  data_ = data;
  prepare();
  start_folder(argc, argv);
  const RunEnd reached = train();
  forget_training();
  if (reached == RunEnd::kFinished) write_report();
  return reached;
}

// The kept network's, or the ensemble's.
void TrainingRun::write_report() {
  const Span evaluate(device_->trace(), "evaluate");
  const Predictions predictions =
      fit_on_validation(data_, folder_->path(), *device_, settings_.evaluation_batch_size, options_.operating_point,
                        calibration_weights(options_, data_.train_labels, std::ssize(data_.reader->classes())));
  Predictor kept = Predictor::load(folder_->path(), *device_, settings_.evaluation_batch_size);
  validation_ =
      write_validation_report(folder_->path(), kept, predictions, *data_.reader, data_.validation_split,
                              data_.validation_rows, device_->name(), settings_.kept_epoch == KeptEpoch::kLowestLoss);
  log::info(validation_line(*validation_) + (kept.n_members() > 1
                                                 ? fmt::format(", mean of {} networks", kept.n_members())
                                             : kept.epoch() > 0 ? fmt::format(", after epoch {}", kept.epoch())
                                                                : ", within the first epoch"));
}

void TrainingRun::say_what_is_next(bool interrupted) {
  const std::string out = folder_->path().string(), data = options_.data.string();
  const bool done = reached_.epoch >= settings_.epochs;
  if (!interrupted)
    log::info(fmt::format("look at: {0}/report.html, {0}/curves.png, {0}/metrics.csv, {0}/checkpoints/best.h5", out));
  if (options_.fast_dev_run && !interrupted) {
    log::info("everything works; train without --fast-dev-run into another --out");
  } else if (interrupted || !done) {
    std::vector<std::string> command{program_, "--data", data, "--out", out, "--resume", "auto"};
    if (options_.members > 1) command.insert(command.end(), {"--members", std::to_string(options_.members)});
    log::info(fmt::format("stopped at step {}{}; go on with: {}", reached_.step,
                          interrupted ? " and saved" : " as asked", shell_command(command)));
  } else if (const auto splits = data_.file->splits(); splits.back() == "test") {
    log::info(fmt::format("when nothing is to be tuned any more, score the test split: {}",
                          shell_command({"xrai_evaluate", "--checkpoint", out, "--data", data})));
  }
}

int TrainingRun::end(RunEnd end) {
  const bool interrupted = end == RunEnd::kInterrupted;
  if (!interrupted) write_report();
  if (options_.json) {
    nlohmann::ordered_json result = training_result(folder_->path(), *history_, reached_, end, validation_);
    for (const auto& [kind, bytes] : by_kind(planned_)) result["planned_bytes"][kind] = bytes;
    result["peak_resident_bytes"] = peak_resident_bytes();
    print_json(finite_json(std::move(result)));
  }
  log::info(fmt::format("at most {:.0f} MiB were resident", static_cast<double>(peak_resident_bytes()) / 1048576.0));
  if (interrupted) log::set_quiet(false);  // whoever stops a run wants to know how to go on
  say_what_is_next(interrupted);
  write_trace();
  return interrupted ? 128 + interrupt_requested() : 0;
}

int TrainingRun::run(int argc, char** argv) {
  log::set_quiet(options_.quiet || options_.json);
  program_ = argv[0];
  prepare();
  try {
    start_folder(argc, argv);
    say_what_will_happen();
    RunEnd reached = train();
    forget_training();
    if (reached == RunEnd::kFinished && reached_.epoch >= settings_.epochs) reached = train_members(argc, argv);
    return end(reached);
  } catch (const Error& error) {
    log::set_quiet(true);  // on the terminal it is the last line, from run_program
    log::info(fmt::format("ended by an error: {}", error.what()));
    write_trace_if_possible();
    throw;
  }
}

}  // namespace xrai
