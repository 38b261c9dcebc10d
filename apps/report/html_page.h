// The frame of every page we write: one file that loads nothing from anywhere, for screens, phones and paper.
#pragma once

#include <string>
#include <string_view>

namespace xrai {

struct HtmlPage {
  std::string title;             // as it is; escaped here
  std::string header, sections;  // HTML
  std::string footer;            // a sentence; escaped here
  std::string language = "en";
  std::string_view further_style{};  // behind the style sheet of report_style.h
};

/// The whole document, with a content security policy that forbids scripts and requests.
[[nodiscard]] std::string html_page(const HtmlPage& page);

}  // namespace xrai
