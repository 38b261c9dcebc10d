// How two things known of the same pictures go together: rank correlation, and counts of mistakes by group.
// Lives here: the statistics. Not here: which things are compared, and what it means (apps/stress).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/train/confidence.h"
#include "runtime/train/metrics.h"

namespace xrai {

struct Correlation {
  double value = 0.0;  // -1 to 1
  Interval ci95;
};

/// Spearman's rank correlation, equal values sharing their mean rank; 95 % interval by Fisher's z with the variance
/// (1 + r^2 / 2) / (n - 3) of Bonett and Wright (Psychometrika 65:23, 2000, equation 2.6). Absent with fewer than four
/// pairs or when one side is constant. Throws std::invalid_argument when the lengths differ.
std::optional<Correlation> spearman_correlation(std::span<const double> x, std::span<const double> y);

/// Whether rates differ between groups by more than chance.
struct IndependenceTest {
  double p_value = 1.0;
  std::string method;  // "fisher" or "chi_square"
};

/// Hits and misses of each group against the hypothesis of one common rate. Two groups: Fisher's exact test, two-sided,
/// the sum over all tables that are no more probable than this one (Fisher, 1935; as R and SciPy define it). More:
/// Pearson's chi-square with (groups - 1) degrees of freedom, without correction, an approximation for few hits. Groups
/// without pictures are left out; absent with fewer than two groups, and when all or none are hits.
std::optional<IndependenceTest> rates_differ(std::span<const Rate> groups);

/// P(chi-square with `degrees` degrees of freedom > value): the regularised upper incomplete gamma function
/// Q(degrees / 2, value / 2) by series or continued fraction (Numerical Recipes, 3rd edition, section 6.2).
double chi_square_tail(double value, std::int64_t degrees);

}  // namespace xrai
