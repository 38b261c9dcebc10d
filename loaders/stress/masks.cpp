// See masks.h.
#include "loaders/stress/masks.h"

#include <algorithm>
#include <vector>

#include "kernels/parallel.h"
#include "loaders/stress/regions.h"

namespace xrai {
namespace {

constexpr MaskDescription kMasks[] = {{Mask::kCorners, "corners", "corners masked"},
                                      {Mask::kOutsideMiddle, "outside_middle", "all but the middle masked"},
                                      {Mask::kMiddle, "middle", "middle (lungs) masked"}};

std::uint8_t border_median(const std::uint8_t* pixels, std::int64_t height, std::int64_t width,
                           const Regions& regions) {
  std::vector<std::uint8_t> border;
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x)
      if (regions.on_border(y, x)) border.push_back(pixels[y * width + x]);
  const auto middle = border.begin() + static_cast<std::ptrdiff_t>(border.size() / 2);
  std::nth_element(border.begin(), middle, border.end());
  return *middle;
}

bool is_masked(Mask mask, const Regions& regions, std::int64_t y, std::int64_t x) {
  if (mask == Mask::kCorners) return regions.in_corner(y, x);
  return regions.in_middle(y, x) == (mask == Mask::kMiddle);
}

}  // namespace

std::span<const MaskDescription> picture_masks() {
  return kMasks;
}

void mask_pictures(Mask mask, const PictureBlock& block) {
  const Regions regions(block.height, block.width);
  kernels::parallel_for(block.n, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::uint8_t* const in = block.in + i * block.height * block.width;
      std::uint8_t* const out = block.out + i * block.height * block.width;
      const std::uint8_t level = border_median(in, block.height, block.width, regions);
      for (std::int64_t y = 0; y < block.height; ++y)
        for (std::int64_t x = 0; x < block.width; ++x) {
          const std::int64_t at = y * block.width + x;
          out[at] = is_masked(mask, regions, y, x) ? level : in[at];
        }
    }
  });
}

}  // namespace xrai
