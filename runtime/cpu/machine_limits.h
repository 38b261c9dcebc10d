// What this machine's cores and memory allow, measured on the spot: the marks that a step is held against. Nothing here
// takes part in training.
#pragma once

#include "runtime/core/specs.h"

namespace xrai::cpu {

/// Milliseconds of the convolution by oneDNN's direct primitives alone, with the gradients that the spec asks for: the
/// sum of the fastest, each in channels last and in oneDNN's own layout, median of `repeats`.
double direct_convolution_ms(const ConvolutionSpec& spec, int repeats = 3);

/// 1e9 multiplications and additions a second of a large direct convolution, forward.
double convolution_gflops();

/// 1e9 bytes a second that all threads read and write when they copy more than caches hold.
double copy_gb_per_second();

}  // namespace xrai::cpu
