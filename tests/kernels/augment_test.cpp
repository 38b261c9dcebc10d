// What the network sees of a stored radiograph.
#include "kernels/augment.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/parallel.h"
#include "tests/support/compare.h"
#include "tests/support/golden.h"
#include "tests/support/reference.h"

namespace xrai {
namespace augment_test {

using kernels::AugmentArguments;
using kernels::AugmentRanges;
using kernels::View;
using kernels::ViewSettings;
using testing::Doubles;
using testing::expect_near;
using testing::Random;
using testing::Values;

using Pixels = std::vector<std::uint8_t>;

constexpr AugmentRanges kEverything{15, 0.2f, 0.1f, 0.1f, 0.3f, 0.2f, 0.1f, 0.5f};

// Coordinates in float32 are off by 1e-5 pixels, between neighbours that may be black and white.
constexpr double kFloatCoordinates = 2e-4;

Pixels random_pixels(std::int64_t n, std::uint64_t stream = 1) {
  Random random(stream);
  Pixels pixels;
  for (std::int64_t i = 0; i < n; ++i) pixels.push_back(static_cast<std::uint8_t>(random.whole(0, 255)));
  return pixels;
}

/// A batch of stored pictures and how to look at them.
struct Batch {
  Batch(std::int64_t count, std::int64_t stored_height, std::int64_t stored_width, std::int64_t height,
        std::int64_t width)
      : pixels(random_pixels(count * stored_height * stored_width)) {
    for (std::int64_t i = 0; i < count; ++i) ids.push_back(100 + i);
    arguments.n = count;
    arguments.stored_height = stored_height, arguments.stored_width = stored_width;
    arguments.height = height, arguments.width = width;
    numbers.seed = 3, numbers.epoch = 4;
    arguments.view.mean = 0, arguments.view.deviation = 1;
  }
  Values run() {
    Values out(static_cast<std::size_t>(arguments.n * arguments.height * arguments.width), NAN);
    arguments.pixels = pixels.data(), arguments.sample_ids = ids.data(), arguments.out = out.data();
    arguments.numbers = &numbers;
    kernels::cpu::augment(arguments);
    return out;
  }
  Pixels pixels;
  std::vector<std::int64_t> ids;
  AugmentArguments arguments;
  kernels::StepNumbers numbers;
};

TEST(Augment, TheEvaluationViewAtTheStoredSizeIsThePictureNormalised) {
  Batch batch(3, 17, 17, 17, 17);
  batch.arguments.view.mean = 0.48f, batch.arguments.view.deviation = 0.23f;
  const Values out = batch.run();
  Doubles expected;
  for (const std::uint8_t pixel : batch.pixels) expected.push_back((pixel / 255.0 - 0.48) / 0.23);
  expect_near(out, expected, 2e-6, "out");
}

TEST(Augment, RowsSayWhereAPictureStands) {
  Batch stored(5, 12, 9, 7, 8);
  stored.arguments.ranges = kEverything;
  const std::vector<std::int64_t> rows{3, 0, 3};
  Batch picked = stored;
  picked.arguments.n = 3, picked.arguments.rows = rows.data();
  const Values out = picked.run();
  Batch in_order = stored;
  in_order.arguments.n = 3;
  in_order.pixels.clear();
  for (const std::int64_t row : rows)
    in_order.pixels.insert(in_order.pixels.end(), stored.pixels.begin() + row * 108,
                           stored.pixels.begin() + (row + 1) * 108);
  EXPECT_EQ(out, in_order.run());
}

TEST(Augment, ACropLooksAtTheMiddle) {
  Batch batch(1, 16, 16, 8, 8);
  batch.arguments.view.crop = 0.5f;
  const Values out = batch.run();
  for (std::size_t y = 0; y < 8; ++y)
    for (std::size_t x = 0; x < 8; ++x) EXPECT_NEAR(out[y * 8 + x], batch.pixels[(y + 4) * 16 + x + 4] / 255.0f, 1e-5);
}

TEST(Augment, AReductionAveragesWhatItCovers) {
  // Sampling single places of a checkerboard would give black, white or stripes.
  Batch batch(1, 64, 64, 16, 16);
  for (std::size_t i = 0; i < 64 * 64; ++i) batch.pixels[i] = (i % 64 + i / 64) % 2 == 0 ? 255 : 0;
  for (const float grey : batch.run()) EXPECT_NEAR(grey, 0.5f, 1e-4);
  EXPECT_EQ(kernels::samples_per_axis(64, 1, 16), 4);
  EXPECT_EQ(kernels::samples_per_axis(64, 0.5f, 16), 2);
  EXPECT_EQ(kernels::samples_per_axis(96, 1, 96), 1);
  EXPECT_EQ(kernels::samples_per_axis(16, 1, 96), 1);
  EXPECT_EQ(kernels::samples_per_axis(100000, 1, 1), 8);
}

TEST(Augment, ViewsOfAllKindsAreTheReferencesViews) {
  struct Sizes {
    std::int64_t stored_height, stored_width, height, width;
  };
  for (const auto& [sh, sw, h, w] : {Sizes{20, 20, 20, 20}, Sizes{31, 24, 17, 19}, Sizes{24, 40, 12, 12},
                                     Sizes{1, 1, 5, 5}, Sizes{9, 7, 1, 1}, Sizes{50, 50, 12, 13}}) {
    Batch batch(12, sh, sw, h, w);
    batch.arguments.ranges = kEverything;
    batch.arguments.view = {0.9f, 0.4f, 0.3f, false};
    const Values out = batch.run();
    const int samples = std::max(kernels::samples_per_axis(sh, 0.9f, h), kernels::samples_per_axis(sw, 0.9f, w));
    for (std::int64_t i = 0; i < 12; ++i) {
      const float aspect = static_cast<float>(sw) / static_cast<float>(sh);
      const View view = kernels::draw_view(kEverything, batch.arguments.view, aspect, 3, 4,
                                           static_cast<std::uint64_t>(batch.ids[static_cast<std::size_t>(i)]));
      const auto first = out.begin() + i * h * w;
      expect_near(Values(first, first + h * w),
                  testing::view_reference(batch.pixels.data() + i * sh * sw, batch.arguments, view, samples),
                  kFloatCoordinates, "picture " + std::to_string(i));
    }
  }
}

// The reference with PyTorch's matrices gives what PyTorch gave: the coordinates mean the same.
TEST(AugmentReference, SamplesAsPyTorchDoes) {
  for (const testing::GoldenCase& golden : testing::golden_cases("affine_sampling")) {
    const Shape in = golden.map_shape("pixels"), out = golden.map_shape("sampled");
    const auto values = golden.values<int>("pixels");
    const Pixels pixels(values.begin(), values.end());
    const Values theta = golden.values("theta");
    const auto recorded = golden.values<double>("sampled");
    AugmentArguments sizes;
    sizes.stored_height = in.height, sizes.stored_width = in.width;
    sizes.height = out.height, sizes.width = out.width;
    sizes.view.mean = 0, sizes.view.deviation = 1;
    for (std::int64_t n = 0; n < in.n; ++n) {
      const float* t = theta.data() + 6 * n;
      const View view{t[0], t[1], t[3], t[4], t[2], t[5]};
      const Doubles seen = testing::view_reference(pixels.data() + n * in.per_image(), sizes, view, 1);
      for (std::size_t i = 0; i < seen.size(); ++i)
        ASSERT_NEAR(255 * seen[i], recorded[static_cast<std::size_t>(n * out.per_image()) + i], 1e-3) << golden.name;
    }
  }
}

TEST(Augment, ARotationByNinetyDegreesTurnsThePictureExactly) {
  // A range of 90 / u, where u is this sample's draw, gives exactly a quarter turn.
  Batch batch(1, 15, 15, 15, 15);
  const View one = kernels::draw_view({1}, {}, 1, 3, 4, 100);
  const double degrees = std::atan2(one.m10, one.m00) * 180 / 3.14159265358979;
  batch.arguments.ranges.rotation_degrees = static_cast<float>(90 / degrees);
  const Values out = batch.run();
  for (std::size_t y = 0; y < 15; ++y)
    for (std::size_t x = 0; x < 15; ++x) {
      // u looks along the stored v: the stored column is 14 - y, the stored row x.
      ASSERT_NEAR(out[y * 15 + x], batch.pixels[x * 15 + 14 - y] / 255.0f, 1e-3) << y << ' ' << x;
    }
}

TEST(Augment, ARotationKeepsCirclesRoundInPicturesThatAreNotSquare) {
  const View view = kernels::draw_view({30}, {}, 2.0f, 3, 4, 100);
  // In pixels of a picture twice as wide as high, the matrix must be a rotation.
  const double m01 = view.m01 * 2.0, m10 = view.m10 / 2.0;
  EXPECT_NEAR(view.m00 * view.m00 + m10 * m10, 1.0, 1e-5);
  EXPECT_NEAR(m01 * m01 + view.m11 * view.m11, 1.0, 1e-5);
  EXPECT_NEAR(view.m00 * m01 + m10 * view.m11, 0.0, 1e-5);
}

TEST(Augment, OutsideThePictureTheBorderGoesOn) {
  Batch batch(64, 12, 12, 12, 12);
  batch.pixels.assign(batch.pixels.size(), 200);
  batch.arguments.ranges = {45, 0.5f, 0, 0.4f};
  for (const float grey : batch.run()) EXPECT_NEAR(grey, 200 / 255.0f, 1e-5);
}

TEST(Augment, AFlipMirrorsLeftAndRight) {
  Batch batch(1, 9, 12, 9, 12);
  batch.arguments.ranges.flip_probability = 1;
  const Values out = batch.run();
  for (std::size_t y = 0; y < 9; ++y)
    for (std::size_t x = 0; x < 12; ++x) EXPECT_NEAR(out[y * 12 + x], batch.pixels[y * 12 + 11 - x] / 255.0f, 1e-5);
}

TEST(Augment, ASampleLooksTheSameWhateverTheBatchItIsIn) {
  Batch together(5, 20, 20, 16, 16);
  together.arguments.ranges = kEverything;
  const Values all = together.run();
  for (std::int64_t i = 0; i < 5; ++i) {
    Batch alone(1, 20, 20, 16, 16);
    alone.arguments.ranges = kEverything;
    alone.pixels.assign(together.pixels.begin() + i * 400, together.pixels.begin() + (i + 1) * 400);
    alone.ids = {100 + i};
    EXPECT_EQ(alone.run(), Values(all.begin() + i * 256, all.begin() + (i + 1) * 256));
  }
}

TEST(Augment, EpochsAndSeedsAndSamplesLookDifferent) {
  Batch batch(2, 20, 20, 16, 16);
  std::copy_n(batch.pixels.begin(), 400, batch.pixels.begin() + 400);  // the same picture twice
  batch.arguments.ranges = kEverything;
  const Values first = batch.run();
  EXPECT_NE(Values(first.begin(), first.begin() + 256), Values(first.begin() + 256, first.end()));
  ++batch.numbers.epoch;
  EXPECT_NE(first, batch.run());
  --batch.numbers.epoch;
  ++batch.numbers.seed;
  EXPECT_NE(first, batch.run());
}

TEST(Augment, DoesNotDependOnTheNumberOfThreads) {
  Batch batch(7, 30, 30, 16, 16);
  batch.arguments.ranges = kEverything;
  const int before = kernels::thread_count();
  kernels::set_thread_count(1);
  const Values one = batch.run();
  for (const int threads : {2, 3, 5}) {
    kernels::set_thread_count(threads);
    EXPECT_EQ(one, batch.run()) << threads << " threads";
  }
  kernels::set_thread_count(before);
}

TEST(Augment, StandardisedPicturesHaveMeanZeroAndDeviationOne) {
  Batch batch(4, 20, 20, 16, 16);
  for (std::size_t i = 0; i < 400; ++i) batch.pixels[i] = 77;  // the first picture is constant
  batch.arguments.view.standardise = true;
  const Values out = batch.run();
  for (std::size_t i = 0; i < 256; ++i) EXPECT_EQ(out[i], 0.0f);
  for (std::size_t picture = 1; picture < 4; ++picture) {
    double sum = 0, squares = 0;
    for (std::size_t i = 0; i < 256; ++i) sum += out[picture * 256 + i], squares += std::pow(out[picture * 256 + i], 2);
    EXPECT_NEAR(sum / 256, 0, 1e-5);
    EXPECT_NEAR(squares / 256, 1, 1e-5);
  }
}

TEST(DrawView, ZeroRangesAreTheEvaluationView) {
  const View view = kernels::draw_view({}, {}, 1.5f, 1, 2, 3);
  EXPECT_EQ(view.m00, 1);
  EXPECT_EQ(view.m11, 1);
  EXPECT_EQ(std::abs(view.m01) + std::abs(view.m10) + std::abs(view.tx) + std::abs(view.ty), 0);
  EXPECT_EQ(view.gamma, 1);
  EXPECT_EQ(view.contrast, 1);
  EXPECT_EQ(view.brightness, 0);
}

TEST(DrawView, DrawsFillTheirRangesAndStayInThem) {
  const AugmentRanges ranges{20, 0.3f, 0, 0.15f, 0.4f, 0.25f, 0.1f, 0.3f};
  struct Range {
    double low = 1e9, high = -1e9, sum = 0;
    void add(double v) { low = std::min(low, v), high = std::max(high, v), sum += v; }
  };
  Range angle, zoom, tx, ty, log_gamma, contrast, brightness;
  int flips = 0;
  constexpr int kDraws = 20000;
  for (std::uint64_t sample = 0; sample < kDraws; ++sample) {
    const View v = kernels::draw_view(ranges, {}, 1, 1, 0, sample);
    const bool flipped = v.m00 * v.m11 - v.m01 * v.m10 < 0;
    flips += flipped ? 1 : 0;
    angle.add(std::atan2(-v.m01, v.m11) * 180 / 3.14159265358979);
    zoom.add(1 / std::hypot(v.m01, v.m11));
    tx.add(v.tx), ty.add(v.ty);
    log_gamma.add(std::log(v.gamma)), contrast.add(v.contrast), brightness.add(v.brightness);
  }
  const auto expect_uniform = [&](const Range& r, double centre, double reach, const char* what) {
    EXPECT_GE(r.low, centre - reach * 1.00001) << what;
    EXPECT_LE(r.high, centre + reach * 1.00001) << what;
    EXPECT_LT(r.low, centre - reach * 0.998) << what;
    EXPECT_GT(r.high, centre + reach * 0.998) << what;
    // The mean of n uniform numbers scatters by reach / sqrt(3 n); five times that.
    EXPECT_NEAR(r.sum / kDraws, centre, 5 * reach / std::sqrt(3.0 * kDraws)) << what;
  };
  expect_uniform(angle, 0, 20, "rotation");
  expect_uniform(zoom, 1, 0.3, "zoom");
  expect_uniform(tx, 0, 0.3, "shift right");  // a fraction of the side is two of the coordinates
  expect_uniform(ty, 0, 0.3, "shift down");
  expect_uniform(log_gamma, 0, 0.4, "gamma");
  expect_uniform(contrast, 1, 0.25, "contrast");
  expect_uniform(brightness, 0, 0.1, "brightness");
  EXPECT_NEAR(flips / static_cast<double>(kDraws), 0.3, 5 * std::sqrt(0.21 / kDraws));
}

TEST(DrawView, AspectStretchesOneAxisAsMuchAsItShrinksTheOther) {
  const View v = kernels::draw_view({0, 0, 0.5f}, {}, 1, 1, 0, 7);
  EXPECT_NE(v.m00, 1);
  EXPECT_NEAR(v.m00 * v.m11, 1, 1e-6);
  EXPECT_LE(std::abs(std::log(v.m00 / v.m11)), 0.5);
}

}  // namespace augment_test
}  // namespace xrai
