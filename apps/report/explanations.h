// Grad-CAM in evaluations: heat maps of the mistakes, and the pointing game where the file says where the lesions are.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "apps/report/mistakes.h"
#include "loaders/reader.h"
#include "runtime/train/explainer.h"
#include "runtime/train/pointing_game.h"
#include "runtime/train/predictor.h"

namespace xrai {

struct Explanations {
  std::vector<Mistake> mistakes;  // the most confident ones, with pixels and, if the network has maps, heat maps
  std::optional<PointingResult> pointing;  // absent without lesions or maps
};

/// `rows` and `predictions` as given to and by score_split. A network without maps (no convolution) is explained by
/// nothing, which is no error.
Explanations explain_result(DatasetReader& data, const std::string& split, std::span<const std::int64_t> rows,
                            const Predictions& predictions, double threshold, const Predictor& predictor);

/// Heat maps of the evidence for the class of every picture with a lesion, held against it. Absent where there are
/// none.
std::optional<PointingResult> play_pointing_game(DatasetReader& data, const std::string& split,
                                                 std::span<const std::int64_t> rows, const Predictions& predictions,
                                                 Explainer& explainer);

/// {"accuracy": {"value", "ci95", "method"}, "chance", "heat_inside", "area", "n_lesions", "layer", "map": [h, w]}
nlohmann::ordered_json pointing_json(const PointingResult& result);
/// Lines for the terminal.
std::string pointing_text(const PointingResult& result);
/// A section of report.html.
std::string pointing_section(const PointingResult& result);

}  // namespace xrai
