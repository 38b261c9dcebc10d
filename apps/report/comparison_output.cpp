// See comparison_output.h.
#include "apps/report/comparison_output.h"

#include <fmt/format.h>

#include "apps/report/html.h"
#include "apps/report/json_values.h"
#include "apps/report/words.h"

namespace xrai {
namespace {

using Json = nlohmann::ordered_json;

/// "p = 0.034", "p < 0.001".
std::string p_words(double p) {
  return p < 0.001 ? "p < 0.001" : fmt::format("p = {:.3f}", p);
}

std::string mcnemar_method(const McNemar& test) {
  return test.exact ? "exact binomial" : "chi-square with continuity correction";
}

std::string mcnemar_words(const Comparison& c) {
  const std::int64_t n = c.only_first_right + c.only_second_right;
  if (n == 0) return "Both are right and wrong on the same images.";
  return fmt::format("Of {} images that only one calls rightly, this network has {}; McNemar ({}): {}.", n,
                     c.only_first_right, mcnemar_method(c.mcnemar), p_words(c.mcnemar.p_value));
}

std::string delong_words(const Comparison& c) {
  if (!c.delong) return {};
  return fmt::format("AUROC {:+.4f} ({:+.4f} to {:+.4f}); DeLong, paired: {}.", c.delong->difference,
                     c.delong->ci95.low, c.delong->ci95.high, p_words(c.delong->p_value));
}

std::string independence_words(const Comparison& c) {
  if (c.n_groups == c.n_images) return {};
  return fmt::format(
      "{} images come from {} patients or groups: both tests take every image as independent and are too sure; the "
      "table's intervals draw patients and are not.",
      c.n_images, c.n_groups);
}

/// Drawn patients and, where there is one, DeLong's test must agree before chance is ruled out.
std::string verdict(const Comparison& c) {
  const MetricDifference& area = c.of("auroc");
  const MetricDifference& shown = area.ci95 ? area : c.of("accuracy");
  if (!shown.ci95) return "The images do not tell which is better.";
  const std::string name = display_name(shown.name);
  const bool drawn_apart = shown.ci95->low > 0.0 || shown.ci95->high < 0.0;
  const bool tested_apart = shown.name != "auroc" || !c.delong ? drawn_apart : c.delong->p_value < 0.05;
  if (drawn_apart && tested_apart)
    return fmt::format("By {}, {} is better by more than chance explains.", name,
                       *shown.difference > 0.0 ? "this network" : "the other");
  return fmt::format("By {}, the difference {}.", name,
                     drawn_apart || tested_apart ? "is at the border of what chance explains" : "may be chance");
}

/// Value, difference and interval in the unit of the metric: "97.1 %", "+0.4", "-0.2 to +1.0".
struct Row {
  std::string name, first, second, difference, interval;
};

Row row_of(const MetricDifference& d) {
  const Metric first{d.name, d.first, std::nullopt, ""}, second{d.name, d.second, std::nullopt, ""};
  Row row{display_name(d.name), value_text(first), value_text(second), "", ""};
  const bool percent = d.first && row.first.ends_with("%");
  const auto signed_text = [&](double v) {
    return percent ? fmt::format("{:+.1f}", 100.0 * v) : fmt::format("{:+.3f}", v);
  };
  if (d.difference) row.difference = signed_text(*d.difference);
  if (d.ci95) row.interval = signed_text(d.ci95->low) + " to " + signed_text(d.ci95->high);
  return row;
}

std::string sentence_list(const Comparison& c) {
  std::string list;
  for (const std::string& sentence : {mcnemar_words(c), delong_words(c), independence_words(c)})
    if (!sentence.empty()) list += fmt::format("<p class=\"small\">{}</p>\n", html_escape(sentence));
  return list;
}

}  // namespace

nlohmann::ordered_json comparison_json(const ComparedRun& compared) {
  const Comparison& c = compared.comparison;
  Json json;
  json["against"] = compared.against;
  json["threshold"] = compared.point.threshold;
  json["against_threshold"] = compared.against_point.threshold;
  json["against_rule"] = compared.against_point.rule;
  json["n_images"] = c.n_images;
  json["n_groups"] = c.n_groups;
  json["both_right"] = c.both_right;
  json["only_this_right"] = c.only_first_right;
  json["only_other_right"] = c.only_second_right;
  json["both_wrong"] = c.both_wrong;
  json["mcnemar"] = {{"p_value", c.mcnemar.p_value}, {"method", mcnemar_method(c.mcnemar)}};
  json["mcnemar"]["statistic"] = c.mcnemar.exact ? Json(nullptr) : Json(c.mcnemar.statistic);
  json["delong"] = Json(nullptr);
  if (c.delong) {
    json["delong"] = {{"difference", c.delong->difference}, {"standard_error", c.delong->standard_error}};
    json["delong"]["ci95"] = {c.delong->ci95.low, c.delong->ci95.high};
    json["delong"]["z"] = c.delong->z;
    json["delong"]["p_value"] = c.delong->p_value;
  }
  for (const MetricDifference& d : c.differences) {
    json["differences"][d.name] = {{"this", number_or_null(d.first)},
                                   {"other", number_or_null(d.second)},
                                   {"difference", number_or_null(d.difference)},
                                   {"ci95", interval_json(d.ci95)},
                                   {"method", d.ci95 ? Json("bootstrap") : Json(nullptr)}};
  }
  return json;
}

std::string comparison_text(const ComparedRun& compared) {
  const Comparison& c = compared.comparison;
  std::string text = fmt::format("\nagainst {}\n\n  {:<20}{:>12}{:>12}{:>12}   {}\n", compared.against, "metric",
                                 "this", "other", "difference", "95 % interval");
  for (const MetricDifference& d : c.differences) {
    const Row row = row_of(d);
    text +=
        fmt::format("  {:<20}{:>12}{:>12}{:>12}   {}\n", row.name, row.first, row.second, row.difference, row.interval);
  }
  text += fmt::format("\n  right: both {}, only this {}, only the other {}, neither {}\n", c.both_right,
                      c.only_first_right, c.only_second_right, c.both_wrong);
  for (const std::string& sentence : {mcnemar_words(c), delong_words(c), verdict(c), independence_words(c)})
    if (!sentence.empty()) text += "  " + sentence + "\n";
  return text;
}

std::string comparison_section(const ComparedRun& compared) {
  const Comparison& c = compared.comparison;
  std::string rows;
  for (const MetricDifference& d : c.differences) {
    const Row row = row_of(d);
    rows += fmt::format(
        "<tr><th scope=\"row\">{}</th><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td>"
        "<td class=\"num\">{}</td></tr>\n",
        html_escape(row.name), html_escape(row.first), html_escape(row.second), html_escape(row.difference),
        html_escape(row.interval));
  }
  const auto cell = [&](const char* kind, std::int64_t count) {
    const double share = c.n_images == 0 ? 0.0 : static_cast<double>(count) / static_cast<double>(c.n_images);
    return fmt::format("<td class=\"{}\" style=\"--share:{:.0f}%\"><strong>{}</strong></td>", kind, 45.0 * share,
                       count);
  };
  return fmt::format(
      "<section>\n<h2>Against another network</h2>\n<p class=\"lead\">{} The other is {}, scored on the same images at "
      "{:.2f} ({}).</p>\n<div class=\"pair\"><div class=\"scroll\"><table class=\"matrix\"><thead><tr><th "
      "scope=\"col\"></th><th scope=\"col\">other right</th><th scope=\"col\">other wrong</th></tr></thead>\n<tbody>"
      "<tr><th scope=\"row\">this right</th>{}{}</tr>\n<tr><th scope=\"row\">this wrong</th>{}{}</tr></tbody></table>\n"
      "{}</div>\n<div class=\"scroll\"><table><thead><tr><th scope=\"col\">metric</th><th scope=\"col\" "
      "class=\"num\">this</th><th scope=\"col\" class=\"num\">other</th><th scope=\"col\" class=\"num\">difference</th>"
      "<th scope=\"col\" class=\"num\">95 % interval</th></tr></thead>\n<tbody>\n{}</tbody></table></div></div>\n"
      "</section>\n",
      html_escape(verdict(c)), html_escape(compared.against), compared.against_point.threshold,
      html_escape(compared.against_point.rule), cell("right", c.both_right), cell("right", c.only_first_right),
      cell("wrong", c.only_second_right), cell("wrong", c.both_wrong), sentence_list(c), rows);
}

}  // namespace xrai
