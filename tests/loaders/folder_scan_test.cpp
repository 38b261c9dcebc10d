#include "loaders/folder_scan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/core/error.h"
#include "tests/support/picture_files.h"

namespace xrai {
namespace folder_scan_test {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TemporaryFolder;
using testing::write_bytes;

void add_picture(const fs::path& path) {
  write_bytes(path, testing::png_bytes({7}, 1, 1));
}

std::vector<std::string> paths_of(const FolderScan& scan) {
  std::vector<std::string> paths;
  for (const FoundPicture& picture : scan.pictures) paths.push_back(picture.path);
  return paths;
}

std::string refusal(const fs::path& folder) {
  try {
    scan_folder(folder);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadData);
    return error.what();
  }
  return "was accepted";
}

TEST(FolderScan, ClassesAreAlphabeticalSoNormalIsZero) {
  const TemporaryFolder folder;
  add_picture(folder / "PNEUMONIA/b.png");
  add_picture(folder / "PNEUMONIA/deeper/a.png");
  add_picture(folder / "normal/c.png");
  const FolderScan scan = scan_folder(folder.path());
  EXPECT_THAT(scan.classes, ElementsAre("normal", "PNEUMONIA"));
  EXPECT_THAT(paths_of(scan), ElementsAre("PNEUMONIA/b.png", "PNEUMONIA/deeper/a.png", "normal/c.png"));
  EXPECT_EQ(scan.pictures[0].label, 1);
  EXPECT_EQ(scan.pictures[2].label, 0);
}

TEST(FolderScan, TheJunkOfZipsIsPassedOver) {
  const TemporaryFolder folder;
  add_picture(folder / "chest_xray/chest_xray/train/NORMAL/a.png");
  add_picture(folder / "chest_xray/chest_xray/train/PNEUMONIA/b.png");
  add_picture(folder / "chest_xray/chest_xray/train/PNEUMONIA/._b.png");
  write_bytes(folder / "chest_xray/chest_xray/train/NORMAL/.DS_Store", {1, 2, 3});
  write_bytes(folder / "chest_xray/chest_xray/train/NORMAL/Thumbs.db", {1, 2, 3});
  add_picture(folder / "__MACOSX/chest_xray/train/NORMAL/a.png");
  add_picture(folder / "chest_xray/__MACOSX/train/NORMAL/a.png");
  const FolderScan scan = scan_folder(folder.path());
  EXPECT_THAT(paths_of(scan), ElementsAre("train/NORMAL/a.png", "train/PNEUMONIA/b.png"));
  EXPECT_TRUE(scan.skipped.empty());
}

TEST(FolderScan, ACopyBesideTheSplitFoldersIsNotReadTwice) {
  const TemporaryFolder folder;
  for (const char* top : {"", "chest_xray/"})
    for (const char* name : {"train/NORMAL/a.png", "train/PNEUMONIA/b.png"})
      add_picture(folder / (std::string(top) + name));
  const FolderScan scan = scan_folder(folder.path());
  EXPECT_EQ(scan.pictures.size(), 2U);
  ASSERT_EQ(scan.skipped.size(), 1U);
  EXPECT_EQ(scan.skipped[0].path, "chest_xray/");
}

TEST(FolderScan, SplitFoldersGoByTheirUsualNames) {
  const TemporaryFolder folder;
  for (const char* split : {"Training", "valid", "TEST"})
    for (const char* name : {"A", "B"}) add_picture(folder / (std::string(split) + "/" + name + "/x.png"));
  const FolderScan scan = scan_folder(folder.path());
  ASSERT_EQ(scan.pictures.size(), 6U);
  for (const FoundPicture& picture : scan.pictures) {
    const OwnSplit expected =
        picture.path[0] == 'T' ? (picture.path[1] == 'r' ? OwnSplit::kTrain : OwnSplit::kTest) : OwnSplit::kVal;
    EXPECT_EQ(picture.own_split, expected) << picture.path;
  }
}

TEST(FolderScan, OtherFilesAreListedWithTheirReason) {
  const TemporaryFolder folder;
  add_picture(folder / "A/x.png");
  add_picture(folder / "B/picture-without-extension");
  write_bytes(folder / "A/notes.txt", {'h', 'i'});
  write_bytes(folder / "labels.csv", {'h', 'i'});
  fs::create_directories(folder / "empty");
  fs::create_symlink(folder / "nowhere.png", folder / "A/link.png");
  const FolderScan scan = scan_folder(folder.path());
  EXPECT_THAT(paths_of(scan), ElementsAre("A/x.png", "B/picture-without-extension"));
  std::vector<std::string> skipped;
  for (const SkippedFile& file : scan.skipped) skipped.push_back(file.path);
  EXPECT_THAT(skipped, ::testing::UnorderedElementsAre("labels.csv", "A/notes.txt", "A/link.png", "empty/"));
}

TEST(FolderScan, AWrongExtensionDoesNotHideAPicture) {
  const TemporaryFolder folder;
  write_bytes(folder / "A/really-a-png.jpeg", testing::png_bytes({7}, 1, 1));
  write_bytes(folder / "B/really-a-jpeg.bin", testing::jpeg_bytes(testing::smooth_grey(8, 8), 8, 8));
  EXPECT_EQ(scan_folder(folder.path()).pictures.size(), 2U);
}

TEST(FolderScan, LinksBringNoPicturesOfOtherClasses) {
  const TemporaryFolder folder;
  add_picture(folder / "A/x.png");
  add_picture(folder / "B/y.png");
  fs::create_directory_symlink(folder.path(), folder / "A/up");
  fs::create_directory_symlink(folder / "B", folder / "A/other");
  const FolderScan scan = scan_folder(folder.path());
  EXPECT_THAT(paths_of(scan), ElementsAre("A/x.png", "B/y.png"));
  EXPECT_EQ(scan.skipped.size(), 2U);
}

TEST(FolderScan, WhatIsNoDataSetIsExplained) {
  const TemporaryFolder folder;
  EXPECT_THAT(refusal(folder / "not-there"), HasSubstr("there is no folder"));
  EXPECT_THAT(refusal(folder.path()), HasSubstr("has no class folders with pictures"));
  add_picture(folder / "a.png");
  EXPECT_THAT(refusal(folder.path()), HasSubstr("1 picture, but no class folders"));
  add_picture(folder / "NORMAL/a.png");
  EXPECT_THAT(refusal(folder.path()), HasSubstr("only the class folder NORMAL"));
}

TEST(FolderScan, ClassesMustAgreeBetweenSplits) {
  const TemporaryFolder folder;
  for (const char* name : {"train/NORMAL/a.png", "train/PNEUMONIA/a.png", "test/NORMAL/a.png", "test/pneumonia/a.png"})
    add_picture(folder / name);
  EXPECT_THAT(refusal(folder.path()), HasSubstr("the class folders differ"));
}

TEST(PicturesIn, FindsAllButTheJunk) {
  const TemporaryFolder folder;
  add_picture(folder / "b.png");
  add_picture(folder / "deeper/a.png");
  add_picture(folder / "._b.png");
  write_bytes(folder / "notes.txt", {'h', 'i'});
  EXPECT_THAT(pictures_in(folder.path()), ElementsAre(folder / "b.png", folder / "deeper/a.png"));
}

}  // namespace folder_scan_test
}  // namespace xrai
