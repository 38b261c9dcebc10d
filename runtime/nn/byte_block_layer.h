// The layer of a ByteBlockNode.
#pragma once

#include <memory>

#include "runtime/nn/layer.h"

namespace xrai {

std::unique_ptr<Layer> make_byte_block_layer(Device& device, Parameters& parameters, const LayerRequest& request,
                                             const ByteBlockNode& node, const Shape& in);

}  // namespace xrai
