// Parts of pictures taken away, to see whether a network still knows: what it knows without them came from elsewhere.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "loaders/stress/corruption.h"

namespace xrai {

enum class Mask { kCorners, kOutsideMiddle, kMiddle };

struct MaskDescription {
  Mask mask;
  std::string_view name;   // in JSON: "corners"
  std::string_view label;  // for people: "corners masked"
};
/// All masks, in the order of tables.
std::span<const MaskDescription> picture_masks();

/// Replaces the masked part of each picture by the median level of the picture's border. The parts are those of
/// regions.h. Works in parallel.
void mask_pictures(Mask mask, const PictureBlock& block);

}  // namespace xrai
