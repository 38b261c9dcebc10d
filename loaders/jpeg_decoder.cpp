// JPEG by TurboJPEG, decoded at a reduced scale of its cosine transform.
#include <turbojpeg.h>

#include <algorithm>
#include <new>
#include <string>

#include "loaders/picture_codecs.h"
#include "runtime/core/error.h"

namespace xrai {
namespace {

class Decompressor {
 public:
  Decompressor() : handle_(tjInitDecompress()) {
    if (handle_ == nullptr) throw std::bad_alloc();
  }
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;
  ~Decompressor() { tjDestroy(handle_); }

  [[nodiscard]] tjhandle get() const { return handle_; }

  /// A picture whose data end early decodes with a warning, its lower part grey: that is no radiograph any more. Bytes
  /// too many between two segments harm nothing and occur in files that every viewer opens.
  void check(int status) {
    if (status == 0) return;
    const std::string message = tjGetErrorStr2(handle_);
    if (tjGetErrorCode(handle_) == TJERR_WARNING && message.find("extraneous bytes") != std::string::npos) return;
    renew();
    throw Error(ExitCode::kBadData, fmt::format("the JPEG is truncated or damaged ({})", message));
  }

 private:
  /// After a header that was refused the library goes on in it when it is given the next file.
  void renew() {
    const tjhandle fresh = tjInitDecompress();
    if (fresh == nullptr) throw std::bad_alloc();
    tjDestroy(handle_);
    handle_ = fresh;
  }

  tjhandle handle_;
};

struct JpegHeader {
  Extent extent;
  int colour_space = -1;
};

JpegHeader read_header(Decompressor& decompressor, std::span<const std::uint8_t> bytes) {
  JpegHeader header;
  int subsampling = -1;
  const int status = tjDecompressHeader3(decompressor.get(), bytes.data(), bytes.size(), &header.extent.width,
                                         &header.extent.height, &subsampling, &header.colour_space);
  // Unusual chroma subsampling is an error of the header call only: the luma decodes all the same.
  const bool known = header.extent.width > 0 && header.extent.height > 0 && header.colour_space >= 0;
  if (status != 0 && !(known && subsampling < 0)) decompressor.check(status);
  check_extent(header.extent.width, header.extent.height);
  return header;
}

/// The smallest of the library's scales at which the picture still covers what the target needs.
Extent scale_to_cover(Extent source, Extent needed) {
  int n_factors = 0;
  const tjscalingfactor* factors = tjGetScalingFactors(&n_factors);
  Extent best = source;
  for (int i = 0; i < n_factors; ++i) {
    const Extent scaled{TJSCALED(source.width, factors[i]), TJSCALED(source.height, factors[i])};
    const bool covers = scaled.width >= needed.width && scaled.height >= needed.height;
    if (covers && scaled.width < best.width) best = scaled;
  }
  return best;
}

/// Rec. 601 luma of a row of CMYK as Adobe stores it: 255 is no ink.
void grey_from_cmyk(const std::uint8_t* cmyk, int n_pixels, std::uint8_t* grey) {
  for (int x = 0; x < n_pixels; ++x, cmyk += 4) {
    const std::uint32_t luma = 19595U * cmyk[0] + 38470U * cmyk[1] + 7471U * cmyk[2];
    grey[x] = static_cast<std::uint8_t>(((luma >> 8) * cmyk[3] / 255U + 128U) >> 8);
  }
}

}  // namespace

DecodedPicture decode_jpeg(std::span<const std::uint8_t> bytes, const DecodeTarget& target) {
  thread_local Decompressor decompressor;  // its tables take as long to set up as a small picture
  const JpegHeader header = read_header(decompressor, bytes);
  const Extent scaled = scale_to_cover(header.extent, scaled_extent(header.extent, target.size, target.fit));
  const bool inks = header.colour_space == TJCS_CMYK || header.colour_space == TJCS_YCCK;
  const int format = inks ? TJPF_CMYK : TJPF_GRAY;
  const std::size_t n_pixels = static_cast<std::size_t>(scaled.width) * static_cast<std::size_t>(scaled.height);

  DecodedPicture picture{.image = {scaled.width, scaled.height, {}}, .source = header.extent};
  std::vector<std::uint8_t> samples(n_pixels * static_cast<std::size_t>(tjPixelSize[format]));
  // Progressive files can hold thousands of empty scans to keep a decoder busy.
  decompressor.check(tjDecompress2(decompressor.get(), bytes.data(), bytes.size(), samples.data(), scaled.width, 0,
                                   scaled.height, format, TJFLAG_LIMITSCANS));
  if (inks) {
    picture.image.pixels.resize(n_pixels);
    for (int y = 0; y < scaled.height; ++y)
      grey_from_cmyk(samples.data() + static_cast<std::size_t>(y) * scaled.width * 4, scaled.width,
                     picture.image.row(y));
  } else {
    picture.image.pixels = std::move(samples);
  }
  return picture;
}

}  // namespace xrai
