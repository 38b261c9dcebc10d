// See report.h: the order of the page, its head, and where everything came from.
#include "apps/report/report.h"

#include <fmt/format.h>

#include "apps/report/explanations.h"
#include "apps/report/html.h"
#include "apps/report/html_page.h"
#include "apps/report/report_sections.h"

namespace xrai {
namespace {

std::string fact(std::string_view name, const std::string& value) {
  return value.empty() ? "" : fmt::format("<li>{} <b>{}</b></li>\n", name, html_escape(value));
}

std::string file_name(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

std::string page_header(const ReportInput& input) {
  std::string facts = fact("data", file_name(input.data_file)) + fact("split", input.split);
  if (input.evaluation) facts += fact("images", std::to_string(input.evaluation->n_images));
  if (!input.history.empty()) facts += fact("epochs", std::to_string(input.history.size()));
  std::string notes;
  if (input.synthetic) {
    notes +=
        "<p class=\"note\"><b>Synthetic images.</b> This data set is drawn by a program. The figures show that "
        "training works; they say nothing about patients.</p>\n";
  }
  if (!input.split_note.empty()) notes += fmt::format("<p class=\"note\">{}</p>\n", html_escape(input.split_note));
  return fmt::format("<header>\n<h1>{}</h1>\n<p class=\"lead\">{}</p>\n<ul class=\"facts\">\n{}</ul>\n{}</header>\n",
                     html_escape(input.title), html_escape(kNotADevice), facts, notes);
}

std::string folded(std::string_view name, const std::string& text) {
  return text.empty() ? ""
                      : fmt::format("<details><summary>{}</summary><pre>{}</pre></details>\n", name, html_escape(text));
}

}  // namespace

std::string sections::provenance(const ReportInput& input) {
  std::string list;
  const auto add = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) list += fmt::format("<dt>{}</dt><dd>{}</dd>\n", name, html_escape(value));
  };
  add("data file", input.data_file);
  add("split scored", input.split);
  add("checkpoint", input.checkpoint);
  if (input.evaluation) add("classes", fmt::format("{}", fmt::join(input.evaluation->classes, ", ")));
  add("kind of images", input.synthetic ? "synthetic: drawn by a program" : "");
  return fmt::format("<section class=\"long\">\n<h2>How it was made</h2>\n<dl>\n{}</dl>\n{}{}</section>\n", list,
                     folded("Configuration", input.config_toml), folded("Environment", input.env_json));
}

std::string report_html(const ReportInput& input) {
  std::string body;
  if (input.evaluation) {
    const Evaluation& e = *input.evaluation;
    body += sections::headline(e);
    body += sections::right_and_wrong(e, input.predictions, input.point);
    if (input.compared) body += comparison_section(*input.compared);
  }
  body += sections::training(input.history, input.n_networks, input.epoch);
  if (input.evaluation) {
    body += sections::charts(*input.evaluation, input.temperature_note);
    body += sections::metric_table(*input.evaluation);
    body += sections::families(*input.evaluation, input.predictions);
    if (input.pointing) body += pointing_section(*input.pointing);
    body += input.further_html;
    body += sections::mistakes(*input.evaluation, input.mistakes);
  }
  body += sections::provenance(input);
  return html_page({.title = input.title,
                    .header = page_header(input),
                    .sections = body,
                    .footer = std::string(kNotADevice) + " Made by xrai; this file loads nothing from the network.",
                    .language = "en"});
}

}  // namespace xrai
