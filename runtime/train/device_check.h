// The same network on two devices: probabilities, loss, every gradient, running statistics, and the network after some
// steps, with errors held against stated bounds. What a person runs first on a new card (apps/xrai_check.cpp).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/core/device.h"
#include "runtime/core/precision.h"
#include "runtime/nn/model_spec.h"

namespace xrai {

struct CheckSettings {
  ModelSpec model;
  std::int64_t size = 64;  // side of the pictures
  std::int64_t batch_size = 8;
  std::int64_t steps = 10;
  std::uint64_t seed = 1;
};

/// Largest |a - b| / |b| of a tensor, norms over all its elements, that one precision's roundings explain. float32 is
/// held tightly: there every wrong operand shows. In narrower types a ReLU or a pooling window that a rounding decides
/// moves whole gradients, so that only gross faults show.
struct CheckBounds {
  double forward = 0, gradient = 0, after_steps = 0;
};
CheckBounds check_bounds(Precision precision);

/// One tensor's comparison. Element errors are |a - b| over the largest |b|.
struct CheckedTensor {
  std::string what;  // "probabilities", "gradient of conv1.weight"
  double median = 0, percentile99 = 0, largest = 0;
  double distance = 0, bound = 0;  // of the whole tensor; NaN counts as too far
  [[nodiscard]] bool holds() const { return distance <= bound; }
};

struct DeviceCheck {
  std::vector<CheckedTensor> tensors;
  std::vector<double> losses, reference_losses;  // of the steps
  [[nodiscard]] bool holds() const;
};

/// Throws what the devices throw.
DeviceCheck check_device(Device& tested, Device& reference, const CheckSettings& settings, const CheckBounds& bounds);

}  // namespace xrai
