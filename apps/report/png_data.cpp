#include "apps/report/png_data.h"

#include <fmt/format.h>
#include <spng.h>

#include <cstdlib>
#include <memory>

#include "apps/report/html.h"
#include "runtime/core/error.h"

namespace xrai {
namespace {

struct FreeSpng {
  void operator()(spng_ctx* context) const { spng_ctx_free(context); }
};

void check(int status) {
  if (status == 0) return;
  throw Error(ExitCode::kFailure,
              fmt::format("cannot encode a picture for the report as PNG: {}", spng_strerror(status)));
}

std::uint8_t spng_colours(PngColours colours) {
  return colours == PngColours::kGrey  ? SPNG_COLOR_TYPE_GRAYSCALE
         : colours == PngColours::kRgb ? SPNG_COLOR_TYPE_TRUECOLOR
                                       : SPNG_COLOR_TYPE_TRUECOLOR_ALPHA;
}

}  // namespace

std::string png_data(std::span<const std::uint8_t> pixels, std::int64_t width, std::int64_t height,
                     PngColours colours) {
  if (width <= 0 || height <= 0 ||
      static_cast<std::int64_t>(pixels.size()) != width * height * static_cast<int>(colours)) {
    throw Error(ExitCode::kFailure, fmt::format("a picture of the report has {} pixels, not {} x {}",
                                                pixels.size() / static_cast<std::size_t>(colours), width, height));
  }
  const std::unique_ptr<spng_ctx, FreeSpng> context(spng_ctx_new(SPNG_CTX_ENCODER));
  spng_ihdr header{};
  header.width = static_cast<std::uint32_t>(width);
  header.height = static_cast<std::uint32_t>(height);
  header.bit_depth = 8;
  header.color_type = spng_colours(colours);
  check(spng_set_option(context.get(), SPNG_ENCODE_TO_BUFFER, 1));
  check(spng_set_ihdr(context.get(), &header));
  check(spng_encode_image(context.get(), pixels.data(), pixels.size(), SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE));
  std::size_t n_bytes = 0;
  int status = 0;
  const std::unique_ptr<void, decltype(&std::free)> bytes(spng_get_png_buffer(context.get(), &n_bytes, &status),
                                                          &std::free);
  check(status);
  return "data:image/png;base64," + base64({static_cast<const std::uint8_t*>(bytes.get()), n_bytes});
}

}  // namespace xrai
