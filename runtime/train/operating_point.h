// The probability from which a network of two classes says the second one, and the rules by which it is chosen on
// validation pictures. Lives here: rules and their arithmetic. Not here: which pictures those are (apps).
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "runtime/train/metrics.h"

namespace xrai {

/// One of the words of --operating-point.
struct OperatingRule {
  enum class Kind { kDefault, kYouden, kSensitivity, kSpecificity };
  Kind kind = Kind::kDefault;
  double target = 0.0;  // of kSensitivity and kSpecificity, in (0, 1]
};

/// "default", "youden", "sens=0.95", "spec=0.9". Throws Error(kUsage) for anything else.
OperatingRule operating_rule(const std::string& text);
/// What is wrong with the text, for a command line; empty when it is a rule.
std::string operating_rule_problem(const std::string& text);

struct OperatingPoint {
  double threshold = 0.5;
  std::string rule = "default";  // as in --operating-point
  std::string chosen_on;  // "631 validation pictures: sensitivity 98.1 %, specificity 97.0 % there"; empty: on nothing
};

/// No threshold is chosen outside these: beyond, probabilities are saturated and their differences are noise.
inline constexpr double kLowestThreshold = 0.01, kHighestThreshold = 0.99;

/// Thresholds that are looked at lie midway between neighbouring distinct scores, and within the two limits.
/// default: 0.5, whatever the pictures. youden: largest sensitivity + specificity (Youden, Cancer 3:32, 1950), of
/// equals the one nearest 0.5. sens=S: the highest with a sensitivity of S or more; spec=S: the lowest with a
/// specificity of S or more. Throws Error(kBadData) when a class has no picture and when no threshold reaches S.
/// labels: (n), 0 or 1; probabilities: (n, 2), calibrated as they will be used; `pictures`: what they are, for
/// chosen_on ("631 validation pictures").
OperatingPoint choose_operating_point(const std::string& rule, std::span<const std::int32_t> labels,
                                      std::span<const float> probabilities, const std::string& pictures);

}  // namespace xrai
