// Where a layer's parameter lies in the arenas. For the files that make layers.
#pragma once

#include "runtime/nn/parameters.h"

namespace xrai {

/// A parameter and its gradient; null for index -1 (a layer without bias).
struct Slice {
  float* value = nullptr;
  float* gradient = nullptr;
  const void* narrow = nullptr;  // the value in the activations' type
};

inline Slice slice(Parameters& parameters, int index, bool training) {
  if (index < 0) return {};
  const std::int64_t offset = parameters.specs()[static_cast<std::size_t>(index)].offset;
  return {parameters.values() + offset, training ? parameters.gradients() + offset : nullptr,
          parameters.narrow_values(offset)};
}

}  // namespace xrai
