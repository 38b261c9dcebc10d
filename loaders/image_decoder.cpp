#include "loaders/image_decoder.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "loaders/file_reading.h"
#include "loaders/picture_codecs.h"
#include "runtime/core/error.h"

namespace xrai {
namespace {

struct Signature {
  std::size_t offset;
  std::string_view bytes;
  std::string_view what;
};

using namespace std::string_view_literals;
constexpr std::array kOtherKinds{
    Signature{128, "DICM"sv, "a DICOM file"},
    Signature{0, "GIF8"sv, "a GIF picture"},
    Signature{0, "BM"sv, "a BMP picture"},
    Signature{0, "II*\0"sv, "a TIFF picture"},
    Signature{0, "MM\0*"sv, "a TIFF picture"},
    Signature{8, "WEBP"sv, "a WebP picture"},
    Signature{0, "\0\0\0\x0CjP"sv, "a JPEG 2000 picture"},
    Signature{0, "\xFF\x4F\xFF\x51"sv, "a JPEG 2000 picture"},
    Signature{4, "ftyp"sv, "a HEIC or AVIF picture or a film"},
    Signature{0, "\x89HDF"sv, "an HDF5 file"},
    Signature{0, "PK\x03\x04"sv, "a zip archive"},
    Signature{0, "\x1F\x8B"sv, "a gzip archive"},
    Signature{0, "%PDF"sv, "a PDF document"},
    Signature{0, "<"sv, "a web page or XML text"},
    Signature{0, "version https://git-lfs"sv, "a Git LFS pointer whose content was not downloaded"},
    Signature{0, "\0\0\0\0\0\0\0\0"sv, "filled with zeros"},
};

bool has_signature(std::span<const std::uint8_t> bytes, std::size_t offset, std::string_view signature) {
  return bytes.size() >= offset + signature.size() &&
         std::memcmp(bytes.data() + offset, signature.data(), signature.size()) == 0;
}

/// A printable character of ASCII, or one that parts words and lines.
bool is_text(std::uint8_t byte) {
  return (byte >= ' ' && byte <= '~') || byte == '\t' || byte == '\n' || byte == '\r';
}

}  // namespace

PictureFormat sniff_format(std::span<const std::uint8_t> bytes) {
  if (has_signature(bytes, 0, "\xFF\xD8\xFF"sv)) return PictureFormat::kJpeg;
  if (has_signature(bytes, 0, "\x89PNG\r\n\x1A\n"sv)) return PictureFormat::kPng;
  return PictureFormat::kOther;
}

std::string describe_bytes(std::span<const std::uint8_t> bytes) {
  if (bytes.empty()) return "empty (0 bytes)";
  for (const Signature& kind : kOtherKinds)
    if (has_signature(bytes, kind.offset, kind.bytes)) return std::string(kind.what);
  if (std::all_of(bytes.begin(), bytes.end(), is_text)) return "a text file";
  return "of an unknown kind";
}

void check_extent(std::int64_t width, std::int64_t height) {
  if (width < 1 || height < 1) throw Error(ExitCode::kBadData, fmt::format("it has {} x {} pixels", width, height));
  if (width > kMostPixels || height > kMostPixels || width * height > kMostPixels)
    throw Error(ExitCode::kBadData, fmt::format("{} x {} pixels are more than the {} million that are accepted", width,
                                                height, kMostPixels / 1'000'000));
}

DecodedPicture decode_picture(std::span<const std::uint8_t> bytes, const DecodeTarget& target) {
  switch (sniff_format(bytes)) {
    case PictureFormat::kJpeg: {
      DecodedPicture picture = decode_jpeg(bytes, target);
      const int orientation = jpeg_orientation(bytes);
      picture.image = turned_upright(std::move(picture.image), orientation);
      if (orientation >= 5) std::swap(picture.source.width, picture.source.height);
      return picture;
    }
    case PictureFormat::kPng:
      return decode_png(bytes);
    case PictureFormat::kOther:
      break;
  }
  throw Error(ExitCode::kBadData, fmt::format("it is {}, and neither JPEG nor PNG", describe_bytes(bytes)));
}

DecodedPicture square_picture(std::span<const std::uint8_t> bytes, const DecodeTarget& target) {
  DecodedPicture picture = decode_picture(bytes, target);
  picture.image = resize_to_square(std::move(picture.image), target.size, target.fit);
  return picture;
}

DecodedPicture load_square_picture(const std::filesystem::path& path, const DecodeTarget& target) {
  return square_picture(read_file_bytes(path), target);
}

}  // namespace xrai
