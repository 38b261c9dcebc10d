// A whole network in double, layer by layer as a person wrote it: nothing fused, no memory shared. Forward only; its
// gradients come from central differences.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "runtime/nn/model.h"
#include "tests/support/random.h"

namespace xrai::testing {

/// Parameters and running statistics by name, in the arena's layout.
using NamedDoubles = std::map<std::string, Doubles>;

/// "conv1.weight" ..., "norm1.mean", "norm1.variance" of the model as it stands.
NamedDoubles parameters_of(Model& model);

/// Logits (n, n_logits) for pictures x (n, height, width, 1). Training takes the batch's statistics and drops out.
Doubles network_reference(const Model& model, const NamedDoubles& parameters, const Doubles& x, std::int64_t n,
                          bool training, StepContext context = nullptr);

}  // namespace xrai::testing
