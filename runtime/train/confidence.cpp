// See confidence.h.
#include "runtime/train/confidence.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <string_view>
#include <unordered_map>

#include "kernels/philox.h"
#include "runtime/train/mid_ranks.h"

namespace xrai {
namespace {

constexpr std::uint32_t kBootstrapStream = 0x626F6F74;  // keeps these draws apart from the training's random numbers

/// Sample variance with n - 1 below.
double variance(std::span<const double> values) {
  const auto n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double sum = 0.0;
  for (const double value : values) sum += (value - mean) * (value - mean);
  return sum / (n - 1.0);
}

/// Share of the other kind that each image is above (positive images) or below (negative ones), by kind and in the
/// order of the images: the structural components of DeLong et al.
struct Placements {
  std::vector<double> of_kind[2];  // [1]: positive
};

Placements placements(std::span<const float> scores, std::span<const std::uint8_t> positive) {
  std::vector<float> scores_of[2];
  for (std::size_t i = 0; i < scores.size(); ++i) scores_of[positive[i] != 0].push_back(scores[i]);
  const auto ranks = mid_ranks(scores);
  const std::vector<double> own_ranks[2] = {mid_ranks(std::span<const float>(scores_of[0])),
                                            mid_ranks(std::span<const float>(scores_of[1]))};
  Placements result;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const int kind = positive[i] != 0 ? 1 : 0;
    const double others_below = ranks[i] - own_ranks[kind][result.of_kind[kind].size()];
    const double share = others_below / static_cast<double>(scores_of[1 - kind].size());
    result.of_kind[kind].push_back(kind == 1 ? share : 1.0 - share);
  }
  return result;
}

bool can_vary(const Placements& p) {
  return p.of_kind[0].size() >= 2 && p.of_kind[1].size() >= 2;
}

double squared_error(const Placements& p) {
  return variance(p.of_kind[1]) / static_cast<double>(p.of_kind[1].size()) +
         variance(p.of_kind[0]) / static_cast<double>(p.of_kind[0].size());
}

/// Two-sided, of a standard normal.
double two_sided_p(double z) {
  return std::erfc(std::abs(z) / std::numbers::sqrt2);
}

/// Linear between order statistics; values in rising order, not empty.
double quantile(const std::vector<double>& values, double q) {
  const double position = q * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, values.size() - 1);
  return std::lerp(values[below], values[above], position - static_cast<double>(below));
}

/// Newcombe's method 5: the values theta for which |auroc - theta| <= z sqrt(V(theta)), where V is the variance of
/// Hanley and McNeil with both sample sizes replaced by their mean. Solved by bisection on either side.
Interval newcombe_interval(double auroc, double n_positive, double n_negative, double z) {
  const double mean_size = 0.5 * (n_positive + n_negative);
  const auto is_inside = [&](double theta) {
    const double spread = 2.0 * mean_size - 1.0 - (3.0 * mean_size - 3.0) / ((2.0 - theta) * (1.0 + theta));
    const double limit = z * z * theta * (1.0 - theta) * spread / (n_positive * n_negative);
    return (auroc - theta) * (auroc - theta) <= limit;
  };
  const auto border = [&](double outside) {
    double inside = auroc;
    for (int step = 0; step < 60; ++step) {
      const double middle = 0.5 * (inside + outside);
      (is_inside(middle) ? inside : outside) = middle;
    }
    return inside;
  };
  return {border(0.0), border(1.0)};
}

}  // namespace

std::optional<Interval> wilson_interval(const Rate& rate, double z) {
  if (rate.of == 0) return std::nullopt;
  const auto n = static_cast<double>(rate.of);
  const double p = static_cast<double>(rate.hits) / n;
  const double shrink = 1.0 + z * z / n;
  const double centre = (p + z * z / (2.0 * n)) / shrink;
  const double half = z * std::sqrt(p * (1.0 - p) / n + z * z / (4.0 * n * n)) / shrink;
  return Interval{rate.hits == 0 ? 0.0 : centre - half, rate.hits == rate.of ? 1.0 : centre + half};
}

std::optional<double> delong_variance(std::span<const float> scores, std::span<const std::uint8_t> positive) {
  const Placements p = placements(scores, positive);
  return can_vary(p) ? std::optional(squared_error(p)) : std::nullopt;
}

std::optional<PairedAurocs> paired_delong(std::span<const float> a, std::span<const float> b,
                                          std::span<const std::uint8_t> positive) {
  Placements difference = placements(a, positive);
  const Placements other = placements(b, positive);
  if (!can_vary(other)) return std::nullopt;
  for (int kind = 0; kind < 2; ++kind)
    for (std::size_t i = 0; i < other.of_kind[kind].size(); ++i) difference.of_kind[kind][i] -= other.of_kind[kind][i];
  PairedAurocs result;
  // The mean placement of the positive images is the AUROC.
  const std::vector<double>& of_positive = difference.of_kind[1];
  result.difference =
      std::accumulate(of_positive.begin(), of_positive.end(), 0.0) / static_cast<double>(of_positive.size());
  result.standard_error = std::sqrt(squared_error(difference));
  if (result.standard_error < 1e-12) {
    if (std::abs(result.difference) > 1e-12) return std::nullopt;
    return PairedAurocs{};
  }
  const double half = kZ95 * result.standard_error;
  result.ci95 = {result.difference - half, result.difference + half};
  result.z = result.difference / result.standard_error;
  result.p_value = two_sided_p(result.z);
  return result;
}

McNemar mcnemar(std::int64_t only_a_right, std::int64_t only_b_right) {
  constexpr std::int64_t kEnoughForChiSquare = 25;
  const std::int64_t n = only_a_right + only_b_right, fewer = std::min(only_a_right, only_b_right);
  McNemar test;
  test.exact = n < kEnoughForChiSquare;
  if (test.exact) {
    double term = std::ldexp(1.0, -static_cast<int>(n)), tail = 0.0;  // of n fair coins, k heads; k or fewer
    for (std::int64_t k = 0; k <= fewer; ++k) {
      tail += term;
      term *= static_cast<double>(n - k) / static_cast<double>(k + 1);
    }
    test.p_value = std::min(1.0, 2.0 * tail);
    return test;
  }
  const double beyond = std::max(0.0, static_cast<double>(n - 2 * fewer) - 1.0);
  test.statistic = beyond * beyond / static_cast<double>(n);
  test.p_value = two_sided_p(std::sqrt(test.statistic));
  return test;
}

std::optional<Interval> auroc_interval(std::span<const float> scores, std::span<const std::uint8_t> positive,
                                       double z) {
  const auto auroc = RankedScores(scores, positive).auroc();
  if (!auroc) return std::nullopt;
  const auto variance_of_auroc = delong_variance(scores, positive);
  const double spread = *auroc * (1.0 - *auroc);
  if (!variance_of_auroc || *variance_of_auroc <= 0.0 || spread <= 0.0) {
    const auto n_positive =
        static_cast<double>(std::count_if(positive.begin(), positive.end(), [](auto p) { return p != 0; }));
    return newcombe_interval(*auroc, n_positive, static_cast<double>(scores.size()) - n_positive, z);
  }
  const double logit = std::log(*auroc / (1.0 - *auroc));
  const double half = z * std::sqrt(*variance_of_auroc) / spread;
  return Interval{1.0 / (1.0 + std::exp(half - logit)), 1.0 / (1.0 + std::exp(-half - logit))};
}

GroupBootstrap::GroupBootstrap(std::int64_t n_images, std::span<const std::string> groups, std::uint64_t seed)
    : seed_(seed), group_of_image_(static_cast<std::size_t>(n_images)) {
  std::unordered_map<std::string_view, std::int64_t> known;
  for (std::size_t i = 0; i < group_of_image_.size(); ++i) {
    if (groups.empty() || groups[i].empty()) {
      group_of_image_[i] = n_groups_++;
      continue;
    }
    const auto [entry, is_new] = known.try_emplace(groups[i], n_groups_);
    if (is_new) ++n_groups_;
    group_of_image_[i] = entry->second;
  }
}

void GroupBootstrap::resample(std::int64_t index, std::span<std::int32_t> weights) const {
  std::vector<std::int32_t> times_drawn(static_cast<std::size_t>(n_groups_), 0);
  for (std::int64_t draw = 0; draw < n_groups_; draw += 4) {
    const kernels::Philox4 counter{{static_cast<std::uint32_t>(draw), static_cast<std::uint32_t>(draw >> 32),
                                    static_cast<std::uint32_t>(index), kBootstrapStream}};
    const auto numbers =
        kernels::philox(counter, static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32));
    for (std::int64_t j = 0; j < std::min<std::int64_t>(4, n_groups_ - draw); ++j) {
      ++times_drawn[(std::uint64_t{numbers.v[j]} * static_cast<std::uint64_t>(n_groups_)) >> 32];
    }
  }
  for (std::size_t i = 0; i < weights.size(); ++i)
    weights[i] = times_drawn[static_cast<std::size_t>(group_of_image_[i])];
}

std::optional<Interval> percentile_interval(const std::vector<std::optional<double>>& resampled_values) {
  std::vector<double> values;
  for (const auto& value : resampled_values) {
    if (value) values.push_back(*value);
  }
  if (values.empty() || 2 * values.size() < resampled_values.size()) return std::nullopt;
  std::sort(values.begin(), values.end());
  if (values.front() == values.back()) return std::nullopt;
  return Interval{quantile(values, 0.025), quantile(values, 0.975)};
}

std::optional<Interval> basic_interval(double value, const std::vector<std::optional<double>>& resampled_values) {
  const auto percentiles = percentile_interval(resampled_values);
  if (!percentiles) return std::nullopt;
  return Interval{std::clamp(2.0 * value - percentiles->high, 0.0, value),
                  std::max(2.0 * value - percentiles->low, value)};
}

}  // namespace xrai
