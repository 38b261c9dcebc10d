// Pictures that stand in HDF5 as JPEG or PNG files: one a data set, under its id, or one a row.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loaders/image_decoder.h"
#include "loaders/reader.h"
#include "tests/loaders/layout_files.h"
#include "tests/support/errors.h"

namespace xrai {
namespace encoded_layout_test {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::kPictures;
using testing::LayoutFile;
using testing::refusal;

TEST(EncodedLayout, JpegFilesUnderTheirIdsAreDecoded) {
  const testing::TemporaryFolder folder;
  const auto jpeg = testing::jpeg_bytes(testing::smooth_grey(300, 260), 300, 260);
  {
    const LayoutFile file(folder / "train-image.hdf5");
    for (const char* id : {"ISIC_1", "ISIC_2", "ISIC_3"}) file.bytes(id, jpeg);
  }
  std::ofstream(folder / "train-metadata.csv") << "isic_id,target\nISIC_3,1\nISIC_9,1\nISIC_1,0\nISIC_2,1\n";
  const auto reader = open_dataset(folder / "train-image.hdf5");
  EXPECT_THAT(reader->labels("train"), ElementsAre(0, 1, 1));
  EXPECT_THAT(reader->sources("train"), ElementsAre("ISIC_1", "ISIC_2", "ISIC_3"));
  EXPECT_EQ(reader->height("train"), 224);
  std::vector<std::uint8_t> pixels(224 * 224);
  const std::int64_t row = 1;
  reader->read_rows("train", {&row, 1}, pixels.data());
  EXPECT_EQ(pixels, square_picture(jpeg, {}).image.pixels);
}

TEST(EncodedLayout, PicturesUnderNumbersAreInTheOrderOfTheirLabels) {
  const testing::TemporaryFolder folder;
  constexpr int kMany = 12;
  {
    const LayoutFile file(folder / "a.h5");
    for (int i = 0; i < kMany; ++i) {
      file.bytes(std::to_string(i), testing::jpeg_bytes(testing::smooth_grey(30, 30, i), 30, 30));
    }
    std::vector<double> labels(kMany, 0);
    labels[2] = labels[11] = 1;
    file.numbers("/labels", {kMany}, labels, H5T_STD_I64LE);
  }
  const auto reader = open_dataset(folder / "a.h5");
  EXPECT_EQ(reader->n_images("train"), kMany);
  EXPECT_EQ(reader->sources("train")[2], "2");
  EXPECT_EQ(reader->sources("train")[11], "11");
  EXPECT_THAT(reader->labels("train"), ElementsAre(0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1));
}

TEST(EncodedLayout, AGroupForEachClassOfEachSplit) {
  const testing::TemporaryFolder folder;
  const auto jpeg = [](int seed) { return testing::jpeg_bytes(testing::smooth_grey(30, 30, seed), 30, 30); };
  {
    const LayoutFile file(folder / "a.h5");
    for (const std::string split : {"/train", "/test"}) {
      for (const char* id : {"10", "9"}) file.bytes(split + "/PNEUMONIA/" + id, jpeg(1));
      file.bytes(split + "/NORMAL/1", jpeg(2));
    }
  }
  const auto reader = open_dataset(folder / "a.h5");
  EXPECT_THAT(reader->splits(), ElementsAre("train", "test"));
  EXPECT_THAT(reader->classes(), ElementsAre("NORMAL", "PNEUMONIA"));
  EXPECT_THAT(reader->labels("test"), ElementsAre(0, 1, 1));
  EXPECT_THAT(reader->sources("train"), ElementsAre("NORMAL/1", "PNEUMONIA/9", "PNEUMONIA/10"));
  EXPECT_THAT(describe(reader->layout(), reader->layout().splits.front()), HasSubstr("a group for each class"));
  std::vector<std::uint8_t> pixels(224 * 224);
  const std::int64_t row = 0;
  reader->read_rows("test", {&row, 1}, pixels.data());
  EXPECT_EQ(pixels, square_picture(jpeg(2), {}).image.pixels);
}

TEST(EncodedLayout, GroupsThatAreNoClassesAreRefused) {
  const testing::TemporaryFolder folder;
  const auto jpeg = testing::jpeg_bytes(testing::smooth_grey(30, 30), 30, 30);
  {
    const LayoutFile file(folder / "a.h5");
    for (const char* name : {"/images/1", "/pictures/1"}) file.bytes(name, jpeg);
  }
  EXPECT_THAT(refusal(folder / "a.h5"),
              HasSubstr("several groups of " + (folder / "a.h5").string() + " hold pictures (/images, /pictures)"));
  {
    const LayoutFile file(folder / "b.h5");
    for (const char* name : {"/train/NORMAL/1", "/train/SICK/1", "/test/NORMAL/1", "/test/PNEUMONIA/1"})
      file.bytes(name, jpeg);
  }
  EXPECT_THAT(refusal(folder / "b.h5"),
              HasSubstr("classes of test are NORMAL, PNEUMONIA, those of another split NORMAL, "
                        "SICK"));
}

TEST(EncodedLayout, ANoteBesideJpegFilesIsNotAPicture) {
  const testing::TemporaryFolder folder;
  const auto jpeg = testing::jpeg_bytes(testing::smooth_grey(30, 30), 30, 30);
  {
    const LayoutFile file(folder / "a.h5");
    file.text("a note", "who made this, and when");
    for (const char* id : {"b1", "b2", "b3", "b4", "b5", "b6"}) file.bytes(id, jpeg);
    file.labels("/labels");
  }
  const auto reader = open_dataset(folder / "a.h5");
  EXPECT_EQ(reader->n_images("train"), kPictures);
  EXPECT_THAT(reader->labels("train"), ElementsAre(0, 1, 0, 1, 0, 1));
}

TEST(EncodedLayout, JpegFilesInRowsAreDecoded) {
  const testing::TemporaryFolder folder;
  const auto first = testing::jpeg_bytes(testing::smooth_grey(300, 260), 300, 260);
  const auto second = testing::jpeg_bytes(testing::smooth_grey(120, 240), 120, 240);
  {
    const LayoutFile file(folder / "a.h5");
    for (const std::string split : {"train", "test"}) {
      file.byte_rows("/" + split + "_images", {first, second, first, second, first, second});
      file.labels("/" + split + "_labels");
    }
  }
  const auto reader = open_dataset(folder / "a.h5");
  EXPECT_THAT(reader->splits(), ElementsAre("train", "test"));
  EXPECT_THAT(reader->labels("test"), ElementsAre(0, 1, 0, 1, 0, 1));
  EXPECT_THAT(describe(reader->layout(), reader->layout().splits.front()),
              HasSubstr("6 JPEG or PNG files in /train_images (6), decoded and scaled to 224 x 224"));
  const std::vector<std::int64_t> rows{5, 0};
  std::vector<std::uint8_t> pixels(2 * 224 * 224);
  reader->read_rows("train", rows, pixels.data());
  const auto expected = square_picture(second, {}).image.pixels;
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), pixels.begin()));
  EXPECT_TRUE(std::equal(pixels.begin() + 224 * 224, pixels.end(), square_picture(first, {}).image.pixels.begin()));
  LayoutFile(folder / "b.h5").byte_rows("/images", {{1, 2, 3, 4, 5, 6, 7, 8}});
  EXPECT_THAT(refusal(folder / "b.h5"), HasSubstr("has no pictures; it holds /images"));
  EXPECT_THAT(refusal(folder / "b.h5", {.images_key = "images"}), HasSubstr("not a JPEG or PNG file each"));
}

}  // namespace encoded_layout_test
}  // namespace xrai
