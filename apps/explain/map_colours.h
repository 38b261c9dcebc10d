// From the numbers of a map to colours that people with any kind of colour vision, and grey prints, can read: 0 is
// white paper, what is above becomes vermillion, what is below blue, the further the darker. Which maps are shown is
// not known here.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "apps/report/heat_colour.h"

namespace xrai {

/// The numbers at the two ends of a colour bar.
struct ColourRange {
  double low = 0, high = 1;
  bool signed_colours = true;  // white at 0, blue below, vermillion above; false: black at low, white at high
};

/// share: -1 darkest blue, 0 white, 1 darkest vermillion; cut off beyond.
Rgb signed_colour(double share);
/// What a value of the range looks like.
Rgb colour_of(double value, const ColourRange& range);
/// Whether black or white words are read better on it.
bool is_dark(const Rgb& colour);

/// A range around 0 that all but 2 in 1000 values lie in, so that a few extreme ones do not bleach the rest; from 0
/// where none is negative. Of a map of zeros: up to 1.
ColourRange range_of(std::span<const float> values);

/// (height, width) values enlarged or reduced to (side_height, side_width) without smoothing, so that every value stays
/// a visible pixel; RGBA.
std::vector<std::uint8_t> coloured(std::span<const float> values, std::int64_t height, std::int64_t width,
                                   std::int64_t side_height, std::int64_t side_width, const ColourRange& range);
/// The colours of the range from low to high, (1, steps) RGBA.
std::vector<std::uint8_t> colour_bar(const ColourRange& range, std::int64_t steps);

}  // namespace xrai
