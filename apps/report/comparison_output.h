// A comparison of two networks for scripts (JSON), for the terminal and for the page.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "runtime/train/comparison.h"
#include "runtime/train/operating_point.h"

namespace xrai {

/// A comparison and who stands against whom.
struct ComparedRun {
  std::string against;                  // file of the other network
  OperatingPoint point, against_point;  // that either is scored at
  Comparison comparison;                // first: the network of the page
};

nlohmann::ordered_json comparison_json(const ComparedRun& compared);
/// A table of metrics, the images on which only one is right, and both tests.
std::string comparison_text(const ComparedRun& compared);
/// A section of report.html.
std::string comparison_section(const ComparedRun& compared);

}  // namespace xrai
