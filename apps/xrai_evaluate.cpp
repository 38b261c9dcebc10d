// xrai_evaluate: scores one split of a data set with a trained network and says how far the figures can be trusted.
#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "apps/report/run_report.h"
#include "apps/report/score_split.h"
#include "apps/report/scoring_point.h"
#include "apps/stress/stress_options.h"
#include "apps/support/command_line.h"
#include "apps/support/common_options.h"
#include "apps/support/devices.h"
#include "apps/support/json_output.h"
#include "apps/support/progress.h"
#include "apps/support/run_program.h"
#include "apps/support/waiting_threads.h"
#include "loaders/data_fingerprint.h"
#include "loaders/reader.h"
#include "runtime/core/device.h"
#include "runtime/core/error.h"
#include "runtime/core/file_io.h"
#include "runtime/core/interrupt.h"
#include "runtime/core/log.h"
#include "runtime/train/predictor.h"

namespace xrai {
namespace {

struct Options {
  std::filesystem::path checkpoint, against, data, report, predictions;
  std::string split, operating_point, device = "auto", precision = "auto";
  std::int64_t batch_size = 64;
  int threads = 0;
  bool json = false;
  LayoutOptions layout;
  StressOptions stress;
};

CommandLine command_line(Options& o) {
  CommandLine line(
      "xrai_evaluate",
      "Scores one split of a data set with a trained network: accuracy, sensitivity, specificity, AUROC and "
      "others with 95 % intervals. With a run folder it also writes RUN/eval/SPLIT.json and renews "
      "RUN/report.html.");
  line.add({.group = "input",
            .name = "checkpoint",
            .target = &o.checkpoint,
            .help = "run folder (the mean of its networks) or a checkpoint file",
            .value_name = "RUN",
            .required = true});
  line.add({.group = "input",
            .name = "data",
            .target = &o.data,
            .help = "data set to score",
            .value_name = "FILE.h5",
            .required = true});
  line.add({.group = "input",
            .name = "split",
            .target = &o.split,
            .help = "split to score",
            .allowed = {"train", "val", "test"},
            .default_text = "test if there, else val"});
  line.add({.group = "input",
            .name = "operating-point",
            .target = &o.operating_point,
            .help = "choose the threshold anew on the run's validation pictures: default (0.5), youden, sens=0.95 or "
                    "spec=0.90",
            .value_name = "RULE",
            .check = operating_rule_problem,
            .default_text = "as the training chose"});
  line.add({.group = "input",
            .name = "against",
            .target = &o.against,
            .help = "score the same pictures with this run too and compare: McNemar, paired DeLong",
            .value_name = "OTHER_RUN"});
  add_layout_options(line, o.layout);
  line.add({.group = "computing",
            .name = "device",
            .target = &o.device,
            .help = "auto, cpu, cuda or cuda:N",
            .value_name = "DEVICE",
            .check = check_device_name});
  add_precision_option(line, "computing", o.precision, Computes::kScoresOnly);
  line.add({.group = "computing",
            .name = "threads",
            .target = &o.threads,
            .help = "cores the CPU device uses (0: all it may)",
            .at_least = 0,
            .at_most = 4096});
  line.add({.group = "computing",
            .name = "batch-size",
            .target = &o.batch_size,
            .help = "pictures scored at once",
            .at_least = 1,
            .at_most = 65536});
  line.add({.group = "output", .name = "json", .target = &o.json, .help = "print the result as JSON"});
  line.add({.group = "output",
            .name = "report",
            .target = &o.report,
            .help = "write the report to this file too",
            .value_name = "FILE.html"});
  line.add({.group = "output",
            .name = "predictions",
            .target = &o.predictions,
            .help = "write the probability of every picture",
            .value_name = "FILE.csv"});
  add_stress_options(line, o.stress);
  line.set_examples(
      "  xrai_evaluate --checkpoint runs/first --data chest.h5\n"
      "  xrai_evaluate --checkpoint runs/first --data other_hospital.h5 --split test --json\n"
      "  xrai_evaluate --checkpoint runs/first --data chest.h5 --split val --stress --shortcuts\n"
      "  xrai_evaluate --checkpoint runs/second --data chest.h5 --against runs/first --operating-point sens=0.95\n");
  return line;
}

Predict predict_with(Predictor& predictor) {
  return [&predictor](const std::uint8_t* pixels, std::int64_t n, std::int64_t height, std::int64_t width) {
    return predictor.predict(pixels, n, height, width);
  };
}

OperatingPoint point_of(const Options& o, Predictor& predictor, DatasetReader& data) {
  return scoring_point(o.operating_point, predictor.facts(), predictor.checkpoint_path().string(), data,
                       predict_with(predictor));
}

Predictions score(const Options& o, DatasetReader& data, const std::string& split, Predictor& predictor) {
  Progress progress("scoring " + split, data.n_images(split), "images", o.json);
  return score_split(data, split, {}, predictor.classes(), predictor.checkpoint_path().string(),
                     predict_with(predictor), [&](std::int64_t done) {
                       stop_if_requested("nothing was written");
                       progress.update(done);
                     });
}

/// The other run on the same pictures; `predictions` are those of the first.
ComparedRun compare_with_other(const Options& o, DatasetReader& data, const EvaluationSubject& subject, Device& device,
                               const Predictions& predictions) {
  Predictor other = Predictor::load(o.against, device, o.batch_size);
  if (other.classes() != predictions.classes)
    throw Error(ExitCode::kBadData,
                fmt::format("cannot compare {} with {}: one tells {} apart, the other {}, in this order; compare runs "
                            "of one data set",
                            subject.checkpoint, other.checkpoint_path().string(), fmt::join(predictions.classes, ", "),
                            fmt::join(other.classes(), ", ")));
  ComparedRun compared;
  compared.against = other.checkpoint_path().string();
  compared.point = subject.point;
  compared.against_point = point_of(o, other, data);
  compared.comparison =
      compare(predictions, score(o, data, subject.split, other),
              {.first_threshold = compared.point.threshold, .second_threshold = compared.against_point.threshold});
  return compared;
}

void write_files(const Options& o, const EvaluationSubject& subject, const ReportInput& report) {
  if (!o.predictions.empty()) {
    write_text_file(o.predictions, predictions_csv(report.predictions, report.evaluation->threshold));
  }
  if (!o.report.empty()) {
    write_text_file(o.report, report_html(report));
    log::info(fmt::format("report: {}", o.report.string()));
  }
  if (!std::filesystem::is_directory(o.checkpoint)) return;
  const auto run_folder = run_folder_of(o.checkpoint);
  try {
    write_run_evaluation(run_folder, report, subject);
    log::info(fmt::format("report: {}", (run_folder / "report.html").string()));
  } catch (const Error& error) {
    // The result was worth the wait and is printed all the same: a run folder may lie where one can only read.
    log::warning(fmt::format("the run folder stays as it was: {}", error.what()));
  }
}

/// Before minutes of scoring: what cannot be written is refused, or told where the result is printed all the same.
void look_at_outputs(const Options& o) {
  for (const std::filesystem::path& file : {o.report, o.predictions, o.stress.sheet})
    if (!file.empty()) require_writable(file);
  if (!std::filesystem::is_directory(o.checkpoint)) return;
  try {
    require_writable(run_folder_of(o.checkpoint) / "report.html");
  } catch (const Error& error) {
    log::warning(
        fmt::format("the result will be printed only, --report FILE.html writes a page elsewhere: {}", error.what()));
  }
}

void print_result(const Options& o, const std::string& text, nlohmann::ordered_json json) {
  if (o.json)
    print_json(finite_json(std::move(json)));
  else
    std::fputs(text.c_str(), stdout);
}

int evaluate_checkpoint(const Options& o) {
  install_interrupt_handlers();
  log::set_quiet(o.json);
  look_at_outputs(o);
  const auto data = open_dataset(o.data, o.layout);
  EvaluationSubject subject;
  subject.split = split_to_score(*data, o.split);
  for (const SplitLayout& split : data->layout().splits) {
    if (split.name == subject.split) log::info(describe(data->layout(), split));
  }
  for (const std::string& warning : data->layout().warnings) log::warning(warning);
  if (o.split.empty()) log::info(fmt::format("scoring the split '{}' (choose another with --split)", subject.split));
  const auto device = make_device({o.device, o.threads, o.precision});
  Predictor predictor = Predictor::load(o.checkpoint, *device, o.batch_size);
  if (data->classes() != predictor.classes()) {
    (void)class_places(data->classes(), predictor.classes(), o.data.string(), predictor.checkpoint_path().string());
    const bool by_order = are_numbers(data->classes()) || are_numbers(predictor.classes());
    log::warning(fmt::format("{} has the classes {}, the network {}; labels are matched by {}", o.data.string(),
                             fmt::join(data->classes(), ", "), fmt::join(predictor.classes(), ", "),
                             by_order ? "their order, since numbers are no names: is it the same in both?" : "name"));
  }
  subject.data = o.data.string();
  subject.checkpoint = predictor.checkpoint_path().string();
  subject.device = device->name();
  if (device->precision() == Precision::kInt8) subject.device += ", int8";
  if (const std::string& trained_on = predictor.facts().data_fingerprint; !trained_on.empty())
    subject.of_another_file = trained_on != data_fingerprint(*data);
  subject.synthetic = data_is_synthetic(*data);
  subject.warning = split_warning(*data, subject.split);
  if (predictor.trained_on_synthetic() && !subject.synthetic)
    subject.warning += std::string(subject.warning.empty() ? "" : "; ") +
                       "the network was trained on synthetic drawings: what it says of real radiographs means nothing";
  set_network(subject, predictor);
  subject.point = point_of(o, predictor, *data);
  for (const std::string& doubt : {scoring_point_warning(subject.point, subject.temperature.has_value(), subject.split),
                                   fitted_for_others_warning(predictor.facts(), predictor.n_members())})
    if (!doubt.empty()) subject.warning += (subject.warning.empty() ? "" : "; ") + doubt;
  if (!subject.warning.empty()) log::warning(subject.warning);

  if (predictor.n_members() > 1)
    log::info(fmt::format("an ensemble: the probabilities of {} networks are averaged", predictor.n_members()));
  const Predictions predictions = score(o, *data, subject.split, predictor);
  const Evaluation evaluation = evaluate(predictions, options_of(subject));
  FurtherResults further;
  try {
    further = measure_further(o.stress, *data, subject.split, predictions, evaluation.threshold,
                              predict_with(predictor), o.json);
  } catch (const Error& error) {
    if (error.code() != ExitCode::kInterrupted) throw;
    print_result(o, evaluation_text(evaluation, subject), evaluation_json(evaluation, subject));
    throw Error(error.code(), fmt::format("{}; printed is the split as it is, and no file was written", error.what()));
  }
  subject.further = further.json;
  ReportInput report = run_report_input(
      run_folder_of(o.checkpoint), subject, evaluation, predictions,
      explain_result(*data, subject.split, {}, predictions, evaluation.threshold, predictor), predictor.config_toml());
  report.further_html = further.html;
  if (!o.against.empty()) report.compared = compare_with_other(o, *data, subject, *device, predictions);
  std::string text = evaluation_text(evaluation, subject);
  if (report.pointing) text += pointing_text(*report.pointing);
  text += further.text;
  if (report.compared) text += comparison_text(*report.compared);
  print_result(o, text, run_json(report, subject));
  write_files(o, subject, report);
  return 0;
}

}  // namespace
}  // namespace xrai

int main(int argc, char** argv) {
  xrai::let_waiting_threads_sleep(argv);
  return xrai::run_program("xrai_evaluate", [&] {
    xrai::Options options;
    xrai::CommandLine line = xrai::command_line(options);
    return line.parse(argc, argv) ? xrai::evaluate_checkpoint(options) : 0;
  });
}
