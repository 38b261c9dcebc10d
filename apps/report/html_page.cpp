#include "apps/report/html_page.h"

#include <fmt/format.h>

#include "apps/report/html.h"
#include "apps/report/report_style.h"

namespace xrai {

std::string html_page(const HtmlPage& page) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src "
      "data:\"/>\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
      "<meta name=\"referrer\" content=\"no-referrer\"/>\n<link rel=\"icon\" href=\"data:,\"/>\n<title>{}</title>\n"
      "<style>{}{}</style>\n</head>\n<body>\n{}<main>\n{}</main>\n<footer><p>{}</p></footer>\n</body>\n</html>\n",
      page.language, html_escape(page.title), report_style_sheet(), page.further_style, page.header, page.sections,
      html_escape(page.footer));
}

}  // namespace xrai
