// The course of a training run as files: RUN/metrics.csv (a line an epoch, for spreadsheets and plots) and
// RUN/metrics.jsonl (the same lines as "kind":"epoch", and between them a "kind":"step" line every N steps).
// Lives here: the records, appending, reading back, rewinding on resume. Not here: drawing (apps/report).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace xrai {

/// One finished epoch. Validation values are absent when nothing was validated; they are empty in CSV, null in JSONL.
struct EpochRecord {
  std::int64_t epoch = 0;  // counted from 1: epochs that are finished
  std::int64_t step = 0;   // optimiser steps taken since the start of the run
  double train_loss = 0.0;
  double train_accuracy = 0.0;  // 0 to 1, like all rates here
  std::optional<double> val_loss, val_accuracy, val_auroc;
  double learning_rate = 0.0;  // of the last step
  double images_per_second = 0.0;
  double data_wait_fraction = 0.0;  // share of the epoch's seconds in which the trainer waited for pictures
  double seconds = 0.0;             // training and validation
};

/// A look at the training between two epoch lines; goes to metrics.jsonl only.
struct StepRecord {
  std::int64_t epoch = 0;  // the epoch that is going on, counted from 1
  std::int64_t step = 0;
  double train_loss = 0.0;      // mean since the last step line
  double train_accuracy = 0.0;  // same
  double learning_rate = 0.0;
  double images_per_second = 0.0;
  double data_wait_fraction = 0.0;
};

/// Appends to the two files of a run folder; every line is handed to the system whole before append returns.
class HistoryWriter {
 public:
  /// Goes on at `resume_step`: lines of later steps are dropped and so is a last line that a crash cut short. With
  /// 0 (a new run) both files start empty. Throws Error(kStorage), or Error(kBadData) for files that are not ours.
  explicit HistoryWriter(const std::filesystem::path& run_folder, std::int64_t resume_step = 0);

  /// Replaces lines of this and later epochs, so that each epoch stands once whatever was written before a crash.
  void append(const EpochRecord& record);
  void append(const StepRecord& record);
  /// Epochs on file, those from before a resume included.
  [[nodiscard]] const std::vector<EpochRecord>& epochs() const { return epochs_; }

 private:
  void rewrite(std::int64_t last_step, std::int64_t last_epoch);

  std::filesystem::path csv_path_, jsonl_path_;
  std::vector<EpochRecord> epochs_;
};

/// Epochs of RUN/metrics.csv in order; empty when there is no such file. Columns are found by name, unknown ones are
/// ignored; a last line without its line end is left out. Throws Error(kBadData) with the line's number.
[[nodiscard]] std::vector<EpochRecord> read_history(const std::filesystem::path& run_folder);

/// The epoch of the lowest validation loss, or of the lowest training loss where nothing was validated. Of equals the
/// first. Index into `history`; none when no epoch has a finite loss.
[[nodiscard]] std::optional<std::size_t> lowest_loss_epoch(const std::vector<EpochRecord>& history);

}  // namespace xrai
