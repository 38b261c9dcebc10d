// What any page or drawing we write must satisfy, checked without a browser.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace xrai {

/// Empty when every tag is closed in its order, attributes stand in quotes and no stray < or & is left; else the place
/// where it goes wrong. The doctype and the XML declaration are stepped over.
inline std::string not_well_formed(std::string_view text) {
  std::vector<std::string> open;
  for (std::size_t i = 0; i < text.size();) {
    const auto complain = [&](const char* what) { return what + std::string(": ") + std::string(text.substr(i, 80)); };
    if (text[i] == '&') {
      const std::size_t end = text.find(';', i);
      if (end == std::string_view::npos || end - i > 8) return complain("stray &");
    }
    if (text[i] != '<') {
      ++i;
      continue;
    }
    if (text.substr(i, 2) == "<!" || text.substr(i, 2) == "<?") {
      i = text.find('>', i) + 1;
      continue;
    }
    std::size_t end = i + 1;
    for (char quote = 0; end < text.size() && (quote != 0 || text[end] != '>'); ++end) {
      if (quote == 0 && text[end] == '<') return complain("stray <");
      if (text[end] == '"') quote = quote == 0 ? '"' : 0;
      if (text[end] == '=' && quote == 0 && text[end + 1] != '"') return complain("attribute without quotes");
    }
    if (end >= text.size()) return complain("unfinished tag");
    const std::string tag(text.substr(i + 1, end - i - 1));
    const std::string name = tag.substr(0, tag.find_first_of(" \n/", 1));
    if (name.empty()) return complain("tag without a name");
    if (tag[0] == '/') {
      if (open.empty() || "/" + open.back() != tag) return complain("closes what is not open");
      open.pop_back();
    } else if (tag.back() != '/') {
      open.push_back(name);
    }
    i = end + 1;
  }
  return open.empty() ? "" : "never closed: " + open.back();
}

/// The places where a document could load something from elsewhere or run something. XML name spaces are no addresses.
inline std::string reaches_out(std::string text) {
  const std::string name_space = "xmlns=\"http://www.w3.org/2000/svg\"";
  for (std::size_t at; (at = text.find(name_space)) != std::string::npos;) text.erase(at, name_space.size());
  for (const char* way : {"http://", "https://", "src=\"//", "href=\"//", "url(", "@import", "<script", "<iframe",
                          "<object", "<embed", "<form", "javascript:", " onload=", " onerror=", "file:"}) {
    if (const std::size_t at = text.find(way); at != std::string::npos) return text.substr(at, 80);
  }
  return "";
}

}  // namespace xrai
