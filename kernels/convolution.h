// Convolution for what the vendor's library has no plan for, on CUDA: forward and both gradients. Any kernel, stride,
// padding and number of groups. Layouts: x (n, height, width, channels), y (n, out_height, out_width, filters), weights
// (filters, kernel_height, kernel_width, channels / groups). Sums are float32 in an order that depends on the sizes
// only. There is no CPU twin: oneDNN has every convolution.
#pragma once

#include <cstdint>

#include "kernels/cuda_stream.h"
#include "kernels/data_type.h"
#include "kernels/window.h"

namespace xrai::kernels {

struct ConvolutionSizes {
  WindowSizes window;
  std::int32_t channels = 0, filters = 0, groups = 1;
};

// x, y, their gradients, weights and bias are activations. Throw std::length_error for sizes that a launch cannot hold.
namespace cuda {
/// y = x * weights + bias, cut off below zero where `relu`. bias (filters) or null.
void convolution(const ConvolutionSizes& sizes, const void* x, const void* weights, const void* bias, bool relu,
                 void* y, DataType type, Stream stream);
void convolution_data_gradient(const ConvolutionSizes& sizes, const void* dy, const void* weights, void* dx,
                               DataType type, Stream stream);
/// `workspace`: convolution_filter_gradient_workspace_floats(); may be null where that is 0.
void convolution_filter_gradient(const ConvolutionSizes& sizes, const void* x, const void* dy, float* dweights,
                                 float* workspace, DataType type, Stream stream);
std::int64_t convolution_filter_gradient_workspace_floats(const ConvolutionSizes& sizes);
}  // namespace cuda

}  // namespace xrai::kernels
