// What makes a synthetic lung look diseased. A finding fills air (the lung under it turns dense, and vessels, heart
// border or diaphragm beside it fade) and adds texture; it knows nothing of exposure, which is matched later.
#pragma once

#include <cstdint>

#include "loaders/synthetic_anatomy.h"
#include "loaders/synthetic_radiograph.h"
#include "loaders/synthetic_strokes.h"

namespace xrai::synthetic {

// A patch of pneumonia in one lobe.
struct Consolidation {
  bool present = false;
  Side side = kRight;
  Point middle;              // patient frame
  double radius = 0.0;       // mean reach, patient frame
  double stretch = 1.0;      // wider than high when above 1
  double strength = 0.0;     // share of the air that is filled in the middle
  bool has_fissure = false;  // a lobe ends here: nothing is filled beyond
  double fissure_y = 0.0, fissure_slope = 0.0;
  bool above_fissure = false;
  std::uint32_t texture_key = 0;
};

struct Interstitial {
  bool present = false;
  double strength = 0.0;
  double mesh = 20.0;      // net cells per unit of the patient frame
  double perihilar = 0.5;  // 1 around the hila only, 0 everywhere
  std::uint32_t texture_key = 0;
};

Consolidation draw_consolidation(const Patient& patient, std::uint64_t seed, std::uint64_t index);
Interstitial draw_interstitial(std::uint64_t seed, std::uint64_t index);

// Share of the air filled here, 0 .. 1.
double filled(const Consolidation& patch, const Place& at);
// Air in the bronchi that run through the patch, as strokes to be taken away from it.
void draw_air_bronchograms(Layer& layer, const Patient& patient, const Consolidation& patch, std::uint64_t seed,
                           std::uint64_t index);

// Density of the net at a point with full air, about 0 .. 0.3; its mean over a lung stays small, being lines and dots.
double reticulation(const Interstitial& pattern, const Patient& patient, const Place& at);
void draw_nodules(Layer& layer, const Patient& patient, const Interstitial& pattern, std::uint64_t seed,
                  std::uint64_t index);

}  // namespace xrai::synthetic
