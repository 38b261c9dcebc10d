// Shapes and windows as plain arithmetic.
#include "runtime/core/specs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/errors.h"

namespace xrai {
namespace specs_test {

using ::testing::HasSubstr;
using testing::refused;

TEST(Shapes, CountWhatTheyHold) {
  const Shape shape{2, 3, 5, 7};
  EXPECT_EQ(shape.count(), 210);
  EXPECT_EQ(shape.positions(), 30);
  EXPECT_EQ(shape.per_image(), 105);
  EXPECT_EQ(shape.with_batch(4), (Shape{4, 3, 5, 7}));
  EXPECT_EQ(to_string(shape), "(2, 3, 5, 7)");
}

TEST(WindowPlaces, CountsWholeStridesOnly) {
  EXPECT_EQ(window_places(7, 2, 2, 0, 0), 3);
  EXPECT_EQ(window_places(7, 3, 2, 1, 1), 4);
  EXPECT_EQ(window_places(224, 7, 2, 3, 3), 112);
  EXPECT_EQ(window_places(3, 3, 5, 0, 0), 1);
  EXPECT_EQ(window_places(2, 3, 1, 0, 0), 0);
  EXPECT_EQ(window_places(1, 4, 1, 1, 2), 1);
}

TEST(ShapeAfterAWindow, TakesEachAxisByItself) {
  const Window window{3, 5, 1, 2, 1, 0, 2, 2};
  EXPECT_EQ(shape_after(window, {4, 10, 11, 3}, 8), (Shape{4, 9, 6, 8}));
}

TEST(ShapeAfterAWindow, SaysWhatDoesNotFit) {
  const std::string said = refused(ExitCode::kUsage, [] {
    (void)shape_after({5, 5, 1, 1, 0, 0, 0, 0}, {1, 3, 4, 1}, 1);
  });
  EXPECT_THAT(said, HasSubstr("a 5x5 window"));
  EXPECT_THAT(said, HasSubstr("maps of 3x4"));
}

TEST(ConvolutionSpecs, CountWeightsPerGroup) {
  const ConvolutionSpec spec{{1, 8, 8, 12}, 6, {3, 5, 1, 1, 1, 1, 2, 2}, 3};
  EXPECT_EQ(spec.channels_per_group(), 4);
  EXPECT_EQ(spec.weight_count(), 6 * 3 * 5 * 4);
  EXPECT_EQ(spec.output(), (Shape{1, 8, 8, 6}));
}

TEST(ConvolutionSpecs, NegativeGroupsAreRefused) {
  EXPECT_THAT(refused(ExitCode::kUsage,
                      [] {
                        validate(ConvolutionSpec{{1, 8, 8, 4}, 4, {}, -2});
                      }),
              HasSubstr("-2 groups"));
}

}  // namespace specs_test
}  // namespace xrai
