// See evaluation_output.h.
#include "apps/report/evaluation_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "apps/report/words.h"
#include "apps/support/csv_field.h"
#include "runtime/train/checkpoint.h"

namespace xrai {
namespace {

using Json = nlohmann::ordered_json;

Json metric_json(const Metric& metric) {
  Json json;
  json["value"] = metric.value ? Json(*metric.value) : Json(nullptr);
  json["ci95"] = metric.ci95 ? Json{metric.ci95->low, metric.ci95->high} : Json(nullptr);
  json["method"] = metric.ci95 ? Json(metric.ci_method) : Json(nullptr);
  return json;
}

Json point_json(const OperatingPoint& point) {
  return {{"threshold", point.threshold},
          {"rule", point.rule},
          {"chosen_on", point.chosen_on.empty() ? Json(nullptr) : Json(point.chosen_on)}};
}

Json bins_json(const std::vector<ReliabilityBin>& bins) {
  Json json = Json::array();
  for (const ReliabilityBin& bin : bins) {
    json.push_back({{"low", bin.low}, {"high", bin.high}, {"n_images", bin.n_images}, {"n_hits", bin.n_hits}});
    json.back()["mean_probability"] = bin.n_images == 0 ? Json(nullptr) : Json(bin.mean_probability);
  }
  return json;
}

Json calibration_json(const Evaluation& e, const EvaluationSubject& subject) {
  Json json;
  json["temperature"] = subject.temperature ? Json(*subject.temperature) : Json(nullptr);
  json["note"] = subject.temperature_note.empty() ? Json(nullptr) : Json(subject.temperature_note);
  json["uncalibrated"] = Json(nullptr);
  if (!e.uncalibrated) return json;
  Json before;
  for (const Metric& metric : e.uncalibrated->metrics) before["metrics"][metric.name] = metric_json(metric);
  before["reliability"] = bins_json(e.uncalibrated->reliability);
  json["uncalibrated"] = before;
  return json;
}

/// At most kCurvePoints of the points, spread evenly, first and last among them.
template <class Point, class AsJson>
Json thinned(const std::vector<Point>& points, AsJson as_json) {
  constexpr std::size_t kCurvePoints = 200;
  Json json = Json::array();
  const std::size_t n = std::min(points.size(), kCurvePoints);
  for (std::size_t i = 0; i < n; ++i) json.push_back(as_json(points[n == 1 ? 0 : i * (points.size() - 1) / (n - 1)]));
  return json;
}

/// ROC as [false positive rate, true positive rate, threshold], precision-recall as [recall, precision, threshold].
Json curves_json(const Evaluation& e) {
  Json json = Json::array();
  for (const ClassCurves& curves : e.curves) {
    const Json roc = thinned(curves.roc, [](const RocPoint& p) {
      return Json{p.false_positive_rate, p.true_positive_rate, p.threshold};
    });
    const Json precision_recall = thinned(curves.precision_recall, [](const PrecisionRecallPoint& p) {
      return Json{p.recall, p.precision, p.threshold};
    });
    json.push_back({{"class", e.classes[static_cast<std::size_t>(curves.positive)]},
                    {"roc", roc},
                    {"precision_recall", precision_recall}});
  }
  return json;
}

std::string calibration_text(const Evaluation& e, const EvaluationSubject& subject) {
  if (!e.uncalibrated)
    return subject.temperature_note.empty() ? ""
                                            : fmt::format("  no temperature scaling: {}\n", subject.temperature_note);
  std::string text = fmt::format("  calibrated by the temperature {:.3f} ({}); before:", e.uncalibrated->temperature,
                                 subject.temperature_note);
  const char* separator = " ";
  for (const Metric& metric : e.uncalibrated->metrics) {
    text += fmt::format("{}{} {}", separator, display_name(metric.name), value_text(metric));
    separator = ", ";
  }
  return text + "\n";
}

/// Columns of a terminal that a text takes; wide characters are not known here.
std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string padded(const std::string& text, std::size_t width, bool to_the_right) {
  const std::string blanks(width > columns(text) ? width - columns(text) : 0, ' ');
  return to_the_right ? blanks + text : text + blanks;
}

std::string confusion_text(const Evaluation& e) {
  std::size_t name_width = 0, count_width = 6;
  for (const std::string& name : e.classes) {
    name_width = std::max(name_width, columns(name) + 7);
    count_width = std::max(count_width, columns(name) + 9);
  }
  std::string text(name_width + 2, ' ');
  for (const std::string& name : e.classes) text += padded(fmt::format("called {}", name), count_width, true);
  text += "\n";
  for (std::int64_t label = 0; label < e.confusion.n_classes(); ++label) {
    text += padded(fmt::format("  really {}", e.classes[static_cast<std::size_t>(label)]), name_width + 2, false);
    for (std::int64_t called = 0; called < e.confusion.n_classes(); ++called) {
      text += padded(std::to_string(e.confusion(label, called)), count_width, true);
    }
    text += "\n";
  }
  return text;
}

}  // namespace

void set_network(EvaluationSubject& subject, const Predictor& predictor) {
  const CheckpointFacts& facts = predictor.facts();
  subject.n_networks = predictor.n_members();
  subject.epoch = predictor.epoch();
  subject.point = {facts.threshold, facts.threshold_rule, facts.threshold_note};
  subject.temperature = facts.temperature;
  subject.temperature_note = facts.temperature_note;
}

EvaluationOptions options_of(const EvaluationSubject& subject) {
  EvaluationOptions options;
  options.threshold = subject.point.threshold;
  options.temperature = subject.temperature;
  return options;
}

std::string point_words(const OperatingPoint& point) {
  if (!point.chosen_on.empty()) return fmt::format("{}, chosen on {}", point.rule, point.chosen_on);
  return point.rule == "default" ? "default, not tuned" : point.rule;
}

nlohmann::ordered_json evaluation_json(const Evaluation& e, const EvaluationSubject& subject) {
  Json json;
  for (const Metric& metric : e.metrics) json["metrics"][metric.name] = metric_json(metric);
  json["confusion_matrix"] = Json::array();
  for (std::int64_t label = 0; label < e.confusion.n_classes(); ++label) {
    Json row = Json::array();
    for (std::int64_t called = 0; called < e.confusion.n_classes(); ++called) row.push_back(e.confusion(label, called));
    json["confusion_matrix"].push_back(row);
  }
  json["classes"] = e.classes;
  json["n_images"] = e.n_images;
  json["n_groups"] = e.n_groups;
  json["threshold"] = e.classes.size() == 2 ? Json(e.threshold) : Json(nullptr);
  json["operating_point"] = e.classes.size() == 2 ? point_json(subject.point) : Json(nullptr);
  json["calibration"] = calibration_json(e, subject);
  json["reliability"] = bins_json(e.reliability);
  json["curves"] = curves_json(e);
  json["split"] = subject.split;
  json["data"] = subject.data;
  json["checkpoint"] = subject.checkpoint;
  json["n_networks"] = subject.n_networks;
  json["device"] = subject.device;
  json["synthetic"] = subject.synthetic;
  json["warning"] = subject.warning.empty() ? Json(nullptr) : Json(subject.warning);
  json.update(subject.further);
  return json;
}

std::string evaluation_text(const Evaluation& e, const EvaluationSubject& subject) {
  std::string text =
      fmt::format("\n{} images of {} patients or groups: split '{}' of {}{}\ncheckpoint {}\n\n", e.n_images, e.n_groups,
                  subject.split, subject.data, subject.synthetic ? " (synthetic images)" : "", subject.checkpoint);
  text += fmt::format("  {:<20}{:>12}   {}\n", "metric", "value", "95 % interval");
  for (const Metric& metric : e.metrics) {
    text += fmt::format("  {:<20}{:>12}", display_name(metric.name), value_text(metric));
    if (metric.ci95) text += "   " + interval_text(metric);
    text += "\n";
  }
  text += "\n" + confusion_text(e);
  text += "\n";
  if (e.classes.size() == 2)
    text += fmt::format("  called {} from probability {:.3g} on ({})\n", e.classes[1], e.threshold,
                        point_words(subject.point));
  return text + calibration_text(e, subject);
}

nlohmann::ordered_json score_histogram_json(const Predictions& p) {
  const bool binary = p.n_classes() == 2;
  const std::array<std::string, 2> names =
      binary ? std::array{p.classes[0], p.classes[1]} : std::array<std::string, 2>{"right", "wrong"};
  std::array<std::array<std::int64_t, kReliabilityBins>, 2> counts{};
  const auto named = decide(p.probabilities, p.n_classes());
  for (std::size_t i = 0; i < p.labels.size(); ++i) {
    const auto shown = static_cast<std::size_t>(binary ? 1 : named[i]);
    const auto kind = static_cast<std::size_t>(binary ? p.labels[i] : (named[i] == p.labels[i] ? 0 : 1));
    ++counts[kind][reliability_bin(static_cast<double>(p.probabilities[i * p.classes.size() + shown]))];
  }
  return {{names[0], counts[0]}, {names[1], counts[1]}};
}

std::string predictions_csv(const Predictions& p, double threshold) {
  std::string text = "source,group,label,predicted";
  for (const std::string& name : p.classes) text += "," + csv_field("p_" + name);
  text += "\n";
  const auto predicted = decide(p.probabilities, p.n_classes(), threshold);
  for (std::size_t i = 0; i < p.labels.size(); ++i) {
    text += fmt::format("{},{},{},{}", p.sources.empty() ? "" : csv_field(p.sources[i]),
                        p.groups.empty() ? "" : csv_field(p.groups[i]),
                        csv_field(p.classes[static_cast<std::size_t>(p.labels[i])]),
                        csv_field(p.classes[static_cast<std::size_t>(predicted[i])]));
    for (std::size_t c = 0; c < p.classes.size(); ++c)
      text += fmt::format(",{}", p.probabilities[i * p.classes.size() + c]);
    text += "\n";
  }
  return text;
}

}  // namespace xrai
