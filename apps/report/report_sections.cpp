// See report_sections.h: the sections about the result.
#include "apps/report/report_sections.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "apps/report/curves.h"
#include "apps/report/evaluation_charts.h"
#include "apps/report/evaluation_output.h"
#include "apps/report/families.h"
#include "apps/report/heat_map_picture.h"
#include "apps/report/html.h"
#include "apps/report/words.h"

namespace xrai::sections {
namespace {

/// Value and interval on a line from 0 to 1.
std::string track(const std::optional<double>& value, const std::optional<Interval>& interval) {
  if (!value) return {};
  std::string band;
  if (interval) {
    band = fmt::format("<i style=\"left:{:.2f}%;width:{:.2f}%\"></i>", 100.0 * interval->low,
                       100.0 * (interval->high - interval->low));
  }
  return fmt::format("<div class=\"track\" aria-hidden=\"true\">{}<b style=\"left:{:.2f}%\"></b></div>\n", band,
                     100.0 * *value);
}

std::string interval_words(const Metric& metric) {
  return metric.ci95 ? fmt::format("<p class=\"small\">95 % interval {}</p>\n", html_escape(interval_text(metric)))
                     : "";
}

std::string card(const Metric& metric, const Evaluation& e) {
  return fmt::format("<div><div class=\"name\">{}</div>\n<div class=\"figure\">{}</div>\n{}{}<p>{}</p></div>\n",
                     html_escape(display_name(metric.name)), html_escape(value_text(metric)),
                     track(metric.value, metric.ci95), interval_words(metric), html_escape(plain_words(metric, e)));
}

/// Brier score, calibration error and log-loss before and after temperature scaling.
std::string calibration_table(const Evaluation& e, const std::string& note) {
  if (!e.uncalibrated)
    return note.empty() ? "" : fmt::format("<p class=\"small\">No temperature scaling: {}.</p>\n", html_escape(note));
  const auto cells = [](const Metric& metric) {
    return fmt::format("<td class=\"num\">{}</td><td class=\"num optional\">{}</td>", html_escape(value_text(metric)),
                       html_escape(interval_text(metric)));
  };
  std::string rows;
  for (const Metric& before : e.uncalibrated->metrics) {
    rows += fmt::format("<tr><th scope=\"row\">{}</th>{}{}</tr>\n", html_escape(display_name(before.name)),
                        cells(before), cells(e.metric(before.name)));
  }
  return fmt::format(
      "<h3>Calibration</h3>\n<p class=\"small\">Probabilities are calibrated by the temperature {:.2f} ({}): above 1 "
      "the network was too sure of itself, below 1 not sure enough. Neither the ranking nor a verdict at 0.5 changes. "
      "Fitted on one kind of images, it does not mend a shift to another. Unless it was trained with "
      "--class-weight none, probabilities are those of equally frequent classes: a curve above the diagonal then means "
      "that the class is more frequent here.</p>\n<div class=\"scroll\"><table><thead><tr>"
      "<th scope=\"col\">lower is better</th><th scope=\"col\" class=\"num\">before</th><th scope=\"col\" "
      "class=\"num optional\">95 % interval</th><th scope=\"col\" class=\"num\">calibrated</th><th scope=\"col\" "
      "class=\"num optional\">95 % interval</th></tr></thead>\n<tbody>\n{}</tbody></table></div>\n",
      e.uncalibrated->temperature, html_escape(note), rows);
}

std::string counted(std::int64_t n, const char* one, const char* many) {
  return fmt::format("{} {}", n, n == 1 ? one : many);
}

/// Escaped text of a file's name that a narrow column may part behind '/' and '_'.
std::string breakable(const std::string& name) {
  std::string parted;
  for (const char character : name) {
    parted += character;
    if (character == '/' || character == '_') parted += "<wbr/>";
  }
  return parted;
}

/// Legend of the heat maps, and the box that takes them off the pictures; empty where there are none.
std::string heat_switch(const std::vector<Mistake>& mistakes) {
  if (std::none_of(mistakes.begin(), mistakes.end(), [](const Mistake& m) { return m.heat_map.has_value(); }))
    return {};
  return fmt::format(
      "<input type=\"checkbox\" id=\"heat\" checked=\"checked\"/> <label for=\"heat\">heat maps (Grad-CAM): where each "
      "picture made the network call what it called, from little <img class=\"ramp\" src=\"{}\" alt=\"dark violet to "
      "yellow\"/> to most. They show what the network used, not where disease is.</label>\n",
      heat_legend_data());
}

}  // namespace

std::string headline(const Evaluation& e) {
  const Metric& auroc = e.metric("auroc");
  const std::string big = auroc.value ? fmt::format("{:.3f}", *auroc.value) : "not defined";
  std::string cards;
  for (const char* name : {"sensitivity", "specificity", "accuracy", "balanced_accuracy"})
    cards += card(e.metric(name), e);
  return fmt::format(
      "<section>\n<h2>In one minute</h2>\n<div class=\"hero\">\n<div><div class=\"name\">AUROC, how well "
      "the classes are told apart</div>\n<div class=\"big\">{}</div>\n{}{}<p>{}</p>\n"
      "<p class=\"small\">The interval says how far the figure may move on other images of the same "
      "kind; a hospital with other machines or patients can lie outside it.</p></div>\n"
      "<div class=\"cards\">\n{}</div>\n</div>\n</section>\n",
      big, track(auroc.value, auroc.ci95), interval_words(auroc), html_escape(plain_words(auroc, e)), cards);
}

std::string right_and_wrong(const Evaluation& e, const Predictions& predictions, const OperatingPoint& point) {
  std::string head = "<th scope=\"col\"></th>", body;
  for (const std::string& name : e.classes) head += fmt::format("<th scope=\"col\">called {}</th>", html_escape(name));
  for (std::int64_t label = 0; label < e.confusion.n_classes(); ++label) {
    const std::int64_t n = e.confusion.labelled(label);
    body +=
        fmt::format("<tr><th scope=\"row\">really {}</th>", html_escape(e.classes[static_cast<std::size_t>(label)]));
    for (std::int64_t called = 0; called < e.confusion.n_classes(); ++called) {
      const std::int64_t count = e.confusion(label, called);
      const double share = n == 0 ? 0.0 : static_cast<double>(count) / static_cast<double>(n);
      // At most 45 % ink behind the figure, so that it stays readable in light and dark.
      body += fmt::format(
          "<td class=\"{}\" style=\"--share:{:.0f}%\"><strong>{}</strong><span class=\"small\">{}</span></td>",
          label == called ? "right" : "wrong", 45.0 * std::sqrt(share), count,
          n == 0 ? "" : fmt::format("{:.1f} %", 100.0 * share));
    }
    body += "</tr>\n";
  }
  const std::string rule = e.classes.size() == 2
                               ? fmt::format("Called {} from a probability of {:.2f} on ({}).",
                                             html_escape(e.classes[1]), e.threshold, html_escape(point_words(point)))
                               : std::string("The most probable class is named.");
  return fmt::format(
      "<section>\n<h2>Right and wrong</h2>\n<p class=\"lead\">{} {}; shares are of the row.</p>\n"
      "<div class=\"pair\"><div class=\"scroll\"><table class=\"matrix\"><thead><tr>{}</tr></thead>\n<tbody>\n"
      "{}</tbody></table></div>\n<div>{}</div></div>\n</section>\n",
      rule, counted(e.n_images, "image", "images"), head, body, score_chart(e, predictions));
}

std::string metric_table(const Evaluation& e) {
  std::string rows;
  for (const Metric& metric : e.metrics) {
    rows += fmt::format(
        "<tr><th scope=\"row\">{}</th><td class=\"num\">{}</td><td class=\"num\">{}</td>"
        "<td class=\"small optional\">{}</td></tr>\n",
        html_escape(display_name(metric.name)), html_escape(value_text(metric)), html_escape(interval_text(metric)),
        html_escape(meaning(metric.name, e)));
  }
  return fmt::format(
      "<section>\n<h2>All figures</h2>\n<p class=\"lead\">{}, {}.</p>\n<div class=\"scroll\"><table><thead><tr>"
      "<th scope=\"col\">metric</th><th scope=\"col\" class=\"num\">value</th><th scope=\"col\" "
      "class=\"num\">95 % interval</th><th scope=\"col\" class=\"optional\">what it is</th></tr></thead>\n"
      "<tbody>\n{}</tbody></table></div>\n</section>\n",
      counted(e.n_images, "image", "images"), counted(e.n_groups, "patient or group", "patients or groups"), rows);
}

std::string training(const std::vector<EpochRecord>& history, std::int64_t n_networks, std::int64_t epoch) {
  if (history.empty()) return {};
  std::string panels;
  const auto scored = epoch > 0 ? std::optional(epoch) : std::nullopt;
  for (const std::string& panel : curve_panels(history, scored)) panels += "<div>" + panel + "</div>\n";
  double seconds = 0.0;
  for (const EpochRecord& r : history) seconds += std::isfinite(r.seconds) ? r.seconds : 0.0;
  std::string lead = n_networks > 1 ? fmt::format("The first of {} networks. ", n_networks) : "";
  lead += fmt::format("{} in {}.", counted(static_cast<std::int64_t>(history.size()), "epoch", "epochs"),
                      seconds < 60.0 ? counted(std::llround(seconds), "second", "seconds")
                                     : fmt::format("{:.1f} minutes", seconds / 60.0));
  if (epoch > 0) lead += fmt::format(" The network scored here is that of epoch {}.", epoch);
  return fmt::format(
      "<section>\n<h2>Training</h2>\n<p class=\"lead\">{} Where validation parts from training, the "
      "network starts to learn by heart.</p>\n<div class=\"grid\">\n{}</div>\n</section>\n",
      lead, panels);
}

std::string charts(const Evaluation& e, const std::string& temperature_note) {
  std::string drawn;
  for (const std::string& svg : {roc_chart(e), precision_recall_chart(e), reliability_chart(e)}) {
    if (!svg.empty()) drawn += "<div>" + svg + "</div>\n";
  }
  if (drawn.empty()) return {};
  return fmt::format(
      "<section>\n<h2>Behind the figures</h2>\n<p class=\"lead\">The first two show every threshold at once, the "
      "third whether a probability can be taken at its word.</p>\n<div class=\"grid\">\n{}</div>\n{}</section>\n",
      drawn, calibration_table(e, temperature_note));
}

std::string families(const Evaluation& e, const Predictions& predictions) {
  const auto results = family_results(predictions, e.threshold);
  if (results.size() < 2) return {};
  std::string rows;
  for (const FamilyResult& family : results) {
    const auto value = family.accuracy.value();
    const auto interval = wilson_interval(family.accuracy);
    rows += fmt::format(
        "<tr><th scope=\"row\">{}</th><td class=\"num\">{}</td><td class=\"num\">{:.1f} %</td>"
        "<td class=\"num\">{:.1f} to {:.1f} %</td><td class=\"optional\" style=\"width:40%\">{}</td></tr>\n",
        html_escape(family.name), family.accuracy.of, 100.0 * value.value_or(0.0),
        interval ? 100.0 * interval->low : 0.0, interval ? 100.0 * interval->high : 0.0, track(value, interval));
  }
  return fmt::format(
      "<section>\n<h2>By family of file names</h2>\n<p class=\"lead\">Images that share how their files are "
      "called often share a machine or a year. A family far below the others is where the network fails "
      "first elsewhere.</p>\n<div class=\"scroll\"><table><thead><tr><th scope=\"col\">family</th><th "
      "scope=\"col\" class=\"num\">images</th><th scope=\"col\" class=\"num\">called rightly</th><th "
      "scope=\"col\" class=\"num\">95 % interval</th><th scope=\"col\" class=\"optional\"></th></tr></thead>\n"
      "<tbody>\n{}</tbody></table></div>\n</section>\n",
      rows);
}

std::string mistakes(const Evaluation& e, const std::vector<Mistake>& mistakes) {
  const std::int64_t n_wrong = e.n_images - e.confusion.correct();
  if (e.n_images == 0) return {};
  if (n_wrong == 0)
    return "<section>\n<h2>Mistakes</h2>\n<p class=\"lead\">Every image was called rightly.</p>\n</section>\n";
  std::string figures;
  for (const Mistake& m : mistakes) {
    const std::string truth = html_escape(e.classes[static_cast<std::size_t>(m.label)]);
    const std::string called = html_escape(e.classes[static_cast<std::size_t>(m.predicted)]);
    const std::string source = html_escape(m.source.empty() ? fmt::format("row {}", m.row) : m.source);
    const std::string heat = m.heat_map ? fmt::format("<img class=\"heat\" src=\"{}\" alt=\"where it saw {}\"/>",
                                                      heat_overlay_data(*m.heat_map, m.width, m.height), called)
                                        : "";
    figures += fmt::format(
        "<figure><div class=\"shot\"><img src=\"{}\" alt=\"{}, really {}\" width=\"{}\" "
        "height=\"{}\"/>{}</div><figcaption>"
        "<b>called {}, {:.1f} %</b><br/>really {}<br/><span class=\"small\">{}</span></figcaption></figure>\n",
        png_data_uri(m.pixels, m.width, m.height), source, truth, m.width, m.height, heat, called,
        100.0 * m.probability, truth, breakable(source));
  }
  const auto n_shown = static_cast<std::int64_t>(mistakes.size());
  return fmt::format(
      "<section class=\"long\">\n<h2>Most confident mistakes</h2>\n<p class=\"lead\">{} of {}, the surest "
      "of each class. Look for wrong labels, devices and text in the image, poor exposure.</p>\n{}"
      "<div class=\"gallery\">\n{}</div>\n</section>\n",
      n_shown, counted(n_wrong, "mistake", "mistakes"), heat_switch(mistakes), figures);
}

}  // namespace xrai::sections
