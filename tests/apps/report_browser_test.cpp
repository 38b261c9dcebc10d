// report.html in a real browser: no message on the console, no request to anywhere; a page that does misbehave shows
// that the test would notice.
#include "tests/apps/browser.h"
#include "tests/apps/report_samples.h"

namespace xrai {
namespace report_browser_test {

using testing::Browser;

TEST_F(Browser, ReportLoadsWithoutMessageAndWithoutRequest) {
  ReportInput input = sample_report({"NORMAL", "PNEUMONIA<script>alert(1)</script>"});
  for (Mistake& m : input.mistakes) m.source = "\"><img src=http://xrai.invalid/leak.png onerror=alert(1)>";
  const std::string document = open(write("report.html", report_html(input)));
  EXPECT_NE(document.find("Most confident mistakes"), std::string::npos) << "the page was not loaded";
  EXPECT_NE(document.find("</footer>"), std::string::npos) << "the page ends early";
  EXPECT_EQ(console(), "");
  EXPECT_EQ(proxy.hosts_of_pages(), std::set<std::string>());
}

TEST_F(Browser, APageThatMisbehavesIsNoticed) {
  (void)open(write("bad.html",
                   "<html><body><script>not_defined();</script><img src=\"http://xrai.invalid/x.png\"/>"
                   "</body></html>"));
  EXPECT_NE(console().find("not_defined"), std::string::npos);
  EXPECT_EQ(proxy.hosts_of_pages().count("http://xrai.invalid/x.png"), 1u);
}

}  // namespace report_browser_test
}  // namespace xrai
