#include "runtime/train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "runtime/core/error.h"
#include "runtime/core/interrupt.h"
#include "runtime/train/metrics.h"
#include "runtime/train/schedule.h"

namespace xrai {
namespace {

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Macro one-vs-rest for more than two classes; absent while a class has no picture.
std::optional<double> mean_auroc(const Scores& scores, std::int64_t n_classes) {
  double sum = 0;
  const std::int64_t first = n_classes == 2 ? 1 : 0;
  for (std::int64_t c = first; c < n_classes; ++c) {
    std::vector<float> probability;
    std::vector<std::uint8_t> positive;
    for (std::size_t i = 0; i < scores.labels.size(); ++i) {
      probability.push_back(
          scores.probabilities[i * static_cast<std::size_t>(n_classes) + static_cast<std::size_t>(c)]);
      positive.push_back(scores.labels[i] == c ? 1 : 0);
    }
    const std::optional<double> one = RankedScores(probability, positive).auroc();
    if (!one) return std::nullopt;
    sum += *one;
  }
  return sum / static_cast<double>(n_classes - first);
}

double accuracy_of(const Scores& scores, std::int64_t n_classes) {
  const std::vector<std::int32_t> said = decide(scores.probabilities, n_classes);
  std::int64_t right = 0;
  for (std::size_t i = 0; i < said.size(); ++i) right += said[i] == scores.labels[i] ? 1 : 0;
  return static_cast<double>(right) / static_cast<double>(std::max<std::size_t>(1, said.size()));
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
      feeder_(model.device(), train, settings_.batch_size) {
  Device& device = model.device();
  class_weights_ = device.allocate(settings_.class_weights.size() * sizeof(float));
  device.upload(class_weights_.data(), settings_.class_weights.data(), settings_.class_weights.size() * sizeof(float),
                Queue::kCompute);
  results_ = device.allocate(static_cast<std::size_t>(settings_.log_every) * sizeof(kernels::LossResult));
  sum_of_squares_ = device.allocate(sizeof(double));
  sum_workspace_ = device.allocate(
      static_cast<std::size_t>(kernels::sum_of_squares_workspace_doubles(model.parameters().count())) * sizeof(double));
}

std::int64_t Trainer::steps_per_epoch() const {
  return (train_.size() + settings_.batch_size - 1) / settings_.batch_size;
}

std::int64_t Trainer::total_steps() const {
  return settings_.epochs * steps_per_epoch();
}

std::int64_t Trainer::last_step() const {
  return settings_.max_steps > 0 ? std::min(total_steps(), settings_.max_steps) : total_steps();
}

std::int64_t Trainer::steps_now() const {
  return state_.step + static_cast<std::int64_t>(pending_images_.size());
}

std::int64_t Trainer::images_now() const {
  return std::accumulate(pending_images_.begin(), pending_images_.end(), state_.position);
}

void Trainer::resume(const Checkpoint& checkpoint) {
  restore(checkpoint, model_, &optimiser_);
  state_ = checkpoint.state;
}

RunEnd Trainer::run(HistoryWriter& history, const TrainingListener& listener) {
  while (state_.epoch < settings_.epochs && steps_now() < last_step()) {
    if (!train_epoch(history, listener)) {
      save("last.h5");
      return RunEnd::kInterrupted;
    }
    finish_epoch(history, listener);
  }
  return RunEnd::kFinished;
}

bool Trainer::train_epoch(HistoryWriter& history, const TrainingListener& listener) {
  train_.start_epoch({state_.epoch, state_.position});
  const double start = now_seconds();
  epoch_images_here_ = 0;
  window_ = Window{0, 0, 0, 0, start, train_.wait_seconds()};
  Batch batch;
  bool interrupted = interrupt_requested() != 0;
  while (!interrupted && steps_now() < last_step() && train_.next(batch)) {
    step(batch);
    pending_images_.push_back(batch.n_images);
    epoch_images_here_ += batch.n_images;
    if (static_cast<std::int64_t>(pending_images_.size()) == settings_.log_every) read_results(history);
    if (listener.on_images) listener.on_images(state_.epoch + 1, images_now(), train_.size(), last_loss_);
    interrupted = interrupt_requested() != 0;
  }
  feeder_.finish();
  read_results(history);
  epoch_seconds_ = now_seconds() - start;
  return !interrupted;
}

void Trainer::step(const Batch& batch) {
  Device& device = model_.device();
  last_learning_rate_ = learning_rate_at(settings_.schedule, settings_.optimiser.learning_rate, steps_now(),
                                         total_steps(), steps_per_epoch());
  feeder_.feed(batch, {settings_.seed, static_cast<std::uint64_t>(batch.epoch), static_cast<std::uint64_t>(steps_now()),
                       static_cast<std::uint32_t>(pending_images_.size()), static_cast<float>(last_learning_rate_)});
  ModelPlan& plan = model_.prepare(batch.n_images, true);
  device.augment({feeder_.pixels(), feeder_.sample_ids(), plan.input(), batch.n_images, batch.height, batch.width,
                  settings_.input.image_size, settings_.input.image_size, settings_.input.view, settings_.augment,
                  feeder_.numbers()});
  feeder_.done_with_pixels();
  Recorded& recorded = recorded_[batch.n_images];
  if (++recorded.steps == 2) recorded.recording = device.record([&] { learn(plan); });
  if (recorded.recording)
    device.replay(*recorded.recording);
  else
    learn(plan);
}

void Trainer::learn(ModelPlan& plan) {
  plan.forward(feeder_.numbers());
  model_.device().loss({plan.logits(), feeder_.labels(), class_weights_.as<float>(), plan.logit_gradients(),
                        results_.as<kernels::LossResult>(), plan.batch_size(), model_.n_logits(),
                        static_cast<float>(settings_.label_smoothing), feeder_.numbers()});
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

// Fetches the losses of the steps since the last call, looks for NaN and writes a step line.
void Trainer::read_results(HistoryWriter& history) {
  if (pending_images_.empty()) return;
  std::vector<kernels::LossResult> results(pending_images_.size());
  model_.device().download(results.data(), results_.data(), results.size() * sizeof(kernels::LossResult));
  for (std::size_t i = 0; i < results.size(); ++i) {
    ++state_.step;
    if (!std::isfinite(results[i].loss_sum)) stop_diverged("loss", results[i].loss_sum);
    state_.position += pending_images_[i];
    state_.epoch_loss_sum += results[i].loss_sum;
    state_.epoch_correct += results[i].n_correct;
    window_.loss_sum += results[i].loss_sum;
    window_.correct += results[i].n_correct;
    window_.images += pending_images_[i];
  }
  pending_images_.clear();
  check_weights();
  const double now = now_seconds(), images = static_cast<double>(window_.images);
  const double seconds = std::max(1e-9, now - window_.seconds_at_start);
  last_loss_ = window_.loss_sum / images;
  history.append(StepRecord{state_.epoch + 1, state_.step, last_loss_, window_.correct / images, last_learning_rate_,
                            images / seconds, (train_.wait_seconds() - window_.wait_at_start) / seconds});
  window_ = Window{0, 0, 0, 0, now, train_.wait_seconds()};
}

// The loss alone would not tell: oneDNN's ReLU and max pooling turn a NaN into a number, and the network goes on as a
// constant. A weight that became NaN stays one.
void Trainer::check_weights() {
  double sum_of_squares = 0;
  const Parameters& parameters = model_.parameters();
  model_.device().sum_of_squares(parameters.values(), parameters.count(), sum_workspace_.as<double>(),
                                 sum_of_squares_.as<double>());
  model_.device().download(&sum_of_squares, sum_of_squares_.data(), sizeof sum_of_squares);
  if (!std::isfinite(sum_of_squares)) stop_diverged("sum of the squared weights", sum_of_squares);
}

void Trainer::finish_epoch(HistoryWriter& history, const TrainingListener& listener) {
  EpochRecord record;
  const double images = static_cast<double>(std::max<std::int64_t>(1, state_.position));
  const double training_seconds = epoch_seconds_, waited = train_.wait_seconds();
  const double start = now_seconds();
  record.epoch = state_.epoch + 1;
  record.step = state_.step;
  record.train_loss = state_.epoch_loss_sum / images;
  record.train_accuracy = state_.epoch_correct / images;
  record.learning_rate = last_learning_rate_;
  record.images_per_second = static_cast<double>(epoch_images_here_) / std::max(1e-9, training_seconds);
  record.data_wait_fraction = waited / std::max(1e-9, training_seconds);
  double score = record.train_loss;
  if (validation_ != nullptr) {
    const Scores scores = scorer_.score(*validation_);
    record.val_loss = score = scores.loss(settings_.class_weights);
    record.val_accuracy = accuracy_of(scores, model_.n_classes());
    // The steps may all have been fine and the last update too large.
    if (!std::isfinite(score)) stop_diverged("validation loss", score);
    record.val_auroc = mean_auroc(scores, model_.n_classes());
  }
  record.seconds = training_seconds + now_seconds() - start;

  // An epoch that max_steps cut short is gone on with when the run is resumed with more steps. Its score leaves no
  // trace in the state, so that the resumed run ends as if it had never stopped; its network is kept as the best only
  // while there is no other.
  const bool whole = state_.position >= train_.size();
  const bool best = !state_.best_score || (whole && score < *state_.best_score);
  if (best && whole) {
    state_.best_score = score;
    state_.best_epoch = record.epoch;
  }
  if (whole) {
    ++state_.epoch;
    state_.position = 0;
    state_.epoch_loss_sum = state_.epoch_correct = 0;
  }
  history.append(record);
  if (best) save("best.h5");
  save("last.h5");
  if (listener.on_epoch) listener.on_epoch(record, best);
}

void Trainer::save(const char* name) {
  save_checkpoint(run_folder_ / "checkpoints" / name, model_, &optimiser_, facts_, state_);
}

}  // namespace xrai
