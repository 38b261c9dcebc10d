// The CPU device's plans, one file each; mirror image of runtime/cuda.
#pragma once

#include <memory>

#include "runtime/core/plans.h"
#include "runtime/core/specs.h"
#include "runtime/cpu/onednn.h"

namespace xrai::cpu {

std::unique_ptr<ConvolutionPlan> make_convolution_plan(OneDnn& onednn, const ConvolutionSpec& spec);
std::unique_ptr<ByteConvolutionPlan> make_byte_convolution_plan(OneDnn& onednn, const ByteConvolutionSpec& spec);
std::unique_ptr<PoolingPlan> make_pooling_plan(OneDnn& onednn, const PoolingSpec& spec);
std::unique_ptr<DensePlan> make_dense_plan(OneDnn& onednn, const DenseSpec& spec);

}  // namespace xrai::cpu
