// See corruption.h. The table says how strong each severity is, and why.
#include "loaders/stress/corruption.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <vector>

#include "kernels/augment.h"
#include "kernels/parallel.h"
#include "kernels/philox.h"
#include "loaders/stress/pixel_changes.h"
#include "loaders/stress/rounding.h"

namespace xrai {
namespace {

// Severity 5 is what a reader still diagnoses, with some annoyance; severity 1 is what nobody notices. Sizes and widths
// are fractions of the short side, so that a set stored at 96 pixels is hurt as one stored at 224.
constexpr Corruption kSuite[] = {
    // Exposure differs by about a tenth of the range between rooms of one hospital; a fifth is a wrong exposure.
    {CorruptionKind::kBrighter, "brighter", "brighter", "added, of the range", {.04, .08, .12, .16, .20}},
    {CorruptionKind::kDarker, "darker", "darker", "taken, of the range", {.04, .08, .12, .16, .20}},
    // Window widths of viewers vary by about a half.
    {CorruptionKind::kMoreContrast, "more_contrast", "more contrast", "factor", {1.1, 1.2, 1.3, 1.45, 1.6}},
    {CorruptionKind::kLessContrast, "less_contrast", "less contrast", "divided by", {1.1, 1.25, 1.45, 1.7, 2.0}},
    // Film curves and display functions; 2 is the difference between a linear and a usual monitor curve.
    {CorruptionKind::kDarkerMidtones, "darker_midtones", "gamma up", "exponent", {1.15, 1.3, 1.5, 1.75, 2.0}},
    {CorruptionKind::kLighterMidtones, "lighter_midtones", "gamma down", "1 / exponent", {1.15, 1.3, 1.5, 1.75, 2.0}},
    // Manufacturers' "detail" post-processing: some machines deliver every picture so.
    {CorruptionKind::kEqualisation, "equalisation", "histogram equalised", "share", {.2, .4, .6, .8, 1.0}},
    {CorruptionKind::kLocalContrast, "local_contrast", "local contrast", "share", {.1, .2, .35, .5, .75}},
    // A low dose: grain that is seen at 5 and does not hide an infiltrate.
    {CorruptionKind::kNoise, "noise", "noise", "deviation, of the range", {.01, .02, .035, .05, .07}},
    // Breathing, scattered light, upscaled thumbnails: 0.6 to 2.2 pixels at a side of 224.
    {CorruptionKind::kBlur, "blur", "blur", "sigma, of the side", {.0025, .004, .006, .008, .010}},
    // Edge enhancement with the radius of fine vessels (1.3 pixels at 224).
    {CorruptionKind::kSharpening, "sharpening", "sharpening", "amount", {.4, .8, 1.3, 2.0, 3.0}},
    // Pictures that went through messengers and slides; below 10 the blocks become the picture.
    {CorruptionKind::kJpeg, "jpeg", "JPEG artefacts", "100 - quality", {50, 70, 80, 86, 90}},
    // How far a child turns on the table; more is repeated or righted.
    {CorruptionKind::kRotation, "rotation", "rotation", "degrees, either way", {2, 4, 6, 9, 12}},
    // Collimation, distance, and what people crop: a quarter still shows both lungs in most pictures.
    {CorruptionKind::kZoomIn, "zoom_in", "zoomed in", "factor", {1.05, 1.1, 1.16, 1.22, 1.3}},
    {CorruptionKind::kZoomOut, "zoom_out", "zoomed out", "factor", {1.05, 1.1, 1.16, 1.22, 1.3}},
    {CorruptionKind::kShift, "shift", "shift", "of the side, any way", {.02, .04, .06, .08, .10}},
    // Pictures of other proportions that were squashed into a square: 4:3 is 1.33.
    {CorruptionKind::kSquash, "squash", "squashed", "aspect factor, either way", {1.06, 1.12, 1.18, 1.25, 1.33}},
    // Collimators and scanned film holders.
    {CorruptionKind::kBlackBorder, "black_border", "black border", "width, of the side", {.01, .02, .04, .06, .08}},
    // Letters R and L: usual ones are a twentieth of the side high, 5 is a large one.
    {CorruptionKind::kMarker, "marker", "marker letter", "height, of the side", {.05, .07, .10, .13, .17}},
};

constexpr double kSharpeningSigma = 0.006;
constexpr double kLocalClip = 2.0;  // a usual setting of that processing

/// What a corruption leaves to chance for one sample: uniform in [0, 1), and a key for more.
struct Draw {
  double a, b;
  std::uint64_t key;
};

Draw draw_for(std::uint64_t seed, CorruptionKind kind, std::int64_t sample) {
  // Epochs that no training reaches, so that a network never saw these draws.
  const auto numbers = kernels::random_numbers(seed, kernels::RandomPurpose::kAugment,
                                               (std::uint64_t{1} << 40) + static_cast<std::uint64_t>(kind),
                                               static_cast<std::uint64_t>(sample));
  return {kernels::uniform01(numbers.v[0]), kernels::uniform01(numbers.v[1]),
          std::uint64_t{numbers.v[2]} << 32 | numbers.v[3]};
}

pixels::Affine scaled(double x, double y) {
  return {.m00 = x, .m11 = y};
}

pixels::Affine shifted(double share, double turn) {
  const double angle = 2.0 * 3.14159265358979 * turn;
  return {.tx = 2.0 * share * std::cos(angle), .ty = 2.0 * share * std::sin(angle)};  // the side is 2 long
}

pixels::Marker marker_of(double height, const Draw& draw) {
  // Inside of the central nine tenths, which are all that many networks look at.
  const double offset = 0.07 + 0.05 * draw.b;
  const bool at_right = draw.a >= 0.5;
  return {
      .letter = at_right ? 'L' : 'R', .at_right = at_right, .height = height, .offset_x = offset, .offset_y = offset};
}

void change(const pixels::Picture& p, CorruptionKind kind, double amount, const Draw& draw) {
  const double either_way = draw.a < 0.5 ? -1.0 : 1.0;
  switch (kind) {
    case CorruptionKind::kBrighter:
      return pixels::change_brightness(p, amount);
    case CorruptionKind::kDarker:
      return pixels::change_brightness(p, -amount);
    case CorruptionKind::kMoreContrast:
      return pixels::change_contrast(p, amount);
    case CorruptionKind::kLessContrast:
      return pixels::change_contrast(p, 1.0 / amount);
    case CorruptionKind::kDarkerMidtones:
      return pixels::change_gamma(p, amount);
    case CorruptionKind::kLighterMidtones:
      return pixels::change_gamma(p, 1.0 / amount);
    case CorruptionKind::kEqualisation:
      return pixels::equalise_histogram(p, amount);
    case CorruptionKind::kLocalContrast:
      return pixels::equalise_locally(p, kLocalClip, amount);
    case CorruptionKind::kNoise:
      return pixels::add_noise(p, amount, draw.key);
    case CorruptionKind::kBlur:
      return pixels::blur(p, amount * p.short_side());
    case CorruptionKind::kSharpening:
      return pixels::sharpen(p, kSharpeningSigma * p.short_side(), amount);
    case CorruptionKind::kJpeg:
      return pixels::pass_through_jpeg(p, 100 - static_cast<int>(amount));
    case CorruptionKind::kRotation:
      return pixels::warp(p, pixels::rotation(either_way * amount, static_cast<double>(p.width) / p.height));
    case CorruptionKind::kZoomIn:
      return pixels::warp(p, scaled(1.0 / amount, 1.0 / amount));
    case CorruptionKind::kZoomOut:
      return pixels::warp(p, scaled(amount, amount));
    case CorruptionKind::kShift:
      return pixels::warp(p, shifted(amount, draw.a));
    case CorruptionKind::kSquash: {
      const double stretch = std::pow(amount, 0.5 * either_way);
      return pixels::warp(p, scaled(stretch, 1.0 / stretch));
    }
    case CorruptionKind::kBlackBorder:
      return pixels::add_black_border(p, amount);
    case CorruptionKind::kMarker:
      return pixels::paste_marker(p, marker_of(amount, draw));
  }
}

}  // namespace

std::span<const Corruption> corruption_suite() {
  return kSuite;
}

void corrupt(const Corruption& corruption, int severity, std::uint64_t seed, const PictureBlock& block) {
  if (severity < 1 || severity > kSeverities) throw std::invalid_argument("severities are 1 to 5");
  const double amount = corruption.amounts[static_cast<std::size_t>(severity - 1)];
  const std::int64_t image_bytes = block.height * block.width;
  std::mutex mutex;
  std::exception_ptr failure;  // what runs in parallel may not throw
  kernels::parallel_for(block.n, [&](std::int64_t begin, std::int64_t end) {
    try {
      for (std::int64_t i = begin; i < end; ++i) {
        const pixels::Picture picture{block.in + i * image_bytes, block.out + i * image_bytes,
                                      static_cast<int>(block.height), static_cast<int>(block.width)};
        change(picture, corruption.kind, amount, draw_for(seed, corruption.kind, block.first_sample + i));
      }
    } catch (...) {
      const std::lock_guard lock(mutex);
      failure = std::current_exception();
    }
  });
  if (failure) std::rethrow_exception(failure);
}

void draw_stressed_views(std::uint64_t seed, std::uint64_t draw, const PictureBlock& block) {
  constexpr std::int64_t kAtOnce = 32;  // floats of four times the pictures' size
  const std::int64_t image_bytes = block.height * block.width;
  const kernels::StepNumbers numbers{.seed = seed, .epoch = draw};
  std::vector<float> views(static_cast<std::size_t>(std::min(kAtOnce, block.n) * image_bytes));
  std::vector<std::int64_t> samples;
  for (std::int64_t first = 0; first < block.n; first += kAtOnce) {
    const std::int64_t n = std::min(kAtOnce, block.n - first);
    samples.clear();
    for (std::int64_t i = 0; i < n; ++i) samples.push_back(block.first_sample + first + i);
    kernels::AugmentArguments view;
    view.pixels = block.in + first * image_bytes;
    view.sample_ids = samples.data();
    view.out = views.data();
    view.n = n;
    view.stored_height = view.height = block.height;
    view.stored_width = view.width = block.width;
    view.view = {.crop = 1, .mean = 0, .deviation = 1};
    view.ranges = {.rotation_degrees = 8,
                   .scale = .12f,
                   .aspect = .12f,
                   .shift = .04f,
                   .gamma = .35f,
                   .contrast = .25f,
                   .brightness = .08f};
    view.numbers = &numbers;
    kernels::cpu::augment(view);
    for (std::int64_t i = 0; i < n * image_bytes; ++i)
      block.out[first * image_bytes + i] = pixels::to_level(255.0f * views[static_cast<std::size_t>(i)]);
  }
}

}  // namespace xrai
