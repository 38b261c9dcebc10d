// Acquisitions on a bell-shaped spot, whose extent and place are known: what each does to framing, shape, exposure and
// sharpness, in which direction and by how much.
#include "loaders/stress/acquisition.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>
#include <vector>

namespace xrai {
namespace acquisition_test {

constexpr int kSide = 96;
constexpr double kSpot = 12.0;  // standard deviation, pixels
constexpr double kPi = 3.14159265358979;

struct Spot {
  double mass, deviation_x, deviation_y, lowest, highest;
};

/// Three pictures of the spot on level 40, 160 high; the last one is measured, so that blocks are walked to their end.
Spot spot_under(std::string_view name) {
  std::vector<std::uint8_t> in, out(3 * kSide * kSide, 1);
  for (int i = 0; i < 3; ++i)
    for (int y = 0; y < kSide; ++y)
      for (int x = 0; x < kSide; ++x) {
        const double dx = (x + 0.5 - kSide / 2.0) / kSpot, dy = (y + 0.5 - kSide / 2.0) / kSpot;
        in.push_back(static_cast<std::uint8_t>(std::lround(40.0 + 120.0 * std::exp(-0.5 * (dx * dx + dy * dy)))));
      }
  const auto all = acquisitions();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Acquisition& a) { return a.name == name; });
  if (found == all.end()) {
    ADD_FAILURE() << "no acquisition " << name;
    return {};
  }
  change_acquisition(*found, {.in = in.data(), .out = out.data(), .n = 3, .height = kSide, .width = kSide});
  const std::uint8_t* const last = out.data() + 2 * kSide * kSide;
  const std::uint8_t ground = last[0];
  Spot spot{0, 0, 0, 255, 0};
  for (int y = 0; y < kSide; ++y)
    for (int x = 0; x < kSide; ++x) {
      const double level = last[y * kSide + x], above = level - ground;
      const double dx = x + 0.5 - kSide / 2.0, dy = y + 0.5 - kSide / 2.0;
      spot.mass += above;
      spot.deviation_x += above * dx * dx;
      spot.deviation_y += above * dy * dy;
      spot.lowest = std::min(spot.lowest, level);
      spot.highest = std::max(spot.highest, level);
    }
  spot.deviation_x = std::sqrt(spot.deviation_x / spot.mass);
  spot.deviation_y = std::sqrt(spot.deviation_y / spot.mass);
  return spot;
}

// The tails of the spot beyond the rim and rounding to levels cost the deviations up to 3 %.
void expect_extent(std::string_view name, double times_x, double times_y) {
  const Spot spot = spot_under(name);
  EXPECT_NEAR(spot.deviation_x / kSpot, times_x, 0.03 * times_x) << name;
  EXPECT_NEAR(spot.deviation_y / kSpot, times_y, 0.03 * times_y) << name;
  EXPECT_NEAR(spot.lowest, 40, 1) << name << " keeps levels";
  EXPECT_NEAR(spot.highest, 160, 1) << name << " keeps levels";
}

TEST(Acquisition, FramingChangesTheExtentAndNotTheLevels) {
  expect_extent("narrower", 1 / 1.2, 1);
  expect_extent("wider", 1.2, 1);
  expect_extent("larger", 1.15, 1.15);
  expect_extent("smaller", 1 / 1.15, 1 / 1.15);
}

TEST(Acquisition, ExposureChangesTheLevelsAndNotTheExtent) {
  for (const auto& [name, added] : {std::pair{"brighter", 25.5}, std::pair{"darker", -25.5}}) {
    const Spot spot = spot_under(name);
    EXPECT_NEAR(spot.lowest, 40 + added, 0.51) << name;
    EXPECT_NEAR(spot.highest, 160 + added, 1.01) << name;
    EXPECT_NEAR(spot.deviation_x / kSpot, 1, 0.03) << name;
  }
  EXPECT_NEAR(spot_under("flatter").highest - spot_under("flatter").lowest, 120 / 1.3, 1.5);
}

/// Amplitude of a grating of four pixels a period behind the change, away from the rim.
double grating_under(std::string_view name) {
  std::vector<std::uint8_t> in, out(kSide * kSide);
  for (int i = 0; i < kSide * kSide; ++i)
    in.push_back(static_cast<std::uint8_t>(std::lround(128.0 + 100.0 * std::cos(0.5 * kPi * (i % kSide)))));
  const auto all = acquisitions();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Acquisition& a) { return a.name == name; });
  change_acquisition(*found, {.in = in.data(), .out = out.data(), .n = 1, .height = kSide, .width = kSide});
  const auto middle = out.begin() + kSide * kSide / 2 + kSide / 4;
  const auto [low, high] = std::minmax_element(middle, middle + kSide / 2);
  return 0.5 * (*high - *low);
}

// A Gaussian of weights w(k) at whole pixels lowers a wave of period 4 to sum w(k) cos(k pi / 2) / sum w(k).
TEST(Acquisition, BlurLowersFineDetailAsAGaussianDoes) {
  double wave = 0, sum = 0;
  for (int k = -4; k <= 4; ++k) {
    const double weight = std::exp(-0.5 * std::pow(k / (0.005 * kSide), 2));
    wave += weight * std::cos(0.5 * kPi * k);
    sum += weight;
  }
  EXPECT_NEAR(grating_under("blurred"), 100.0 * wave / sum, 1.0);
  EXPECT_NEAR(grating_under("brighter"), 100.0, 1.0);
}

}  // namespace acquisition_test
}  // namespace xrai
