// The parts of report.html, each a function from data to a piece of the page. Only report.cpp includes this.
#pragma once

#include <string>

#include "apps/report/report.h"

namespace xrai::sections {

std::string headline(const Evaluation& evaluation);
std::string right_and_wrong(const Evaluation& evaluation, const Predictions& predictions, const OperatingPoint& point);
std::string metric_table(const Evaluation& evaluation);
std::string training(const std::vector<EpochRecord>& history, std::int64_t n_networks, std::int64_t epoch);
std::string charts(const Evaluation& evaluation, const std::string& temperature_note);
std::string families(const Evaluation& evaluation, const Predictions& predictions);
std::string mistakes(const Evaluation& evaluation, const std::vector<Mistake>& mistakes);
std::string provenance(const ReportInput& input);

}  // namespace xrai::sections
