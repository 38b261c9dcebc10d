// What a byte between two blocks of a network stands for. For the files that make layers.
#pragma once

#include "runtime/core/device.h"
#include "runtime/nn/graph.h"
#include "runtime/nn/parameters.h"

namespace xrai {

/// Throws Error(kBadData) where a weight or a statistic is no number: rounded to bytes it would look like one.
void require_finite(Device& device, Parameters& parameters);

/// The step of the bytes behind a normalisation with ReLU. A channel's values have mean `shift` and deviation `scale`
/// over the pictures of the training, since that is what normalising means; 255 steps reach to twelve deviations above
/// the mean of the channel that reaches farthest. So the training's statistics calibrate, and no pictures are needed.
/// Throws Error(kBadData) where that is no number.
float step_after(Device& device, Parameters& parameters, const NormalisationNode& node);

}  // namespace xrai
