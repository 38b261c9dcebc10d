// One training, from what was asked to a finished run folder; and the further networks of an ensemble, each a run of
// its own in RUN/members.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/support/command_line.h"
#include "apps/support/run_folder.h"
#include "apps/training/picture_cache.h"
#include "apps/training/train_options.h"
#include "apps/training/training_data.h"
#include "loaders/batch_loader.h"
#include "runtime/core/chrome_trace.h"
#include "runtime/core/device.h"
#include "runtime/nn/model.h"
#include "runtime/train/evaluation.h"
#include "runtime/train/trainer.h"

namespace xrai {

/// In the order in which the next thing needs it: asked, opened and checked, trained, reported. Nothing is written
/// before everything that can be refused without a device has been.
class TrainingRun {
 public:
  /// Both must outlive the run; their options are filled in on the way.
  TrainingRun(TrainOptions& options, CommandLine& command_line) : options_(options), command_line_(command_line) {}
  /// Returns the program's exit code: 0, or 128 + the signal that interrupted it. Throws Error.
  int run(int argc, char** argv);

 private:
  void prepare();
  void start_folder(int argc, char** argv);
  void say_what_will_happen();
  void start_trace();
  void write_trace() const;
  void write_trace_if_possible() const;
  void make_model();
  [[nodiscard]] std::string configuration() const;
  void take_batch_size(std::int64_t batch_size);
  RunEnd train();
  void forget_training();
  RunEnd train_members(int argc, char** argv);
  RunEnd run_as_member(const TrainingData& data, int argc, char** argv);
  void write_report();
  void say_what_is_next(bool interrupted);
  int end(RunEnd end);

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
  PlannedMemory planned_;
  TrainingState reached_;  // where training ended
  std::optional<Evaluation> validation_;
};

}  // namespace xrai
