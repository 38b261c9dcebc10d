// How fast a step could be at best on a card that is not here: the roofline over the launches of the CUDA device. A
// model, not a measurement; docs/speed-model.md has the formulas and what they leave out.
#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>

#include "apps/bench/cards.h"
#include "apps/bench/modelled_device.h"
#include "apps/bench/network_step.h"

namespace xrai {

/// Williams, Waterman and Patterson, "Roofline: an insightful visual performance model for multicore architectures",
/// Communications of the ACM 52(4), 2009; and what passes between dependent launches on top.
struct Roofline {
  double flops_per_us, bytes_per_us, launch_us;

  [[nodiscard]] double arithmetic_us(const Launch& launch) const { return launch.flops / flops_per_us; }
  [[nodiscard]] double memory_us(const Launch& launch) const { return launch.bytes / bytes_per_us; }
  [[nodiscard]] double floor_us(const Launch& launch) const {
    return std::max(arithmetic_us(launch), memory_us(launch)) + launch_us;
  }
  /// "arithmetic", "memory" or "launch": the largest of the three.
  [[nodiscard]] const char* bound(const Launch& launch) const;
};
Roofline roofline_of(const Card& card, Precision precision, bool training);

/// mode: "train" or "infer". Every launch of a step, the parts of the network they belong to, and the sums. Throws
/// Error(kUsage) for a card, precision or network that does not exist.
nlohmann::ordered_json model_speed(const BenchOptions& options, const std::string& mode);
/// The same for people, on standard output.
void print_speed_model(const nlohmann::ordered_json& result);

}  // namespace xrai
