// Shapes of activations and weights. Activations are channels last: (n, height, width, channels).
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>

namespace xrai {

struct Shape {
  std::int64_t n = 0, height = 0, width = 0, channels = 0;

  [[nodiscard]] std::int64_t positions() const { return n * height * width; }
  [[nodiscard]] std::int64_t count() const { return positions() * channels; }
  [[nodiscard]] std::int64_t per_image() const { return height * width * channels; }
  [[nodiscard]] Shape with_batch(std::int64_t batch) const { return {batch, height, width, channels}; }
  friend bool operator==(const Shape&, const Shape&) = default;
};

/// "(32, 96, 96, 16)".
inline std::string to_string(const Shape& s) {
  return fmt::format("({}, {}, {}, {})", s.n, s.height, s.width, s.channels);
}

/// Output places of a window of `kernel` moved by `stride` over `size` padded places; 0 or less when it does not fit.
constexpr std::int64_t window_places(std::int64_t size, std::int64_t kernel, std::int64_t stride,
                                     std::int64_t pad_before, std::int64_t pad_after) {
  const std::int64_t room = size + pad_before + pad_after - kernel;
  return room < 0 ? 0 : room / stride + 1;
}

}  // namespace xrai
