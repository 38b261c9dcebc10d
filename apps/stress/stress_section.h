// Stress, clusters and shortcuts as sections of report.html.
#pragma once

#include <string>
#include <vector>

#include "apps/stress/clusters.h"
#include "apps/stress/shortcuts.h"
#include "apps/stress/stress_suite.h"

namespace xrai {

/// Two maps, corruptions by severities: AUROC, and sensitivity over specificity; the more is lost, the deeper the ink.
std::string stress_section(const StressResult& stress);
/// `overall`: the split's AUROC, to shade what falls short of it.
std::string clusters_section(const std::vector<Clustering>& clusterings, const std::optional<double>& overall);
std::string shortcuts_section(const ShortcutResult& shortcuts);

}  // namespace xrai
