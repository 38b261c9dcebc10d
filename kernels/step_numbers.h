// What changes from step to step. It lies in device memory, so that a step that was recorded once (a CUDA graph) reads
// the new numbers at every replay.
#pragma once

#include <cstdint>

namespace xrai::kernels {

struct StepNumbers {
  std::uint64_t seed = 0, epoch = 0, step = 0;  // keys of the random numbers; epoch and step are counted from 0
  std::uint32_t result_slot = 0;                // which LossResult of the array this step fills
  float learning_rate = 0;
};

/// Scale of the loss that keeps float16 gradients from vanishing (Micikevicius et al., "Mixed precision training",
/// ICLR 2018, section 3.2): halved by a step whose gradient is not finite, doubled after many that are.
struct LossScale {
  float scale = 1;
  std::int32_t good_steps = 0;        // since the scale last changed
  std::int32_t skipped_in_a_row = 0;  // steps that were not taken since the last good one
  std::int64_t skipped = 0;           // in all
  friend bool operator==(const LossScale&, const LossScale&) = default;
};

}  // namespace xrai::kernels
