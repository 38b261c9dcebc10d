// A Spec made ready for one shape on one device. Pointers are device memory; a workspace of workspace_bytes() is
// passed to every call. backward says what it reads and overwrites its results, it does not accumulate. x, y, their
// gradients, weights and bias are of the device's activation type; gradients of weights and bias are float.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>

#include "kernels/batch_norm.h"

namespace xrai {

/// Which implementation an operation got after several were timed, both in the device's own words.
using PlanChoices = std::map<std::string, std::string>;

class ConvolutionPlan {
 public:
  virtual ~ConvolutionPlan() = default;
  [[nodiscard]] virtual std::size_t workspace_bytes() const = 0;
  /// Which implementation the vendor's library chose, for the per-layer table.
  [[nodiscard]] virtual std::string implementation() const = 0;
  /// Of what the plan makes at its first call and keeps (spec.constant).
  [[nodiscard]] virtual std::size_t kept_bytes() const { return 0; }
  /// x (n, h, w, c), weights (o, kh, kw, c / groups), bias (o) or null -> y.
  virtual void forward(const void* x, const void* weights, const void* bias, void* y, void* workspace) = 0;
  /// dy is overwritten when a ReLU is fused. dx null: not wanted; dbias null: no bias.
  virtual void backward(const void* x, const void* weights, const void* y, void* dy, void* dx, float* dweights,
                        float* dbias, void* workspace) = 0;

  /// Whether the plan takes spec.normalised along: forward_normalised() is then called, and neither forward nor
  /// backward.
  [[nodiscard]] virtual bool normalises() const { return false; }
  /// x -> norm.y. norm.x is not read: the convolution's output need not exist. norm.winner is not written.
  virtual void forward_normalised(const void*, const void* /*weights*/, const kernels::BatchNormArguments& /*norm*/,
                                  void* /*workspace*/) {
    throw std::logic_error("this convolution takes no batch normalisation along");
  }

  /// Whether the two calls below exist: the batch normalisation behind the convolution is taken along, some pictures at
  /// a time, while their maps are in the cache. Their results are those of the calls one after the other.
  [[nodiscard]] virtual bool joins_batch_norm() const { return false; }
  /// forward without a bias, and the batch's statistics of y.
  virtual void forward_with_statistics(const void*, const void* /*weights*/, void* /*y*/,
                                       const kernels::BatchStatisticsArguments& /*of y*/, void* /*workspace*/) {
    throw std::logic_error("this convolution takes no batch normalisation along");
  }
  /// norm.forward.x is the convolution's output; norm.dx is not wanted and not written.
  virtual void backward_with_batch_norm(const void*, const void* /*weights*/,
                                        const kernels::BatchNormBackwardArguments& /*norm*/, void* /*dx*/,
                                        float* /*dweights*/, void* /*workspace*/) {
    throw std::logic_error("this convolution takes no batch normalisation along");
  }
};

/// y = max pool(relu(normalised(convolution(x)))), x in bytes, channels last. A byte b stands for b * step. Weights,
/// the normalisation's scale in them, are rounded to 1 / 127 of a filter's largest; sums are exact, and rounded once
/// when y is in bytes, larger values than 255 steps cut off.
class ByteConvolutionPlan {
 public:
  virtual ~ByteConvolutionPlan() = default;
  [[nodiscard]] virtual std::size_t workspace_bytes() const = 0;
  [[nodiscard]] virtual std::string implementation() const = 0;
  /// Before the first forward: weights (o, kh, kw, c); of `normalisation`, what lies a number a channel is read.
  /// output_step is of no account where y is float.
  virtual void prepare(const float* weights, const kernels::BatchNormArguments& normalisation, float input_step,
                       float output_step) = 0;
  virtual void forward(const std::uint8_t* x, void* y, void* workspace) = 0;
};

class PoolingPlan {
 public:
  virtual ~PoolingPlan() = default;
  /// What forward in training leaves for backward (places of the maxima).
  [[nodiscard]] virtual std::size_t saved_bytes() const = 0;
  virtual void forward(const void* x, void* y, void* saved) = 0;
  virtual void backward(const void* dy, void* dx, const void* saved) = 0;
};

class DensePlan {
 public:
  virtual ~DensePlan() = default;
  [[nodiscard]] virtual std::size_t workspace_bytes() const = 0;
  /// x (n, inputs), weights (outputs, inputs), bias (outputs) or null -> y (n, outputs).
  virtual void forward(const void* x, const void* weights, const void* bias, void* y, void* workspace) = 0;
  /// dy is overwritten when a ReLU is fused.
  virtual void backward(const void* x, const void* weights, const void* y, void* dy, void* dx, float* dweights,
                        float* dbias, void* workspace) = 0;
};

}  // namespace xrai
