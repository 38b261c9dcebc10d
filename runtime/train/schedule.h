// Learning rate as a pure function of the step: nothing to save, nothing to get out of step on resuming.
#pragma once

#include <cstdint>

#include "runtime/train/settings.h"

namespace xrai {

/// Learning rate of step `step` (counted from 0) out of total_steps.
///  cosine    linear warm-up (step + 1) / warm-up steps, then half a cosine to 0 (Loshchilov and Hutter, ICLR 2017)
///  onecycle  cosine from rate / 25 up to the rate over 30 % of the steps, cosine down to rate / 250,000 (Smith and
///            Topin, 2018, in the form PyTorch gives it)
///  step      warm-up, then the rate; a tenth of it from 1/2, a hundredth from 3/4 of the steps (He et al., CVPR 2016)
///  constant  warm-up, then the rate
double learning_rate_at(const ScheduleSettings& schedule, double learning_rate, std::int64_t step,
                        std::int64_t total_steps, std::int64_t steps_per_epoch);

}  // namespace xrai
