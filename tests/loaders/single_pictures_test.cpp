// Pictures that stand in HDF5 one a data set, under its id, as JPEG or PNG files or as arrays; and files one a row.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "loaders/image_decoder.h"
#include "loaders/reader.h"
#include "tests/loaders/layout_files.h"
#include "tests/support/errors.h"

namespace xrai {
namespace single_pictures_test {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::kPictures;
using testing::LayoutFile;
using testing::refusal;

TEST(SinglePictures, JpegFilesUnderTheirIdsAreDecoded) {
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

TEST(SinglePictures, PicturesUnderNumbersAreInTheOrderOfTheirLabels) {
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

TEST(SinglePictures, AGroupForEachClassOfEachSplit) {
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

TEST(SinglePictures, GroupsThatAreNoClassesAreRefused) {
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

TEST(SinglePictures, ANoteBesideJpegFilesIsNotAPicture) {
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

TEST(SinglePictures, JpegFilesInRowsAreDecoded) {
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

/// (height, width) or with three channels, the lower half white.
void array(const LayoutFile& file, const std::string& name, std::int64_t height, std::int64_t width, double white,
           hid_t type, bool colour = false) {
  std::vector<double> values;
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x)
      for (int channel = 0; channel < (colour ? 3 : 1); ++channel) values.push_back(y >= height / 2 ? white : 0);
  LayoutFile::Shape shape{static_cast<hsize_t>(height), static_cast<hsize_t>(width)};
  if (colour) shape.push_back(3);
  file.numbers(name, shape, values, type);
}

TEST(SinglePictures, ArraysInAGroupForEachClass) {
  const testing::TemporaryFolder folder;
  for (const bool colour : {false, true}) {
    {
      const LayoutFile file(folder / "a.h5");
      for (const std::string split : {"/train", "/test"}) {
        for (const char* id : {"img10", "img9"})
          array(file, split + "/PNEUMONIA/" + id, 40, 30, 1, H5T_IEEE_F32LE, colour);
        for (const char* id : {"img1", "img2"}) array(file, split + "/NORMAL/" + id, 20, 60, 1, H5T_IEEE_F32LE, colour);
      }
    }
    const auto reader = open_dataset(folder / "a.h5");
    EXPECT_THAT(reader->splits(), ElementsAre("train", "test"));
    EXPECT_THAT(reader->classes(), ElementsAre("NORMAL", "PNEUMONIA"));
    EXPECT_THAT(reader->labels("test"), ElementsAre(0, 0, 1, 1));
    EXPECT_THAT(reader->sources("train"),
                ElementsAre("NORMAL/img1", "NORMAL/img2", "PNEUMONIA/img9", "PNEUMONIA/img10"));
    EXPECT_THAT(describe(reader->layout(), reader->layout().splits.front()),
                HasSubstr("4 arrays in data sets of their own (/train/NORMAL/img1, /train/NORMAL/img2, "
                          "/train/PNEUMONIA/img9, /train/PNEUMONIA/img10), float32, 0 to 1, scaled to 224 x 224"));
    std::vector<std::uint8_t> pixels(224 * 224);
    for (std::int64_t row = 0; row < 4; ++row) {
      reader->read_rows("test", {&row, 1}, pixels.data());
      EXPECT_EQ(pixels.front(), 0);
      EXPECT_EQ(pixels.back(), 255);
    }
  }
}

TEST(SinglePictures, ArraysInOneGroupHaveLabelsInTheirOrderOrInATable) {
  const testing::TemporaryFolder folder;
  {
    const LayoutFile file(folder / "a.h5");
    for (const char* id : {"p10", "p9", "p8"}) array(file, std::string("/images/") + id, 30, 30, 255, H5T_STD_U8LE);
    file.numbers("/labels", {3}, {1, 1, 0}, H5T_STD_I64LE);
  }
  EXPECT_THAT(open_dataset(folder / "a.h5")->labels("train"), ElementsAre(1, 1, 0));
  {
    const LayoutFile file(folder / "b.h5");
    for (const char* id : {"p10", "p9", "p8"}) array(file, id, 30, 30, 255, H5T_STD_U8LE);
  }
  EXPECT_THAT(refusal(folder / "b.h5"), HasSubstr("no labels were found for /p10"));
  std::ofstream(folder / "b.csv") << "id,label\np8,0\np10,1\np9,0\n";
  EXPECT_THAT(open_dataset(folder / "b.h5")->labels("train"), ElementsAre(0, 0, 1));
}

TEST(SinglePictures, ArraysOfAnotherTypeOrWithoutNumbersAreNamed) {
  const testing::TemporaryFolder folder;
  {
    const LayoutFile file(folder / "a.h5");
    for (const char* id : {"1", "2"}) array(file, std::string("/NORMAL/") + id, 30, 30, 1, H5T_IEEE_F32LE);
    array(file, "/PNEUMONIA/1", 30, 30, 1, H5T_IEEE_F32LE);
    array(file, "/PNEUMONIA/2", 30, 30, 1, H5T_IEEE_F64LE);
  }
  const auto reader = open_dataset(folder / "a.h5");
  std::vector<std::uint8_t> pixels(224 * 224);
  const std::int64_t row = 3;
  EXPECT_THAT(testing::refused(ExitCode::kBadData,
                               [&] {
                                 reader->read_rows("train", {&row, 1}, pixels.data());
                               }),
              HasSubstr("/PNEUMONIA/2 of " + (folder / "a.h5").string() +
                        " cannot be used: its values are float64, those of others float32"));
  {
    const LayoutFile file(folder / "b.h5");
    for (const char* name : {"/NORMAL/1", "/NORMAL/2", "/SICK/1", "/SICK/2"})
      array(file, name, 30, 30, NAN, H5T_IEEE_F32LE);
  }
  EXPECT_THAT(refusal(folder / "b.h5"), HasSubstr("/NORMAL/1"));
  EXPECT_THAT(refusal(folder / "b.h5"), HasSubstr("it has values that are not numbers"));
}

// (N, pixels) has the shape of a picture.
TEST(SinglePictures, FlatRowsAreNotMistakenForArrays) {
  const testing::TemporaryFolder folder;
  for (const auto& [first, second] : {std::pair{"/NORMAL", "/PNEUMONIA"}, std::pair{"/X_train", "/X_test"},
                                      std::pair{"/train/X_flat", "/test/X_flat"}}) {
    {
      const LayoutFile file(folder / "a.h5");
      for (const char* name : {first, second}) array(file, name, 20, 784, 255, H5T_STD_U8LE);
    }
    EXPECT_THAT(refusal(folder / "a.h5"), HasSubstr("pictures as flat rows")) << first;
  }
}

}  // namespace single_pictures_test
}  // namespace xrai
