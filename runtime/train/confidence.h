// 95 % intervals for what metrics.h counts: Wilson for rates, DeLong for AUROC, a bootstrap over patients for the rest;
// and the tests that hold two networks against each other on the same images. Lives here: the statistics. Not here:
// which metric gets which interval (evaluation.h, comparison.h).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/train/metrics.h"

namespace xrai {

inline constexpr double kZ95 = 1.959963984540054;  // 0.975 quantile of the normal distribution

struct Interval {
  double low = 0.0, high = 0.0;
};

/// Score interval of a binomial rate (Wilson, JASA 22:209, 1927). Absent when `of` is 0.
std::optional<Interval> wilson_interval(const Rate& rate, double z = kZ95);

/// Variance of the empirical AUROC (DeLong, DeLong and Clarke-Pearson, Biometrics 44:837, 1988) from mid-ranks in
/// O(n log n) (Sun and Xu, IEEE Signal Process. Lett. 21:1389, 2014). Absent with fewer than two images of either kind.
std::optional<double> delong_variance(std::span<const float> scores, std::span<const std::uint8_t> positive);

/// Interval of the AUROC: DeLong's variance on the logit scale, which keeps the interval inside (0, 1) and covers
/// better near 1 than the plain one (Pepe, The Statistical Evaluation of Medical Tests, 2003, section 5.2.5). Where
/// that variance says nothing (a perfect ranking, a single image of a kind): method 5 of Newcombe, Stat. Med. 25:559,
/// 2006. Absent when the AUROC is.
std::optional<Interval> auroc_interval(std::span<const float> scores, std::span<const std::uint8_t> positive,
                                       double z = kZ95);

/// Two AUROCs of the same images.
struct PairedAurocs {
  double difference = 0.0;  // of a less that of b
  double standard_error = 0.0;
  Interval ci95;                  // difference -+ 1.96 standard errors
  double z = 0.0, p_value = 1.0;  // two-sided, of equal areas
};

/// Test of DeLong, DeLong and Clarke-Pearson (1988, equations 5 and 6), with the placements of Sun and Xu (2014) in
/// O(n log n). Every image counts as one observation. Absent with fewer than two images of either kind, and when the
/// two rank all images alike but for constant shifts, so that the difference has no variance (unless it is 0: p is 1).
std::optional<PairedAurocs> paired_delong(std::span<const float> a, std::span<const float> b,
                                          std::span<const std::uint8_t> positive);

/// Whether two networks err equally often, from the images on which one is right and the other wrong.
struct McNemar {
  double p_value = 1.0;  // two-sided
  bool exact = true;
  double statistic = 0.0;  // chi-square with 1 degree of freedom; 0 where exact
};

/// With fewer than 25 such images the binomial test; else chi-square with continuity correction
/// (McNemar, Psychometrika 12:153, 1947; Edwards, Psychometrika 13:185, 1948).
McNemar mcnemar(std::int64_t only_a_right, std::int64_t only_b_right);

/// Draws patients with replacement, all images of a patient together, and hands out how often each image is in.
/// The draws are Philox numbers of (seed, resample, draw): the same intervals on every machine.
class GroupBootstrap {
 public:
  /// groups: (n) names; an empty name is a group of its own, and so is every image when `groups` is empty.
  GroupBootstrap(std::int64_t n_images, std::span<const std::string> groups, std::uint64_t seed);
  [[nodiscard]] std::int64_t n_groups() const { return n_groups_; }
  /// weights: (n images), overwritten.
  void resample(std::int64_t index, std::span<std::int32_t> weights) const;
  /// Calls take(weights) for each of n resamples; for none where there is one group alone, which resampled is the same
  /// group: no spread to learn from.
  template <class Take>
  void for_each(std::int64_t n_resamples, const Take& take) const {
    std::vector<std::int32_t> weights(group_of_image_.size());
    for (std::int64_t r = 0; n_groups_ > 1 && r < n_resamples; ++r) {
      resample(r, weights);
      take(std::span<const std::int32_t>(weights));
    }
  }

 private:
  std::int64_t n_groups_ = 0;
  std::uint64_t seed_;
  std::vector<std::int64_t> group_of_image_;  // (n images)
};

/// Percentile interval (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13; quantiles
/// interpolated linearly) of the resamples in which the value was defined; absent when that is fewer than half, or when
/// all are alike, which says nothing of how far another sample may lie.
std::optional<Interval> percentile_interval(const std::vector<std::optional<double>>& resampled_values);

/// Interval of a value that resampling pushes upwards, as it does a mean of absolute deviations: the basic bootstrap
/// 2 value - percentiles (Davison and Hinkley, Bootstrap Methods and their Application, 1997, equation 5.6) takes that
/// off again. Cut off at 0, and widened where it would not hold the value itself.
std::optional<Interval> basic_interval(double value, const std::vector<std::optional<double>>& resampled_values);

}  // namespace xrai
