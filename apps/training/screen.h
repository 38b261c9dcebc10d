// What a person sees of a training run, and the result a script gets.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "apps/support/json_output.h"
#include "apps/support/progress.h"
#include "runtime/train/evaluation.h"
#include "runtime/train/trainer.h"

namespace xrai {

/// A bar an epoch, a line a finished epoch, the curves after each.
class TrainingScreen {
 public:
  /// `already_done`: images of the first epoch that an earlier process trained on; the bar leaves them out, since they
  /// would make this one look fast. `history` must outlive the screen.
  TrainingScreen(std::int64_t epochs, bool quiet, std::filesystem::path run_folder, const HistoryWriter& history,
                 std::int64_t already_done);
  /// `after_epoch` is called when an epoch is saved and shown; may be empty.
  TrainingListener listener(std::function<void()> after_epoch);
  /// What to try where pictures are late: said once, behind the first epoch that waited for them a tenth of its time.
  void advise_on_waiting(std::string advice) { advice_on_waiting_ = std::move(advice); }

 private:
  void on_images(std::int64_t epoch, std::int64_t images, std::int64_t of, double loss);
  [[nodiscard]] std::string line(const EpochRecord& record, bool lowest_loss) const;

  std::int64_t epochs_;
  bool quiet_;
  std::int64_t already_done_;
  std::filesystem::path run_folder_;
  const HistoryWriter& history_;
  std::optional<Progress> bar_;
  std::int64_t bar_epoch_ = 0, bar_start_ = 0;
  std::string advice_on_waiting_;
};

/// "validation on 631 pictures: AUROC 0.9961 (0.9932 to 0.9981), accuracy ...".
std::string validation_line(const Evaluation& evaluation);

/// The JSON document of a run. `validation` is the kept network's; absent when the run was interrupted.
nlohmann::ordered_json training_result(const std::filesystem::path& run_folder, const HistoryWriter& history,
                                       const TrainingState& state, RunEnd end,
                                       const std::optional<Evaluation>& validation);

/// A command line that a shell takes apart into these words again.
std::string shell_command(const std::vector<std::string>& words);

}  // namespace xrai
