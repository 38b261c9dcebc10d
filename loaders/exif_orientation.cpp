// How a JPEG file says it should be turned, and the turning.
#include <algorithm>
#include <cstring>

#include "loaders/picture_codecs.h"

namespace xrai {
namespace {

/// Reads numbers of either byte order inside bounds; beyond them everything is 0.
class TiffReader {
 public:
  explicit TiffReader(std::span<const std::uint8_t> bytes)
      : bytes_(bytes), little_(!bytes.empty() && bytes[0] == 'I') {}

  [[nodiscard]] std::uint32_t number(std::size_t offset, std::size_t n_bytes) const {
    if (offset > bytes_.size() || bytes_.size() - offset < n_bytes) return 0;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < n_bytes; ++i) value = value << 8 | bytes_[offset + (little_ ? n_bytes - 1 - i : i)];
    return value;
  }

 private:
  std::span<const std::uint8_t> bytes_;
  bool little_;
};

/// From the TIFF structure inside an Exif segment: entry 0x0112 of the first directory.
int orientation_in(std::span<const std::uint8_t> tiff) {
  const TiffReader reader(tiff);
  if (reader.number(2, 2) != 42) return 1;
  const std::size_t directory = reader.number(4, 4);
  const std::size_t n_entries = reader.number(directory, 2);
  for (std::size_t i = 0; i < n_entries; ++i) {
    const std::size_t entry = directory + 2 + 12 * i;
    if (reader.number(entry, 2) != 0x0112) continue;
    const std::uint32_t value = reader.number(entry + 8, 2);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

}  // namespace

int jpeg_orientation(std::span<const std::uint8_t> bytes) {
  constexpr std::uint8_t kMarker = 0xFF, kStartOfScan = 0xDA, kApp1 = 0xE1;
  std::size_t at = 2;
  while (at + 4 <= bytes.size() && bytes[at] == kMarker) {
    const std::uint8_t kind = bytes[at + 1];
    if (kind == kMarker) {  // fill byte
      ++at;
      continue;
    }
    const std::size_t length = static_cast<std::size_t>(bytes[at + 2]) << 8 | bytes[at + 3];
    if (kind == kStartOfScan || length < 2 || at + 2 + length > bytes.size()) return 1;
    const auto content = bytes.subspan(at + 4, length - 2);
    if (kind == kApp1 && content.size() > 6 && std::memcmp(content.data(), "Exif\0\0", 6) == 0)
      return orientation_in(content.subspan(6));
    at += 2 + length;
  }
  return 1;
}

GreyImage turned_upright(GreyImage image, int orientation) {
  if (orientation == 1) return image;
  const bool transposed = orientation >= 5;
  const bool flip_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool flip_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  GreyImage upright{transposed ? image.height : image.width, transposed ? image.width : image.height, {}};
  upright.pixels.resize(image.pixels.size());
  for (int y = 0; y < upright.height; ++y) {
    for (int x = 0; x < upright.width; ++x) {
      const int along = transposed ? y : x, down = transposed ? x : y;
      const int from_x = flip_x ? image.width - 1 - along : along;
      const int from_y = flip_y ? image.height - 1 - down : down;
      upright.row(y)[x] = image.row(from_y)[from_x];
    }
  }
  return upright;
}

}  // namespace xrai
