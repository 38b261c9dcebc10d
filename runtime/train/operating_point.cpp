// See operating_point.h.
#include "runtime/train/operating_point.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>
#include <system_error>
#include <vector>

#include "runtime/core/error.h"

namespace xrai {
namespace {

using Kind = OperatingRule::Kind;

/// A number in (0, 1] that takes up the whole text, else 0.
double target_in(std::string_view text) {
  double value = 0.0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  return problem == std::errc() && end == text.data() + text.size() && value > 0.0 && value <= 1.0 ? value : 0.0;
}

bool parse(const std::string& text, OperatingRule& rule) {
  if (text == "default" || text == "youden") {
    rule = {text == "default" ? Kind::kDefault : Kind::kYouden, 0.0};
    return true;
  }
  if (!text.starts_with("sens=") && !text.starts_with("spec=")) return false;
  rule = {text.starts_with("sens=") ? Kind::kSensitivity : Kind::kSpecificity,
          target_in(std::string_view(text).substr(5))};
  return rule.target > 0.0;
}

/// The scores of both kinds in rising order.
struct SortedScores {
  std::vector<double> negative, positive;

  SortedScores(std::span<const std::int32_t> labels, std::span<const float> probabilities) {
    for (std::size_t i = 0; i < labels.size(); ++i)
      (labels[i] == 1 ? positive : negative).push_back(static_cast<double>(probabilities[2 * i + 1]));
    std::sort(negative.begin(), negative.end());
    std::sort(positive.begin(), positive.end());
  }
  [[nodiscard]] Rate sensitivity(double threshold) const {
    const auto first = std::lower_bound(positive.begin(), positive.end(), threshold);
    return {positive.end() - first, static_cast<std::int64_t>(positive.size())};
  }
  [[nodiscard]] Rate specificity(double threshold) const {
    const auto first = std::lower_bound(negative.begin(), negative.end(), threshold);
    return {first - negative.begin(), static_cast<std::int64_t>(negative.size())};
  }
  /// Midway between neighbours, and outside all; in rising order, within the limits.
  [[nodiscard]] std::vector<double> thresholds() const {
    std::vector<double> scores = {0.0, 1.0};
    scores.insert(scores.end(), negative.begin(), negative.end());
    scores.insert(scores.end(), positive.begin(), positive.end());
    std::sort(scores.begin(), scores.end());
    std::vector<double> between;
    for (std::size_t i = 1; i < scores.size(); ++i) {
      if (scores[i] == scores[i - 1]) continue;
      between.push_back(std::clamp(0.5 * (scores[i - 1] + scores[i]), kLowestThreshold, kHighestThreshold));
    }
    between.erase(std::unique(between.begin(), between.end()), between.end());
    return between;
  }
};

/// hits/of >= target, safe from the rounding of target * of.
bool reaches(const Rate& rate, double target) {
  return static_cast<double>(rate.hits) >= target * static_cast<double>(rate.of) - 1e-9;
}

double youden_threshold(const SortedScores& scores, const std::vector<double>& thresholds) {
  double best = thresholds.front(), best_index = -1.0;
  for (const double threshold : thresholds) {
    const double index = *scores.sensitivity(threshold).value() + *scores.specificity(threshold).value();
    const bool nearer = std::abs(threshold - 0.5) < std::abs(best - 0.5);
    if (index > best_index + 1e-12 || (index > best_index - 1e-12 && nearer)) {
      best = threshold;
      best_index = std::max(index, best_index);
    }
  }
  return best;
}

[[noreturn]] void refuse(const std::string& rule, const std::string& pictures, const std::string& why) {
  throw Error(ExitCode::kBadData,
              fmt::format("the operating point {} cannot be chosen on {}: {}", rule, pictures, why));
}

double threshold_for(const OperatingRule& rule, const std::string& text, const SortedScores& scores,
                     const std::string& pictures) {
  const std::vector<double> thresholds = scores.thresholds();
  if (rule.kind == Kind::kYouden) return youden_threshold(scores, thresholds);
  const bool by_sensitivity = rule.kind == Kind::kSensitivity;
  const auto fits = [&](double threshold) {
    return reaches(by_sensitivity ? scores.sensitivity(threshold) : scores.specificity(threshold), rule.target);
  };
  // Sensitivity falls with the threshold and specificity rises: the last or the first that fits is wanted.
  if (by_sensitivity) {
    const auto found = std::find_if(thresholds.rbegin(), thresholds.rend(), fits);
    if (found != thresholds.rend()) return *found;
  } else {
    const auto found = std::find_if(thresholds.begin(), thresholds.end(), fits);
    if (found != thresholds.end()) return *found;
  }
  const Rate best = by_sensitivity ? scores.sensitivity(kLowestThreshold) : scores.specificity(kHighestThreshold);
  refuse(
      text, pictures,
      fmt::format("no threshold from {} to {} reaches it, the nearest has a {} of {:.3f}; ask for less, or take "
                  "--operating-point default",
                  kLowestThreshold, kHighestThreshold, by_sensitivity ? "sensitivity" : "specificity", *best.value()));
}

}  // namespace

std::string operating_rule_problem(const std::string& text) {
  OperatingRule ignored;
  return parse(text, ignored) ? "" : "is no rule; take default, youden, sens=0.95 or spec=0.90 (any share up to 1)";
}

OperatingRule operating_rule(const std::string& text) {
  OperatingRule rule;
  if (parse(text, rule)) return rule;
  throw Error(ExitCode::kUsage, fmt::format("the operating point '{}' {}", text, operating_rule_problem(text)));
}

OperatingPoint choose_operating_point(const std::string& text, std::span<const std::int32_t> labels,
                                      std::span<const float> probabilities, const std::string& pictures) {
  const OperatingRule rule = operating_rule(text);
  if (rule.kind == Kind::kDefault) return {};
  const SortedScores scores(labels, probabilities);
  if (scores.positive.empty() || scores.negative.empty())
    refuse(text, pictures,
           fmt::format("{} class has a picture among them; validate on pictures of both",
                       labels.empty() ? "neither" : "only one"));
  const double threshold = threshold_for(rule, text, scores, pictures);
  return {threshold, text,
          fmt::format("{}: sensitivity {:.1f} %, specificity {:.1f} % there", pictures,
                      100.0 * *scores.sensitivity(threshold).value(), 100.0 * *scores.specificity(threshold).value())};
}

}  // namespace xrai
