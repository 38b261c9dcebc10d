// 3x3 convolutions by kernels/winograd.h.
#pragma once

#include <memory>

#include "runtime/core/plans.h"
#include "runtime/core/specs.h"

namespace xrai::cpu {

/// Null where oneDNN's are faster, or it has no such plan.
std::unique_ptr<ConvolutionPlan> make_winograd_plan(const ConvolutionSpec& spec);
/// Null only where it has no such plan. For tests: sanitizer builds, in which it never pays, run it so.
std::unique_ptr<ConvolutionPlan> make_winograd_plan_that_fits(const ConvolutionSpec& spec);

}  // namespace xrai::cpu
