// The colours of heat maps, as numbers. What is coloured is not known here.
#pragma once

#include <array>
#include <cstdint>

namespace xrai {

using Rgb = std::array<std::uint8_t, 3>;  // sRGB

/// 0: nearly black violet, over crimson to 1: yellow. Equal steps of heat are equal distances in CIELAB, so that they
/// look equally large, and lightness only rises, so that people with any kind of colour vision, and grey prints, keep
/// the order. `heat` beyond 0 to 1 is cut off.
Rgb heat_colour(double heat);
/// How much of a picture the colour of this heat hides: nothing at 0, at most 0.65, so that anatomy stays visible.
double heat_opacity(double heat);

}  // namespace xrai
