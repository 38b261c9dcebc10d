// What the network sees on the GPU is what it sees on the CPU: against the view computed in double, and the CPU twin.
#include "kernels/augment.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kernel_test.h"
#include "tests/support/reference.h"

namespace xrai {
namespace augment_test {

using kernels::AugmentArguments;
using kernels::AugmentRanges;
using testing::Activations;
using testing::Array;
using testing::Doubles;
using testing::expect_rounded;
using testing::Values;

using Pixels = std::vector<std::uint8_t>;

constexpr AugmentRanges kEverything{15, 0.2f, 0.1f, 0.1f, 0.3f, 0.2f, 0.1f, 0.5f};
/// Without contrast no sum over the picture is needed: another kernel.
constexpr AugmentRanges kNoContrast{15, 0.2f, 0.1f, 0.1f, 0.3f, 0, 0.1f, 0.5f};

// Coordinates in float32 are off by 1e-5 pixels, between neighbours that may be black and white.
constexpr double kFloatCoordinates = 2e-4;

struct Sizes {
  std::int64_t stored_height, stored_width, height, width;
};

Pixels random_pixels(std::int64_t n) {
  testing::Random random(1);
  Pixels pixels;
  for (std::int64_t i = 0; i < n; ++i) pixels.push_back(static_cast<std::uint8_t>(random.whole(0, 255)));
  return pixels;
}

/// A batch of stored pictures and how to look at them.
struct Batch {
  Batch(std::int64_t count, const Sizes& sizes)
      : pixels(random_pixels(count * sizes.stored_height * sizes.stored_width)) {
    for (std::int64_t i = 0; i < count; ++i) ids.push_back((std::int64_t{1} << 34) + 100 + i);
    arguments.n = count;
    arguments.stored_height = sizes.stored_height, arguments.stored_width = sizes.stored_width;
    arguments.height = sizes.height, arguments.width = sizes.width;
    arguments.view = {0.9f, 0.4f, 0.3f, false};
    numbers.seed = 3, numbers.epoch = 4;
  }
  [[nodiscard]] std::int64_t outputs() const { return arguments.n * arguments.height * arguments.width; }

  [[nodiscard]] Values by_kernel(DataType type, std::size_t offset = 0) const {
    const Array<std::uint8_t> device_pixels(pixels, offset);
    const Array<std::int64_t> device_ids(ids);
    const Array<kernels::StepNumbers> device_numbers(std::vector{numbers});
    const Activations out(type, static_cast<std::size_t>(outputs()), offset);
    AugmentArguments a = arguments;
    a.pixels = device_pixels.data(), a.sample_ids = device_ids.data(), a.out = out.data();
    a.numbers = device_numbers.data();
    kernels::cuda::augment(a, type, nullptr);
    return out.values();
  }
  [[nodiscard]] Values by_twin() const {
    Values out(static_cast<std::size_t>(outputs()));
    AugmentArguments a = arguments;
    a.pixels = pixels.data(), a.sample_ids = ids.data(), a.out = out.data(), a.numbers = &numbers;
    kernels::cpu::augment(a);
    return out;
  }
  /// Without standardisation.
  [[nodiscard]] Doubles by_reference() const {
    const AugmentArguments& a = arguments;
    const int samples = std::max(kernels::samples_per_axis(a.stored_height, a.view.crop, a.height),
                                 kernels::samples_per_axis(a.stored_width, a.view.crop, a.width));
    const float aspect = static_cast<float>(a.stored_width) / static_cast<float>(a.stored_height);
    Doubles all;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const kernels::View view =
          kernels::draw_view(a.ranges, a.view, aspect, numbers.seed, numbers.epoch, static_cast<std::uint64_t>(ids[i]));
      const Doubles one = testing::view_reference(
          pixels.data() + static_cast<std::int64_t>(i) * a.stored_height * a.stored_width, a, view, samples);
      all.insert(all.end(), one.begin(), one.end());
    }
    return all;
  }

  Pixels pixels;
  std::vector<std::int64_t> ids;
  AugmentArguments arguments;
  kernels::StepNumbers numbers;
};

/// Enlarged, reduced, not square, of one pixel; more pixels than a block shares out (2,048).
constexpr Sizes kSizes[] = {{20, 20, 20, 20}, {31, 24, 17, 19}, {24, 40, 12, 12}, {1, 1, 5, 5},
                            {9, 7, 1, 1},     {1, 9, 4, 6},     {50, 50, 13, 12}, {24, 30, 50, 42}};
/// More grey values than shared memory keeps (11,264), and than 48 KiB hold.
constexpr Sizes kLarge{40, 30, 124, 103};

class Augment : public testing::KernelTest {};
XRAI_FOR_TYPES_AND_ORDERS(Augment);

TEST_P(Augment, ViewsOfAllKindsAreTheReferences) {
  for (const AugmentRanges& ranges : {AugmentRanges{}, kNoContrast, kEverything})
    for (const Sizes& sizes : kSizes) {
      Batch batch(5, sizes);
      batch.arguments.ranges = ranges;
      expect_rounded(type(), batch.by_kernel(type(), 3), batch.by_reference(), 1e-6, kFloatCoordinates / 0.3,
                     std::to_string(sizes.stored_height) + " to " + std::to_string(sizes.height));
    }
}

TEST_P(Augment, StandardisedViewsAreTheTwins) {
  for (const AugmentRanges& ranges : {AugmentRanges{}, kEverything})
    for (const Sizes& sizes : kSizes) {
      Batch batch(3, sizes);
      batch.arguments.ranges = ranges, batch.arguments.view.standardise = true;
      // A deviation of 0.05 or more stretches the differences of coordinates by up to 20.
      expect_rounded(type(), batch.by_kernel(type()), testing::widened(batch.by_twin()), 1e-5, 20 * kFloatCoordinates,
                     std::to_string(sizes.stored_height) + " to " + std::to_string(sizes.height));
    }
}

TEST_P(Augment, PicturesTooLargeForSharedMemoryAreSampledAgain) {
  Batch batch(1, kLarge);
  batch.arguments.ranges = kEverything;
  expect_rounded(type(), batch.by_kernel(type()), batch.by_reference(), 1e-6, kFloatCoordinates / 0.3, "contrast");
  batch.arguments.view.standardise = true;
  expect_rounded(type(), batch.by_kernel(type()), testing::widened(batch.by_twin()), 1e-5, 20 * kFloatCoordinates,
                 "standardised");
}

TEST_P(Augment, AConstantPictureStandardisesToZero) {
  Batch batch(2, {12, 12, 12, 12});
  batch.pixels.assign(batch.pixels.size(), 200);
  batch.arguments.view.standardise = true;
  testing::expect_same(batch.by_kernel(type()), Values(2 * 144, 0), "out");
}

TEST_P(Augment, BrightnessStopsAtBlackAndWhite) {
  Batch batch(8, {10, 10, 10, 10});
  batch.arguments.view = {1, 0, 1, false};
  batch.arguments.ranges.brightness = 3;
  for (const float grey : batch.by_kernel(type())) EXPECT_TRUE(grey >= 0 && grey <= 1) << grey;
}

TEST_P(Augment, WithoutNumbersTheDrawIsThatOfSeedAndEpochZero) {
  Batch batch(2, {20, 20, 16, 16});
  batch.arguments.ranges = kEverything;
  batch.numbers = {};
  const Array<std::uint8_t> pixels(batch.pixels);
  const Array<std::int64_t> ids(batch.ids);
  const Activations out(type(), 2 * 256);
  AugmentArguments a = batch.arguments;
  a.pixels = pixels.data(), a.sample_ids = ids.data(), a.out = out.data();
  kernels::cuda::augment(a, type(), nullptr);
  testing::expect_same(out.values(), batch.by_kernel(type()), "out");
}

TEST_P(Augment, SeedEpochAndSampleEachChangeTheView) {
  Batch batch(1, {20, 20, 16, 16});
  batch.arguments.ranges = kNoContrast;
  const Values first = batch.by_kernel(type());
  ++batch.numbers.epoch;
  EXPECT_NE(first, batch.by_kernel(type()));
  --batch.numbers.epoch, ++batch.numbers.seed;
  EXPECT_NE(first, batch.by_kernel(type()));
  --batch.numbers.seed, ++batch.ids[0];
  EXPECT_NE(first, batch.by_kernel(type()));
}

TEST_P(Augment, RowsSayWhereAPictureStands) {
  const Sizes sizes{12, 9, 7, 8};
  const Batch stored(5, sizes);
  const Array<std::int64_t> rows(std::vector<std::int64_t>{3, 0, 3});
  Batch picked = stored;
  picked.arguments.n = 3, picked.arguments.rows = rows.data();
  Batch in_order = stored;
  in_order.arguments.n = 3;
  in_order.pixels.clear();
  for (const std::int64_t row : {3, 0, 3})
    in_order.pixels.insert(in_order.pixels.end(), stored.pixels.begin() + row * 108,
                           stored.pixels.begin() + (row + 1) * 108);
  EXPECT_EQ(picked.by_kernel(type()), in_order.by_kernel(type()));
}

TEST_P(Augment, AnEmptyBatchIsNoWork) {
  AugmentArguments a;
  a.stored_height = a.stored_width = a.height = a.width = 4;
  EXPECT_NO_THROW(kernels::cuda::augment(a, type(), nullptr));
}

}  // namespace augment_test
}  // namespace xrai
