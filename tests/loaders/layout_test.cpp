// Layouts of other people's files are recognised without a word, and what could be two things is refused with the flag
// that decides it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "loaders/reader.h"
#include "tests/loaders/layout_files.h"
#include "tests/support/errors.h"

namespace xrai {
namespace layout_test {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::kPictures;
using testing::kPixels;
using testing::LayoutFile;
using testing::pictures;
using testing::refusal;

std::string described(const DatasetReader& reader) {
  return describe(reader.layout(), reader.layout().splits.front());
}

/// All rows backwards and some twice, against the grey levels that were written; within one where a range was coarser.
void expect_pictures(DatasetReader& reader, const std::string& split, int tolerance = 0) {
  const std::vector<std::int64_t> rows{5, 4, 3, 2, 1, 0, 0, 3};
  std::vector<std::uint8_t> pixels(rows.size() * static_cast<std::size_t>(kPixels) + 1, 0xEE);
  reader.read_rows(split, rows, pixels.data());
  EXPECT_EQ(pixels.back(), 0xEE) << "nothing may be written past the last picture";
  for (std::size_t i = 0; i < rows.size() * static_cast<std::size_t>(kPixels); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    ASSERT_NEAR(pixels[i], testing::grey(rows[i / kPixels], at % kPixels), tolerance)
        << "pixel " << at % kPixels << " of row " << rows[i / kPixels] << " of " << split;
  }
}

class KnownLayouts : public ::testing::TestWithParam<testing::KnownLayout> {};

TEST_P(KnownLayouts, OpenWithoutConfiguration) {
  const testing::TemporaryFolder folder;
  const auto reader = open_dataset(GetParam().write(folder.path()));
  EXPECT_THAT(described(*reader), HasSubstr(GetParam().described));
  for (const std::string& split : reader->splits()) {
    EXPECT_EQ(reader->n_images(split), kPictures);
    EXPECT_THAT(reader->labels(split), ElementsAre(0, 1, 0, 1, 0, 1));
    // 12 bits were written as multiples of 16, which end below 4095.
    expect_pictures(*reader, split, GetParam().name == "LabelsAsWords" ? 1 : 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Layout, KnownLayouts, ::testing::ValuesIn(testing::known_layouts()),
                         [](const auto& layout) { return layout.param.name; });

TEST(Layout, FilesThatDifferInTheSplitBelongTogether) {
  const testing::TemporaryFolder folder;
  EXPECT_THAT(open_dataset(testing::pcam_pairs(folder.path()))->splits(), ElementsAre("train", "val", "test"));
  const testing::TemporaryFolder pairs;
  (void)testing::one_hot_pairs(pairs.path());
  EXPECT_THAT(open_dataset(pairs / "X_test.h5")->splits(), ElementsAre("train", "test"));
}

TEST(Layout, DataSetsOfTheirOwnAreClasses) {
  const testing::TemporaryFolder folder;
  {
    const LayoutFile file(folder / "a.h5");
    file.numbers("/train/PNEUMONIA", {4, 10, 8}, std::vector<double>(320, 9));
    file.numbers("/train/NORMAL", {2, 10, 8}, std::vector<double>(160, 4));
  }
  const auto reader = open_dataset(folder / "a.h5");
  EXPECT_THAT(reader->classes(), ElementsAre("NORMAL", "PNEUMONIA"));
  EXPECT_THAT(reader->labels("train"), ElementsAre(0, 0, 1, 1, 1, 1));
  const std::vector<std::int64_t> rows{5, 0, 2, 1};
  std::vector<std::uint8_t> pixels(4 * kPixels);
  reader->read_rows("train", rows, pixels.data());
  EXPECT_EQ(pixels[0], 9);
  EXPECT_EQ(pixels[kPixels], 4);
  EXPECT_EQ(pixels[2 * kPixels], 9);
  EXPECT_EQ(pixels[4 * kPixels - 1], 4);
}

TEST(Layout, OnePictureOfMatlabIsNamedAsSuch) {
  const testing::TemporaryFolder folder;
  {
    const LayoutFile file(folder / "1.mat");
    file.numbers("/cjdata/image", {40, 40}, std::vector<double>(1600, 7), H5T_STD_I16LE);
    file.numbers("/cjdata/label", {1, 1}, {2}, H5T_IEEE_F64LE);
    file.matlab_class("/cjdata/image", "int16");
  }
  EXPECT_THAT(refusal(folder / "1.mat"), AllOf(HasSubstr("/cjdata/image"), HasSubstr("one picture (40, 40) in a file"),
                                               HasSubstr("xrai_dataset import " + folder.path().string() + " OUT.h5")));
}

TEST(Layout, WhatHoldsNoPicturesIsSaidInItsOwnWords) {
  const testing::TemporaryFolder folder;
  const auto path = folder / "a.h5";
  const auto refusal_of = [&](auto write) {
    {
      const LayoutFile file(path);
      write(file);
    }
    return refusal(path);
  };
  EXPECT_THAT(refusal_of([](const LayoutFile& file) {
                const hid_t record = H5Tcreate(H5T_COMPOUND, 12), space = H5Screate(H5S_SCALAR);
                H5Tinsert(record, "label", 0, H5T_STD_I32LE);
                H5Tinsert(record, "image", 4, H5T_STD_I64LE);
                H5Dclose(H5Dcreate2(file.id(), "data", record, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
                H5Sclose(space);
                H5Tclose(record);
              }),
              AllOf(HasSubstr("/data of"), HasSubstr("compound type")));
  EXPECT_THAT(refusal_of([](const LayoutFile& file) {
                file.numbers("/X_train", {6, 784}, std::vector<double>(6 * 784, 1));
                file.labels("/y_train");
              }),
              HasSubstr("has no pictures; it holds /X_train, /y_train"));
  EXPECT_THAT(refusal_of([](const LayoutFile& file) {
                for (const char* name : {"/NORMAL/1", "/PNEUMONIA/2"}) {
                  file.numbers(name, {10, 8}, std::vector<double>(80, 1));
                }
              }),
              AllOf(HasSubstr("/NORMAL/1 of"), HasSubstr("one picture (10, 8)"), HasSubstr("numpy.stack")));
  EXPECT_THAT(refusal_of([](const LayoutFile& file) {
                file.numbers("/layers/conv2d/vars/0", {3, 3, 1, 8}, std::vector<double>(72, 1), H5T_IEEE_F32LE);
                file.numbers("/optimizer/vars/0", {1}, {1});
              }),
              HasSubstr("the weights of a Keras model"));
  EXPECT_THAT(refusal_of([](const LayoutFile& file) {
                file.numbers("/images", testing::kNHW, pictures());
                file.numbers("/labels", {kPictures}, {-1, 0, 1, 0, 1, 1}, H5T_STD_I8LE);
              }),
              HasSubstr("label -1 of picture 0 is not a class number"));
}

TEST(Layout, ValuesInAFileBesideAreFoundFromAnyFolder) {
  const testing::TemporaryFolder folder;
  {
    std::ofstream raw(folder / "raw.bin", std::ios::binary);
    for (const double value : pictures()) raw.put(static_cast<char>(value));
    const LayoutFile file(folder / "a.h5");
    file.labels("/y");
    const hid_t space = H5Screate_simple(3, testing::kNHW.data(), nullptr), creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(creation, "raw.bin", 0, H5F_UNLIMITED);
    H5Dclose(H5Dcreate2(file.id(), "/x", H5T_STD_U8LE, space, H5P_DEFAULT, creation, H5P_DEFAULT));
    H5Pclose(creation);
    H5Sclose(space);
  }
  expect_pictures(*open_dataset(folder / "a.h5"), "train");
}

TEST(Layout, OneFindingOfSeveralIsChosenByName) {
  const testing::TemporaryFolder folder;
  std::vector<double> findings;
  for (int i = 0; i < kPictures; ++i) findings.insert(findings.end(), {1.0, i % 2 == 1 ? 1.0 : 0.0, 1.0});
  {
    const LayoutFile file(folder / "a.h5");
    file.numbers("/images", testing::kNHW, pictures());
    file.numbers("/labels", {kPictures, 3}, findings, H5T_IEEE_F32LE);
  }
  EXPECT_THAT(refusal(folder / "a.h5"), AllOf(HasSubstr("3 columns are not one-hot"), HasSubstr("--labels-key")));
  EXPECT_THAT(refusal(folder / "a.h5", {.labels_key = "labels:3"}), HasSubstr("no column 3"));
  const auto by_number = open_dataset(folder / "a.h5", {.labels_key = "labels:1"});
  EXPECT_THAT(by_number->labels("train"), ElementsAre(0, 1, 0, 1, 0, 1));
  {
    const LayoutFile file(folder / "b.h5");
    file.numbers("/images", testing::kNHW, pictures());
    file.numbers("/labels", {kPictures, 3}, findings, H5T_STD_U8LE);
    file.words("/class_names", {"Mass", "Pneumonia", "Edema"});
  }
  const auto by_name = open_dataset(folder / "b.h5");
  EXPECT_THAT(by_name->labels("train"), ElementsAre(0, 1, 0, 1, 0, 1));
  EXPECT_THAT(by_name->classes(), ElementsAre("no Pneumonia", "Pneumonia"));
  EXPECT_THAT(described(*by_name), HasSubstr("column Pneumonia of 3"));
}

TEST(Layout, BatchesOfThreeAreToldFromChannelsByTheOption) {
  const testing::TemporaryFolder folder;
  const auto path = testing::batches(folder.path(), {2, 3, 10, 8}, {2, 3}, {});
  EXPECT_THAT(refusal(path), HasSubstr("--layout NHW where pictures stand in batches of 3"));
  const auto reader = open_dataset(path, {.axes = "NHW"});
  EXPECT_EQ(reader->n_images("train"), kPictures);
  EXPECT_THAT(reader->labels("train"), ElementsAre(0, 1, 0, 1, 0, 1));
  expect_pictures(*reader, "train");
}

TEST(Layout, PatientsStandInBatchesAsTheirPicturesDo) {
  const testing::TemporaryFolder folder;
  {
    const LayoutFile file(folder / "a.h5");
    file.numbers("/x", {3, 2, 10, 8}, pictures());
    file.labels("/y", H5T_STD_I64LE, {3, 2});
    file.numbers("/patient", {3, 2}, {7, 7, 8, 8, 9, 9}, H5T_STD_I64LE);
  }
  const auto reader = open_dataset(folder / "a.h5");
  EXPECT_EQ(reader->n_images("train"), kPictures);
  EXPECT_THAT(reader->groups("train"), ElementsAre("7", "7", "8", "8", "9", "9"));
}

TEST(Layout, ClassesMayBeCountedFromOne) {
  const testing::TemporaryFolder folder;
  {
    const LayoutFile file(folder / "a.h5");
    file.numbers("/images", testing::kNHW, pictures());
    file.numbers("/labels", {kPictures}, {1, 3, 2, 1, 3, 3}, H5T_IEEE_F64LE);
  }
  const auto reader = open_dataset(folder / "a.h5");
  EXPECT_THAT(reader->labels("train"), ElementsAre(0, 2, 1, 0, 2, 2));
  EXPECT_THAT(reader->classes(), ElementsAre("1", "2", "3"));
}

TEST(Layout, WhatCouldBeTwoThingsNamesTheFlag) {
  const testing::TemporaryFolder folder;
  const auto file_with = [&](const LayoutFile::Shape& shape, double value, hid_t type = H5T_STD_U8LE) {
    const LayoutFile file(folder / "a.h5");
    hsize_t n = 1;
    for (const hsize_t axis : shape) n *= axis;
    file.numbers("/x", shape, std::vector<double>(n, value), type);
    file.labels("/y");
    return folder / "a.h5";
  };
  EXPECT_THAT(refusal(file_with({6, 3, 40, 3}, 1)), HasSubstr("--layout NHWC or --layout NCHW"));
  EXPECT_EQ(open_dataset(folder / "a.h5", {.axes = "NHWC"})->width("train"), 40);
  EXPECT_EQ(open_dataset(folder / "a.h5", {.axes = "NCHW"})->width("train"), 3);
  EXPECT_THAT(refusal(file_with({6, 40, 3}, 1)), HasSubstr("--layout NHW"));
  EXPECT_EQ(open_dataset(folder / "a.h5", {.axes = "NHW"})->width("train"), 3);
  EXPECT_THAT(refusal(folder / "a.h5", {.axes = "NCHW"}), HasSubstr("not that of --layout NCHW"));
  EXPECT_THAT(refusal(file_with({6, 10, 8, 2}, 1)), HasSubstr("no axis of length 1, 3 or 4"));
  EXPECT_THAT(refusal(file_with({6, 2, 10, 8, 3}, 1)), HasSubstr("(6, 2, 10, 8, 3)"));
  EXPECT_THAT(refusal(file_with({6, 10, 8}, 3.5, H5T_IEEE_F32LE)), HasSubstr("--range LOW-HIGH"));
  const auto stretched = open_dataset(folder / "a.h5", {.range = "0-4"});
  std::vector<std::uint8_t> pixels(kPixels);
  const std::int64_t row = 0;
  stretched->read_rows("train", {&row, 1}, pixels.data());
  EXPECT_EQ(pixels[5], 223);
  {
    const LayoutFile file(folder / "b.h5");
    for (const char* name : {"/before", "/after"}) file.numbers(name, testing::kNHW, pictures());
    file.labels("/labels");
  }
  EXPECT_THAT(refusal(folder / "b.h5"), AllOf(HasSubstr("/after, /before"), HasSubstr("--images-key")));
  expect_pictures(*open_dataset(folder / "b.h5", {.images_key = "before"}), "train");
}

TEST(Layout, LabelsThatFitNothingAreRefused) {
  const testing::TemporaryFolder folder;
  const auto refusal_of = [&](const LayoutFile::Shape& shape, const std::vector<double>& labels) {
    {
      const LayoutFile file(folder / "a.h5");
      file.numbers("/x", testing::kNHW, pictures());
      file.numbers("/y", shape, labels, H5T_IEEE_F64LE);
    }
    return refusal(folder / "a.h5");
  };
  EXPECT_THAT(refusal_of({5}, {0, 1, 0, 1, 0}), HasSubstr("5 labels for 6 pictures"));
  EXPECT_THAT(refusal_of({6}, {0, 1, 0.5, 1, 0, 1}), HasSubstr("label 0.5 of picture 2 is no whole number"));
  EXPECT_THAT(refusal_of({6}, {0, 1, 0, 1, 1e30, 1}), HasSubstr("of picture 4 is not a class number"));
  EXPECT_THAT(refusal_of({6}, {0, 1, 0, NAN, 0, 1}), HasSubstr("label nan of picture 3"));
  EXPECT_THAT(refusal_of({6, 2, 2}, std::vector<double>(24, 1)), HasSubstr("(6, 2, 2)"));
}

TEST(Layout, SplitsThatCannotBeReadAreLeftOutWithAWarning) {
  const testing::TemporaryFolder folder;
  {
    const LayoutFile file(folder / "train.h5");
    file.numbers("/x", testing::kNHW, pictures());
    file.labels("/y");
  }
  std::ofstream(folder / "test.h5") << "not HDF5";
  const auto reader = open_dataset(folder / "train.h5");
  EXPECT_THAT(reader->splits(), ElementsAre("train"));
  EXPECT_THAT(reader->layout().warnings, Contains(HasSubstr("test.h5 was left out")));
}

TEST(Layout, LinksInCirclesAreNotFollowedForEver) {
  const testing::TemporaryFolder folder;
  {
    const LayoutFile file(folder / "a.h5");
    file.numbers("/x", testing::kNHW, pictures());
    file.labels("/y");
    const hid_t group = H5Gcreate2(file.id(), "/g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_hard(file.id(), "/", group, "root", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/g/soft", file.id(), "/g/soft", H5P_DEFAULT, H5P_DEFAULT);
    H5Gclose(group);
  }
  expect_pictures(*open_dataset(folder / "a.h5"), "train");
}

void link_to(const std::filesystem::path& from, const std::string& file) {
  const LayoutFile links(from);
  for (const char* object : {"/x", "/y"}) {
    H5Lcreate_external(file.c_str(), object, links.id(), object, H5P_DEFAULT, H5P_DEFAULT);
  }
}

TEST(Layout, LinksOutOfTheFolderAreFollowedOnlyWhenAllowed) {
  const testing::TemporaryFolder folder;
  std::filesystem::create_directories(folder / "data/deeper");
  for (const char* place : {"outside.h5", "data/inside.h5"}) {
    const LayoutFile file(folder / place);
    file.numbers("/x", testing::kNHW, pictures());
    file.labels("/y");
  }
  const LayoutOptions allowed{.allow_links = true};
  const std::string absolute = (folder / "outside.h5").string();
  for (const std::string& target : {absolute, std::string("../outside.h5"), std::string("deeper/chain.h5")}) {
    link_to(folder / "data/deeper/chain.h5", "../../outside.h5");
    link_to(folder / "data/links.h5", target);
    EXPECT_THAT(refusal(folder / "data/links.h5"), AllOf(HasSubstr("outside.h5"), HasSubstr("--allow-links")))
        << target;
    expect_pictures(*open_dataset(folder / "data/links.h5", allowed), "train");
  }
  link_to(folder / "data/links.h5", "inside.h5");
  expect_pictures(*open_dataset(folder / "data/links.h5"), "train");
}

TEST(Layout, VirtualDataSetsOutOfTheFolderAreReadOnlyWhenAllowed) {
  const testing::TemporaryFolder folder;
  std::filesystem::create_directories(folder / "data");
  LayoutFile(folder / "outside.h5").numbers("/x", testing::kNHW, pictures());
  {
    const LayoutFile file(folder / "data/a.h5");
    file.labels("/y");
    const hid_t space = H5Screate_simple(3, testing::kNHW.data(), nullptr), creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_virtual(creation, space, (folder / "outside.h5").c_str(), "/x", space);
    const hid_t dataset = H5Dcreate2(file.id(), "/x", H5T_STD_U8LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    H5Dclose(dataset);
    H5Pclose(creation);
    H5Sclose(space);
  }
  EXPECT_THAT(refusal(folder / "data/a.h5"), AllOf(HasSubstr("outside.h5"), HasSubstr("--allow-links")));
  expect_pictures(*open_dataset(folder / "data/a.h5", {.allow_links = true}), "train");
}

}  // namespace layout_test
}  // namespace xrai
