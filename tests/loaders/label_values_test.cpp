// Labels as people store them: which numbers are classes, and what is none.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "loaders/reader.h"
#include "tests/loaders/known_layouts.h"
#include "tests/loaders/layout_files.h"
#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"

namespace xrai {
namespace label_values_test {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::kPictures;
using testing::LayoutFile;
using testing::pictures;
using testing::refusal;

// A part of a set may hold pictures of one class only.
TEST(LabelValues, OnesAloneAreNotCountedFromOne) {
  const testing::TemporaryFolder folder;
  {
    const LayoutFile file(folder / "a.h5");
    file.numbers("/images", testing::kNHW, pictures());
    file.numbers("/labels", {kPictures}, std::vector<double>(kPictures, 1));
  }
  EXPECT_THAT(open_dataset(folder / "a.h5")->labels("train"), ::testing::Each(1));
}

// As tables are written whose column had gaps once.
TEST(LabelValues, LabelsOfATableMayHaveAPointButNoGap) {
  const testing::TemporaryFolder folder;
  const auto path = testing::table_beside(folder.path());
  std::filesystem::remove(folder / "findings.csv");
  const auto write = [&](const char* second) {
    std::ofstream table(folder / "cxr.csv");
    table << "Path,Pneumonia\n";
    for (std::int64_t i = 0; i < kPictures; ++i) table << i << ".png," << (i == 1 ? second : "0.0") << "\n";
  };
  write("1.0");
  EXPECT_THAT(open_dataset(path)->labels("train"), ElementsAre(0, 1, 0, 0, 0, 0));
  write("");
  EXPECT_THAT(refusal(path), HasSubstr("1 of its 6 labels are blank"));
  write("-1.0");
  EXPECT_THAT(refusal(path), HasSubstr("label -1 of picture 1 is not a class number"));
}

// Nothing of it is read: the values would take 7 GB.
TEST(LabelValues, OfMoreColumnsThanClassesAreRefusedUnread) {
  const testing::TemporaryFolder folder;
  {
    const LayoutFile file(folder / "a.h5");
    file.numbers("/images", testing::kNHW, pictures());
    const hsize_t shape[] = {kPictures, 150'000'000}, chunk[] = {1, 1'000'000};
    const hid_t space = H5Screate_simple(2, shape, nullptr), creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(creation, 2, chunk);
    H5Pset_deflate(creation, 1);
    H5Dclose(H5Dcreate2(file.id(), "labels", H5T_STD_U8LE, space, H5P_DEFAULT, creation, H5P_DEFAULT));
    H5Pclose(creation);
    H5Sclose(space);
  }
  EXPECT_THAT(refusal(folder / "a.h5"), HasSubstr("its 150000000 columns are more than there can be classes"));
}

}  // namespace label_values_test
}  // namespace xrai
