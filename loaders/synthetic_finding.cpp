// Consolidation and interstitial pattern, in the patient frame.
#include "loaders/synthetic_finding.h"

#include <cmath>

namespace xrai {

Finding finding_of(std::uint64_t seed, std::uint64_t index) {
  // Integers only: a label must never hang on the rounding of somebody's mathematical library.
  using synthetic::Topic;
  const std::uint64_t pair = index / 2;
  const bool odd_is_sick = (synthetic::key_of(seed, pair, Topic::kLabel) & 1U) != 0;
  if (((index & 1U) != 0) != odd_is_sick) return Finding::kNormal;
  const bool odd_pair_is_lobar = (synthetic::key_of(seed, pair / 2, Topic::kLabel) & 2U) != 0;
  return ((pair & 1U) != 0) == odd_pair_is_lobar ? Finding::kLobarConsolidation : Finding::kInterstitialPattern;
}

namespace synthetic {
namespace {

// Somewhere between the inner and the outer border of the lung at this height.
Point inside_lung(const Patient& p, Side side, double y, double fraction) {
  const double inner = p.mediastinum[side].at(y) + 0.02;
  const double outer = p.cage.at(y) - 0.05;
  return {(side == kLeft ? 1.0 : -1.0) * (inner + fraction * (outer - inner)), y};
}

void choose_lobe(const Patient& p, Consolidation& patch, Dice& dice) {
  const double hilum_y = p.hilum.y + 0.05;
  const double dome_y = p.dome[patch.side].at(0.4);
  const bool upper = dice.chance(0.4);
  const bool middle = !upper && patch.side == kRight && dice.chance(0.4);
  patch.has_fissure = (upper && dice.chance(0.7)) || middle;
  patch.above_fissure = upper;
  patch.fissure_y = hilum_y + dice.uniform(-0.02, 0.08);
  patch.fissure_slope = dice.uniform(-0.15, 0.15);
  double y = dice.uniform(hilum_y + 0.05, dome_y - 0.10);  // lower lobe
  if (upper) y = dice.uniform(p.apex_y + 0.28, patch.fissure_y - 0.12);
  if (middle) y = dice.uniform(patch.fissure_y + 0.08, dome_y - 0.12);
  patch.middle = inside_lung(p, patch.side, y, dice.uniform(middle ? 0.05 : 0.15, middle ? 0.6 : 0.85));
}

}  // namespace

Consolidation draw_consolidation(const Patient& patient, std::uint64_t seed, std::uint64_t index) {
  Dice dice(seed, index, Topic::kFinding);
  Consolidation patch;
  patch.present = true;
  patch.side = dice.chance(0.5) ? kLeft : kRight;
  choose_lobe(patient, patch, dice);
  patch.radius = dice.uniform(0.19, 0.31);
  patch.stretch = dice.uniform(0.85, 1.25);
  patch.strength = dice.uniform(0.68, 0.97);
  patch.texture_key = static_cast<std::uint32_t>(dice.bits() >> 32);
  return patch;
}

Interstitial draw_interstitial(std::uint64_t seed, std::uint64_t index) {
  Dice dice(seed, index, Topic::kFinding);
  Interstitial pattern;
  pattern.present = true;
  pattern.strength = dice.uniform(0.7, 1.2);
  pattern.mesh = dice.uniform(11.0, 16.0);
  pattern.perihilar = dice.uniform(0.0, 0.6);
  pattern.texture_key = static_cast<std::uint32_t>(dice.bits() >> 32);
  return pattern;
}

double filled(const Consolidation& patch, const Place& at) {
  if (!patch.present || at.side != patch.side) return 0.0;
  const double u = (at.x - patch.middle.x) / patch.stretch;
  const double v = (at.y - patch.middle.y) * patch.stretch;
  const double squared = (u * u + v * v) / (patch.radius * patch.radius);
  if (squared >= 2.2) return 0.0;
  // A coarse octave frays the outline, a fine one makes the fluff of half-filled acini.
  const double coarse = value_noise(patch.texture_key, 7.0 * at.x, 7.0 * at.y) - 0.5;
  const double fine = value_noise(patch.texture_key + 1, 17.0 * at.x, 17.0 * at.y) - 0.5;
  const double warped = std::sqrt(squared) + 0.55 * coarse + 0.40 * fine;
  double share = patch.strength * (1.0 - smooth_step(0.45, 1.05, warped)) * (0.90 + 0.45 * fine);
  if (patch.has_fissure) {
    const double below = at.y - patch.fissure_y - patch.fissure_slope * (at.across - 0.4);
    share *= smooth_step(-0.012, 0.020, patch.above_fissure ? -below : below);
  }
  return clamp01(share);
}

void draw_air_bronchograms(Layer& layer, const Patient& patient, const Consolidation& patch, std::uint64_t seed,
                           std::uint64_t index) {
  Dice dice(seed, index, Topic::kFindingTexture);
  const double sign = patch.side == kLeft ? 1.0 : -1.0;
  const Point hilum{sign * patient.hilum.x, patient.hilum.y};
  const double dx = patch.middle.x - hilum.x, dy = patch.middle.y - hilum.y;
  const double towards = std::atan2(dy, dx);
  for (double side_step : {-0.45, 0.0, 0.45}) {
    const double back = 0.75 * patch.radius;
    Branch bronchus;
    bronchus.root = {patch.middle.x - back * std::cos(towards) - side_step * patch.radius * std::sin(towards),
                     patch.middle.y - back * std::sin(towards) + side_step * patch.radius * std::cos(towards)};
    bronchus.angle = towards + 0.5 * side_step + 0.15 * dice.bell();
    bronchus.length = 0.85 * patch.radius;
    bronchus.half_width = 0.011;
    bronchus.density = dice.uniform(0.5, 0.9);
    bronchus.generations = 3;
    draw_tree(layer, patient, bronchus, dice);
  }
}

double reticulation(const Interstitial& pattern, const Patient& patient, const Place& at) {
  const double hx = at.across - patient.hilum.x - 0.08, hy = at.y - patient.hilum.y - 0.12;
  const double near_hilum = bell_of_square((hx * hx + 0.6 * hy * hy) / 0.45);
  const double where = (1.0 - pattern.perihilar) + pattern.perihilar * near_hilum;
  // Lines where two independent noises cross their middle: thin, closed, of no preferred direction, like thickened
  // septa.
  double net = 0.0;
  for (std::uint32_t octave = 0; octave < 2; ++octave) {
    const double f = pattern.mesh * (1.0 + 0.7 * octave);
    const double height =
        value_noise(pattern.texture_key + octave, f * (at.x + 0.3 * at.y), f * (at.y - 0.3 * at.x)) - 0.5;
    net += bell_of_square(height * height / (0.13 * 0.13));
  }
  const double patchy = 0.45 + 1.1 * value_noise(pattern.texture_key + 7, 3.5 * at.x, 3.5 * at.y);
  return pattern.strength * where * patchy * (0.10 * net + 0.02);
}

void draw_nodules(Layer& layer, const Patient& patient, const Interstitial& pattern, std::uint64_t seed,
                  std::uint64_t index) {
  Dice dice(seed, index, Topic::kFindingTexture);
  for (int nodule = 0; nodule < 130; ++nodule) {
    const Side side = dice.chance(0.5) ? kLeft : kRight;
    const double y = dice.uniform(patient.apex_y + 0.2, patient.dome[side].at(0.4));
    const Point where = inside_lung(patient, side, y, dice.uniform());
    const double radius = dice.uniform(0.012, 0.026);
    layer.draw(patient, {where, where, radius, radius, pattern.strength * dice.uniform(0.08, 0.22)});
  }
}

}  // namespace synthetic
}  // namespace xrai
