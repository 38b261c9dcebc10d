// Temperature scaling: one number that makes a network's probabilities softer or sharper, so that 80 % means right
// eight times in ten. Lives here: finding it on validation pictures and applying it. Not here: how well probabilities
// fit (metrics.h), where the number is kept (checkpoint.h).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "runtime/train/confidence.h"

namespace xrai {

/// What fit_temperature found.
struct TemperatureFit {
  std::optional<double> temperature;  // absent: the pictures do not determine it
  std::optional<Interval> ci95;       // absent where the temperature is
  std::string remark;                 // why it is absent
};

/// The temperature T > 0 that minimises the mean of weight(label) * -ln p_T(label), where p_T is proportional to
/// p^(1/T): the softmax of logits divided by T (Guo et al., ICML 2017, section 4.2). That is convex in 1/T; Newton's
/// method, kept inside [0.1, 10] by bisection. The interval is Wald's on the scale of ln T with White's sandwich
/// variance (Econometrica 50:1, 1982). Absent when the minimum lies outside (no picture is called wrongly, or the
/// network knows nothing) and when the interval spans more than a factor of 1.65 to either side: a number made of a few
/// mistakes would do more harm than none. labels: (n); probabilities: (n, classes); class_weights: (classes).
TemperatureFit fit_temperature(std::span<const std::int32_t> labels, std::span<const float> probabilities,
                               std::int64_t n_classes, std::span<const float> class_weights);

/// Each row p becomes p^(1/T) / sum. The order of classes in a row is kept, and with two classes the order of rows and
/// 0.5; 1/T takes it back. probabilities: (n, classes).
void apply_temperature(std::span<float> probabilities, std::int64_t n_classes, double temperature);

}  // namespace xrai
