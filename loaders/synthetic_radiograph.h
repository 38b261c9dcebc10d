// Synthetic frontal chest radiographs: the demonstration data set that needs no download and belongs to nobody.
//
// The pictures are drawings. They are computed from a handful of curves and random numbers, show no person, and carry
// NO DIAGNOSTIC MEANING: a model trained on them knows nothing about patients. They exist so that the whole way from
// file to trained model can be walked, tested and timed on any machine, on a task that has the shape of the real one:
// the sick half differs from the healthy half by texture and local contrast at a random place in the lungs, not by
// brightness.
//
// Only the public face lives here; the drawing is in the synthetic_*.cpp files beside it.
#pragma once

#include <cstdint>
#include <vector>

namespace xrai {

enum class Finding : std::uint8_t {
  kNormal = 0,
  kLobarConsolidation =
      1,  // one soft-edged dense patch, cut off at the fissure of its lobe, vessels and borders lost in it
  kInterstitialPattern = 2,  // fine net, nodules and thickened bronchovascular bundles in both lungs, no single patch
};

// The label of the two-class task.
constexpr bool is_pneumonia(Finding finding) {
  return finding != Finding::kNormal;
}

struct SyntheticRadiograph {
  std::vector<std::uint8_t> pixels;  // (size, size), row by row from the top, 0 black (air) .. 255 white (bone)
  Finding finding = Finding::kNormal;
  // Middle and reach of the consolidation, in fractions of the side: x 0 left edge .. 1 right edge, y 0 top .. 1
  // bottom. For checking heat maps. All three are 0 where there is no single place: in normals and in interstitial
  // patterns.
  float lesion_x = 0.0F;
  float lesion_y = 0.0F;
  float lesion_radius = 0.0F;
};

constexpr int kSmallestRadiographSize = 32;
constexpr int kLargestRadiographSize = 1024;

// What picture `index` of the set `seed` shows. Of every two neighbours (2k, 2k+1) exactly one is diseased, and of
// every two such pairs (4k .. 4k+3) one has a consolidation and the other an interstitial pattern; which one is thrown.
Finding finding_of(std::uint64_t seed, std::uint64_t index);

// Picture `index` of the set `seed`, `size` pixels wide and high. A pure function of its arguments, safe to call from
// any number of threads; the same (seed, index) at another size is the same patient with finer or coarser pixels.
// Throws std::invalid_argument when size is outside [kSmallestRadiographSize, kLargestRadiographSize].
SyntheticRadiograph render_radiograph(std::uint64_t seed, std::uint64_t index, int size);

// The same patient, pose and exposure settings as render_radiograph, but with the finding asked for: what a picture
// would have looked like without its disease. For tests and for explaining heat maps, not for data sets.
SyntheticRadiograph render_radiograph_with(std::uint64_t seed, std::uint64_t index, int size, Finding finding);

}  // namespace xrai
