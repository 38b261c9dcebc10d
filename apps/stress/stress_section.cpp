// See stress_section.h.
#include "apps/stress/stress_section.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "apps/report/html.h"
#include "apps/stress/shortcut_words.h"
#include "apps/stress/stress_words.h"

namespace xrai {
namespace {

/// A cell whose ink says how much of `before` is lost; a loss of `most` and more has all the ink that leaves the words
/// readable.
std::string heat_cell(const std::string& words, const std::optional<double>& before, const std::optional<double>& after,
                      double most, const std::string& interval = {}) {
  const double lost = before && after ? std::clamp((*before - *after) / most, 0.0, 1.0) : 0.0;
  const std::string title = interval.empty() ? "" : fmt::format(" title=\"95 % interval: {}\"", interval);
  return fmt::format("<td class=\"wrong\" style=\"--share:{:.0f}%\"{}>{}</td>", 60.0 * lost, title, words);
}

std::string auroc_cell(const StressFigures& clean, const JudgedFigures& f) {
  return heat_cell(area_text(f.auroc), clean.auroc, f.auroc, 0.1, stress_interval_texts(f)[0]);
}

std::string rates_cell(const StressFigures& clean, const JudgedFigures& f) {
  const auto whole = [](const std::optional<double>& rate) {
    return rate ? fmt::format("{:.0f}", 100.0 * *rate) : "-";
  };
  const auto intervals = stress_interval_texts(f);
  return heat_cell(whole(f.sensitivity) + " / " + whole(f.specificity), clean.balanced_accuracy, f.balanced_accuracy,
                   0.25, intervals[3].empty() ? "" : intervals[3] + " / " + intervals[4]);
}

std::string accuracy_cell(const StressFigures& clean, const JudgedFigures& f) {
  return heat_cell(percent_text(f.accuracy), clean.accuracy, f.accuracy, 0.25, stress_interval_texts(f)[1]);
}

/// Corruptions by severities, twice side by side: AUROC, and sensitivity over specificity; then the mean accuracy.
std::string heat_map(const StressResult& stress) {
  std::string severities, body;
  for (int severity = 1; severity <= kSeverities; ++severity)
    severities += fmt::format("<th scope=\"col\">{}</th>", severity);
  severities += "<th scope=\"col\">mean</th>";
  const auto row = [&](std::string_view name, const auto& by_severity, const JudgedFigures& mean) {
    body += fmt::format("<tr><th scope=\"row\">{}</th>", html_escape(name));
    for (const auto cell : {auroc_cell, rates_cell}) {
      for (const JudgedFigures& f : by_severity) body += cell(stress.clean, f);
      body += cell(stress.clean, mean);
    }
    body += accuracy_cell(stress.clean, mean) + "</tr>\n";
  };
  for (const CorruptionResult& c : stress.corruptions) row(c.corruption.label, c.by_severity, c.mean);
  row("mean", stress.by_severity, stress.mean);
  return fmt::format(
      "<div class=\"scroll\"><table class=\"heat\"><thead><tr><th></th><th scope=\"colgroup\" colspan=\"{0}\">AUROC at "
      "severity</th><th scope=\"colgroup\" colspan=\"{0}\">sensitivity / specificity at severity, %</th><th>accuracy, "
      "%</th></tr>\n<tr><th scope=\"col\">corruption</th>{1}{1}<th "
      "scope=\"col\">mean</th></tr></thead>\n<tbody>\n{2}</tbody></table></div>\n",
      kSeverities + 1, severities, body);
}

std::string headline_row(std::string_view name, const JudgedFigures& f) {
  const auto intervals = stress_interval_texts(f);
  const std::array values{area_text(f.auroc), percent_text(f.accuracy) + " %", percent_text(f.balanced_accuracy) + " %",
                          percent_text(f.sensitivity) + " %", percent_text(f.specificity) + " %"};
  std::string row = fmt::format("<tr><th scope=\"row\">{}</th>", name);
  for (std::size_t i = 0; i < values.size(); ++i)
    row += fmt::format("<td class=\"num\">{}<small>{}</small></td>", values[i], intervals[i]);
  return row + "</tr>\n";
}

std::string area_cell(const std::optional<double>& value, const std::optional<Interval>& interval) {
  return fmt::format("<td class=\"num\">{}</td><td class=\"num optional\">{}</td>", area_text(value),
                     interval ? fmt::format("{:.3f} to {:.3f}", interval->low, interval->high) : "");
}

std::string statistics_table(const ShortcutResult& r) {
  std::string rows;
  const auto correlation = [](const std::optional<Correlation>& c) {
    return c ? fmt::format("{:+.2f}", c->value) : std::string("-");
  };
  for (const StatisticResult& s : r.statistics)
    rows += fmt::format(
        "<tr><th scope=\"row\">{}</th>{}<td>{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td></tr>\n",
        html_escape(s.label), area_cell(s.auroc, s.ci95), html_escape(r.classes[s.higher_when_positive ? 1 : 0]),
        correlation(s.with_score[0]), correlation(s.with_score[1]));
  const auto plain = [&](std::string_view name, const std::optional<double>& value,
                         const std::optional<Interval>& interval) {
    rows += fmt::format("<tr><th scope=\"row\">{}</th>{}<td></td><td></td><td></td></tr>\n", name,
                        area_cell(value, interval));
  };
  if (r.model) plain("all together, fitted", r.model->auroc, r.model->ci95);
  plain("the network", r.auroc, r.ci95);
  return fmt::format(
      "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">figure</th><th scope=\"col\" class=\"num\">"
      "AUROC</th><th scope=\"col\" class=\"num optional\">95 % interval</th><th scope=\"col\">more in</th>"
      "<th scope=\"col\" class=\"num\">goes with the score in {}</th><th scope=\"col\" class=\"num\">in "
      "{}</th></tr></thead>\n<tbody>\n{}</tbody></table></div>\n",
      html_escape(r.classes[0]), html_escape(r.classes[1]), rows);
}

std::string masks_table(const ShortcutResult& r) {
  std::string rows;
  for (const MaskResult& m : r.masks) {
    const auto flipped = wilson_interval(m.flipped);
    rows += fmt::format(
        "<tr><th scope=\"row\">{}</th>{}<td class=\"num\">{:.3f}<small>{}</small></td>"
        "<td class=\"num\">{:.1f} %<small>{}</small></td></tr>\n",
        m.mask.label, area_cell(m.auroc, m.ci95), m.mean_change,
        m.change_ci95 ? fmt::format("{:.3f} to {:.3f}", m.change_ci95->low, m.change_ci95->high) : "",
        100.0 * m.flipped.value().value_or(0.0),
        flipped ? fmt::format("{:.1f} to {:.1f}", 100.0 * flipped->low, 100.0 * flipped->high) : "");
  }
  return fmt::format(
      "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">picture</th><th scope=\"col\" class=\"num\">"
      "AUROC</th><th scope=\"col\" class=\"num optional\">95 % interval</th><th scope=\"col\" class=\"num\">"
      "mean change of the probability</th><th scope=\"col\" class=\"num\">called otherwise</th></tr></thead>"
      "\n<tbody>\n{}</tbody></table></div>\n",
      rows);
}

std::string acquisitions_table(const ShortcutResult& r) {
  std::string rows;
  for (const AcquisitionResult& a : r.acquisitions) {
    rows += fmt::format("<tr><th scope=\"row\">{}</th>", a.acquisition.label);
    for (std::size_t label = 0; label < 2; ++label)
      rows += heat_cell(area_text(a.auroc[label]), r.auroc, a.auroc[label], 0.1,
                        a.ci95[label] ? fmt::format("{:.3f} to {:.3f}", a.ci95[label]->low, a.ci95[label]->high) : "");
    for (std::size_t label = 0; label < 2; ++label) {
      const auto interval = wilson_interval(a.right[label]);
      rows +=
          heat_cell(percent_text(a.right[label].value()) + " %", r.right[label].value(), a.right[label].value(), 0.25,
                    interval ? fmt::format("{:.1f} to {:.1f}", 100.0 * interval->low, 100.0 * interval->high) : "");
    }
    for (std::size_t label = 0; label < 2; ++label) {
      const auto& interval = a.change_ci95[label];
      rows += fmt::format("<td class=\"num\">{:+.3f}<small>{}</small></td>", a.mean_change[label],
                          interval ? fmt::format("{:+.3f} to {:+.3f}", interval->low, interval->high) : "");
    }
    rows += "</tr>\n";
  }
  const std::string first = html_escape(r.classes[0]), second = html_escape(r.classes[1]);
  return fmt::format(
      "<div class=\"scroll\"><table class=\"heat\"><thead><tr><th></th><th scope=\"colgroup\" colspan=\"2\">AUROC when "
      "only these are taken so</th><th scope=\"colgroup\" colspan=\"2\">called rightly</th><th scope=\"colgroup\" "
      "colspan=\"2\">mean change of the probability</th></tr>\n<tr>"
      "<th scope=\"col\">taken</th><th scope=\"col\">{0}</th><th scope=\"col\">{1}</th><th scope=\"col\">{0}</th><th "
      "scope=\"col\">{1}</th><th scope=\"col\" "
      "class=\"num\">{0}</th><th scope=\"col\" "
      "class=\"num\">{1}</th></tr></thead>\n<tbody>\n{2}</tbody></table></div>\n",
      first, second, rows);
}

}  // namespace

std::string stress_section(const StressResult& stress) {
  return fmt::format(
      "<section class=\"long\">\n<h2>Under stress</h2>\n<p class=\"lead\">The same {} images, made worse on purpose: "
      "five "
      "steps of {} corruptions, and <b>stressed</b> views with a little of everything at once ({} random draws, "
      "averaged). "
      "At severity 5 a reader still makes the diagnosis. The ink shows what is lost against the clean images; small, "
      "and "
      "under the pointer, stand 95 % intervals.</p>\n"
      "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">images</th><th scope=\"col\" class=\"num\">AUROC</th>"
      "<th scope=\"col\" class=\"num\">accuracy</th><th scope=\"col\" class=\"num\">balanced accuracy</th><th "
      "scope=\"col\" class=\"num\">sensitivity</th><th "
      "scope=\"col\" class=\"num\">specificity</th></tr></thead>\n<tbody>\n{}{}{}</tbody></table></div>\n"
      "{}</section>\n",
      stress.n_images, stress.corruptions.size(), stress.stressed_draws.size(),
      headline_row("stressed", stress.stressed), headline_row("mean of the suite", stress.mean),
      headline_row("clean", stress.clean), heat_map(stress));
}

std::string clusters_section(const std::vector<Clustering>& clusterings, const std::optional<double>& overall) {
  std::string rows;
  for (const Clustering& clustering : clusterings)
    for (const ClusterPart& part : clustering.parts) {
      const bool first = &part == &clustering.parts.front();
      rows += fmt::format(
          "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"num\">{}</td>{}<td class=\"num optional\">{}"
          "</td><td class=\"num\">{} %</td></tr>\n",
          first ? html_escape(clustering.label) : "", html_escape(part_text(part)), fmt::join(part.n_of_class, " + "),
          heat_cell(area_text(part.auroc.value), overall, part.auroc.value, 0.1),
          part.auroc.ci95 ? fmt::format("{:.3f} to {:.3f}", part.auroc.ci95->low, part.auroc.ci95->high) : "",
          percent_text(part.accuracy.value()));
    }
  if (rows.empty()) return {};
  return fmt::format(
      "<section class=\"long\">\n<h2>By kind of image</h2>\n<p class=\"lead\">Thirds of the split by what can be "
      "measured "
      "without looking at the chest, and families of file names (each against all images of the other class). A part "
      "far "
      "below the others is where another hospital's images may land.</p>\n<div class=\"scroll\"><table "
      "class=\"tight\"><thead><tr><th "
      "scope=\"col\">by</th><th scope=\"col\">part</th><th scope=\"col\" class=\"num\">images by class</th><th "
      "scope=\"col\">AUROC</th><th scope=\"col\" class=\"num optional\">95 % interval</th><th scope=\"col\" "
      "class=\"num\">"
      "called rightly</th></tr></thead>\n<tbody>\n{}</tbody></table></div>\n</section>\n",
      rows);
}

std::string shortcuts_section(const ShortcutResult& shortcuts) {
  const ShortcutSentences words = shortcut_sentences(shortcuts);
  const auto paragraph = [](const std::string& text) { return fmt::format("<p>{}</p>\n", html_escape(text)); };
  return "<section class=\"long\">\n<h2>Shortcuts</h2>\n<p class=\"lead\">Could the answer be known without looking at "
         "the lungs, and does the network know it that way?</p>\n" +
         paragraph(words.statistics) + paragraph(words.model) + statistics_table(shortcuts) +
         paragraph(words.correlation) + paragraph(words.masks) + masks_table(shortcuts) + paragraph(words.acquisition) +
         acquisitions_table(shortcuts) + paragraph(words.errors) + "</section>\n";
}

}  // namespace xrai
