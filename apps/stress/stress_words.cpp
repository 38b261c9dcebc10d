// See stress_words.h.
#include "apps/stress/stress_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "apps/report/json_values.h"

namespace xrai {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<const char*, kStressFigures.size()> kFigureNames{"auroc", "accuracy", "balanced_accuracy",
                                                                      "sensitivity", "specificity"};

Json figures_json(const JudgedFigures& f) {
  Json json;
  for (std::size_t i = 0; i < kFigureNames.size(); ++i) {
    json[kFigureNames[i]] = number_or_null(f.*kStressFigures[i]);
    json[kFigureNames[i] + std::string("_ci95")] = interval_json(f.ci95[i]);
  }
  return json;
}

std::string summary_lines(const std::string& name, const JudgedFigures& f) {
  const auto intervals = stress_interval_texts(f);
  return fmt::format("  {:<22}{:>16}{:>17}{:>17}{:>17}\n  {:<22}{:>16}{:>17}{:>17}{:>17}\n", name, area_text(f.auroc),
                     percent_text(f.accuracy) + " %", percent_text(f.sensitivity) + " %",
                     percent_text(f.specificity) + " %", "", intervals[0], intervals[1], intervals[3], intervals[4]);
}

/// A line for each corruption, a column for each severity, then the mean; `cell` writes one field.
template <class Cell>
std::string severity_table(const StressResult& stress, const std::string& title, Cell cell) {
  std::string text = fmt::format("\n  {:<26}", title);
  for (int severity = 1; severity <= kSeverities; ++severity) text += fmt::format("{:>9}", severity);
  text += fmt::format("{:>10}\n", "mean");
  const auto row = [&](std::string_view name, const auto& by_severity, const StressFigures& mean) {
    text += fmt::format("  {:<26}", name);
    for (const StressFigures& figures : by_severity) text += fmt::format("{:>9}", cell(figures));
    text += fmt::format("{:>10}\n", cell(mean));
  };
  for (const CorruptionResult& c : stress.corruptions) row(c.corruption.label, c.by_severity, c.mean);
  row("mean of the suite", stress.by_severity, stress.mean);
  return text;
}

std::string rates_text(const StressFigures& f) {
  const auto whole = [](const std::optional<double>& rate) {
    return rate ? fmt::format("{:.0f}", 100.0 * *rate) : "-";
  };
  return whole(f.sensitivity) + "/" + whole(f.specificity);
}

}  // namespace

std::string area_text(const std::optional<double>& value) {
  return value ? fmt::format("{:.3f}", *value) : "-";
}

std::string percent_text(const std::optional<double>& value) {
  return value ? fmt::format("{:.1f}", 100.0 * *value) : "-";
}

std::array<std::string, kStressFigures.size()> stress_interval_texts(const JudgedFigures& f) {
  std::array<std::string, kStressFigures.size()> texts;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (!f.ci95[i]) continue;
    const auto [low, high] = *f.ci95[i];
    texts[i] = i == 0 ? fmt::format("{:.3f} to {:.3f}", low, high)
                      : fmt::format("{:.1f} to {:.1f}", 100.0 * low, 100.0 * high);
  }
  return texts;
}

std::string part_text(const ClusterPart& part) {
  return part.name.empty() ? fmt::format("{:.4g} to {:.4g}", part.from, part.to) : part.name;
}

std::string stress_text(const StressResult& stress) {
  std::string text = fmt::format(
      "\nUnder stress (threshold {:.3g}, seed {}; below each figure its 95 % interval)\n\n"
      "  {:<22}{:>16}{:>17}{:>17}{:>17}\n",
      stress.threshold, stress.seed, "", "AUROC", "accuracy", "sensitivity", "specificity");
  text += summary_lines(fmt::format("stressed, {} draws", stress.stressed_draws.size()), stress.stressed);
  text += summary_lines("mean of the suite", stress.mean) + summary_lines("clean", stress.clean);
  text += severity_table(stress, "AUROC at severity", [](const StressFigures& f) { return area_text(f.auroc); });
  return text + severity_table(stress, "sensitivity/specificity, %", rates_text);
}

std::string clusters_text(const std::vector<Clustering>& clusterings, const std::vector<std::string>& classes) {
  std::string text = "\nBy statistics of the pictures (thirds) and by family\n\n";
  std::size_t width = 0;
  for (const std::string& name : classes) width = std::max(width, name.size());
  text += fmt::format("  {:<24}{:<24}", "", "");
  for (const std::string& name : classes) text += fmt::format("{:>{}}", name, width + 2);
  text += fmt::format("{:>8}{:>20}{:>11}\n", "AUROC", "95 % interval", "accuracy");
  for (const Clustering& clustering : clusterings)
    for (const ClusterPart& part : clustering.parts) {
      text +=
          fmt::format("  {:<24}{:<24}", &part == &clustering.parts.front() ? clustering.label : "", part_text(part));
      for (const std::int64_t n : part.n_of_class) text += fmt::format("{:>{}}", n, width + 2);
      const auto& interval = part.auroc.ci95;
      text += fmt::format("{:>8}{:>20}{:>9} %\n", area_text(part.auroc.value),
                          interval ? fmt::format("{:.3f} to {:.3f}", interval->low, interval->high) : "",
                          percent_text(part.accuracy.value()));
    }
  return text;
}

nlohmann::ordered_json stress_json(const StressResult& stress) {
  Json json{{"seed", stress.seed}, {"threshold", stress.threshold}, {"clean", figures_json(stress.clean)}};
  json["stressed"] = figures_json(stress.stressed);
  json["stressed"]["draws"] = Json::array();
  for (const JudgedFigures& draw : stress.stressed_draws) json["stressed"]["draws"].push_back(figures_json(draw));
  json["mean"] = figures_json(stress.mean);
  json["by_severity"] = Json::array();
  for (const JudgedFigures& mean : stress.by_severity) json["by_severity"].push_back(figures_json(mean));
  json["corruptions"] = Json::array();
  for (const CorruptionResult& result : stress.corruptions) {
    Json severities = Json::array();
    for (std::size_t i = 0; i < kSeverities; ++i) {
      Json severity{{"severity", i + 1}, {"amount", result.corruption.amounts[i]}};
      severity.update(figures_json(result.by_severity[i]));
      severities.push_back(severity);
    }
    json["corruptions"].push_back({{"name", result.corruption.name},
                                   {"unit", result.corruption.unit},
                                   {"severities", severities},
                                   {"mean", figures_json(result.mean)}});
  }
  return json;
}

nlohmann::ordered_json clusters_json(const std::vector<Clustering>& clusterings,
                                     const std::vector<std::string>& classes) {
  Json json = Json::array();
  for (const Clustering& clustering : clusterings) {
    Json parts = Json::array();
    for (const ClusterPart& part : clustering.parts) {
      Json one;
      if (part.name.empty()) {
        one["from"] = part.from;
        one["to"] = part.to;
      } else {
        one["name"] = part.name;
      }
      for (std::size_t c = 0; c < classes.size(); ++c) one["n_of_class"][classes[c]] = part.n_of_class[c];
      one["auroc"] = number_or_null(part.auroc.value);
      one["auroc_ci95"] = interval_json(part.auroc.ci95);
      one["accuracy"] = number_or_null(part.accuracy.value());
      one["accuracy_ci95"] = interval_json(wilson_interval(part.accuracy));
      parts.push_back(one);
    }
    json.push_back({{"by", clustering.name}, {"parts", parts}});
  }
  return json;
}

}  // namespace xrai
