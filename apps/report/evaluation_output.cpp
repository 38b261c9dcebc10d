// See evaluation_output.h.
#include "apps/report/evaluation_output.h"

#include <fmt/format.h>

#include <algorithm>

#include "apps/report/words.h"

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

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

}  // namespace

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
  json["split"] = subject.split;
  json["data"] = subject.data;
  json["checkpoint"] = subject.checkpoint;
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
  if (e.classes.size() == 2)
    text += fmt::format("\n  called {} from probability {:.3g} on\n", e.classes[1], e.threshold);
  return text;
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
