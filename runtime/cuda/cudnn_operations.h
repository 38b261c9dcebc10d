// The operations xrai takes from cuDNN as graphs: convolution forward (with bias and ReLU), its two gradients, pooling
// forward and backward. What our own kernels do is not here (bias gradients, batch normalisation, optimiser).
#pragma once

#include <cstdint>
#include <string>

#include "kernels/data_type.h"
#include "runtime/core/precision.h"
#include "runtime/core/specs.h"
#include "runtime/cuda/cudnn_graph.h"
#include "runtime/cuda/cudnn_plan.h"

namespace xrai::cuda {

CudnnPolicy policy_for(Precision mode);
/// For pooling in any precision. It multiplies nothing, but the engine that compiles it carries the note of tensor
/// cores for all it can compile: asked for true float32, it would be left out and nothing would be left.
/// It is given no workspace: no engine of 9.19 wants one, and whoever pools has none.
CudnnPolicy pooling_policy();

/// The uids under which plans take memory. Layouts: activations (n, height, width, channels), weights (filters, kh, kw,
/// channels / groups), places as y with one byte each.
enum class Operand : std::int64_t { kX = 1, kWeights, kBias, kY, kDx, kDweights, kDy, kPlaces };
inline CudnnBinding bind(Operand operand, const void* memory) {
  return {static_cast<std::int64_t>(operand), const_cast<void*>(memory)};  // the library takes void* for what it reads
}

enum class Epilogue : std::uint8_t { kNone, kBias, kBiasRelu, kRelu };
/// What the spec wants behind the sum.
Epilogue epilogue_of(const ConvolutionSpec& spec);

// Throw NotSupported where the library knows no such graph.

/// kX, kWeights (, kBias) -> kY. The bias has the type of the activations: for float16 and bfloat16 cuDNN 9.19 has no
/// engine that adds a float32 bias, on none of the GPUs of docs/gpu-support.md.
CudnnGraph convolution_forward(const ConvolutionSpec& spec, Precision mode, Epilogue epilogue,
                               const CudnnTarget& target);
/// kDy, kWeights -> kDx.
CudnnGraph convolution_data_gradient(const ConvolutionSpec& spec, Precision mode, const CudnnTarget& target);
/// kX, kDy -> kDweights, of the type of the activations: from float16 and bfloat16 cuDNN 9.19 has no engine that leaves
/// float32, on none of those GPUs. The sums are float32 all the same; only the result is rounded.
CudnnGraph convolution_filter_gradient(const ConvolutionSpec& spec, Precision mode, const CudnnTarget& target);
/// kX -> kY, and kPlaces for max pooling in training.
CudnnGraph pooling_forward(const PoolingSpec& spec, DataType type, const CudnnTarget& target);
/// kDy (, kPlaces) -> kDx.
CudnnGraph pooling_backward(const PoolingSpec& spec, DataType type, const CudnnTarget& target);

/// "a 3x3 convolution (stride 1x1, padding 1 1 1 1, groups 1) of (32, 96, 96, 16) to 32 filters".
std::string to_words(const ConvolutionSpec& spec);
std::string to_words(const PoolingSpec& spec);

}  // namespace xrai::cuda
