// See run_report.h.
#include "apps/report/run_report.h"

#include <fmt/format.h>

#include <fstream>
#include <limits>
#include <sstream>

#include "apps/report/families.h"
#include "apps/report/json_values.h"
#include "apps/report/score_split.h"
#include "apps/support/json_output.h"
#include "runtime/core/error.h"
#include "runtime/core/file_io.h"
#include "runtime/train/checkpoint.h"

namespace xrai {
namespace {

std::string text_if_there(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  return text.str();
}

/// "val", or "hospital-val" of another file than the run was trained on.
std::string result_name(const EvaluationSubject& subject) {
  return subject.of_another_file ? std::filesystem::path(subject.data).stem().string() + "-" + subject.split
                                 : subject.split;
}

// What makes the figures of validation pictures better than others would be.
std::string what_was_chosen(const EvaluationSubject& subject, bool epoch) {
  const bool threshold = !subject.point.chosen_on.empty();
  if (epoch || threshold)
    return fmt::format("{} chosen on these pictures, so the figures are a little too good; a test split tells more.",
                       epoch && threshold ? "Best epoch and threshold were"
                       : epoch            ? "The best epoch was"
                                          : "The threshold was");
  if (subject.temperature)
    return "The temperature was fitted on these pictures, so the calibration is a little too good; a test split tells "
           "more.";
  return "A test split tells more.";
}

}  // namespace

std::filesystem::path run_folder_of(const std::filesystem::path& run_or_checkpoint) {
  std::error_code ignored;
  const auto absolute = std::filesystem::absolute(run_or_checkpoint, ignored).lexically_normal();
  if (std::filesystem::is_directory(absolute, ignored)) {
    return absolute.has_filename() ? absolute : absolute.parent_path();  // "RUN/" names RUN
  }
  const auto folder = absolute.parent_path();
  return folder.filename() == "checkpoints" ? folder.parent_path() : std::filesystem::path();
}

ReportInput run_report_input(const std::filesystem::path& run_folder, const EvaluationSubject& subject,
                             const Evaluation& evaluation, const Predictions& predictions, Explanations explanations,
                             const std::string& config_toml) {
  ReportInput input;
  input.title =
      fmt::format("xrai: {}", run_folder.empty() ? std::filesystem::path(subject.checkpoint).filename().string()
                                                 : run_folder.filename().string());
  input.checkpoint = subject.checkpoint;
  input.n_networks = subject.n_networks;
  input.epoch = subject.epoch;
  if (subject.n_networks > 1)
    input.checkpoint += fmt::format(", with those of members/: the mean of {} networks", subject.n_networks);
  input.data_file = subject.data;
  input.split = subject.split;
  input.split_note = subject.warning;
  input.synthetic = subject.synthetic;
  input.evaluation = evaluation;
  input.predictions = predictions;
  input.mistakes = std::move(explanations.mistakes);
  input.pointing = std::move(explanations.pointing);
  input.point = subject.point;
  input.temperature_note = subject.temperature_note;
  input.config_toml = config_toml;
  if (run_folder.empty()) return input;
  input.history = read_history(run_folder);
  input.env_json = text_if_there(run_folder / "env.json");
  return input;
}

nlohmann::ordered_json epoch_json(const EpochRecord& record) {
  return {{"epoch", record.epoch},
          {"train_loss", record.train_loss},
          {"train_accuracy", record.train_accuracy},
          {"val_loss", number_or_null(record.val_loss)},
          {"val_accuracy", number_or_null(record.val_accuracy)},
          {"val_auroc", number_or_null(record.val_auroc)},
          {"images_per_second", record.images_per_second},
          {"data_wait_fraction", record.data_wait_fraction}};
}

nlohmann::ordered_json run_json(const ReportInput& report, const EvaluationSubject& subject) {
  auto json = evaluation_json(*report.evaluation, subject);
  json["score_histogram"] = score_histogram_json(report.predictions);
  json["families"] = nlohmann::ordered_json::array();
  constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();
  for (const FamilyResult& family : family_results(report.predictions, report.evaluation->threshold, kAll)) {
    const auto interval = wilson_interval(family.accuracy);
    json["families"].push_back({{"name", family.name}, {"n_images", family.accuracy.of}});
    json["families"].back()["accuracy"] = {{"value", family.accuracy.value().value_or(0.0)}, {"method", "wilson"}};
    if (interval) json["families"].back()["accuracy"]["ci95"] = {interval->low, interval->high};
  }
  const std::vector<std::string>& classes = report.predictions.classes;
  json["mistakes"] = nlohmann::ordered_json::array();
  for (const Mistake& mistake : most_confident_mistakes(report.predictions, report.evaluation->threshold, kAll)) {
    json["mistakes"].push_back({{"place", mistake.row},
                                {"source", mistake.source},
                                {"label", classes[static_cast<std::size_t>(mistake.label)]},
                                {"called", classes[static_cast<std::size_t>(mistake.predicted)]},
                                {"probability", mistake.probability}});
  }
  json["history"] = nlohmann::ordered_json::array();
  for (const EpochRecord& record : report.history) json["history"].push_back(epoch_json(record));
  if (report.compared) json["comparison"] = comparison_json(*report.compared);
  if (report.pointing) json["pointing_game"] = pointing_json(*report.pointing);
  return json;
}

void write_run_evaluation(const std::filesystem::path& run_folder, const ReportInput& report,
                          const EvaluationSubject& subject) {
  std::error_code reason;
  std::filesystem::create_directories(run_folder / "eval", reason);
  if (reason) {
    throw Error(ExitCode::kStorage, fmt::format("cannot make the folder {}: {}; choose a run folder that you may write "
                                                "to, or use --report FILE.html",
                                                (run_folder / "eval").string(), reason.message()));
  }
  const std::string page = report_html(report);
  write_text_file(run_folder / "report.html", page);
  if (!report.evaluation) return;
  const std::string name = result_name(subject), text = json_text(finite_json(run_json(report, subject))) + "\n";
  write_text_file(run_folder / "eval" / (name + ".json"), text);
  // What took minutes is not lost to a quick look afterwards.
  for (const char* what : {"stress", "shortcuts"}) {
    if (!subject.further.contains(what)) continue;
    write_text_file(run_folder / "eval" / fmt::format("{}-{}.json", name, what), text);
    write_text_file(run_folder / fmt::format("report-{}-{}.html", name, what), page);
  }
}

Evaluation write_validation_report(const std::filesystem::path& run_folder, Predictor& predictor,
                                   const Predictions& predictions, DatasetReader& data, const std::string& split,
                                   std::span<const std::int64_t> rows, const std::string& device,
                                   bool epoch_was_chosen) {
  EvaluationSubject subject;
  subject.split = "val";
  subject.data = data.path().string();
  subject.checkpoint = predictor.checkpoint_path().string();
  subject.device = device;
  subject.synthetic = data_is_synthetic(data);
  set_network(subject, predictor);
  if (split == "train")
    subject.warning = fmt::format(
        "The file has no val split: these are {} pictures of its training split that were set aside. ", rows.size());
  subject.warning += what_was_chosen(subject, epoch_was_chosen);
  const Evaluation evaluation = evaluate(predictions, options_of(subject));
  write_run_evaluation(run_folder,
                       run_report_input(run_folder, subject, evaluation, predictions,
                                        explain_result(data, split, rows, predictions, evaluation.threshold, predictor),
                                        predictor.config_toml()),
                       subject);
  return evaluation;
}

}  // namespace xrai
