// Loss, its gradient and the count of right answers in one pass over the logits.
// Mean over the batch of w[label] * cross-entropy against smoothed targets (Szegedy et al., CVPR 2016, section 7):
// target = (1 - smoothing) * one-hot + smoothing / n_classes.
// With log_priors it is the logit-adjusted loss (Menon et al., ICLR 2021, equation 10 with tau = 1): the shares that
// the classes have in the training pictures are added here, so that the logits themselves need not hold them.
#pragma once

#include <cstdint>

#include "kernels/cuda_stream.h"
#include "kernels/data_type.h"
#include "kernels/step_numbers.h"

namespace xrai::kernels {

/// Filled by the loss kernel, one per step, in device memory.
struct LossResult {
  double loss_sum = 0;   // sum over the batch of the weighted loss
  double n_correct = 0;  // right at probability 0.5 (binary) or by the largest logit, nothing added to it
};

struct LossArguments {
  const void* logits = nullptr;          // (n, n_logits), activations: one logit means sigmoid and two classes
  const std::int32_t* labels = nullptr;  // (n), in [0, n_classes)
  const float* class_weights = nullptr;  // (n_classes)
  void* dlogits = nullptr;               // (n, n_logits), scale * d mean loss / d logit; may be null
  LossResult* results = nullptr;         // an array, of which numbers->result_slot is filled
  std::int64_t n = 0, n_logits = 0;
  float label_smoothing = 0;
  const StepNumbers* numbers = nullptr;  // null: slot 0
  const LossScale* scale = nullptr;      // null: 1
  const float* log_priors = nullptr;     // (n_classes), at most 0, added to the logits; null: nothing is
};

struct ProbabilityArguments {
  const void* logits = nullptr;    // (n, n_logits), activations
  float* probabilities = nullptr;  // (n, n_classes), rows sum to 1
  std::int64_t n = 0, n_logits = 0;
};

namespace cpu {
void loss(const LossArguments& arguments);
void probabilities(const ProbabilityArguments& arguments);
}  // namespace cpu

namespace cuda {
void loss(const LossArguments& arguments, DataType type, Stream stream);
void probabilities(const ProbabilityArguments& arguments, DataType type, Stream stream);
}  // namespace cuda

}  // namespace xrai::kernels
