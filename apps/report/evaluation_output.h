// An evaluation for scripts (JSON), for the terminal (a table) and for spreadsheets (predictions as CSV).
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "runtime/train/evaluation.h"

namespace xrai {

/// What was measured beside the metrics, in the three forms that results have: text for the terminal, sections for the
/// page, members for the JSON document.
struct FurtherResults {
  std::string text, html;
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
};

/// What was scored, of what.
struct EvaluationSubject {
  std::string split, data, checkpoint;
  std::string device;   // "cpu", "cuda:0"
  std::string warning;  // may be empty
  bool synthetic = false;
  nlohmann::ordered_json further = nlohmann::ordered_json::object();  // members added to the document
};

/// {"metrics": {"auroc": {"value": ..., "ci95": [low, high], "method": "delong"}, ...}, "confusion_matrix": [[...],
/// ...] (rows: true class), "classes", "n_images", "n_groups", "threshold", "split", "data", "checkpoint", ...}. What
/// is not defined is null.
nlohmann::ordered_json evaluation_json(const Evaluation& evaluation, const EvaluationSubject& subject);

/// The same for people: a table of metrics and the confusion matrix.
std::string evaluation_text(const Evaluation& evaluation, const EvaluationSubject& subject);

/// A line an image: source, group, label, predicted, then a column p_CLASS for each class (RFC 4180).
std::string predictions_csv(const Predictions& predictions, double threshold);

}  // namespace xrai
