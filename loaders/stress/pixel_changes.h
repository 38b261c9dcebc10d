// What can be done to one grey picture of 8 bits: the arithmetic of the corruption suite, each change a pure function
// of its arguments. Which changes make a corruption, and how strong, is not known here. What lies outside the picture
// is its border, replicated; results are rounded to the nearest level and clamped to 0 to 255.
#pragma once

#include <cstdint>

namespace xrai::pixels {

struct Picture {
  const std::uint8_t* in = nullptr;  // (height, width), 0 black
  std::uint8_t* out = nullptr;       // (height, width); must not overlap `in`
  int height = 0, width = 0;

  [[nodiscard]] std::int64_t count() const { return std::int64_t{height} * width; }
  [[nodiscard]] int short_side() const { return height < width ? height : width; }
};

// Tone (tone.cpp).

/// in + added * 255.
void change_brightness(const Picture& picture, double added);
/// Differences from the picture's mean times `factor`.
void change_contrast(const Picture& picture, double factor);
/// 255 (in / 255)^exponent: above 1 the middle becomes darker.
void change_gamma(const Picture& picture, double exponent);
/// `share` of the way to the picture whose cumulative histogram is a straight line (Gonzalez and Woods, Digital Image
/// Processing, equation 3.3-8). A picture of one level stays as it is.
void equalise_histogram(const Picture& picture, double share);
/// `share` of the way to contrast-limited adaptive histogram equalisation (Zuiderveld, Graphics Gems IV, 1994, VIII.5):
/// 8 x 8 tiles, what a bin of a tile has beyond `clip` times the mean bin spread over all bins, mappings interpolated
/// between the tiles' centres.
void equalise_locally(const Picture& picture, double clip, double share);
/// Adds grain of this standard deviation (fraction of the range), bell-shaped, drawn for (key, pixel).
void add_noise(const Picture& picture, double deviation, std::uint64_t key);

// Detail (detail.cpp).

/// Gaussian of this standard deviation in pixels, cut off at three of them.
void blur(const Picture& picture, double sigma);
/// Unsharp masking: in + amount * (in - blurred by sigma).
void sharpen(const Picture& picture, double sigma, double amount);
/// To baseline JPEG of this quality (1 to 100, the Independent JPEG Group's scale) and back. Throws Error(kFailure).
void pass_through_jpeg(const Picture& picture, int quality);

// Geometry (geometry.cpp).

/// Coordinates run from -1 to 1 over the picture, pixel centres at (2i+1)/n - 1, as in kernels/augment.h: the output
/// place (u, v) looks at (m00 u + m01 v + tx, m10 u + m11 v + ty).
struct Affine {
  double m00 = 1, m01 = 0, m10 = 0, m11 = 1, tx = 0, ty = 0;
};
/// By `degrees`, clockwise for positive ones, about the centre. `aspect`: width over height of the picture in pixels.
Affine rotation(double degrees, double aspect);
/// Bilinear.
void warp(const Picture& picture, const Affine& map);
/// The outer rim, `share` of the short side wide, becomes black.
void add_black_border(const Picture& picture, double share);

// Markers (marker.cpp).

struct Marker {
  char letter = 'R';       // 'R' or 'L'
  bool at_right = false;   // of the two upper corners
  double height = 0.1;     // of the letter, fraction of the short side
  double offset_x = 0.08;  // from the picture's edge to the letter, fraction of the short side
  double offset_y = 0.08;
};
/// Lays a white letter of lead on the picture, with soft edges of one pixel. Throws std::invalid_argument for other
/// letters.
void paste_marker(const Picture& picture, const Marker& marker);

}  // namespace xrai::pixels
