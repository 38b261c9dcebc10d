// What most networks begin with, in one kernel each way: a 3x3 convolution of pictures of one channel, batch
// normalisation, ReLU and 2x2 max pooling. The convolution's output is the largest tensor of the network and takes the
// fewest products, so it is computed again instead of being written. Channels last. There is no CUDA twin: on a GPU the
// four layers are planned apart.
#pragma once

#include <cstdint>

namespace xrai::kernels {

struct FirstBlockShape {
  std::int64_t n = 0, height = 0, width = 0, filters = 0;  // of the pictures (n, height, width, 1); filters % 16 == 0
};

/// Sums over all places of the pictures, of which the convolution's mean and variance are a linear and a quadratic
/// function, and its weights' gradient needs both.
constexpr std::int64_t kFirstBlockTaps = 9;
constexpr std::int64_t kFirstBlockMoments = kFirstBlockTaps + kFirstBlockTaps * kFirstBlockTaps;

struct FirstBlockArguments {
  const float* x = nullptr;        // (n, height, width, 1)
  const float* weights = nullptr;  // (filters, 3, 3, 1); stride 1, padding 1, no bias
  const float* gamma = nullptr;    // (filters), as are the next three
  const float* beta = nullptr;
  const float* mean = nullptr;               // of the convolution's output
  const float* inverse_deviation = nullptr;  // 1 / sqrt(variance + epsilon)
  float* y = nullptr;                        // (n, height / 2, width / 2, filters)
  std::uint8_t* winner = nullptr;            // as y: which of the window's four won, 4: none is above zero; may be null
  FirstBlockShape shape;
  // Instead of y and winner: values in steps, rounded, those above 255 steps cut off; null: not wanted.
  std::uint8_t* bytes = nullptr;  // as y
  float step = 1;
};

struct FirstBlockStatisticsArguments {
  const float* x = nullptr;        // as above
  const float* weights = nullptr;  // as above
  FirstBlockShape shape;
  float epsilon = 1e-5f, momentum = 0.1f;
  double* moments = nullptr;           // (kFirstBlockMoments), left for the gradients
  float* mean = nullptr;               // (filters), of this batch
  float* inverse_deviation = nullptr;  // (filters), of this batch
  float* running_mean = nullptr;       // (filters), as in kernels/batch_norm.h
  float* running_variance = nullptr;   // (filters)
  double* workspace = nullptr;         // first_block_workspace_doubles(shape)
};

struct FirstBlockBackwardArguments {
  FirstBlockArguments forward;      // as it was called, with winners; y is not read
  const double* moments = nullptr;  // as the statistics left them
  const float* dy = nullptr;        // like y
  float* dweights = nullptr;        // (filters, 3, 3, 1)
  float* dgamma = nullptr;          // (filters)
  float* dbeta = nullptr;           // (filters)
  double* workspace = nullptr;      // first_block_workspace_doubles(shape)
};

/// Partial sums are kept a picture: same bits for any number of threads.
std::int64_t first_block_workspace_doubles(const FirstBlockShape& shape);

namespace cpu {
/// Mean and variance of the convolution's output over the batch, without computing it.
void first_block_statistics(const FirstBlockStatisticsArguments& arguments);
void first_block(const FirstBlockArguments& arguments);
/// Gradients of the training form, in which mean and deviation depend on the pictures.
void first_block_backward(const FirstBlockBackwardArguments& arguments);
}  // namespace cpu

}  // namespace xrai::kernels
