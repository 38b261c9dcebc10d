// Batch normalisation with what follows it, so that the convolution's output is walked over as seldom as possible:
//   y = max_pool_2x2(relu(gamma * (x - mean) / sqrt(variance + epsilon) + beta + residual)), each part optional.
// Ioffe and Szegedy, "Batch normalization", ICML 2015, algorithm 1 (forward) and section 3 (gradients). Channels last.
#pragma once

#include <cstdint>

#include "kernels/cuda_stream.h"
#include "kernels/data_type.h"

namespace xrai::kernels {

struct BatchNormShape {
  std::int64_t n = 0, height = 0, width = 0, channels = 0;
  [[nodiscard]] std::int64_t positions() const { return n * height * width; }
};

struct BatchStatisticsArguments {
  const void* x = nullptr;  // (n, height, width, channels), activations
  BatchNormShape shape;
  float epsilon = 1e-5f, momentum = 0.1f;
  float* mean = nullptr;               // (channels), of this batch
  float* inverse_deviation = nullptr;  // (channels), 1 / sqrt(biased variance + epsilon)
  float* running_mean = nullptr;       // (channels), running = (1 - momentum) * running + momentum * batch
  float* running_variance = nullptr;   // (channels), fed with the unbiased variance; a single position leaves it alone
  double* workspace = nullptr;         // batch_norm_workspace_doubles(shape)
};

struct BatchNormArguments {
  const void* x = nullptr;                   // (n, height, width, channels), activations
  const void* residual = nullptr;            // like x, or null; not together with pool
  const float* gamma = nullptr;              // (channels)
  const float* beta = nullptr;               // (channels)
  const float* mean = nullptr;               // (channels)
  const float* inverse_deviation = nullptr;  // (channels)
  void* y = nullptr;               // like x (may be x itself), or (n, height / 2, width / 2, channels) with pool
  std::uint8_t* winner = nullptr;  // with pool: which of the window's four won, row by row; may be null
  BatchNormShape shape;
  bool relu = false, pool = false;
};

struct BatchNormBackwardArguments {
  // As forward was called. What `residual` holds is not read, nor on the CPU what y holds without residual and pool.
  BatchNormArguments forward;
  const void* dy = nullptr;     // like y
  void* dx = nullptr;           // like x; may be x itself; null: not wanted
  void* dresidual = nullptr;    // like x when there was a residual; may be dy itself
  float* dgamma = nullptr;      // (channels)
  float* dbeta = nullptr;       // (channels)
  double* workspace = nullptr;  // batch_norm_workspace_doubles(shape)
};

/// Partial sums are kept for blocks of rows, whose number depends on the shape only: same bits for any thread count.
std::int64_t batch_norm_workspace_doubles(const BatchNormShape& shape);

namespace cpu {
void batch_statistics(const BatchStatisticsArguments& arguments);
void batch_norm(const BatchNormArguments& arguments);
/// Gradients of the training form, in which mean and deviation depend on x.
void batch_norm_backward(const BatchNormBackwardArguments& arguments);

// The same in parts, for who has only some pictures of x in the cache at a time. Bits are those of the calls above.
/// Moments of x, of which the first `positions` are there; `before` were there at the last call.
void batch_moments(const BatchStatisticsArguments& arguments, std::int64_t before, std::int64_t positions);
/// Behind them: mean, deviation and running statistics.
void finish_batch_statistics(const BatchStatisticsArguments& arguments);
/// dgamma and dbeta.
void batch_norm_parameter_gradients(const BatchNormBackwardArguments& arguments);
/// Behind them: dx and dresidual of pictures first, first + 1, ...; the arguments are those of the whole batch, but dx
/// is where the gradient of the first of these pictures goes.
void batch_norm_input_gradients(const BatchNormBackwardArguments& arguments, std::int64_t first, std::int64_t count);

/// y = conv(x, weights) normalised by known statistics is conv(x, folded) + shift. weights, folded: (channels,
/// per_channel), shift: (channels). Of the arguments, what lies a number a channel is read.
void fold_batch_norm(const BatchNormArguments& arguments, const float* weights, std::int64_t per_channel, float* folded,
                     float* shift);

/// inverse[c] = 1 / sqrt(variance[c] + epsilon): running statistics made ready for batch_norm in evaluation.
void inverse_deviation(const float* variance, float epsilon, std::int64_t channels, float* inverse);
}  // namespace cpu

namespace cuda {
void batch_statistics(const BatchStatisticsArguments& arguments, DataType type, Stream stream);
void batch_norm(const BatchNormArguments& arguments, DataType type, Stream stream);
void batch_norm_backward(const BatchNormBackwardArguments& arguments, DataType type, Stream stream);
void inverse_deviation(const float* variance, float epsilon, std::int64_t channels, float* inverse, Stream stream);
}  // namespace cuda

}  // namespace xrai::kernels
