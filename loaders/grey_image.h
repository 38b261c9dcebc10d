// A grey picture in memory, as it travels from the decoder to the data set.
#pragma once

#include <cstdint>
#include <vector>

namespace xrai {

struct GreyImage {
  int width = 0, height = 0;
  std::vector<std::uint8_t> pixels;  // (height, width), row by row from the top, 0 black

  [[nodiscard]] const std::uint8_t* row(int y) const { return pixels.data() + static_cast<std::size_t>(y) * width; }
  [[nodiscard]] std::uint8_t* row(int y) { return pixels.data() + static_cast<std::size_t>(y) * width; }
};

}  // namespace xrai
