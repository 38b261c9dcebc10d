// The corruption suite: pictures made worse in known ways, in five steps each, after ImageNet-C (Hendrycks and
// Dietterich, "Benchmarking neural network robustness to common corruptions and perturbations", ICLR 2019), with what
// happens to radiographs in place of snow and fog. Lives here: which corruptions there are, how strong, and who draws
// what. Not here: the pixel arithmetic (pixel_changes.h), scoring (apps/stress).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace xrai {

inline constexpr int kSeverities = 5;

enum class CorruptionKind : std::uint32_t {
  kBrighter = 1,
  kDarker,
  kMoreContrast,
  kLessContrast,
  kDarkerMidtones,
  kLighterMidtones,
  kEqualisation,
  kLocalContrast,
  kNoise,
  kBlur,
  kSharpening,
  kJpeg,
  kRotation,
  kZoomIn,
  kZoomOut,
  kShift,
  kSquash,
  kBlackBorder,
  kMarker,
};

struct Corruption {
  CorruptionKind kind;
  std::string_view name;                    // in JSON: "jpeg"
  std::string_view label;                   // for people: "JPEG artefacts"
  std::string_view unit;                    // what the amounts count
  std::array<double, kSeverities> amounts;  // of severities 1 to 5, each stronger than the one before
};

/// All corruptions, in the order of tables.
std::span<const Corruption> corruption_suite();

/// A block of pictures that is changed as a whole, on all cores.
struct PictureBlock {
  const std::uint8_t* in = nullptr;  // (n, height, width), 0 black
  std::uint8_t* out = nullptr;       // the same shape; must not overlap `in`
  std::int64_t n = 0, height = 0, width = 0;
  std::int64_t first_sample = 0;  // number of the first picture in its split
};

/// severity: 1 to 5. What is random (a direction, a corner, grain) is a function of (seed, corruption, sample) and the
/// same at all severities, so that severity is the only thing that changes. Throws std::invalid_argument for another
/// severity, Error(kFailure) when the JPEG codec fails.
void corrupt(const Corruption& corruption, int severity, std::uint64_t seed, const PictureBlock& block);

/// The stressed view: everything at once, each picture by one random draw of rotation 8 degrees, scale 0.88 to 1.12,
/// aspect exp(+-0.12), shift 0.04 of the side, gamma exp(+-0.35), contrast 0.75 to 1.25, brightness +-0.08. It is the
/// training view of kernels/augment.h at the stored size and without crop; draws differ in `draw`.
void draw_stressed_views(std::uint64_t seed, std::uint64_t draw, const PictureBlock& block);

}  // namespace xrai
