// Folders of MATLAB's files with a picture each become data sets of ours.
#include "loaders/mat_pictures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loaders/import.h"
#include "loaders/reader.h"
#include "tests/loaders/layout_files.h"
#include "tests/support/errors.h"

namespace xrai {
namespace mat_pictures_test {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::LayoutFile;

constexpr std::int64_t kSide = 32;

/// A struct as MATLAB saves it: the picture column by column, its label, and whose it is as text.
void write_struct(const std::filesystem::path& path, double label, const std::string& patient, double white,
                  hid_t type = H5T_STD_I16LE) {
  const LayoutFile file(path);
  std::vector<double> columns(kSide * kSide, 0);
  for (std::int64_t y = 0; y < kSide / 2; ++y) columns[static_cast<std::size_t>(y)] = white;  // upper half, left column
  file.numbers("/cjdata/image", {kSide, kSide}, columns, type);
  file.numbers("/cjdata/tumorMask", {kSide, kSide}, columns, H5T_STD_U8LE);
  file.numbers("/cjdata/label", {1, 1}, {label}, H5T_IEEE_F64LE);
  file.numbers("/cjdata/PID", {patient.size(), 1}, {patient.begin(), patient.end()}, H5T_STD_U16LE);
  file.matlab_class("/cjdata/image", "int16");
  file.matlab_class("/cjdata/PID", "char");
}

class MatPictures : public ::testing::Test {
 protected:
  ImportReport import() {
    ImportOptions options;
    options.folder = folder_ / "mat";
    options.output = folder_ / "a.h5";
    options.target.size = kSide;
    options.force = true;
    return import_mat_files(options, [](std::int64_t, std::int64_t) {});
  }
  std::string refusal() {
    return testing::refused(ExitCode::kBadData, [&] { (void)import(); });
  }
  void SetUp() override { std::filesystem::create_directories(folder_ / "mat/part 1"); }

  const testing::TemporaryFolder folder_;
};

TEST_F(MatPictures, OfAFolderBecomeADataSet) {
  constexpr int kMany = 20;
  for (int i = 1; i <= kMany; ++i) {
    const std::string folder = i > 10 ? "mat/part 1" : "mat";
    write_struct(folder_ / folder / (std::to_string(i) + ".mat"), i % 2 == 0 ? 3 : 1, "p" + std::to_string(i / 2),
                 4095);
  }
  ASSERT_TRUE(is_folder_of_mat_files(folder_ / "mat"));
  const ImportReport report = import();
  EXPECT_EQ(report.n_pictures, kMany);
  EXPECT_THAT(report.classes, ElementsAre("1", "3"));
  const auto reader = open_dataset(folder_ / "a.h5");
  const auto sources = reader->sources("train"), groups = reader->groups("train");
  const auto labels = reader->labels("train");
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const int number = std::stoi(std::filesystem::path(sources[i]).stem().string());
    EXPECT_EQ(groups[i], "p" + std::to_string(number / 2));
    EXPECT_EQ(labels[i], number % 2 == 0 ? 1 : 0);
  }
  std::vector<std::uint8_t> pixels(kSide * kSide);
  const std::int64_t row = 0;
  reader->read_rows("train", {&row, 1}, pixels.data());
  EXPECT_EQ(pixels[0], 255) << "upright: the left column's upper half is white";
  EXPECT_EQ(pixels[(kSide / 2 - 1) * kSide], 255);
  EXPECT_EQ(pixels[kSide / 2 * kSide], 0);
  EXPECT_EQ(pixels[1], 0);
}

TEST_F(MatPictures, WhatCannotBeUsedIsListedWithItsReason) {
  write_struct(folder_ / "mat/1.mat", 1, "a", 4095);
  write_struct(folder_ / "mat/2.mat", 2, "b", 4095);
  write_struct(folder_ / "mat/3.mat", 2, "c", 1, H5T_IEEE_F64LE);
  write_struct(folder_ / "mat/4.mat", 1.5, "d", 4095);
  std::ofstream(folder_ / "mat/5.mat") << "MATLAB 5.0 MAT-file";
  LayoutFile(folder_ / "mat/6.mat").numbers("/x/image", {kSide, kSide}, std::vector<double>(kSide * kSide, 7));
  const ImportReport report = import();
  EXPECT_EQ(report.n_pictures, 2);
  ASSERT_EQ(report.unreadable.size(), 1);
  EXPECT_THAT(report.unreadable[0].reason, HasSubstr("its values are float64, those of others int16"));
  ASSERT_EQ(report.skipped.size(), 3);
  EXPECT_THAT(report.skipped[0].reason, HasSubstr("label 1.5"));
  EXPECT_THAT(report.skipped[1].reason, HasSubstr("5.mat"));
  EXPECT_THAT(report.skipped[2].reason, HasSubstr("no label beside the picture"));
}

TEST_F(MatPictures, OneLabelAloneIsRefused) {
  for (const char* name : {"mat/1.mat", "mat/2.mat"}) write_struct(folder_ / name, 2, "a", 4095);
  EXPECT_THAT(refusal(), HasSubstr("have 1 different labels"));
  std::ofstream(folder_ / "mat/2.mat") << "text";
  EXPECT_THAT(refusal(), AllOf(HasSubstr("1 different labels"), HasSubstr("2.mat")));
}

TEST_F(MatPictures, FoldersOfOtherPicturesAreNotMeant) {
  EXPECT_FALSE(is_folder_of_mat_files(folder_ / "mat"));
  EXPECT_FALSE(is_folder_of_mat_files(folder_ / "nowhere"));
  write_struct(folder_ / "mat/1.mat", 2, "a", 4095);
  EXPECT_TRUE(is_folder_of_mat_files(folder_ / "mat"));
  std::ofstream(folder_ / "mat/part 1/a.JPEG") << "text";
  EXPECT_FALSE(is_folder_of_mat_files(folder_ / "mat"));
}

}  // namespace mat_pictures_test
}  // namespace xrai
