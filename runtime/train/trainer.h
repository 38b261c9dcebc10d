// The training loop: batches in, steps, an evaluation and a checkpoint at every epoch's end. What people see of it
// comes out through a listener; what the run folder keeps is written here.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "runtime/core/batch.h"
#include "runtime/nn/model.h"
#include "runtime/train/batch_feeder.h"
#include "runtime/train/checkpoint.h"
#include "runtime/train/history.h"
#include "runtime/train/memory_use.h"
#include "runtime/train/optimiser.h"
#include "runtime/train/profile_window.h"
#include "runtime/train/scorer.h"
#include "runtime/train/settings.h"

namespace xrai {

enum class RunEnd { kFinished, kInterrupted };

/// Called by the trainer as things happen; each may be empty.
struct TrainingListener {
  /// Images of the running epoch that are done, of how many, and the loss at the last log line.
  std::function<void(std::int64_t epoch, std::int64_t images, std::int64_t of, double loss)> on_images;
  std::function<void(const EpochRecord& record, bool lowest_loss)> on_epoch;  // the lowest so far
};

class Trainer {
 public:
  /// `validation` may be null. run_folder/checkpoints must exist.
  Trainer(Model& model, TrainSettings settings, CheckpointFacts facts, BatchSource& train, BatchSource* validation,
          std::filesystem::path run_folder);

  /// Goes on where a checkpoint stopped. Throws what restore throws.
  void resume(const Checkpoint& checkpoint);
  /// Until the last epoch, max_steps or an interrupt (runtime/core/interrupt.h). Saves checkpoints/last.h5 at every
  /// epoch's end and on interruption, checkpoints/best.h5 at every epoch's end or, with KeptEpoch::kLowestLoss, when
  /// the validation loss (the training loss where nothing is validated) is the lowest so far. Throws Error(kDiverged)
  /// when the loss or a weight is NaN or infinite, with the step and what to try.
  RunEnd run(HistoryWriter& history, const TrainingListener& listener);

  [[nodiscard]] const TrainingState& state() const { return state_; }
  /// Steps of all epochs: what the schedule spans, whether or not max_steps stops earlier.
  [[nodiscard]] std::int64_t total_steps() const;
  [[nodiscard]] std::int64_t steps_per_epoch() const;
  /// For the largest batch. Makes the plan that the first step would make.
  [[nodiscard]] PlannedMemory planned_memory();

 private:
  // Sums since the last step line.
  struct Window {
    double loss_sum = 0, correct = 0;
    std::int64_t images = 0, steps = 0;
    double seconds_at_start = 0, wait_at_start = 0;
  };
  // By batch size: the first step runs as it is queued and warms the libraries up, the second is recorded.
  struct Recorded {
    std::int64_t steps = 0;
    std::unique_ptr<Recording> recording;
  };
  // Results on their way to the host, and what is known here of the steps that they are of. No images: none is.
  struct Fetch {
    std::vector<std::int64_t> images;
    double learning_rate = 0;
    std::unique_ptr<Marker> arrived;
    Buffer results, sum_of_squares, loss_scale;  // staging memory
  };
  RunEnd train_epochs(HistoryWriter& history, const TrainingListener& listener);
  bool train_epoch(HistoryWriter& history, const TrainingListener& listener);
  bool next_batch(Batch& batch);
  void step(const Batch& batch);
  // Forward, loss, backward, update: what is recorded once and replayed where the device can.
  void learn(ModelPlan& plan);
  void record(ModelPlan& plan, Recorded& recorded);
  void fetch_results(HistoryWriter& history);
  void read_results(HistoryWriter& history);
  void add_up(const kernels::LossResult* results);
  void check_loss_scale(const kernels::LossScale& now);
  // False when a signal came while validation pictures were scored: the state is as before.
  bool finish_epoch(HistoryWriter& history, const TrainingListener& listener);
  void save(const char* name);
  [[noreturn]] void stop_diverged(const char* what, double value) const;
  [[nodiscard]] Trace* trace() const { return model_.device().trace(); }
  [[nodiscard]] std::int64_t steps_now() const;
  [[nodiscard]] std::int64_t images_now() const;
  [[nodiscard]] std::int64_t last_step() const;

  Model& model_;
  TrainSettings settings_;
  CheckpointFacts facts_;
  BatchSource& train_;
  BatchSource* validation_;
  std::filesystem::path run_folder_;
  Optimiser optimiser_;
  Scorer scorer_;
  TrainingState state_;
  BatchFeeder feeder_;
  ProfileWindow profile_;
  std::map<std::int64_t, Recorded> recorded_;
  Buffer class_weights_, log_priors_, results_, sum_of_squares_, sum_workspace_;
  std::vector<std::int64_t> pending_images_;  // of the steps whose results nobody has asked the device for
  Fetch fetch_;
  double last_loss_ = 0, last_learning_rate_ = 0;
  double epoch_seconds_ = 0;
  std::int64_t epoch_images_here_ = 0;  // trained in this process: what images_per_second counts
  Window window_;
};

}  // namespace xrai
