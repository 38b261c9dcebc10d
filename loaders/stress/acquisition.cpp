// See acquisition.h.
#include "loaders/stress/acquisition.h"

#include "kernels/parallel.h"

namespace xrai {
namespace {

using pixels::Picture;

// A square file forgets the shape of the picture that was squeezed into it: chests come out narrower or wider.
constexpr double kStretch = 1.2;
constexpr double kZoom = 1.15;
constexpr double kBlurSigma = 0.005;  // of the short side: a pixel at 224
constexpr double kContrast = 1.3;
constexpr double kBrightness = 0.1;

constexpr Acquisition kAcquisitions[] = {
    {"narrower", "narrower by a sixth", [](const Picture& p) { pixels::warp(p, {.m00 = kStretch}); }},
    {"wider", "wider by a fifth", [](const Picture& p) { pixels::warp(p, {.m00 = 1 / kStretch}); }},
    {"larger", "larger by 15 %", [](const Picture& p) { pixels::warp(p, {.m00 = 1 / kZoom, .m11 = 1 / kZoom}); }},
    {"smaller", "smaller by 13 %", [](const Picture& p) { pixels::warp(p, {.m00 = kZoom, .m11 = kZoom}); }},
    {"blurred", "less sharp", [](const Picture& p) { pixels::blur(p, kBlurSigma * p.short_side()); }},
    {"flatter", "less contrast", [](const Picture& p) { pixels::change_contrast(p, 1 / kContrast); }},
    {"brighter", "brighter", [](const Picture& p) { pixels::change_brightness(p, kBrightness); }},
    {"darker", "darker", [](const Picture& p) { pixels::change_brightness(p, -kBrightness); }}};

}  // namespace

std::span<const Acquisition> acquisitions() {
  return kAcquisitions;
}

void change_acquisition(const Acquisition& acquisition, const PictureBlock& block) {
  const std::int64_t image_bytes = block.height * block.width;
  kernels::parallel_for(block.n, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      acquisition.change({block.in + i * image_bytes, block.out + i * image_bytes, static_cast<int>(block.height),
                          static_cast<int>(block.width)});
  });
}

}  // namespace xrai
