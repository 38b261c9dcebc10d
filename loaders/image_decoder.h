// From the bytes of a JPEG or PNG file to a grey picture of 8 bits. Which file they came from, and the final size, are
// not decided here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "loaders/grey_image.h"
#include "loaders/resize.h"

namespace xrai {

/// Name of the decoder, kept with the data set.
inline constexpr std::string_view kDecoderName = "turbojpeg-dct+spng";

/// Pictures with more pixels are refused before memory is taken: the largest radiographs have about 20 million.
inline constexpr std::int64_t kMostPixels = 100'000'000;

/// The square that the picture is decoded for; a JPEG is decoded at the smallest scale that still covers it.
struct DecodeTarget {
  int size = 224;  // side in pixels
  Fit fit = Fit::kSquash;
};

struct DecodedPicture {
  GreyImage image;            // at least scaled_extent(source, ...) large, upright
  Extent source;              // size in the file, upright
  int bits = 8;               // per sample, in the file
  bool faint_16_bit = false;  // 16 bits of which the lower 12 are used: probably 12-bit data that were not scaled up
};

enum class PictureFormat { kJpeg, kPng, kOther };
/// By the first bytes, never by the name.
PictureFormat sniff_format(std::span<const std::uint8_t> bytes);
/// What the first bytes look like, "a DICOM file", for sentences about files that are neither JPEG nor PNG.
std::string describe_bytes(std::span<const std::uint8_t> bytes);

/// Decodes to grey: JPEG by its luma (CMYK and YCCK by way of RGB, in Adobe's inverted sense), PNG by Rec. 601 luma,
/// transparent parts on black, 16 bits by v / 257 rounded. The EXIF orientation is applied, as viewers do.
/// Throws Error(kBadData) with the reason as the sentence, without a file name: empty, truncated, damaged, of another
/// kind, or larger than kMostPixels. Any bytes may be given.
DecodedPicture decode_picture(std::span<const std::uint8_t> bytes, const DecodeTarget& target);

/// Decodes and resizes to (size, size). Throws as decode_picture.
DecodedPicture square_picture(std::span<const std::uint8_t> bytes, const DecodeTarget& target);
/// Reads the file and decodes and resizes it to (size, size). Throws Error(kBadData, reason) as above, also when the
/// file cannot be read.
DecodedPicture load_square_picture(const std::filesystem::path& path, const DecodeTarget& target);

}  // namespace xrai
