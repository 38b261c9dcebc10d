// Activations of any type of the device as floats of the host.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/core/buffer.h"
#include "runtime/core/device.h"

namespace xrai {

/// Waits for the device. `wide`: room for `count` floats in its memory.
inline std::vector<float> download_activations(Device& device, const void* activations, std::int64_t count,
                                               Buffer& wide) {
  std::vector<float> floats(static_cast<std::size_t>(count));
  device.widen(activations, wide.as<float>(), count);
  device.download(floats.data(), wide.data(), floats.size() * sizeof(float));
  return floats;
}

}  // namespace xrai
