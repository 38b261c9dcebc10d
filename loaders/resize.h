// The one resize of the project: pictures go through it when a data set is made and when a new picture is scored, so
// that a network never meets two ways of shrinking. Pixels only; files are the decoder's.
#pragma once

#include <string>
#include <string_view>

#include "loaders/grey_image.h"

namespace xrai {

/// How a picture of any shape becomes a square one.
enum class Fit {
  kSquash,  // both sides are scaled to the square's; the shape is not kept. Default: nothing is lost and nothing added.
  kPad,     // the whole picture, its shape kept, centred; what is left over is black, as air is on a radiograph
  kCrop     // the shape kept and the short side filled; what overhangs on the long side is cut off evenly
};

/// "squash", "pad", "crop".
std::string fit_name(Fit fit);
/// Throws Error(kUsage) for any other name.
Fit fit_from_name(std::string_view name);

struct Extent {
  int width = 0, height = 0;
};
/// Size in pixels of the whole picture once it is scaled for a square of `size`; the decoder may deliver any size
/// between this and the original one.
Extent scaled_extent(Extent source, int size, Fit fit);

/// Name of the filter, kept with the data set.
inline constexpr std::string_view kResizeName = "triangle-antialias";

/// Scales to size x size by a separable triangle filter whose reach grows with the reduction (bilinear interpolation
/// when enlarging), weights normalised, edges cut off and renormalised; computed in float, rounded once at the end. The
/// same filter as Pillow's BILINEAR, to within one grey level.
GreyImage resize_to_square(GreyImage source, int size, Fit fit);

}  // namespace xrai
