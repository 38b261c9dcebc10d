// Shapes and proportions of the imaginary patient. All numbers are by eye, from the look of frontal radiographs; none
// is a measurement of anybody.
#include "loaders/synthetic_anatomy.h"

#include <cmath>

#include "loaders/synthetic_random.h"

namespace xrai::synthetic {
namespace {

constexpr int kRibs = 11;
constexpr double kAirBehindHeart = 0.10;      // lung in front of and behind the heart, so that its edge isn't a cliff
constexpr double kAirBehindDiaphragm = 0.16;  // the posterior sulcus reaches below the dome

void pose(Patient& p, Dice dice) {
  const double tilt = 0.07 * dice.bell();
  p.cos_tilt = std::cos(tilt);
  p.sin_tilt = std::sin(tilt);
  p.scale = 1.0 + 0.075 * dice.bell();
  p.bend = 0.03 * dice.bell();
  p.shift = {0.07 * dice.bell(), 0.065 * dice.bell()};
  const double turn = 0.05 * dice.bell();
  p.turn = {1.0 + turn, 1.0 - turn};
}

void shape_trunk(Patient& p, Dice& dice) {
  const double cage = dice.uniform(0.68, 0.79);
  const double fat = dice.uniform(0.07, 0.22);
  const double shoulders = dice.uniform(-0.05, 0.05);
  p.thickness = 0.86 + 1.1 * fat + 0.05 * dice.bell();
  p.apex_y = dice.uniform(-0.74, -0.64);
  const double top = p.apex_y;
  p.cage = Profile({{top - 0.03, 0.24},
                    {top + 0.02, 0.36},
                    {top + 0.10, 0.47},
                    {top + 0.25, 0.60 * cage / 0.74},
                    {-0.15, 0.90 * cage},
                    {0.20, 0.98 * cage},
                    {0.55, 1.02 * cage},
                    {1.0, 1.0 * cage}});
  const double skin = cage + fat;
  p.body = Profile({{-1.15, 0.21},
                    {-0.92 + shoulders, 0.23},
                    {-0.80 + shoulders, 0.38},
                    {-0.70 + shoulders, 0.70},
                    {-0.60 + shoulders, 0.90},
                    {-0.45, skin + 0.05},
                    {-0.2, skin - 0.01},
                    {0.2, skin},
                    {0.6, skin + 0.2 * fat},
                    {1.1, skin + 0.4 * fat}});
  for (std::size_t side : {kRight, kLeft}) {
    const double sign = side == kLeft ? 1.0 : -1.0;
    p.shoulder[side] = {sign * (skin - 0.02), -0.58 + shoulders};
    p.elbow[side] = {sign * (skin + 0.55), dice.uniform(-0.75, 0.35)};
  }
}

void shape_mediastinum(Patient& p, Dice& dice) {
  const double heart = dice.uniform(0.85, 1.14);
  const double knob = dice.uniform(-0.02, 0.03);
  const double lift = dice.uniform(-0.04, 0.04);
  const double top = p.apex_y;
  p.mediastinum[kLeft] = Profile({{top - 0.03, 0.24},
                                  {top + 0.03, 0.16},
                                  {top + 0.12, 0.125},
                                  {-0.43 + lift, 0.125},
                                  {-0.34 + lift, 0.155 + knob},
                                  {-0.25 + lift, 0.145},
                                  {-0.14 + lift, 0.165},
                                  {-0.02 + lift, 0.20 * heart},
                                  {0.16 + lift, 0.30 * heart},
                                  {0.34 + lift, 0.405 * heart},
                                  {0.46 + lift, 0.435 * heart},
                                  {0.7, 0.40 * heart}});
  p.mediastinum[kRight] = Profile({{top - 0.03, 0.24},
                                   {top + 0.03, 0.16},
                                   {top + 0.12, 0.12},
                                   {-0.35 + lift, 0.115},
                                   {-0.12 + lift, 0.13},
                                   {0.02 + lift, 0.155 * heart},
                                   {0.20 + lift, 0.20 * heart},
                                   {0.36 + lift, 0.205 * heart},
                                   {0.55, 0.17 * heart},
                                   {0.7, 0.15}});
  p.hilum = {dice.uniform(0.17, 0.20), dice.uniform(-0.10, -0.03)};
  const double aeration = dice.uniform(0.40, 0.58);  // deep breath or shallow; not quite the same on both sides
  p.aeration = {aeration + 0.025 * dice.bell(), aeration + 0.025 * dice.bell()};
  p.carina_y = p.hilum.y - dice.uniform(0.16, 0.22);
}

void shape_diaphragm(Patient& p, Dice& dice) {
  const double right = dice.uniform(0.42, 0.58);
  const double drop = dice.uniform(0.02, 0.08);  // the liver holds the right dome higher
  const double sulcus = dice.uniform(0.20, 0.30);
  const double wall = p.cage.at(0.7);
  for (std::size_t side : {kRight, kLeft}) {
    const double y = side == kRight ? right : right + drop;
    p.dome[side] = Profile({{0.0, y + 0.09},
                            {0.15, y + 0.055},
                            {0.28, y + 0.01},
                            {0.38, y},
                            {0.48, y + 0.02},
                            {0.58, y + 0.075},
                            {wall - 0.07, y + 0.6 * sulcus},
                            {wall, y + sulcus},
                            {wall + 0.1, y + 1.6 * sulcus}});
  }
  p.gas.clear();
  const double amount = dice.uniform(0.0, 0.22);
  p.gas.push_back({{dice.uniform(0.22, 0.42), right + drop + dice.uniform(0.10, 0.16)},
                   dice.uniform(0.10, 0.2),
                   dice.uniform(0.05, 0.10),
                   -amount});
  for (int bubble = 0; bubble < 3; ++bubble) {
    const double radius = dice.uniform(0.04, 0.11);
    p.gas.push_back(
        {{dice.uniform(-0.1, 0.6), dice.uniform(0.75, 1.0)}, radius * 1.3, radius, -dice.uniform(0.0, 0.16)});
  }
}

void shape_skeleton(Patient& p, Dice dice) {
  p.rib_period = dice.uniform(0.118, 0.140);
  p.rib_phase = p.apex_y - dice.uniform(0.0, 0.06);
  p.anterior_phase = dice.uniform(0.0, p.rib_period);
  const double hang = dice.uniform(0.8, 1.25);
  p.posterior_droop = Profile({{0.0, 0.02},
                               {0.12, 0.0},
                               {0.30, -0.015 * hang},
                               {0.5, 0.02 * hang},
                               {0.7, 0.085 * hang},
                               {0.85, 0.165 * hang},
                               {0.95, 0.245 * hang},
                               {1.05, 0.34 * hang}});
  p.rib_density = dice.uniform(0.12, 0.20);
  p.anterior_density = p.rib_density * dice.uniform(0.25, 0.5);
  p.spine_density = dice.uniform(0.14, 0.24);
  p.disc_period = dice.uniform(0.105, 0.125);
  p.disc_phase = dice.uniform(0.0, 0.1);
  p.texture_key = static_cast<std::uint32_t>(dice.bits() >> 32);
}

// Smooth brightness that has nothing to do with the label: it must outweigh what a consolidation does to the mean of a
// region, or a linear model would read the disease from brightness alone.
void overlay_clouds(Patient& p, Dice dice) {
  if (dice.chance(0.45)) {
    const double density = dice.uniform(0.03, 0.15);
    const double y = dice.uniform(0.25, 0.50);
    for (double sign : {-1.0, 1.0})
      p.clouds.push_back({{sign * dice.uniform(0.42, 0.54), y + 0.04 * dice.bell()},
                          dice.uniform(0.32, 0.42),
                          dice.uniform(0.30, 0.42),
                          density * dice.uniform(0.7, 1.3)});
  }
  for (int cloud = 0; cloud < 6; ++cloud)
    p.clouds.push_back({{dice.uniform(-0.75, 0.75), dice.uniform(-0.7, 0.7)},
                        dice.uniform(0.3, 0.6),
                        dice.uniform(0.3, 0.6),
                        dice.uniform(-0.07, 0.17)});
}

double arm(const Patient& p, const Place& at) {
  const Point a = p.shoulder[at.side];
  const Point b = p.elbow[at.side];
  const double dx = b.x - a.x, dy = b.y - a.y;
  const double along = clamp01(((at.x - a.x) * dx + (at.y - a.y) * dy) / (dx * dx + dy * dy));
  const double ex = at.x - a.x - along * dx, ey = at.y - a.y - along * dy;
  const double radius = 0.17 - 0.03 * along;
  const double inside = 1.0 - (ex * ex + ey * ey) / (radius * radius);
  return inside > 0.0 ? 0.42 * std::sqrt(inside) : 0.0;
}

// Cross-section of a rib seen from the front, by distance from its middle in periods: a faint body between two denser
// rims (the beam runs along the cortex there), the lower rim stronger.
double rib_profile(double offset, double half_width) {
  if (std::abs(offset) >= half_width + 0.05) return 0.0;
  const double body = 1.0 - smooth_step(half_width - 0.05, half_width + 0.05, std::abs(offset));
  const double lower = (offset - half_width + 0.04) / 0.085;
  const double upper = (offset + half_width - 0.04) / 0.085;
  return 0.72 * body + 0.45 * bell_of_square(lower * lower) + 0.26 * bell_of_square(upper * upper);
}

// Ribs of one family are level lines of `height`: the nearest one, a little out of step with its neighbours.
double rib_family(const Patient& p, double height, double half_width, std::uint32_t family) {
  const double number = height / p.rib_period;
  const auto nearest = static_cast<int>(number + 16.5) - 16;
  if (nearest < 0 || nearest > kRibs) return 0.0;
  const double jitter = 0.16 * (lattice_value(p.texture_key, nearest, static_cast<std::int32_t>(family)) - 0.5);
  return rib_profile(number - nearest - jitter, half_width);
}

}  // namespace

Profile::Profile(std::initializer_list<Point> points) {
  const std::vector<Point> knots(points);
  low_ = knots.front().x;
  per_unit_ = kCells / (knots.back().x - low_);
  std::size_t k = 0;
  const auto slope = [&knots](std::size_t i) {
    const std::size_t before = i == 0 ? 0 : i - 1;
    const std::size_t after = i + 1 < knots.size() ? i + 1 : i;
    return (knots[after].y - knots[before].y) / (knots[after].x - knots[before].x);
  };
  for (std::size_t i = 0; i <= kCells; ++i) {
    const double where = low_ + static_cast<double>(i) / per_unit_;
    while (k + 2 < knots.size() && where > knots[k + 1].x) ++k;
    const double span = knots[k + 1].x - knots[k].x;
    const double t = clamp01((where - knots[k].x) / span);
    const double u = 1.0 - t;  // cubic Hermite with Catmull-Rom slopes
    table_[i] = knots[k].y * u * u * (1.0 + 2.0 * t) + knots[k + 1].y * t * t * (1.0 + 2.0 * u) +
                span * t * u * (slope(k) * u - slope(k + 1) * t);
  }
}

Patient draw_patient(std::uint64_t seed, std::uint64_t index) {
  Patient patient;
  pose(patient, Dice(seed, index, Topic::kPose));
  Dice habitus(seed, index, Topic::kHabitus);
  shape_trunk(patient, habitus);
  shape_mediastinum(patient, habitus);
  shape_diaphragm(patient, habitus);
  shape_skeleton(patient, Dice(seed, index, Topic::kSkeleton));
  overlay_clouds(patient, Dice(seed, index, Topic::kHaze));
  return patient;
}

Point to_film(const Patient& p, Point in) {
  const double x = p.scale * (in.x * p.turn[in.x > 0.0 ? kLeft : kRight] + p.bend * in.y * in.y);
  const double y = p.scale * in.y;
  return {p.cos_tilt * x - p.sin_tilt * y + p.shift.x, p.sin_tilt * x + p.cos_tilt * y + p.shift.y};
}

Point to_patient(const Patient& p, Point on_film) {
  const double fx = on_film.x - p.shift.x, fy = on_film.y - p.shift.y;
  const double y = (p.cos_tilt * fy - p.sin_tilt * fx) / p.scale;
  const double x = (p.cos_tilt * fx + p.sin_tilt * fy) / p.scale - p.bend * y * y;
  return {x / p.turn[x > 0.0 ? kLeft : kRight], y};
}

Place locate(const Patient& p, Point in) {
  Place at;
  at.x = in.x;
  at.y = in.y;
  at.side = in.x > 0.0 ? kLeft : kRight;
  at.across = std::abs(in.x);
  at.cage = p.cage.at(in.y);
  at.from_mediastinum = at.across - p.mediastinum[at.side].at(in.y);
  at.above_dome = p.dome[at.side].at(at.across) - in.y;
  return at;
}

double lung_air(const Patient& p, const Place& at) {
  const double from_wall = at.cage - 0.015 - at.across;
  if (from_wall <= 0.0 || at.y < p.apex_y - 0.03) return 0.0;
  const double depth = clamp01(from_wall / 0.30);
  const double round = std::sqrt(depth * (2.0 - depth));  // the chest is round: the lung thins towards its side wall
  const double beside_heart = kAirBehindHeart * clamp01(at.across / 0.1) +
                              (1.0 - kAirBehindHeart) * smooth_step(-0.012, 0.035, at.from_mediastinum);
  const double above = smooth_step(-0.015, 0.03, at.above_dome);
  const double below = kAirBehindDiaphragm * smooth_step(-0.25, 0.0, at.above_dome);
  const double apex = 0.45 + 0.55 * smooth_step(p.apex_y - 0.02, p.apex_y + 0.40, at.y);
  return round * apex * beside_heart * (below + (1.0 - kAirBehindDiaphragm) * above) *
         smooth_step(p.apex_y - 0.03, p.apex_y + 0.02, at.y);
}

double soft_tissue(const Patient& p, const Place& at) {
  const double ratio = at.across / p.body.at(at.y);
  const double trunk =
      ratio < 1.0 ? std::sqrt(std::sqrt(1.0 - ratio * ratio)) * (0.55 + 0.17 * smooth_step(-0.8, -0.3, at.y)) : 0.0;
  const double limb = arm(p, at);
  double density = (trunk > limb ? trunk : limb) * p.thickness;
  if (ratio < 1.0) {
    density += 0.16 * smooth_step(-0.02, 0.10, -at.above_dome) * clamp01((at.cage - at.across) / 0.1);
    const double heart = clamp01(-at.from_mediastinum / 0.12);
    density += 0.10 * std::sqrt(heart) * smooth_step(-0.45, 0.25, at.y);
  }
  density *= 1.0 + 0.05 * (value_noise(p.texture_key, 5.0 * at.x, 5.0 * at.y) - 0.5);
  if (trunk > 0.0)
    for (const Cloud& cloud : p.clouds) density += cloud.at(at.x, at.y);
  if (at.above_dome < -0.03)
    for (const Cloud& bubble : p.gas) density += bubble.at(at.x, at.y) * smooth_step(0.03, 0.08, -at.above_dome);
  return density;
}

double ribs(const Patient& p, const Place& at) {
  const double fraction = at.across / at.cage;
  if (fraction > 1.06 || at.y < p.apex_y - 0.08) return 0.0;
  const double ends = 1.0 - smooth_step(1.0, 1.05, fraction);
  // Seen along its length at the side wall, a rib is denser; under the diaphragm it drowns in the abdomen.
  const double drowned = 0.45 + 0.55 * smooth_step(-0.12, 0.02, at.above_dome);
  const double tangential = 0.75 + 0.35 * fraction * fraction;
  double density = p.rib_density * tangential * drowned * ends * smooth_step(0.06, 0.12, at.across) *
                   rib_family(p, at.y - p.posterior_droop.at(fraction) - p.rib_phase, 0.23, 1);
  const double medial_end =
      smooth_step(0.40, 0.62, fraction);  // in front the ribs go over into cartilage, which isn't seen
  if (medial_end > 0.0) {
    const double height = at.y - 0.40 * (1.0 - fraction) - 0.05 * (1.0 - fraction) * (1.0 - fraction) - p.apex_y -
                          0.22 - p.anterior_phase;
    density += p.anterior_density * medial_end * drowned * ends * rib_family(p, height, 0.27, 2);
  }
  const double wall = (fraction - 1.015) / 0.035;
  return density + 0.55 * p.rib_density * bell_of_square(wall * wall);
}

double spine_and_airway(const Patient& p, const Place& at) {
  if (at.across > 0.2) return 0.0;
  const double half_width = 0.085 + 0.02 * smooth_step(-0.4, 0.8, at.y);
  const double body = 1.0 - smooth_step(half_width - 0.012, half_width + 0.018, at.across);
  const double number = (at.y + 2.0 + p.disc_phase) / p.disc_period;
  const double offset = number - static_cast<double>(static_cast<int>(number)) - 0.5;  // 0 at the middle of a vertebra
  const double disc = smooth_step(0.33, 0.44, std::abs(offset));
  const double rim = (at.across - half_width + 0.012) / 0.016;
  const double px = (at.across - 0.055) / 0.022, py = (offset + 0.12) / 0.20;
  const double process = at.across * at.across / (0.014 * 0.014) + (offset - 0.2) * (offset - 0.2) / 0.06;
  double density = body * (0.75 - 0.30 * disc) + 0.20 * bell_of_square(rim * rim) * (1.0 - disc) +
                   0.28 * bell_of_square(px * px + py * py) + 0.20 * bell_of_square(process);
  density *= p.spine_density;
  // Air of the windpipe, down to where it forks.
  const double tube = 1.0 - smooth_step(0.026, 0.052, at.across);
  const double sternum = 0.05 * (1.0 - smooth_step(0.06, 0.12, at.across)) * smooth_step(-0.6, -0.5, at.y);
  return density + sternum - 0.17 * tube * smooth_step(-0.02, 0.06, p.carina_y - at.y);
}

}  // namespace xrai::synthetic
