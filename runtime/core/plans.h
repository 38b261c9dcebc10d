// A Spec made ready for one shape on one device. Pointers are device memory; a workspace of workspace_bytes() is
// passed to every call. backward says what it reads and overwrites its results, it does not accumulate.
#pragma once

#include <cstddef>
#include <string>

namespace xrai {

class ConvolutionPlan {
 public:
  virtual ~ConvolutionPlan() = default;
  [[nodiscard]] virtual std::size_t workspace_bytes() const = 0;
  /// Which implementation the vendor's library chose, for the per-layer table.
  [[nodiscard]] virtual std::string implementation() const = 0;
  /// x (n, h, w, c), weights (o, kh, kw, c / groups), bias (o) or null -> y.
  virtual void forward(const float* x, const float* weights, const float* bias, float* y, void* workspace) = 0;
  /// dy is overwritten when a ReLU is fused. dx null: not wanted; dbias null: no bias.
  virtual void backward(const float* x, const float* weights, const float* y, float* dy, float* dx, float* dweights,
                        float* dbias, void* workspace) = 0;
};

class PoolingPlan {
 public:
  virtual ~PoolingPlan() = default;
  /// What forward in training leaves for backward (places of the maxima).
  [[nodiscard]] virtual std::size_t saved_bytes() const = 0;
  virtual void forward(const float* x, float* y, void* saved) = 0;
  virtual void backward(const float* dy, float* dx, const void* saved) = 0;
};

class DensePlan {
 public:
  virtual ~DensePlan() = default;
  [[nodiscard]] virtual std::size_t workspace_bytes() const = 0;
  /// x (n, inputs), weights (outputs, inputs), bias (outputs) or null -> y (n, outputs).
  virtual void forward(const float* x, const float* weights, const float* bias, float* y, void* workspace) = 0;
  /// dy is overwritten when a ReLU is fused.
  virtual void backward(const float* x, const float* weights, const float* y, float* dy, float* dx, float* dweights,
                        float* dbias, void* workspace) = 0;
};

}  // namespace xrai
