// One step of the optimiser over the flat arenas, one launch. Decay acts on the first n_decayed elements only: the
// arena puts weights first, then biases and normalisation parameters.
#pragma once

#include <cstdint>

#include "kernels/cuda_stream.h"
#include "kernels/data_type.h"
#include "kernels/step_numbers.h"

namespace xrai::kernels {

/// What a step may do, decided once for the whole arena: made by decide_update, read by adamw and sgd.
struct UpdateDecision {
  float gradient_factor = 1;  // clipping, and the loss scale taken back
  float learning_rate = 0;
  float step_size = 0;                // learning rate over 1 - beta1^t
  float inverse_root_correction = 1;  // 1 / sqrt(1 - beta2^t)
  std::uint32_t skip = 0;             // 1: the gradient is not finite under a loss scale, nothing may change
};

struct DecideUpdateArguments {
  const float* gradients = nullptr;  // (n); read when there is a clip or a scale only
  std::int64_t n = 0;
  float max_gradient_norm = 0;  // of the gradient without the loss scale; 0: no clipping
  float beta1 = 0, beta2 = 0;   // of AdamW, 0 for SGD
  const StepNumbers* numbers = nullptr;
  LossScale* scale = nullptr;           // null: no scaling, and a gradient that is not finite is applied
  std::int32_t growth_interval = 2000;  // good steps until the scale doubles
  float smallest_scale = 1, largest_scale = 16777216;
  double* workspace = nullptr;  // sum_of_squares_workspace_doubles(n)
  UpdateDecision* decision = nullptr;
};

/// AdamW: Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2.
struct AdamWArguments {
  float* weights = nullptr;
  const float* gradients = nullptr;
  float* first_moment = nullptr;
  float* second_moment = nullptr;
  void* narrow_weights = nullptr;  // the weights in the activations' type, written too; null: nobody wants them
  std::int64_t n = 0, n_decayed = 0;
  float beta1 = 0.9f, beta2 = 0.999f, epsilon = 1e-8f, weight_decay = 0;
  const UpdateDecision* decision = nullptr;
};

/// SGD with Nesterov momentum in the form of Sutskever et al., ICML 2013, as written by PyTorch: g += decay * w;
/// v = momentum * v + g; w -= learning_rate * (g + momentum * v).
struct SgdArguments {
  float* weights = nullptr;
  const float* gradients = nullptr;
  float* velocity = nullptr;
  void* narrow_weights = nullptr;  // as above
  std::int64_t n = 0, n_decayed = 0;
  float momentum = 0.9f, weight_decay = 0;
  const UpdateDecision* decision = nullptr;
};

/// Partial sums of sum_of_squares: as many as the size asks for, whatever the device.
std::int64_t sum_of_squares_workspace_doubles(std::int64_t n);

// undo_if_skipped: values[i] = before[i] where the decision was to skip the step; what a step changes before the
// decision is known (running statistics) is put back by it.
namespace cpu {
void undo_if_skipped(const UpdateDecision* decision, const float* before, float* values, std::int64_t n);
void decide_update(const DecideUpdateArguments& arguments);
void adamw(const AdamWArguments& arguments);
void sgd(const SgdArguments& arguments);
/// *result = sum of x[i]^2; the same bits whatever the number of threads.
void sum_of_squares(const float* x, std::int64_t n, double* workspace, double* result);
}  // namespace cpu

namespace cuda {
void undo_if_skipped(const UpdateDecision* decision, const float* before, float* values, std::int64_t n, Stream stream);
void decide_update(const DecideUpdateArguments& arguments, Stream stream);
void adamw(const AdamWArguments& arguments, DataType type, Stream stream);
void sgd(const SgdArguments& arguments, DataType type, Stream stream);
void sum_of_squares(const float* x, std::int64_t n, double* workspace, double* result, Stream stream);
}  // namespace cuda

}  // namespace xrai::kernels
