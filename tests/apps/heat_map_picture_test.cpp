// Heat maps as pictures: colours that keep their order for every eye, overlays that lie where the network looked,
// files.
#include "apps/report/heat_map_picture.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "apps/report/heat_colour.h"
#include "apps/report/heat_map_files.h"
#include "loaders/image_decoder.h"
#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"

namespace xrai {
namespace heat_map_picture_test {

struct Lab {
  double l, a, b;
};

// From bytes of sRGB to CIELAB (IEC 61966-2-1; CIE 15:2004): the other way round than the code under test goes.
Lab lab_of(const Rgb& colour) {
  double linear[3];
  for (std::size_t i = 0; i < 3; ++i) {
    const double value = colour[i] / 255.0;
    linear[i] = value <= 0.04045 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4);
  }
  const auto [r, g, b] = linear;
  const auto root = [](double t) { return t > 216.0 / 24389 ? std::cbrt(t) : (24389.0 / 27 * t + 16) / 116; };
  const double x = root((0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047);
  const double y = root(0.2126729 * r + 0.7151522 * g + 0.0721750 * b);
  const double z = root((0.0193339 * r + 0.1191920 * g + 0.9503041 * b) / 1.08883);
  return {116 * y - 16, 500 * (x - y), 200 * (y - z)};
}

TEST(HeatColour, EqualStepsLookEqualAndEachIsLighter) {
  constexpr int kSteps = 20;
  std::vector<double> distances;
  for (int i = 0; i < kSteps; ++i) {
    const Lab from = lab_of(heat_colour(static_cast<double>(i) / kSteps)),
              to = lab_of(heat_colour(static_cast<double>(i + 1) / kSteps));
    EXPECT_GT(to.l, from.l + 2.0) << i;
    distances.push_back(std::hypot(to.l - from.l, to.a - from.a, to.b - from.b));
  }
  std::sort(distances.begin(), distances.end());
  // Bytes round colours by up to half a unit, which near black is most of a unit of CIELAB; the one step around the
  // corner between the two lines is shorter across.
  EXPECT_LT(distances.back() - distances[1], 1.5) << distances[1] << " to " << distances.back();
  EXPECT_GT(distances[0], 0.7 * distances.back());
}

TEST(HeatColour, CutsOffWhatIsBeyondItsEnds) {
  EXPECT_EQ(heat_colour(-1), heat_colour(0));
  EXPECT_EQ(heat_colour(7), heat_colour(1));
  EXPECT_EQ(heat_opacity(0), 0.0);
  EXPECT_LT(heat_opacity(9), 0.7);
}

TEST(HeatOverlay, LiesWhereTheNetworkLookedAndIsStrongestAtThePeak) {
  HeatMap map{4, 4, 0.8, std::vector<float>(16, 0.2f)};
  map.values[4 * 1 + 2] = 5;  // second row, third column: 0.6, 0.4
  constexpr std::int64_t kSide = 50;
  const auto rgba = heat_overlay(map, kSide, kSide);
  ASSERT_EQ(rgba.size(), 4u * kSide * kSide);
  const auto opacity = [&](double x, double y) {
    return rgba[static_cast<std::size_t>(
        4 * (static_cast<std::int64_t>(y * kSide) * kSide + static_cast<std::int64_t>(x * kSide)) + 3)];
  };
  EXPECT_EQ(opacity(0.05, 0.5), 0);
  EXPECT_EQ(opacity(0.5, 0.96), 0);
  EXPECT_NEAR(opacity(0.2, 0.8), 255 * 0.65 * 0.2 / 5, 1.5);
  EXPECT_GT(opacity(0.6, 0.4), 0.9 * 255 * 0.65);
  EXPECT_LT(opacity(0.4, 0.6), 255 * 0.65 * 0.1);
  for (const std::uint8_t byte : {rgba[3], heat_overlay({2, 2, 1, {0, 0, 0, 0}}, 8, 8)[4 * 30 + 3]}) EXPECT_EQ(byte, 0);
}

TEST(HeatOverlay, IsSmallInAPage) {
  const HeatMap map{6, 6, 0.9, std::vector<float>(36, 1.0f)};
  EXPECT_TRUE(heat_overlay_data(map, 2000, 1000).starts_with("data:image/png;base64,"));
  EXPECT_LT(heat_overlay_data(map, 2000, 1000).size(), 40000u);
  EXPECT_LT(heat_legend_data().size(), 4000u);
}

TEST(HeatMapPicture, ShowsThePictureBesideItselfWithHeat) {
  const testing::TemporaryFolder folder;
  const std::vector<std::uint8_t> pixels(64 * 64, 100);
  HeatMap map{2, 2, 0.9, {0, 0, 0, 3}};
  const auto luma = [&](const char* name) {
    write_heat_map(folder / name, pixels, 64, 64, map, {"PNEUMONIA", 0.97, "PNEUMONIA", "relu5"});
    return load_square_picture(folder / name, {400, Fit::kSquash}).image;
  };
  const GreyImage hot = luma("hot.png");
  map.values = {0, 0, 0, 0};
  const GreyImage cold = luma("cold.png");
  std::int64_t left = 0, right = 0;
  for (int y = 0; y < 300; ++y)
    for (int x = 0; x < 400; ++x) (x < 196 ? left : right) += hot.row(y)[x] != cold.row(y)[x] ? 1 : 0;
  EXPECT_EQ(left, 0);  // the picture as it is
  EXPECT_GT(right, 5000);
}

TEST(HeatMapFiles, KeepNamesApartAndNeverOverwriteUnasked) {
  const testing::TemporaryFolder folder;
  const std::filesystem::path to = folder / "new/seen";
  const std::vector<std::filesystem::path> pictures{"a/scan.jpeg", "b/scan.png", "other.png"};
  const auto files = heat_map_files(to, pictures, false);
  EXPECT_EQ(files, (std::vector<std::filesystem::path>{to / "scan-heatmap.png", to / "scan-heatmap-2.png",
                                                       to / "other-heatmap.png"}));
  std::ofstream(files[1]) << "mine";
  EXPECT_NE(testing::refused(ExitCode::kStorage, [&] { (void)heat_map_files(to, pictures, false); }).find("--force"),
            std::string::npos);
  EXPECT_EQ(heat_map_files(to, pictures, true), files);
  EXPECT_NE(testing::refused(ExitCode::kStorage, [&] { (void)heat_map_files(files[1], pictures, true); }), "");
}

}  // namespace heat_map_picture_test
}  // namespace xrai
