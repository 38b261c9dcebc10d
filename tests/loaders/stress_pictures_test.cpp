// The corruption suite, masks and statistics: each arithmetic against a plain loop in double, and what the suite
// promises as a whole: five rising severities, the same bytes for the same seed, on any number of threads.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "kernels/parallel.h"
#include "loaders/stress/corruption.h"
#include "loaders/stress/masks.h"
#include "loaders/stress/picture_statistics.h"
#include "loaders/stress/pixel_changes.h"
#include "loaders/synthetic_radiograph.h"
#include "tests/support/reference.h"

namespace xrai {
namespace stress_pictures_test {

using Bytes = std::vector<std::uint8_t>;
using Doubles = std::vector<double>;

constexpr int kHeight = 40, kWidth = 52;

/// Grain over a ramp, so that every level and every direction occurs.
Bytes grainy(int height = kHeight, int width = kWidth) {
  Bytes pixels;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      pixels.push_back(
          static_cast<std::uint8_t>((190 * x / width + 60 * y / height + (x * 7919 + y * 104729) % 23) % 256));
  return pixels;
}

template <class Change>
Bytes changed(const Bytes& in, Change change, int height = kHeight, int width = kWidth) {
  Bytes out(in.size(), 77);
  change(pixels::Picture{in.data(), out.data(), height, width});
  return out;
}

/// Rounding to whole levels may fall either way where float and double differ: half a level and a hundredth.
void expect_levels(const Bytes& found, const Doubles& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i)
    ASSERT_NEAR(found[i], std::clamp(expected[i], 0.0, 255.0), 0.51) << "pixel " << i;
}

template <class Of>
Doubles for_each_pixel(Of of) {
  Doubles values;
  for (int y = 0; y < kHeight; ++y)
    for (int x = 0; x < kWidth; ++x) values.push_back(of(y, x));
  return values;
}

double at(const Bytes& p, int y, int x) {
  return p[static_cast<std::size_t>(std::clamp(y, 0, kHeight - 1) * kWidth + std::clamp(x, 0, kWidth - 1))];
}

double mean(const Bytes& p) {
  return std::accumulate(p.begin(), p.end(), 0.0) / static_cast<double>(p.size());
}

TEST(PixelChanges, ToneFollowsItsFormula) {
  const Bytes in = grainy();
  const double grey = mean(in);
  expect_levels(changed(in, [](auto p) { pixels::change_brightness(p, -0.1); }),
                for_each_pixel([&](int y, int x) { return at(in, y, x) - 25.5; }));
  expect_levels(changed(in, [](auto p) { pixels::change_contrast(p, 1.5); }),
                for_each_pixel([&](int y, int x) { return grey + 1.5 * (at(in, y, x) - grey); }));
  expect_levels(changed(in, [](auto p) { pixels::change_gamma(p, 0.6); }),
                for_each_pixel([&](int y, int x) { return 255.0 * std::pow(at(in, y, x) / 255.0, 0.6); }));
}

TEST(PixelChanges, EqualisationRanksPixels) {
  const Bytes in = grainy();
  const std::uint8_t lowest = *std::min_element(in.begin(), in.end());
  const auto n_lowest = std::count(in.begin(), in.end(), lowest);
  const auto expected = [&](double share) {
    return for_each_pixel([&](int y, int x) {
      const double level = at(in, y, x);
      const auto below = std::count_if(in.begin(), in.end(), [&](std::uint8_t other) { return other <= level; });
      const double equalised =
          255.0 * static_cast<double>(below - n_lowest) / static_cast<double>(std::ssize(in) - n_lowest);
      return (1.0 - share) * level + share * equalised;
    });
  };
  for (const double share : {0.3, 1.0})
    expect_levels(changed(in, [=](auto p) { pixels::equalise_histogram(p, share); }), expected(share));
  const Bytes flat(in.size(), 90);
  EXPECT_EQ(changed(flat, [](auto p) { pixels::equalise_histogram(p, 1.0); }), flat);
}

/// One tile's mapping of one level, counted pixel by pixel.
double tile_level(const Bytes& in, int row, int column, int level, double clip) {
  const int top = row * kHeight / 8, bottom = (row + 1) * kHeight / 8;
  const int left = column * kWidth / 8, right = (column + 1) * kWidth / 8;
  const double n = (bottom - top) * (right - left), limit = clip * n / 256.0;
  Doubles bins(256, 0.0);
  for (int y = top; y < bottom; ++y)
    for (int x = left; x < right; ++x) bins[static_cast<std::size_t>(at(in, y, x))] += 1.0;
  double cut = 0, sum = 0;
  for (const double bin : bins) cut += bin > limit ? bin - limit : 0.0;
  for (int i = 0; i <= level; ++i) sum += std::min(bins[static_cast<std::size_t>(i)], limit) + cut / 256.0;
  return 255.0 * sum / n;
}

TEST(PixelChanges, LocalEqualisationInterpolatesBetweenTiles) {
  const Bytes in = grainy();
  const auto expected = for_each_pixel([&](int y, int x) {
    const double row = std::clamp((y + 0.5) * 8 / kHeight - 0.5, 0.0, 7.0);
    const double column = std::clamp((x + 0.5) * 8 / kWidth - 0.5, 0.0, 7.0);
    double value = 0;
    for (int r = 0; r < 8; ++r)
      for (int c = 0; c < 8; ++c) {
        const double weight = std::max(0.0, 1 - std::abs(row - r)) * std::max(0.0, 1 - std::abs(column - c));
        if (weight > 0) value += weight * tile_level(in, r, c, static_cast<int>(at(in, y, x)), 2.5);
      }
    return 0.4 * at(in, y, x) + 0.6 * value;
  });
  expect_levels(changed(in, [](auto p) { pixels::equalise_locally(p, 2.5, 0.6); }), expected);
  // Fewer pixels than tiles.
  EXPECT_EQ(changed(
                {10, 20, 30}, [](auto p) { pixels::equalise_locally(p, 2.0, 0.0); }, 1, 3),
            (Bytes{10, 20, 30}));
}

double gaussian_blur(const Bytes& in, int y, int x, double sigma) {
  const int reach = static_cast<int>(std::ceil(3 * sigma));
  double sum = 0, weights = 0;
  for (int i = -reach; i <= reach; ++i)
    for (int j = -reach; j <= reach; ++j) {
      const double weight = std::exp(-0.5 * (i * i + j * j) / (sigma * sigma));
      sum += weight * at(in, y + i, x + j);
      weights += weight;
    }
  return sum / weights;
}

TEST(PixelChanges, BlurAndSharpeningAreTheTwoDimensionalSums) {
  const Bytes in = grainy();
  expect_levels(changed(in, [](auto p) { pixels::blur(p, 1.7); }),
                for_each_pixel([&](int y, int x) { return gaussian_blur(in, y, x, 1.7); }));
  expect_levels(changed(in, [](auto p) { pixels::sharpen(p, 1.2, 2.0); }),
                for_each_pixel([&](int y, int x) { return 3.0 * at(in, y, x) - 2.0 * gaussian_blur(in, y, x, 1.2); }));
}

TEST(PixelChanges, WarpLooksWhereTheMapSays) {
  const Bytes in = grainy();
  const double aspect = static_cast<double>(kWidth) / kHeight;
  for (const pixels::Affine& map : {pixels::rotation(11.0, aspect), pixels::Affine{.m00 = 1.2, .m11 = 0.8},
                                    pixels::Affine{.tx = 0.3, .ty = -0.17}}) {
    kernels::AugmentArguments sizes;
    sizes.stored_height = sizes.height = kHeight;
    sizes.stored_width = sizes.width = kWidth;
    sizes.view = {.crop = 1, .mean = 0, .deviation = 1};
    kernels::View view;
    view.m00 = static_cast<float>(map.m00), view.m01 = static_cast<float>(map.m01);
    view.m10 = static_cast<float>(map.m10), view.m11 = static_cast<float>(map.m11);
    view.tx = static_cast<float>(map.tx), view.ty = static_cast<float>(map.ty);
    Doubles expected = testing::view_reference(in.data(), sizes, view, 1);
    for (double& grey : expected) grey *= 255.0;
    expect_levels(changed(in, [&](auto p) { pixels::warp(p, map); }), expected);
  }
}

TEST(PixelChanges, RotationIsClockwiseInPixelsOfAnyPicture) {
  Bytes in(std::size_t{kHeight} * kWidth, 0);
  const int right = kWidth / 2 + 15, middle = kHeight / 2;  // a spot 15 pixels to the right of the centre
  for (int y = middle - 2; y <= middle + 2; ++y)
    for (int x = right - 2; x <= right + 2; ++x) in[static_cast<std::size_t>(y * kWidth + x)] = 255;
  const double aspect = static_cast<double>(kWidth) / kHeight;
  const Bytes out = changed(in, [&](auto p) { pixels::warp(p, pixels::rotation(90.0, aspect)); });
  EXPECT_GT(out[static_cast<std::size_t>((middle + 15) * kWidth + kWidth / 2)], 200) << "a quarter turn later below it";
}

TEST(PixelChanges, NoiseHasItsDeviationAndNoMean) {
  const Bytes in(std::size_t{200} * 201, 128);
  const Bytes out = changed(
      in, [](auto p) { pixels::add_noise(p, 0.05, 0x123456789ABCDEFULL); }, 200, 201);
  double squares = 0;
  for (const std::uint8_t level : out) squares += (level - 128.0) * (level - 128.0) / static_cast<double>(out.size());
  // 40200 draws: the mean scatters by 12.75 / 200, the deviation by 0.4 %; four of each, and 1/12 level^2 of rounding.
  EXPECT_NEAR(mean(out), 128.0, 0.26);
  EXPECT_NEAR(std::sqrt(squares), std::sqrt(12.75 * 12.75 + 1.0 / 12.0), 0.2);
  EXPECT_NE(out, changed(
                     in, [](auto p) { pixels::add_noise(p, 0.05, 7); }, 200, 201));
}

TEST(PixelChanges, JpegOfHighQualityIsNearAndOfLowQualityFarther) {
  const Bytes in = render_radiograph(3, 4, 64).pixels;
  const auto distance = [&](int quality) {
    const Bytes out = changed(
        in, [=](auto p) { pixels::pass_through_jpeg(p, quality); }, 64, 64);
    double sum = 0;
    for (std::size_t i = 0; i < in.size(); ++i) sum += std::abs(in[i] - out[i]) / static_cast<double>(in.size());
    return sum;
  };
  EXPECT_LT(distance(100), 0.6);
  EXPECT_LT(distance(50), distance(10));
  EXPECT_LT(distance(10), 20.0);
}

TEST(PixelChanges, BlackBorderCoversTheRimAlone) {
  const Bytes in = grainy();
  const Bytes out = changed(in, [](auto p) { pixels::add_black_border(p, 0.1); });  // 4 of 40 pixels
  for (int y = 0; y < kHeight; ++y)
    for (int x = 0; x < kWidth; ++x) {
      const bool rim = y < 4 || x < 4 || y >= kHeight - 4 || x >= kWidth - 4;
      ASSERT_EQ(at(out, y, x), rim ? 0.0 : at(in, y, x)) << y << ", " << x;
    }
}

TEST(PixelChanges, MarkersAreWhiteLettersInTheirCorner) {
  const Bytes dark(std::size_t{100} * 100, 30);
  const auto marked = [&](char letter, bool at_right) {
    const pixels::Marker marker{.letter = letter, .at_right = at_right, .height = 0.2};
    return changed(
        dark, [&](auto p) { pixels::paste_marker(p, marker); }, 100, 100);
  };
  const Bytes l = marked('L', true), r = marked('R', false);
  // The letter is 20 pixels high and 12.4 wide, 8 pixels from the edges, its strokes 3.2 pixels wide.
  for (int y = 0; y < 100; ++y)
    for (int x = 0; x < 100; ++x) {
      const auto i = static_cast<std::size_t>(y * 100 + x);
      const bool in_rows = y >= 6 && y <= 30;
      if (!in_rows || x < 77 || x > 94) {
        ASSERT_EQ(l[i], 30) << y << ", " << x;
      }
      if (!in_rows || x < 6 || x > 23) {
        ASSERT_EQ(r[i], 30) << y << ", " << x;
      }
    }
  EXPECT_EQ(l[15 * 100 + 79], 245) << "the stem";
  EXPECT_EQ(l[28 * 100 + 88], 245) << "the foot";
  EXPECT_EQ(l[15 * 100 + 88], 30) << "beside the stem";
  EXPECT_EQ(r[15 * 100 + 8], 245) << "the stem";
  EXPECT_EQ(r[18 * 100 + 12], 245) << "the bar";
  EXPECT_EQ(r[13 * 100 + 13], 30) << "within the bowl";
  const Bytes bright(dark.size(), 250);
  EXPECT_EQ(changed(
                bright, [](auto p) { pixels::paste_marker(p, {}); }, 100, 100),
            bright);
  EXPECT_THROW(marked('X', false), std::invalid_argument);
}

/// Radiographs of the drawn kind, one after the other.
struct Radiographs {
  static constexpr std::int64_t kSide = 160, kCount = 3;  // the slightest blur is less than a pixel on smaller ones
  Bytes in, out = Bytes(static_cast<std::size_t>(kCount * kSide * kSide));
  Radiographs() {
    for (std::uint64_t i = 0; i < kCount; ++i) {
      const Bytes one = render_radiograph(9, i, kSide).pixels;
      in.insert(in.end(), one.begin(), one.end());
    }
  }
  PictureBlock block(std::int64_t first = 0, std::int64_t n = kCount) {
    return {.in = in.data() + first * kSide * kSide,
            .out = out.data() + first * kSide * kSide,
            .n = n,
            .height = kSide,
            .width = kSide,
            .first_sample = first};
  }
  [[nodiscard]] double distance() const {
    double sum = 0;
    for (std::size_t i = 0; i < in.size(); ++i) sum += std::abs(in[i] - out[i]);
    return sum / static_cast<double>(in.size());
  }
};

TEST(CorruptionSuite, EverySeverityChangesMoreThanTheOneBefore) {
  Radiographs pictures;
  EXPECT_GE(corruption_suite().size(), 17u);
  for (const Corruption& corruption : corruption_suite()) {
    double before = 0;
    for (int severity = 1; severity <= kSeverities; ++severity) {
      corrupt(corruption, severity, 1, pictures.block());
      EXPECT_GT(pictures.distance(), before) << corruption.name << ", severity " << severity;
      before = pictures.distance();
    }
    EXPECT_LT(before, 60.0) << corruption.name << " leaves no picture";
  }
  EXPECT_THROW(corrupt(corruption_suite()[0], 0, 1, pictures.block()), std::invalid_argument);
  EXPECT_THROW(corrupt(corruption_suite()[0], 6, 1, pictures.block()), std::invalid_argument);
}

TEST(CorruptionSuite, IsAFunctionOfSeedAndPictureWhateverTheBlocksAndThreads) {
  const int threads = kernels::thread_count();
  for (const Corruption& corruption : corruption_suite()) {
    Radiographs whole, pieces;
    kernels::set_thread_count(3);
    corrupt(corruption, 4, 5, whole.block());
    kernels::set_thread_count(1);
    corrupt(corruption, 4, 5, pieces.block(2, 1));
    corrupt(corruption, 4, 5, pieces.block(0, 2));
    EXPECT_EQ(whole.out, pieces.out) << corruption.name;
  }
  Radiographs one, other;
  for (const auto kind : {CorruptionKind::kNoise, CorruptionKind::kShift, CorruptionKind::kMarker}) {
    const auto suite = corruption_suite();
    const auto corruption = std::find_if(suite.begin(), suite.end(), [&](const auto& c) { return c.kind == kind; });
    corrupt(*corruption, 3, 1, one.block());
    corrupt(*corruption, 3, 2, other.block());
    EXPECT_NE(one.out, other.out) << corruption->name << " does not heed the seed";
  }
  kernels::set_thread_count(threads);
}

TEST(StressedViews, AreTheTrainingViewAtTheStoredSize) {
  Radiographs pictures;
  draw_stressed_views(7, 2, pictures.block());
  const kernels::AugmentRanges ranges{.rotation_degrees = 8,
                                      .scale = .12f,
                                      .aspect = .12f,
                                      .shift = .04f,
                                      .gamma = .35f,
                                      .contrast = .25f,
                                      .brightness = .08f};
  kernels::AugmentArguments sizes;
  sizes.stored_height = sizes.height = sizes.stored_width = sizes.width = Radiographs::kSide;
  sizes.view = {.crop = 1, .mean = 0, .deviation = 1};
  const std::size_t n = Radiographs::kSide * Radiographs::kSide;
  for (std::size_t i = 0; i < Radiographs::kCount; ++i) {
    const auto view = kernels::draw_view(ranges, sizes.view, 1.0f, 7, 2, i);
    const auto expected = testing::view_reference(pictures.in.data() + i * n, sizes, view, 1);
    for (std::size_t j = 0; j < n; ++j) ASSERT_NEAR(pictures.out[i * n + j], 255.0 * expected[j], 0.51);
  }
  const Bytes second = pictures.out;
  draw_stressed_views(7, 3, pictures.block());
  EXPECT_NE(second, pictures.out);
  Radiographs rest;
  draw_stressed_views(7, 2, rest.block(1, 2));
  EXPECT_TRUE(std::equal(second.begin() + n, second.end(), rest.out.begin() + n)) << "depends on the block";
}

TEST(PictureStatistics, AgreeWithPlainLoops) {
  const Bytes in = grainy();
  double squares = 0, laplacian = 0, dark = 0, rim = 0;
  std::vector<int> corners;
  for (int y = 0; y < kHeight; ++y)
    for (int x = 0; x < kWidth; ++x) {
      squares += (at(in, y, x) - mean(in)) * (at(in, y, x) - mean(in)) / static_cast<double>(in.size());
      if (y < 2 || x < 2 || y >= kHeight - 2 || x >= kWidth - 2) {  // a twentieth of 40
        rim += 1;
        dark += at(in, y, x) < 16 ? 1 : 0;
      }
      if ((y < 8 || y >= kHeight - 8) && (x < 8 || x >= kWidth - 8)) corners.push_back(static_cast<int>(at(in, y, x)));
      if (y > 0 && x > 0 && y < kHeight - 1 && x < kWidth - 1)
        laplacian +=
            std::abs(4 * at(in, y, x) - at(in, y - 1, x) - at(in, y + 1, x) - at(in, y, x - 1) - at(in, y, x + 1)) /
            ((kHeight - 2) * (kWidth - 2));
    }
  std::sort(corners.rbegin(), corners.rend());
  const PictureStatistics s = picture_statistics(in.data(), kHeight, kWidth);
  EXPECT_NEAR(s.mean_grey, mean(in), 1e-9);
  EXPECT_NEAR(s.deviation, std::sqrt(squares), 1e-9);
  EXPECT_NEAR(s.sharpness, laplacian, 1e-9);
  EXPECT_NEAR(s.dark_rim, dark / rim, 1e-12);
  EXPECT_GT(dark, 0);
  EXPECT_NEAR(s.corners, std::accumulate(corners.begin(), corners.begin() + 5, 0.0) / 5, 1e-9) << "a 50th of 256";
  EXPECT_EQ(picture_statistics(in.data(), 1, 7).sharpness, 0.0);
}

TEST(PictureStatistics, ColumnsThatAreTheSameForAllAreLeftOut) {
  const auto left = varying_columns({{"a", "a", {1, 1, 1}}, {"b", "b", {1, 2, 1}}});
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].name, "b");
}

TEST(Masks, ReplaceTheirPartByTheMedianOfTheBorder) {
  Bytes in = grainy();
  Bytes border, out(in.size());
  for (int y = 0; y < kHeight; ++y)
    for (int x = 0; x < kWidth; ++x)
      if (y == 0 || x == 0 || y == kHeight - 1 || x == kWidth - 1)
        border.push_back(static_cast<std::uint8_t>(at(in, y, x)));
  std::sort(border.begin(), border.end());
  const double median = border[border.size() / 2];
  const PictureBlock block{.in = in.data(), .out = out.data(), .n = 1, .height = kHeight, .width = kWidth};
  for (const MaskDescription& described : picture_masks()) {
    mask_pictures(described.mask, block);
    for (int y = 0; y < kHeight; ++y)
      for (int x = 0; x < kWidth; ++x) {
        const bool corner = (y < 8 || y >= 32) && (x < 8 || x >= kWidth - 8);
        const bool middle = y >= 8 && y < 32 && x >= 11 && x < 41;  // 10.4 to 41.6
        const bool masked = described.mask == Mask::kCorners  ? corner
                            : described.mask == Mask::kMiddle ? middle
                                                              : !middle;
        ASSERT_EQ(at(out, y, x), masked ? median : at(in, y, x)) << described.name << " " << y << ", " << x;
      }
  }
}

}  // namespace stress_pictures_test
}  // namespace xrai
