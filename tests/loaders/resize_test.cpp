#include "loaders/resize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "runtime/core/error.h"

namespace xrai {
namespace resize_test {

GreyImage patterned(int width, int height) {
  GreyImage image{width, height, {}};
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      image.pixels.push_back(static_cast<std::uint8_t>((x * x * 7 + y * 13 + x * y * 3) % 256));
  return image;
}

/// The definition as one double sum over all pixels of the source, weights of both axes at once.
double naive_pixel(const GreyImage& source, double x0, double y0, double width, double height, int size, int column,
                   int row) {
  const double scale_x = width / size, scale_y = height / size;
  const double reach_x = std::max(1.0, scale_x), reach_y = std::max(1.0, scale_y);
  const double centre_x = x0 + (column + 0.5) * scale_x, centre_y = y0 + (row + 0.5) * scale_y;
  double sum = 0.0, weights = 0.0;
  for (int y = 0; y < source.height; ++y) {
    for (int x = 0; x < source.width; ++x) {
      const double weight = std::max(0.0, 1.0 - std::abs(x + 0.5 - centre_x) / reach_x) *
                            std::max(0.0, 1.0 - std::abs(y + 0.5 - centre_y) / reach_y);
      sum += weight * source.row(y)[x];
      weights += weight;
    }
  }
  return sum / weights;
}

class ResizeSizes : public ::testing::TestWithParam<std::tuple<int, int, int>> {};

TEST_P(ResizeSizes, SquashIsTheTriangleFilterOfItsDefinition) {
  const auto [width, height, size] = GetParam();
  const GreyImage source = patterned(width, height), result = resize_to_square(source, size, Fit::kSquash);
  for (int y = 0; y < size; ++y)
    for (int x = 0; x < size; ++x)
      // Half a level for rounding, a thousandth for the sums in float.
      ASSERT_NEAR(result.row(y)[x], naive_pixel(source, 0, 0, width, height, size, x, y), 0.501) << x << " " << y;
}

TEST_P(ResizeSizes, CropIsTheSameFilterOnTheMiddleSquare) {
  const auto [width, height, size] = GetParam();
  const GreyImage source = patterned(width, height), result = resize_to_square(source, size, Fit::kCrop);
  const double side = std::min(width, height);
  for (int y = 0; y < size; ++y)
    for (int x = 0; x < size; ++x)
      ASSERT_NEAR(result.row(y)[x],
                  width == size && height == size
                      ? source.row(y)[x]
                      : naive_pixel(source, (width - side) / 2, (height - side) / 2, side, side, size, x, y),
                  0.501)
          << x << " " << y;
}

INSTANTIATE_TEST_SUITE_P(Shapes, ResizeSizes,
                         ::testing::Values(std::tuple(37, 53, 16), std::tuple(53, 37, 16), std::tuple(9, 200, 32),
                                           std::tuple(5, 3, 24), std::tuple(1, 1, 8), std::tuple(1, 40, 9),
                                           std::tuple(33, 33, 32), std::tuple(64, 64, 32), std::tuple(40, 41, 40)));

TEST(Resize, SameSizeIsUntouched) {
  const GreyImage source = patterned(24, 24);
  for (const Fit fit : {Fit::kSquash, Fit::kPad, Fit::kCrop})
    EXPECT_EQ(resize_to_square(source, 24, fit).pixels, source.pixels);
}

TEST(Resize, ConstantPicturesStayConstant) {
  for (const int value : {0, 1, 127, 254, 255}) {
    GreyImage source{301, 77, std::vector<std::uint8_t>(301 * 77, static_cast<std::uint8_t>(value))};
    for (const std::uint8_t pixel : resize_to_square(source, 50, Fit::kSquash).pixels) ASSERT_EQ(pixel, value);
  }
}

TEST(Resize, PadKeepsTheShapeAndAddsBlackEvenly) {
  GreyImage source{100, 50, std::vector<std::uint8_t>(5000, 200)};
  const GreyImage result = resize_to_square(source, 40, Fit::kPad);
  for (int y = 0; y < 40; ++y) EXPECT_EQ(result.row(y)[20], y >= 10 && y < 30 ? 200 : 0) << y;
}

TEST(Resize, AgreesWithPillowToOneLevel) {
  std::ifstream file(XRAI_SOURCE "/tests/goldens/resize_pillow.json");
  const nlohmann::json goldens = nlohmann::json::parse(file);
  ASSERT_FALSE(goldens.at("cases").empty());
  for (const auto& golden : goldens.at("cases")) {
    const GreyImage result =
        resize_to_square(patterned(golden.at("width"), golden.at("height")), golden.at("size"), Fit::kSquash);
    const auto expected = golden.at("pixels").get<std::vector<int>>();
    ASSERT_EQ(result.pixels.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i)
      ASSERT_NEAR(result.pixels[i], expected[i], 1)
          << golden.at("width") << " " << i;  // Pillow rounds between its two passes
  }
}

TEST(Resize, AnUnknownFitIsAUsageError) {
  EXPECT_THROW(fit_from_name("stretch"), Error);
  for (const Fit fit : {Fit::kSquash, Fit::kPad, Fit::kCrop}) EXPECT_EQ(fit_from_name(fit_name(fit)), fit);
}

}  // namespace resize_test
}  // namespace xrai
