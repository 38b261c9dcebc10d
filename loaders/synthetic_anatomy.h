// The imaginary patient: sampled sizes and positions, and the smooth fields (tissue, air, bone) along the beam.
// Knows neither pixels nor disease nor film.
//
// Patient frame: x to the viewer's right (the patient's left), y downwards, straightened so that the spine is x = 0;
// the picture spans about -1 .. 1 both ways. Film frame: exactly -1 .. 1 over the picture, after bend, tilt, scale and
// shift. Densities are attenuation (logarithm of exposure), in units of a chest without lungs, and simply add up.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

namespace xrai::synthetic {

struct Point {
  double x = 0.0;
  double y = 0.0;
};

constexpr double clamp01(double v) {
  return v < 0.0 ? 0.0 : (v > 1.0 ? 1.0 : v);
}
// 0 below `low`, 1 above `high`, smooth between; low < high.
constexpr double smooth_step(double low, double high, double v) {
  const double t = clamp01((v - low) / (high - low));
  return t * t * (3.0 - 2.0 * t);
}
// 1 at 0, 0 from 1 on, smooth: a bell without an exponential. Takes the SQUARED distance.
constexpr double bell_of_square(double squared) {
  return squared >= 1.0 ? 0.0 : (1.0 - squared) * (1.0 - squared);
}

// A curve through a few hand-placed points, tabulated once per picture because pixels ask for it many times.
class Profile {
 public:
  Profile() = default;
  // Points (at, value) in rising order of `at`, at least two; flat beyond the ends.
  explicit Profile(std::initializer_list<Point> points);
  double at(double where) const {
    const double cell = clamp01((where - low_) * per_unit_ / kCells) * kCells;
    const auto i = static_cast<std::size_t>(cell < kCells ? cell : kCells - 1);
    const double t = cell - static_cast<double>(i);
    return table_[i] * (1.0 - t) + table_[i + 1] * t;
  }

 private:
  static constexpr int kCells = 160;
  double low_ = 0.0;
  double per_unit_ = 1.0;  // cells per unit of `at`
  std::array<double, kCells + 1> table_{};
};

enum Side : std::size_t { kRight = 0, kLeft = 1 };  // the patient's, so the right lung is on the viewer's left

// A soft-edged elliptic shadow.
class Cloud {
 public:
  Cloud(Point middle, double radius_x, double radius_y, double density)
      : middle_(middle), per_radius_x_(1.0 / radius_x), per_radius_y_(1.0 / radius_y), density_(density) {}
  double at(double x, double y) const {
    const double u = (x - middle_.x) * per_radius_x_;
    const double v = (y - middle_.y) * per_radius_y_;
    return density_ * bell_of_square(u * u + v * v);
  }

 private:
  Point middle_;
  double per_radius_x_, per_radius_y_;  // inverse, because every pixel asks and a division is slow
  double density_;                      // in the middle; negative takes density away
};

struct Patient {
  double cos_tilt = 1.0, sin_tilt = 0.0, scale = 1.0, bend = 0.0;  // film = tilt(scale * bent) + shift
  Point shift;
  std::array<double, 2> turn{1.0, 1.0};  // a patient turned about the long axis shows one half wider than the other

  double thickness = 1.0;              // soft tissue along the beam, 1 = average build
  Profile body;                        // half-width of the skin, by y
  Profile cage;                        // half-width of the rib cage, by y
  std::array<Profile, 2> mediastinum;  // where the lung begins, distance from the spine, by y
  std::array<Profile, 2> dome;         // y of the diaphragm, by distance from the spine
  Profile posterior_droop;             // how far a posterior rib hangs below its vertebra, by fraction of the cage
  double apex_y = -0.7;
  std::array<double, 2> aeration{0.5, 0.5};  // density that the air of each lung takes away where it is deepest
  Point hilum;                               // of the left lung; the right one is mirrored and a little lower
  double rib_period = 0.125, rib_phase = 0.0, anterior_phase = 0.0, rib_density = 0.1, anterior_density = 0.05;
  double spine_density = 0.2, disc_period = 0.115, disc_phase = 0.0;
  double carina_y = -0.3;
  std::uint32_t texture_key = 0;
  std::vector<Cloud> clouds;             // smooth overlays of both classes: breasts, folds, uneven grid
  std::vector<Cloud> gas;                // stomach and bowel
  std::array<Point, 2> shoulder, elbow;  // middle line of the upper arms
};

Patient draw_patient(std::uint64_t seed, std::uint64_t index);

Point to_film(const Patient& patient, Point in_patient);
Point to_patient(const Patient& patient, Point on_film);

// What every field asks about a point of the patient frame, looked up once.
struct Place {
  double x = 0.0, y = 0.0;
  Side side = kRight;
  double across = 0.0;            // distance from the spine
  double cage = 1.0;              // half-width of the rib cage here
  double from_mediastinum = 0.0;  // positive on the lung's side
  double above_dome = 0.0;        // positive above the diaphragm
};
Place locate(const Patient& patient, Point in_patient);

// Air along the beam, 0 outside the lungs .. about 1 in mid-lung.
double lung_air(const Patient& patient, const Place& place);
double soft_tissue(const Patient& patient, const Place& place);
double ribs(const Patient& patient, const Place& place);
double spine_and_airway(const Patient& patient, const Place& place);

}  // namespace xrai::synthetic
