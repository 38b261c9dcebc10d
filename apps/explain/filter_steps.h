// What one convolution and one pooling make of a picture, computed by a device's own plans: the same that a network's
// layers are made of. How it is drawn is not known here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apps/explain/filter_kernel.h"
#include "loaders/grey_image.h"
#include "runtime/core/device.h"

namespace xrai {

/// A picture's worth of numbers.
struct ValueMap {
  std::int64_t height = 0, width = 0;
  std::vector<float> values;  // (height, width)

  [[nodiscard]] float at(std::int64_t row, std::int64_t column) const {
    return values[static_cast<std::size_t>(row * width + column)];
  }
};

/// The side of a pooling window, and how far it moves each time.
inline constexpr std::int64_t kPoolingSide = 2;

struct FilterSteps {
  ValueMap picture;     // grey levels, 0 black to 255 white
  ValueMap convolved;   // (height - kernel height + 1, width - kernel width + 1)
  ValueMap pooled;      // half of that a side, rounded down
  std::string by_whom;  // the device and its implementation of the convolution
};

/// The filter is laid only where it lies wholly on the picture, and is not turned round (cross-correlation, as in every
/// network): convolved(y, x) = sum over i, j of kernel(i, j) * picture(y + i, x + j). Then windows of 2 x 2, side by
/// side: the largest value or the mean. Throws Error(kUsage) when the picture is too small for that.
FilterSteps apply_filter(Device& device, const GreyImage& picture, const FilterKernel& kernel, PoolingKind pooling);

}  // namespace xrai
