// An evaluation for scripts (JSON), for the terminal (a table) and for spreadsheets (predictions as CSV).
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "runtime/train/evaluation.h"
#include "runtime/train/operating_point.h"
#include "runtime/train/predictor.h"

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
  std::int64_t n_networks = 1;                                        // whose probabilities were averaged
  std::int64_t epoch = 0;                                             // after which the first was saved; 0: within it
  nlohmann::ordered_json further = nlohmann::ordered_json::object();  // members added to the document
  OperatingPoint point{};                                             // that is scored at
  std::optional<double> temperature{};
  std::string temperature_note{};  // what it was fitted on, or why there is none
  bool of_another_file = false;    // than the network was trained on
};

/// What the run says of its network or networks: operating point, calibration, how many they are.
void set_network(EvaluationSubject& subject, const Predictor& predictor);
/// How predictions of this subject are to be judged.
EvaluationOptions options_of(const EvaluationSubject& subject);
/// "youden, chosen on 631 validation pictures: ...", "default: 0.5, not tuned".
std::string point_words(const OperatingPoint& point);

/// {"metrics": {"auroc": {"value": ..., "ci95": [low, high], "method": "delong"}, ...}, "confusion_matrix": [[...],
/// ...] (rows: true class), "classes", "n_images", "n_groups", "threshold", "split", "data", "checkpoint", ...}. What
/// is not defined is null.
nlohmann::ordered_json evaluation_json(const Evaluation& evaluation, const EvaluationSubject& subject);

/// Ten equal bins of probability: with two classes of the second one, counted by true class; with more of the class
/// that was named, counted by "right" and "wrong".
nlohmann::ordered_json score_histogram_json(const Predictions& predictions);

/// The same for people: a table of metrics and the confusion matrix.
std::string evaluation_text(const Evaluation& evaluation, const EvaluationSubject& subject);

/// A line an image: source, group, label, predicted, then a column p_CLASS for each class (RFC 4180).
std::string predictions_csv(const Predictions& predictions, double threshold);

}  // namespace xrai
