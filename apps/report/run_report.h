// A run folder's report: training history, configuration and environment from its files, joined with an evaluation.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "apps/report/evaluation_output.h"
#include "apps/report/mistakes.h"
#include "apps/report/report.h"
#include "runtime/train/evaluation.h"

namespace xrai {

/// The run folder that a checkpoint belongs to: the folder itself, or the one above `checkpoints/`; empty when the file
/// lies elsewhere.
std::filesystem::path run_folder_of(const std::filesystem::path& run_or_checkpoint);

/// What the page needs. Files that are missing in the run folder (or an empty run folder) leave their part out.
ReportInput run_report_input(const std::filesystem::path& run_folder, const EvaluationSubject& subject,
                             const Evaluation& evaluation, const Predictions& predictions,
                             std::vector<Mistake> mistakes, const std::string& config_toml);

/// Writes RUN/eval/SPLIT.json and RUN/report.html. Throws Error(kStorage).
void write_run_evaluation(const std::filesystem::path& run_folder, const ReportInput& report,
                          const EvaluationSubject& subject);

}  // namespace xrai
