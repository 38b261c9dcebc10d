// A CUDA device and a CPU device side by side, and the same work on both. Which CUDA device is decided by what is
// linked: one on the test doubles (doubled_card.cpp), or a real card behind the shipped plug-in (real_card.cpp).
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "runtime/core/precision.h"
#include "runtime/cpu/cpu_device.h"
#include "runtime/nn/model.h"
#include "tests/cuda/narrow_types.h"
#include "tests/support/compare.h"
#include "tests/support/random.h"

namespace xrai::testing {

/// A device without a past; what a test had before must be gone.
std::unique_ptr<Device> new_cuda(const std::string& precision);
/// What the test doubles found wrong since; empty on a real card, which does not tell.
std::string findings();

/// Floats in the device's memory, in its activations' type.
inline Buffer put(Device& device, const Values& values) {
  const Buffer wide = device.allocate(values.size() * sizeof(float));
  device.upload(wide.data(), values.data(), values.size() * sizeof(float), Queue::kCompute);
  if (device.activation_type() == DataType::kFloat32) {
    Buffer same = device.allocate(values.size() * sizeof(float));
    device.copy(same.data(), wide.data(), values.size() * sizeof(float));
    device.synchronize();
    return same;
  }
  Buffer narrow = device.allocate(values.size() * size_of(device.activation_type()));
  device.narrow(wide.as<float>(), narrow.data(), static_cast<std::int64_t>(values.size()));
  device.synchronize();
  return narrow;
}

/// `count` activations of the device as floats.
inline Values get(Device& device, const void* activations, std::int64_t count) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(count) * size_of(device.activation_type()));
  device.download(bytes.data(), activations, bytes.size());
  Values values;
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i)
    values.push_back(float_at(device.activation_type(), bytes.data(), i));
  return values;
}

inline Values get_floats(Device& device, const float* floats, std::int64_t count) {
  Values values(static_cast<std::size_t>(count));
  device.download(values.data(), floats, values.size() * sizeof(float));
  return values;
}

/// Relative error of one rounding of an activation.
inline double roundoff(DataType type) {
  return type == DataType::kFloat32 ? 6e-8 : type == DataType::kBfloat16 ? 3.9e-3 : 4.9e-4;
}

}  // namespace xrai::testing
