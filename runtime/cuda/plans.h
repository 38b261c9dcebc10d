// The CUDA device's plans, one file each; mirror image of runtime/cpu.
#pragma once

#include <memory>

#include "runtime/core/plans.h"
#include "runtime/core/specs.h"
#include "runtime/cuda/context.h"

namespace xrai::cuda {

std::unique_ptr<ConvolutionPlan> make_convolution_plan(Context& context, const ConvolutionSpec& spec);
std::unique_ptr<PoolingPlan> make_pooling_plan(Context& context, const PoolingSpec& spec);
std::unique_ptr<DensePlan> make_dense_plan(Context& context, const DenseSpec& spec);

}  // namespace xrai::cuda
