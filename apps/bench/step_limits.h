// What the CPU allows for a step at best, measured beside it: its convolutions alone, and a roofline for each layer.
#pragma once

#include <nlohmann/json.hpp>

#include "apps/bench/network_step.h"

namespace xrai {

/// Adds "limits" to what measure() gave, and to each layer's row the least that its forward pass can take.
void add_step_limits(NetworkStep& step, nlohmann::ordered_json& result);

}  // namespace xrai
