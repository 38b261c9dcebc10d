// Steps of a network timed on a device, as a whole and layer by layer.
#pragma once

#include <nlohmann/json.hpp>

#include "apps/bench/network_step.h"

namespace xrai {

/// mode: "train" or "infer". Milliseconds, images a second, bytes of memory, and a row for each part of a step.
nlohmann::ordered_json measure(Device& device, const BenchOptions& options, const std::string& mode);
/// The same for people, on standard output.
void print_measurement(const nlohmann::ordered_json& result);

}  // namespace xrai
