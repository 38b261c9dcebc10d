// PNG by libspng, row by row, so that a large colour picture of 16 bits never stands in memory as such.
#include <spng.h>

#include <algorithm>
#include <memory>

#include "loaders/picture_codecs.h"
#include "runtime/core/error.h"

namespace xrai {
namespace {

struct FreeContext {
  void operator()(spng_ctx* context) const noexcept { spng_ctx_free(context); }
};
using Context = std::unique_ptr<spng_ctx, FreeContext>;

void check(int status) {
  if (status == 0) return;
  if (status == SPNG_EMEM) throw std::bad_alloc();
  throw Error(ExitCode::kBadData, fmt::format("the PNG is truncated or damaged ({})", spng_strerror(status)));
}

/// The layout in which libspng hands rows over.
struct RowLayout {
  int spng_format = SPNG_FMT_PNG;
  int channels = 1;   // 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha
  bool deep = false;  // 16 bits in the machine's order
};

RowLayout layout_of(const spng_ihdr& header) {
  const bool deep = header.bit_depth == 16;
  switch (header.color_type) {
    case SPNG_COLOR_TYPE_GRAYSCALE:
      return {deep ? SPNG_FMT_PNG : SPNG_FMT_G8, 1, deep};
    case SPNG_COLOR_TYPE_GRAYSCALE_ALPHA:
      return {SPNG_FMT_PNG, 2, deep};
    case SPNG_COLOR_TYPE_TRUECOLOR:
      return {SPNG_FMT_PNG, 3, deep};
    case SPNG_COLOR_TYPE_TRUECOLOR_ALPHA:
      return {SPNG_FMT_PNG, 4, deep};
    default:
      return {SPNG_FMT_RGBA8, 4, false};  // palette, whose entries may be transparent
  }
}

/// One row to grey of the same depth: Rec. 601 luma (weights in 1/65536), transparency on black. Returns the brightest.
template <class Sample>
std::uint32_t grey_row(const Sample* samples, int channels, int n_pixels, std::uint8_t* grey) {
  constexpr std::uint64_t kFull = sizeof(Sample) == 1 ? 255 : 65535;
  std::uint64_t brightest = 0;
  for (int x = 0; x < n_pixels; ++x, samples += channels) {
    std::uint64_t value = samples[0];
    if (channels >= 3) value = (19595ULL * samples[0] + 38470ULL * samples[1] + 7471ULL * samples[2] + 32768) >> 16;
    if (channels == 2 || channels == 4) value = (value * samples[channels - 1] + kFull / 2) / kFull;
    brightest = std::max(brightest, value);
    grey[x] = static_cast<std::uint8_t>(sizeof(Sample) == 1 ? value : (value + 128) / 257);
  }
  return static_cast<std::uint32_t>(brightest);
}

std::uint32_t grey_row(const std::uint8_t* bytes, const RowLayout& layout, int n_pixels, std::uint8_t* grey) {
  if (!layout.deep) return grey_row<std::uint8_t>(bytes, layout.channels, n_pixels, grey);
  return grey_row(reinterpret_cast<const std::uint16_t*>(bytes), layout.channels, n_pixels, grey);
}

/// Fills `image` and returns the brightest sample. Interlaced rows do not come in order, so such a picture is decoded
/// whole.
std::uint32_t decode_rows(spng_ctx* context, const RowLayout& layout, bool interlaced, GreyImage& image) {
  std::size_t n_bytes = 0;
  check(spng_decoded_image_size(context, layout.spng_format, &n_bytes));
  const std::size_t row_bytes = n_bytes / static_cast<std::size_t>(image.height);
  std::vector<std::uint8_t> bytes(interlaced ? n_bytes : row_bytes);
  const int flags = layout.spng_format == SPNG_FMT_RGBA8 ? SPNG_DECODE_TRNS : 0;
  if (interlaced) {
    check(spng_decode_image(context, bytes.data(), bytes.size(), layout.spng_format, flags));
  } else {
    check(spng_decode_image(context, nullptr, 0, layout.spng_format, flags | SPNG_DECODE_PROGRESSIVE));
  }
  std::uint32_t brightest = 0;
  for (int y = 0; y < image.height; ++y) {
    const std::size_t offset = interlaced ? row_bytes * static_cast<std::size_t>(y) : 0;
    if (!interlaced) {
      const int status = spng_decode_row(context, bytes.data(), row_bytes);
      if (status != SPNG_EOI) check(status);  // EOI comes with the last row
      if (status == SPNG_EOI && y + 1 < image.height) check(SPNG_EOF);
    }
    brightest = std::max(brightest, grey_row(bytes.data() + offset, layout, image.width, image.row(y)));
  }
  return brightest;
}

}  // namespace

DecodedPicture decode_png(std::span<const std::uint8_t> bytes) {
  constexpr std::size_t kMostChunkBytes = 64U << 20;
  const Context context(spng_ctx_new(0));
  if (!context) throw std::bad_alloc();
  check(spng_set_chunk_limits(context.get(), kMostChunkBytes, kMostChunkBytes));
  check(spng_set_png_buffer(context.get(), bytes.data(), bytes.size()));
  spng_ihdr header{};
  check(spng_get_ihdr(context.get(), &header));
  check_extent(header.width, header.height);

  const Extent extent{static_cast<int>(header.width), static_cast<int>(header.height)};
  DecodedPicture picture{.image = {extent.width, extent.height, {}}, .source = extent, .bits = header.bit_depth};
  picture.image.pixels.resize(static_cast<std::size_t>(extent.width) * static_cast<std::size_t>(extent.height));
  const bool interlaced = header.interlace_method != SPNG_INTERLACE_NONE;
  const std::uint32_t brightest = decode_rows(context.get(), layout_of(header), interlaced, picture.image);
  constexpr std::uint32_t kFullOf12Bits = 4095;
  picture.faint_16_bit = header.bit_depth == 16 && brightest <= kFullOf12Bits;
  return picture;
}

}  // namespace xrai
