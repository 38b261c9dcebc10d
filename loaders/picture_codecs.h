// What the two decoders owe image_decoder.cpp. Nobody else includes this.
#pragma once

#include "loaders/image_decoder.h"

namespace xrai {

/// Not yet upright.
DecodedPicture decode_jpeg(std::span<const std::uint8_t> bytes, const DecodeTarget& target);
DecodedPicture decode_png(std::span<const std::uint8_t> bytes);

/// EXIF orientation of a JPEG file, 1 (upright) when there is none or it makes no sense.
int jpeg_orientation(std::span<const std::uint8_t> bytes);
/// The picture turned upright from how `orientation` (1 to 8, EXIF 2.3, tag 0x0112) says it is stored.
GreyImage turned_upright(GreyImage image, int orientation);

/// Throws when the picture is empty or has more than kMostPixels.
void check_extent(std::int64_t width, std::int64_t height);

}  // namespace xrai
