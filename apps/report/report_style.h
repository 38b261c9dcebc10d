// The style sheet of report.html.
#pragma once

#include <string_view>

namespace xrai {

std::string_view report_style_sheet();

}  // namespace xrai
