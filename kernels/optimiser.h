// One step of the optimiser over the flat arenas, one launch. Decay acts on the first n_decayed elements only: the
// arena puts weights first, then biases and normalisation parameters.
#pragma once

#include <cstdint>

namespace xrai::kernels {

/// What both optimisers share. The gradient is scaled so that its norm is at most max_gradient_norm.
struct GradientClip {
  const double* sum_of_squares = nullptr;  // of the whole gradient, in device memory
  float max_gradient_norm = 0;             // 0: no clipping
};

/// AdamW: Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2.
struct AdamWArguments {
  float* weights = nullptr;
  const float* gradients = nullptr;
  float* first_moment = nullptr;
  float* second_moment = nullptr;
  std::int64_t n = 0, n_decayed = 0;
  std::int64_t step = 1;  // counted from 1
  float learning_rate = 0, beta1 = 0.9f, beta2 = 0.999f, epsilon = 1e-8f, weight_decay = 0;
  GradientClip clip;
};

/// SGD with Nesterov momentum in the form of Sutskever et al., ICML 2013, as written by PyTorch: g += decay * w;
/// v = momentum * v + g; w -= learning_rate * (g + momentum * v).
struct SgdArguments {
  float* weights = nullptr;
  const float* gradients = nullptr;
  float* velocity = nullptr;
  std::int64_t n = 0, n_decayed = 0;
  float learning_rate = 0, momentum = 0.9f, weight_decay = 0;
  GradientClip clip;
};

namespace cpu {
void adamw(const AdamWArguments& arguments);
void sgd(const SgdArguments& arguments);
/// *result = sum of x[i]^2; the same bits whatever the number of threads.
void sum_of_squares(const float* x, std::int64_t n, double* result);
}  // namespace cpu

}  // namespace xrai::kernels
