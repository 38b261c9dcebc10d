// What xrai_evaluate can measure beyond the metrics of one split, from its flags to text, JSON and sections of the
// page.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "apps/report/evaluation_output.h"
#include "apps/report/score_split.h"
#include "apps/support/command_line.h"
#include "runtime/train/evaluation.h"

namespace xrai {

struct StressOptions {
  bool stress = false, shortcuts = false;
  std::filesystem::path sheet;
  std::uint64_t seed = 1;
};

/// --stress, --shortcuts, --stress-seed and --stress-sheet, in the group "shift and shortcuts".
void add_stress_options(CommandLine& line, StressOptions& options);

/// Measures what the options ask for. `clean`: the predictions of the split. `quiet`: no progress. Throws Error(kUsage)
/// for --shortcuts without exactly two classes, Error(kInterrupted), and what reading and scoring throw.
FurtherResults measure_further(const StressOptions& options, DatasetReader& data, const std::string& split,
                               const Predictions& clean, double threshold, const Predict& predict, bool quiet);

/// Draws the split's first picture under all corruptions, a row each with severities from left to right. Throws
/// Error(kStorage).
void write_stress_sheet(const std::filesystem::path& path, DatasetReader& data, const std::string& split,
                        std::uint64_t seed);

}  // namespace xrai
