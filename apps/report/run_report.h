// A run folder's report: training history, configuration and environment from its files, joined with an evaluation.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "apps/report/evaluation_output.h"
#include "apps/report/explanations.h"
#include "apps/report/report.h"
#include "loaders/reader.h"
#include "runtime/train/evaluation.h"
#include "runtime/train/predictor.h"

namespace xrai {

/// The run folder that a checkpoint belongs to: the folder itself, or the one above `checkpoints/`; empty when the file
/// lies elsewhere.
std::filesystem::path run_folder_of(const std::filesystem::path& run_or_checkpoint);

/// What the page needs. Files that are missing in the run folder (or an empty run folder) leave their part out.
ReportInput run_report_input(const std::filesystem::path& run_folder, const EvaluationSubject& subject,
                             const Evaluation& evaluation, const Predictions& predictions, Explanations explanations,
                             const std::string& config_toml);

/// One epoch's figures, as they stand in metrics.csv.
nlohmann::ordered_json epoch_json(const EpochRecord& record);

/// What xrai_evaluate --json prints: evaluation_json with what needs the predictions, the training's history, or
/// another network, beside it. The report must have an evaluation.
nlohmann::ordered_json run_json(const ReportInput& report, const EvaluationSubject& subject);

/// Writes RUN/eval/SPLIT.json and RUN/report.html; of another file than the run was trained on, eval/FILE-SPLIT.json.
/// With --stress or --shortcuts also eval/SPLIT-stress.json, report-SPLIT-stress.html and their like, which stay until
/// that is measured again. Throws Error(kStorage).
void write_run_evaluation(const std::filesystem::path& run_folder, const ReportInput& report,
                          const EvaluationSubject& subject);

/// The end of a training: judges what the kept network said about the validation pictures (`rows` of `split`; "train"
/// when a part of it was set aside; `epoch_was_chosen`: as the best of several on these pictures), writes eval/val.json
/// and report.html, and returns the result. Throws Error(kStorage).
Evaluation write_validation_report(const std::filesystem::path& run_folder, Predictor& predictor,
                                   const Predictions& predictions, DatasetReader& data, const std::string& split,
                                   std::span<const std::int64_t> rows, const std::string& device,
                                   bool epoch_was_chosen);

}  // namespace xrai
