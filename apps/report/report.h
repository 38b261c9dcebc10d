// report.html: what was trained, how well it does and where it fails, in one file that loads nothing from anywhere.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/report/comparison_output.h"
#include "apps/report/mistakes.h"
#include "runtime/train/evaluation.h"
#include "runtime/train/history.h"
#include "runtime/train/pointing_game.h"

namespace xrai {

/// One sentence that stands on every report.
inline constexpr std::string_view kNotADevice =
    "A research and teaching tool, not a medical device: no diagnosis may rest on it.";

struct ReportInput {
  std::string title;            // name of the run
  std::string checkpoint;       // file that was evaluated
  std::int64_t n_networks = 1;  // whose probabilities were averaged; the history is the first one's
  std::int64_t epoch = 0;       // after which the first one was saved; 0: within the first, or not known
  std::string data_file, split;
  std::string split_note;  // why this split, warnings; may be empty
  bool synthetic = false;  // the data set is drawn, not taken from people
  std::vector<EpochRecord> history;
  std::optional<Evaluation> evaluation;  // absent: the page shows the training only
  Predictions predictions;               // those that were evaluated
  std::vector<Mistake> mistakes;         // with pixels
  std::string further_html;              // sections of what was measured besides (FurtherResults)
  OperatingPoint point;                  // that was scored at
  std::string temperature_note;          // what the temperature was fitted on, or why there is none
  std::optional<ComparedRun> compared;   // with another network on the same images
  std::optional<PointingResult> pointing;
  std::string config_toml, env_json;
};

/// The page. Everything that comes from files or names is escaped; parts without data are left out.
[[nodiscard]] std::string report_html(const ReportInput& input);

}  // namespace xrai
