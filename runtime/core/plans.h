// A Spec made ready for one shape on one device. Pointers are device memory; a workspace of workspace_bytes() is
// passed to every call. backward says what it reads and overwrites its results, it does not accumulate. x, y, their
// gradients, weights and bias are of the device's activation type; gradients of weights and bias are float.
#pragma once

#include <cstddef>
#include <map>
#include <string>

namespace xrai {

/// Which implementation an operation got after several were timed, both in the device's own words.
using PlanChoices = std::map<std::string, std::string>;

class ConvolutionPlan {
 public:
  virtual ~ConvolutionPlan() = default;
  [[nodiscard]] virtual std::size_t workspace_bytes() const = 0;
  /// Which implementation the vendor's library chose, for the per-layer table.
  [[nodiscard]] virtual std::string implementation() const = 0;
  /// x (n, h, w, c), weights (o, kh, kw, c / groups), bias (o) or null -> y.
  virtual void forward(const void* x, const void* weights, const void* bias, void* y, void* workspace) = 0;
  /// dy is overwritten when a ReLU is fused. dx null: not wanted; dbias null: no bias.
  virtual void backward(const void* x, const void* weights, const void* y, void* dy, void* dx, float* dweights,
                        float* dbias, void* workspace) = 0;
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
