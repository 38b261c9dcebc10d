// Pixels as PNG inside a page. The only file of the report that knows libspng.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace xrai {

enum class PngColours { kGrey = 1, kRgb = 3, kRgba = 4 };  // bytes a pixel

/// "data:image/png;base64,..." of 8 bits a channel. Throws Error(kFailure) when the pixels do not match the size.
std::string png_data(std::span<const std::uint8_t> pixels, std::int64_t width, std::int64_t height, PngColours colours);

}  // namespace xrai
