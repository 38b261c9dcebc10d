#include "runtime/train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "runtime/core/error.h"
#include "runtime/core/interrupt.h"
#include "runtime/core/log.h"
#include "runtime/train/schedule.h"

namespace xrai {
namespace {

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

Trainer::Trainer(Model& model, TrainSettings settings, CheckpointFacts facts, BatchSource& train,
                 BatchSource* validation, std::filesystem::path run_folder)
    : model_(model),
      settings_(std::move(settings)),
      facts_(std::move(facts)),
      train_(train),
      validation_(validation),
      run_folder_(std::move(run_folder)),
      optimiser_(model.device(), model.parameters(), settings_.optimiser),
      scorer_(model, settings_.input, settings_.evaluation_batch_size),
      feeder_(model.device(), train, settings_.batch_size),
      profile_(model.device(), settings_.profile) {
  Device& device = model.device();
  class_weights_ = device.allocate(settings_.class_weights.size() * sizeof(float));
  device.upload(class_weights_.data(), settings_.class_weights.data(), settings_.class_weights.size() * sizeof(float),
                Queue::kCompute);
  if (!settings_.log_priors.empty()) {
    const std::size_t bytes = settings_.log_priors.size() * sizeof(float);
    log_priors_ = device.allocate(bytes);
    device.upload(log_priors_.data(), settings_.log_priors.data(), bytes, Queue::kCompute);
  }
  results_ = device.allocate(static_cast<std::size_t>(settings_.log_every) * sizeof(kernels::LossResult));
  sum_of_squares_ = device.allocate(sizeof(double));
  fetch_.arrived = device.make_marker();
  fetch_.results = device.allocate_staging(results_.size_bytes());
  fetch_.sum_of_squares = device.allocate_staging(sizeof(double));
  fetch_.loss_scale = device.allocate_staging(sizeof(kernels::LossScale));
  sum_workspace_ = device.allocate(
      static_cast<std::size_t>(kernels::sum_of_squares_workspace_doubles(model.parameters().count())) * sizeof(double));
}

std::int64_t Trainer::steps_per_epoch() const {
  return (train_.size() + settings_.batch_size - 1) / settings_.batch_size;
}

PlannedMemory Trainer::planned_memory() {
  return xrai::planned_memory(model_, model_.prepare(std::min(settings_.batch_size, train_.size()), true), &optimiser_);
}

std::int64_t Trainer::total_steps() const {
  return settings_.epochs * steps_per_epoch();
}

std::int64_t Trainer::last_step() const {
  return settings_.max_steps > 0 ? std::min(total_steps(), settings_.max_steps) : total_steps();
}

std::int64_t Trainer::steps_now() const {
  return state_.step + static_cast<std::int64_t>(fetch_.images.size() + pending_images_.size());
}

std::int64_t Trainer::images_now() const {
  const std::int64_t fetched = std::accumulate(fetch_.images.begin(), fetch_.images.end(), state_.position);
  return std::accumulate(pending_images_.begin(), pending_images_.end(), fetched);
}

void Trainer::resume(const Checkpoint& checkpoint) {
  restore(checkpoint, model_, &optimiser_);
  state_ = checkpoint.state;
  if (state_.loss_scale && optimiser_.loss_scale() != nullptr) optimiser_.set_loss_scale(*state_.loss_scale);
}

RunEnd Trainer::run(HistoryWriter& history, const TrainingListener& listener) {
  const RunEnd end = train_epochs(history, listener);
  profile_.finish();
  return end;
}

RunEnd Trainer::train_epochs(HistoryWriter& history, const TrainingListener& listener) {
  // An epoch whose steps were all done when a signal came still has its end before it.
  const auto awaits_its_end = [this] { return state_.position >= train_.size(); };
  while (state_.epoch < settings_.epochs && (steps_now() < last_step() || awaits_its_end())) {
    const Span epoch(trace(), "epoch");
    if (!train_epoch(history, listener) || !finish_epoch(history, listener)) {
      save("last.h5");
      return RunEnd::kInterrupted;
    }
  }
  return RunEnd::kFinished;
}

bool Trainer::next_batch(Batch& batch) {
  const Span wait(trace(), "wait-for-data");
  return train_.next(batch);
}

bool Trainer::train_epoch(HistoryWriter& history, const TrainingListener& listener) {
  train_.start_epoch({state_.epoch, state_.position});
  const double start = now_seconds();
  epoch_images_here_ = 0;
  window_ = Window{0, 0, 0, 0, start, train_.wait_seconds()};
  Batch batch;
  bool interrupted = interrupt_requested() != 0;
  while (!interrupted && steps_now() < last_step() && next_batch(batch)) {
    profile_.before_step();
    step(batch);
    profile_.after_step();
    pending_images_.push_back(batch.n_images);
    epoch_images_here_ += batch.n_images;
    if (static_cast<std::int64_t>(pending_images_.size()) == settings_.log_every) fetch_results(history);
    if (!fetch_.images.empty() && model_.device().reached(*fetch_.arrived)) read_results(history);
    if (listener.on_images) listener.on_images(state_.epoch + 1, images_now(), train_.size(), last_loss_);
    interrupted = interrupt_requested() != 0;
  }
  feeder_.finish();
  fetch_results(history);
  read_results(history);
  epoch_seconds_ = now_seconds() - start;
  return !interrupted;
}

void Trainer::step(const Batch& batch) {
  Device& device = model_.device();
  Recorded& recorded = recorded_[batch.n_images];
  const Span whole(trace(), recorded.recording ? "step (graph)" : "step");
  last_learning_rate_ = learning_rate_at(settings_.schedule, settings_.optimiser.learning_rate, steps_now(),
                                         total_steps(), steps_per_epoch());
  feeder_.feed(batch, {settings_.seed, static_cast<std::uint64_t>(batch.epoch), static_cast<std::uint64_t>(steps_now()),
                       static_cast<std::uint32_t>(pending_images_.size()), static_cast<float>(last_learning_rate_)});
  ModelPlan& plan = model_.prepare(batch.n_images, true);
  {
    const Span augment(trace(), "augment");
    device.augment({feeder_.pixels(), feeder_.rows(), feeder_.sample_ids(), plan.input(), batch.n_images, batch.height,
                    batch.width, settings_.input.image_size, settings_.input.image_size, settings_.input.view,
                    settings_.augment, feeder_.numbers()});
  }
  feeder_.done_with_pixels();
  if (++recorded.steps == 2) record(plan, recorded);
  if (recorded.recording)
    device.replay(*recorded.recording);
  else
    learn(plan);
}

void Trainer::record(ModelPlan& plan, Recorded& recorded) {
  std::string remark;
  const auto work = [&] {
    const Span span(trace(), "record-graph");
    learn(plan);
  };
  recorded.recording = model_.device().record(work, remark);
  if (!remark.empty()) log::info(fmt::format("graph for batches of {}: {}", plan.batch_size(), remark));
}

void Trainer::learn(ModelPlan& plan) {
  optimiser_.begin_step();
  plan.forward(feeder_.numbers());
  {
    const Span loss(trace(), "loss");
    model_.device().loss({plan.logits(), feeder_.labels(), class_weights_.as<float>(), plan.logit_gradients(),
                          results_.as<kernels::LossResult>(), plan.batch_size(), model_.n_logits(),
                          static_cast<float>(settings_.label_smoothing), feeder_.numbers(), optimiser_.loss_scale(),
                          log_priors_.as<float>()});
  }
  plan.backward(feeder_.numbers());
  optimiser_.step(feeder_.numbers());
}

// A NaN's sign means nothing to anybody: nan, not -nan.
void Trainer::stop_diverged(const char* what, double value) const {
  const std::filesystem::path last = run_folder_ / "checkpoints" / "last.h5";
  throw Error(
      ExitCode::kDiverged,
      fmt::format("the {} became {} at step {} (epoch {}, learning rate {:.3g}); {}; try a smaller --lr, a longer "
                  "--warmup-epochs or --clip-norm 1",
                  what, std::abs(value), state_.step, state_.epoch + 1, last_learning_rate_,
                  std::filesystem::exists(last) ? fmt::format("the last good state is {}", last.string())
                                                : std::string("nothing good was saved before it")));
}

// Asks the device for the losses of the steps since the last call and for the size of the weights; the host goes on,
// and the log line is written a step or so later, when they have come. Only where lines are closer together than the
// device is behind, the one before is waited for.
void Trainer::fetch_results(HistoryWriter& history) {
  read_results(history);
  if (pending_images_.empty()) return;
  Device& device = model_.device();
  const Parameters& parameters = model_.parameters();
  fetch_.images.swap(pending_images_);
  fetch_.learning_rate = last_learning_rate_;
  device.download_later(fetch_.results.data(), results_.data(), fetch_.images.size() * sizeof(kernels::LossResult));
  device.sum_of_squares(parameters.values(), parameters.count(), sum_workspace_.as<double>(),
                        sum_of_squares_.as<double>());
  device.download_later(fetch_.sum_of_squares.data(), sum_of_squares_.data(), sizeof(double));
  if (optimiser_.loss_scale() != nullptr)
    device.download_later(fetch_.loss_scale.data(), optimiser_.loss_scale(), sizeof(kernels::LossScale));
  device.mark(*fetch_.arrived, Queue::kCompute);
}

// Waits for what was asked for, if anything was; looks for NaN and writes a step line.
void Trainer::read_results(HistoryWriter& history) {
  if (fetch_.images.empty()) return;
  const Span download(trace(), "download");
  if (!model_.device().reached(*fetch_.arrived)) model_.device().wait_until_reached(*fetch_.arrived);
  add_up(fetch_.results.as<kernels::LossResult>());
  fetch_.images.clear();
  // The loss alone would not tell: oneDNN's ReLU and max pooling turn a NaN into a number, and the network goes on as a
  // constant. A weight that became NaN stays one.
  if (const double squares = *fetch_.sum_of_squares.as<double>(); !std::isfinite(squares))
    stop_diverged("sum of the squared weights", squares);
  if (optimiser_.loss_scale() != nullptr) check_loss_scale(*fetch_.loss_scale.as<kernels::LossScale>());
  const double now = now_seconds(), images = static_cast<double>(std::max<std::int64_t>(1, window_.images));
  const double seconds = std::max(1e-9, now - window_.seconds_at_start);
  last_loss_ = window_.loss_sum / images;
  history.append(StepRecord{state_.epoch + 1, state_.step, last_loss_, window_.correct / images, fetch_.learning_rate,
                            images / seconds, (train_.wait_seconds() - window_.wait_at_start) / seconds});
  window_ = Window{0, 0, 0, 0, now, train_.wait_seconds()};
}

// One result for each of the fetched steps.
void Trainer::add_up(const kernels::LossResult* results) {
  for (std::size_t i = 0; i < fetch_.images.size(); ++i) {
    ++state_.step;
    state_.position += fetch_.images[i];
    // In float16 a step may overflow: it was skipped and its loss says nothing.
    if (!std::isfinite(results[i].loss_sum)) {
      if (optimiser_.loss_scale() == nullptr) stop_diverged("loss", results[i].loss_sum);
      continue;
    }
    state_.epoch_loss_sum += results[i].loss_sum;
    state_.epoch_correct += results[i].n_correct;
    window_.loss_sum += results[i].loss_sum;
    window_.correct += results[i].n_correct;
    window_.images += fetch_.images[i];
  }
}

// A few skipped steps are how the scale finds its place; many in a row mean that no scale is small enough.
void Trainer::check_loss_scale(const kernels::LossScale& now) {
  constexpr std::int32_t kMostInARow = 50;
  const std::int64_t more = now.skipped - (state_.loss_scale ? state_.loss_scale->skipped : 0);
  state_.loss_scale = now;
  if (now.skipped_in_a_row >= kMostInARow) stop_diverged("gradient of the last 50 steps", INFINITY);
  if (more > 0)
    log::info(
        fmt::format("{} steps overflowed in float16 and were skipped; the loss scale is now {}", more, now.scale));
}

bool Trainer::finish_epoch(HistoryWriter& history, const TrainingListener& listener) {
  EpochRecord record;
  const double images = static_cast<double>(std::max<std::int64_t>(1, state_.position));
  const double training_seconds = epoch_seconds_, waited = train_.wait_seconds();
  const double start = now_seconds();
  record.epoch = state_.epoch + 1;
  record.step = state_.step;
  record.train_loss = state_.epoch_loss_sum / images;
  record.train_accuracy = state_.epoch_correct / images;
  // Of the last step, which a run that was stopped in validation took before it was resumed.
  record.learning_rate = learning_rate_at(settings_.schedule, settings_.optimiser.learning_rate,
                                          std::max<std::int64_t>(0, state_.step - 1), total_steps(), steps_per_epoch());
  record.images_per_second = static_cast<double>(epoch_images_here_) / std::max(1e-9, training_seconds);
  record.data_wait_fraction = waited / std::max(1e-9, training_seconds);
  double score = record.train_loss;
  // An epoch that max_steps cut short is gone on with when the run is resumed with more steps, and is scored now or
  // never.
  const bool whole = state_.position >= train_.size();
  const auto interrupted = [whole] { return whole && interrupt_requested() != 0; };
  if (validation_ != nullptr) {
    const Scores scores = scorer_.score(*validation_, interrupted);
    if (interrupted()) return false;
    record.val_loss = score = scores.loss(settings_.class_weights, settings_.log_priors);
    record.val_accuracy = scores.accuracy(model_.n_classes());
    // The steps may all have been fine and the last update too large.
    if (!std::isfinite(score)) stop_diverged("validation loss", score);
    record.val_auroc = scores.mean_auroc(model_.n_classes());
  }
  record.seconds = training_seconds + now_seconds() - start;

  // The score of an epoch cut short leaves no trace in the state, so that the resumed run ends as if it had never
  // stopped; its network is kept only while there is no other.
  const bool lowest_loss = !state_.best_score || (whole && score < *state_.best_score);
  const bool kept = lowest_loss || (whole && settings_.kept_epoch == KeptEpoch::kLast);
  if (lowest_loss && whole) {
    state_.best_score = score;
    state_.best_epoch = record.epoch;
  }
  if (whole) {
    ++state_.epoch;
    state_.position = 0;
    state_.epoch_loss_sum = state_.epoch_correct = 0;
  }
  history.append(record);
  if (kept) save("best.h5");
  save("last.h5");
  if (listener.on_epoch) listener.on_epoch(record, lowest_loss);
  return true;
}

void Trainer::save(const char* name) {
  const Span checkpoint(trace(), "checkpoint");
  facts_.plan_choices = model_.device().plan_choices();
  save_checkpoint(run_folder_ / "checkpoints" / name, model_, &optimiser_, facts_, state_);
}

}  // namespace xrai
