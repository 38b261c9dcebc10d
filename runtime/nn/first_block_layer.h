// The first four layers of most networks as one (kernels/first_block.h), on devices that have it.
#pragma once

#include <memory>

#include "runtime/nn/layer.h"

namespace xrai {

std::unique_ptr<Layer> make_first_block_layer(Device& device, Parameters& parameters, const LayerRequest& request,
                                              const FirstBlockNode& node);

}  // namespace xrai
