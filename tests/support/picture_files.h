// Small JPEG and PNG files for tests, made with the libraries themselves.
#pragma once

#include <spng.h>
#include <turbojpeg.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/temporary_folder.h"

namespace xrai::testing {

using Bytes = std::vector<std::uint8_t>;

inline void write_bytes(const std::filesystem::path& path, const Bytes& bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

/// A smooth picture that differs with `seed`: compresses well, so that JPEG changes it little.
inline Bytes smooth_grey(int width, int height, int seed = 0) {
  Bytes pixels;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      pixels.push_back(static_cast<std::uint8_t>((60 + 29 * seed + 120 * x / width + 60 * y / height) % 256));
  return pixels;
}

/// `format`: TJPF_GRAY, TJPF_RGB or TJPF_CMYK; quality 100.
inline Bytes jpeg_bytes(const Bytes& samples, int width, int height, int format = TJPF_GRAY, int flags = 0) {
  const tjhandle handle = tjInitCompress();
  unsigned char* out = nullptr;
  unsigned long size = 0;
  const int status = tjCompress2(handle, samples.data(), width, 0, height, format, &out, &size,
                                 format == TJPF_GRAY ? TJSAMP_GRAY : TJSAMP_444, 100, flags);
  Bytes bytes;
  if (status == 0) bytes.assign(out, out + size);
  tjFree(out);
  tjDestroy(handle);
  if (status != 0) throw std::runtime_error("tjCompress2 failed");
  return bytes;
}

/// A JPEG with an Exif segment that says how it lies.
inline Bytes with_orientation(const Bytes& jpeg, std::uint8_t orientation) {
  const Bytes exif{0xFF, 0xE1, 0,    34,   'E', 'x', 'i', 'f', 0, 0, 'M', 'M',         0, 42, 0, 0, 0, 8,
                   0,    1,    0x01, 0x12, 0,   3,   0,   0,   0, 1, 0,   orientation, 0, 0,  0, 0, 0, 0};
  Bytes bytes = jpeg;
  bytes.insert(bytes.begin() + 2, exif.begin(), exif.end());
  return bytes;
}

struct PngKind {
  std::uint8_t colour_type = SPNG_COLOR_TYPE_GRAYSCALE;
  std::uint8_t bit_depth = 8;
  bool interlaced = false;
  std::vector<spng_plte_entry> palette{};
};

/// `samples`: rows as PNG holds them, 16-bit samples in the machine's order.
inline Bytes png_bytes(const Bytes& samples, std::uint32_t width, std::uint32_t height, const PngKind& kind = {}) {
  spng_ctx* context = spng_ctx_new(SPNG_CTX_ENCODER);
  spng_set_option(context, SPNG_ENCODE_TO_BUFFER, 1);
  spng_ihdr header{
      width, height, kind.bit_depth, kind.colour_type, 0, 0, static_cast<std::uint8_t>(kind.interlaced ? 1 : 0)};
  spng_set_ihdr(context, &header);
  if (!kind.palette.empty()) {
    spng_plte palette{};
    palette.n_entries = static_cast<std::uint32_t>(kind.palette.size());
    for (std::size_t i = 0; i < kind.palette.size(); ++i) palette.entries[i] = kind.palette[i];
    spng_set_plte(context, &palette);
  }
  int status = spng_encode_image(context, samples.data(), samples.size(), SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE);
  std::size_t size = 0;
  void* out = status == 0 ? spng_get_png_buffer(context, &size, &status) : nullptr;
  Bytes bytes(static_cast<std::uint8_t*>(out), static_cast<std::uint8_t*>(out) + size);
  std::free(out);
  spng_ctx_free(context);
  if (status != 0) throw std::runtime_error(spng_strerror(status));
  return bytes;
}

inline Bytes bytes_of(const std::vector<std::uint16_t>& samples) {
  const auto* first = reinterpret_cast<const std::uint8_t*>(samples.data());
  return Bytes(first, first + 2 * samples.size());
}

}  // namespace xrai::testing
