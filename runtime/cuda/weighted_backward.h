// What the backward passes of a convolution and a dense layer share: the ReLU's gate, the bias' gradient, and gradients
// of weights that the library leaves in the activations' type.
#pragma once

#include <cstdint>

#include "kernels/elementwise.h"
#include "runtime/cuda/context.h"

namespace xrai::cuda {

class WeightedBackward {
 public:
  /// y has (rows, columns) elements, columns being what the bias has. `narrow_weights`: elements of the weights'
  /// gradient that come in the activations' type and are to be widened; 0 where they come as float.
  WeightedBackward(Context& context, std::int64_t rows, std::int64_t columns, bool relu, bool bias,
                   std::int64_t narrow_weights)
      : context_(context), rows_(rows), columns_(columns), relu_(relu), bias_(bias), narrow_weights_(narrow_weights) {}

  [[nodiscard]] std::size_t workspace_bytes() const {
    return aligned(static_cast<std::size_t>(narrow_weights_) * size_of(context_.type())) + sums_bytes();
  }

  /// Turns dy into the gradient in front of the ReLU and sums it up into the bias' gradient.
  void begin(const void* y, void* dy, float* dbias, void* workspace) const {
    if (relu_) kernels::cuda::relu_backward(y, dy, dy, rows_ * columns_, context_.type(), context_.compute.get());
    if (bias_)
      kernels::cuda::column_sums(dy, dbias, rows_, columns_, static_cast<float*>(workspace), context_.type(),
                                 context_.compute.get());
  }

  /// Where the library is to leave the weights' gradient.
  [[nodiscard]] void* weights_gradient(float* dweights, void* workspace) const {
    return narrow_weights_ > 0 ? static_cast<std::byte*>(workspace) + sums_bytes() : static_cast<void*>(dweights);
  }
  /// After the library's call.
  void end(float* dweights, void* workspace) const {
    if (narrow_weights_ > 0)
      kernels::cuda::widen(weights_gradient(dweights, workspace), dweights, narrow_weights_, context_.type(),
                           context_.compute.get());
  }

 private:
  [[nodiscard]] std::size_t sums_bytes() const {
    if (!bias_) return 0;
    return aligned(static_cast<std::size_t>(kernels::cuda::column_sums_workspace_floats(rows_, columns_)) *
                   sizeof(float));
  }

  Context& context_;
  std::int64_t rows_, columns_;
  bool relu_, bias_;
  std::int64_t narrow_weights_;
};

}  // namespace xrai::cuda
