// One way to become a grey level again.
#pragma once

#include <algorithm>
#include <cstdint>

namespace xrai::pixels {

/// Nearest level, halves upwards, clamped to 0 to 255.
template <class Real>
std::uint8_t to_level(Real value) {
  return static_cast<std::uint8_t>(std::clamp(value, Real{0}, Real{255}) + Real{0.5});
}

}  // namespace xrai::pixels
