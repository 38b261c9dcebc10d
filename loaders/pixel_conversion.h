// Stored numbers of any type to grey pixels of 8 bits. Which numbers mean black and white is decided in
// picture_format.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/hdf5/file.h"

namespace xrai {

/// Where the axes of a data set of pictures are: pictures, height, width, channels.
enum class Axes { kNHW, kNHWC, kNCHW };

/// How one picture is stored, and which values become 0 and 255; between them it is linear, beyond them it is cut off.
struct PixelFormat {
  hdf5::Type type = hdf5::Type::kUint8;
  bool big_endian = false;
  Axes axes = Axes::kNHW;
  std::int64_t height = 0, width = 0, channels = 1;  // channels: 1, 3 (red, green, blue) or 4 (the last is ignored)
  double low = 0, high = 255;
  bool transposed = false;  // stored column by column: (width, height)

  [[nodiscard]] std::int64_t elements() const { return height * width * channels; }
  /// Whether a stored picture is what is wanted, byte for byte.
  [[nodiscard]] bool is_grey8() const;
};

/// n stored values to numbers, to look at a sample.
void to_doubles(hdf5::Type type, bool big_endian, const std::byte* stored, std::int64_t n, double* out);

/// One picture to (height, width) grey: each value to round(255 (v - low) / (high - low)), then Rec. 601 luma of the
/// channels, which leaves three equal channels as they are; turned when it is stored transposed. `scratch` is room for
/// elements() bytes, not needed for one channel. False when a value is not a finite number; the pixels are then worth
/// nothing.
bool to_grey8(const PixelFormat& format, const std::byte* stored, std::uint8_t* scratch, std::uint8_t* grey);

}  // namespace xrai
