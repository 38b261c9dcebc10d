// A convolution and the batch normalisation behind it as one layer. For runtime/nn/layer.cpp.
#pragma once

#include "runtime/nn/layer.h"

namespace xrai {

std::unique_ptr<Layer> make_convolution_block_layer(Device& device, Parameters& parameters, const LayerRequest& request,
                                                    const ConvolutionBlockNode& node, const Shape& in);

}  // namespace xrai
