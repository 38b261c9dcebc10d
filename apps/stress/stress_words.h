// Stress and clusters for the terminal (tables) and for scripts (JSON).
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/stress/clusters.h"
#include "apps/stress/stress_suite.h"

namespace xrai {

/// "0.987" or "-" when absent; "97.1" for percentages.
std::string area_text(const std::optional<double>& value);
std::string percent_text(const std::optional<double>& value);
/// "0.871 to 0.912" of the AUROC, the others in percent; empty where there is none.
std::array<std::string, kStressFigures.size()> stress_interval_texts(const JudgedFigures& figures);
/// "1.00 to 2.50" for thirds, the name for families.
std::string part_text(const ClusterPart& part);

std::string stress_text(const StressResult& stress);
std::string clusters_text(const std::vector<Clustering>& clusterings, const std::vector<std::string>& classes);

/// {"seed", "threshold", "clean": {...}, "stressed": {..., "draws": [{...}]}, "mean": {...}, "by_severity": [...],
/// "corruptions": [{"name", "unit", "severities": [{"severity", "amount", "auroc", ...}], "mean"}]}; what is not
/// defined is null.
nlohmann::ordered_json stress_json(const StressResult& stress);
nlohmann::ordered_json clusters_json(const std::vector<Clustering>& clusterings,
                                     const std::vector<std::string>& classes);

}  // namespace xrai
