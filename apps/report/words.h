// Metrics in plain words, for the page and for the terminal: what a doctor asks, not how it is computed.
#pragma once

#include <string>
#include <string_view>

#include "runtime/train/evaluation.h"

namespace xrai {

/// "AUROC", "balanced accuracy", "PPV" ... for a name of Evaluation::metrics.
std::string display_name(std::string_view metric);
/// What the metric measures, in half a line, for a table.
std::string meaning(std::string_view metric, const Evaluation& evaluation);
/// "97.1 %" for rates, "0.971" for the others, "not defined" when absent.
std::string value_text(const Metric& metric);
/// "95.6 to 98.2 %" in the same unit; "" without an interval.
std::string interval_text(const Metric& metric);
/// One sentence with whole numbers out of a hundred; says why when the value is absent.
std::string plain_words(const Metric& metric, const Evaluation& evaluation);

}  // namespace xrai
