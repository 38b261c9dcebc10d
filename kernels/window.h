// Sizes of a window that moves over maps, as the kernels of convolution and pooling count them. No channels here.
#pragma once

#include <cstdint>

namespace xrai::kernels {

/// Maps (n, height, width) and what a window leaves of them, (n, out_height, out_width). Padding below and to the
/// right follows from the sizes. n * height * width and n * out_height * out_width are kMostPlaces at most: kernels
/// count places in 32 bits and offsets in 64.
struct WindowSizes {
  static constexpr std::int64_t kMostPlaces = 0x3fffffff;
  std::int32_t n = 0, height = 0, width = 0, out_height = 0, out_width = 0;
  std::int32_t kernel_height = 1, kernel_width = 1, stride_height = 1, stride_width = 1, pad_top = 0, pad_left = 0;
};

}  // namespace xrai::kernels
