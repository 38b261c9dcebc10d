// Ranges of values are two numbers, and what is no number is found wherever it stands.
#include "loaders/picture_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <numeric>

#include "loaders/reader.h"
#include "tests/loaders/layout_files.h"
#include "tests/support/errors.h"

namespace xrai {
namespace picture_format_test {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::kPixels;
using testing::LayoutFile;
using testing::pictures;

TEST(PictureFormat, WhatHasTooFewAxesOrIsNoNumberIsNoPicture) {
  const testing::TemporaryFolder folder;
  {
    const LayoutFile file(folder / "a.h5");
    file.numbers("/flat", {6, 80}, pictures());
    file.words("/words", {"a", "b"});
    file.labels("/y");
  }
  for (const std::string key : {"flat", "y"}) {
    EXPECT_THAT(testing::refusal(folder / "a.h5", {.images_key = key}), HasSubstr("not (pictures, height, width)"))
        << key;
  }
  EXPECT_THAT(testing::refusal(folder / "a.h5", {.images_key = "words"}), HasSubstr("not numbers"));
}

TEST(PictureFormat, RangesAreWrittenAsTwoNumbers) {
  for (const char* good : {"", "0-1", "-1-1", "-1024-1024", "0-4095", "-3.5--2"}) EXPECT_EQ(range_complaint(good), "");
  for (const char* bad : {"1", "1-0", "a-b", "0-1-2", "nan-1", "0-inf", "auto"})
    EXPECT_NE(range_complaint(bad), "") << bad;
}

TEST(PictureFormat, ValuesThatAreNoNumbersAreNamedWithTheirRow) {
  const testing::TemporaryFolder folder;
  std::vector<double> values = pictures(0, 1);
  values[4 * kPixels + 3] = std::numeric_limits<double>::quiet_NaN();
  {
    const LayoutFile file(folder / "a.h5");
    file.numbers("/x", testing::kNHW, values, H5T_IEEE_F32LE);
    file.labels("/y");
  }
  EXPECT_THAT(testing::refusal(folder / "a.h5"),
              AllOf(HasSubstr("picture 4 has values that are not numbers"), HasSubstr("a.h5")));
}

TEST(PictureFormat, NaNOutsideTheRowsThatAreLookedAtIsFoundWhenItIsRead) {
  const testing::TemporaryFolder folder;
  constexpr hsize_t kMany = 200;
  std::vector<double> values(kMany * 64, 0.5);
  values[0] = 1;
  values[9 * 64] = std::numeric_limits<double>::infinity();  // rows 0 to 3 and 28 to 31 are looked at
  {
    const LayoutFile file(folder / "a.h5");
    file.numbers("/x", {kMany, 8, 8}, values, H5T_IEEE_F64LE);
    std::vector<double> labels(kMany);
    for (hsize_t i = 0; i < kMany; ++i) labels[i] = static_cast<double>(i % 2);
    file.numbers("/y", {kMany}, labels);
  }
  const auto reader = open_dataset(folder / "a.h5");
  std::vector<std::int64_t> rows(20);
  std::iota(rows.begin(), rows.end(), std::int64_t{0});
  std::vector<std::uint8_t> pixels(20 * 64);
  const std::string sentence =
      testing::refused(ExitCode::kBadData, [&] { reader->read_rows("train", rows, pixels.data()); });
  EXPECT_THAT(sentence, AllOf(HasSubstr("picture 9 of split 'train'"), HasSubstr("a.h5")));
}

}  // namespace picture_format_test
}  // namespace xrai
