// See confidence.h.
#include "runtime/train/confidence.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string_view>
#include <unordered_map>

#include "kernels/philox.h"

namespace xrai {
namespace {

constexpr std::uint32_t kBootstrapStream = 0x626F6F74;  // keeps these draws apart from the training's random numbers

/// Ranks from 1 in rising order; equal values share the mean of their ranks.
std::vector<double> mid_ranks(std::span<const float> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin;
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    for (std::size_t i = begin; i < end; ++i) ranks[order[i]] = 0.5 * static_cast<double>(begin + 1 + end);
    begin = end;
  }
  return ranks;
}

/// Sample variance with n - 1 below.
double variance(std::span<const double> values) {
  const auto n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double sum = 0.0;
  for (const double value : values) sum += (value - mean) * (value - mean);
  return sum / (n - 1.0);
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
  std::vector<float> of_kind[2];
  for (std::size_t i = 0; i < scores.size(); ++i) of_kind[positive[i] != 0].push_back(scores[i]);
  const std::size_t n_negative = of_kind[0].size(), n_positive = of_kind[1].size();
  if (n_negative < 2 || n_positive < 2) return std::nullopt;
  const auto ranks = mid_ranks(scores);
  const std::vector<double> own_ranks[2] = {mid_ranks(of_kind[0]), mid_ranks(of_kind[1])};

  std::vector<double> placements[2];  // share of the other kind that an image is above (positive) or below (negative)
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const int kind = positive[i] != 0 ? 1 : 0;
    const double others_below = ranks[i] - own_ranks[kind][placements[kind].size()];
    const auto n_others = static_cast<double>(kind == 1 ? n_negative : n_positive);
    placements[kind].push_back(kind == 1 ? others_below / n_others : 1.0 - others_below / n_others);
  }
  return variance(placements[1]) / static_cast<double>(n_positive) +
         variance(placements[0]) / static_cast<double>(n_negative);
}

std::optional<Interval> auroc_interval(std::span<const float> scores, std::span<const std::uint8_t> positive,
                                       double z) {
  const auto auroc = RankedScores(scores, positive).auroc();
  if (!auroc) return std::nullopt;
  const auto squared_error = delong_variance(scores, positive);
  const double spread = *auroc * (1.0 - *auroc);
  if (!squared_error || *squared_error <= 0.0 || spread <= 0.0) {
    const auto n_positive =
        static_cast<double>(std::count_if(positive.begin(), positive.end(), [](auto p) { return p != 0; }));
    return newcombe_interval(*auroc, n_positive, static_cast<double>(scores.size()) - n_positive, z);
  }
  const double logit = std::log(*auroc / (1.0 - *auroc));
  const double half = z * std::sqrt(*squared_error) / spread;
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
  const auto quantile = [&](double q) {
    const double position = q * static_cast<double>(values.size() - 1);
    const auto below = static_cast<std::size_t>(position);
    const std::size_t above = std::min(below + 1, values.size() - 1);
    return std::lerp(values[below], values[above], position - static_cast<double>(below));
  };
  return Interval{quantile(0.025), quantile(0.975)};
}

}  // namespace xrai
