// Links in groups of other files: they are the other file's, and what they lead to is looked at there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>

#include <fstream>
#include <functional>

#include "runtime/hdf5/file.h"
#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"

namespace xrai::hdf5 {
namespace links_test {

using ::testing::HasSubstr;
using Bytes = std::vector<std::uint8_t>;

void make(const std::filesystem::path& path, const std::function<void(hid_t file)>& fill) {
  std::filesystem::create_directories(path.parent_path());
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  H5Gclose(H5Gcreate2(file, "group", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  fill(file);
  ASSERT_GE(H5Fclose(file), 0);
}

void put(hid_t file, const char* name, std::uint8_t value) {
  const hsize_t n = 1;
  const hid_t space = H5Screate_simple(1, &n, nullptr);
  const hid_t dataset = H5Dcreate2(file, name, H5T_STD_U8LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  H5Dwrite(dataset, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, &value);
  H5Dclose(dataset);
  H5Sclose(space);
}

void link(hid_t file, const char* name, const char* other_file, const char* object) {
  H5Lcreate_external(other_file, object, file, name, H5P_DEFAULT, H5P_DEFAULT);
}

void link(hid_t file, const char* name, const char* object) {
  H5Lcreate_soft(object, file, name, H5P_DEFAULT, H5P_DEFAULT);
}

/// first.h5 has a group "there", which is the group "group" of deeper/second.h5.
class LinkedGroup : public ::testing::TestWithParam<Links> {
 protected:
  void make_both(const std::function<void(hid_t second)>& fill) {
    make(first_, [](hid_t file) {
      put(file, "values", 1);
      link(file, "there", "deeper/second.h5", "/group");
    });
    make(second_, [&](hid_t file) {
      put(file, "values", 2);
      fill(file);
    });
  }
  [[nodiscard]] Bytes read(const char* name) const { return File::open(first_, GetParam()).read<std::uint8_t>(name); }
  [[nodiscard]] std::string refusal(const char* name) const {
    return testing::refused(ExitCode::kBadData, [&] { (void)read(name); });
  }

  const testing::TemporaryFolder folder_;
  const std::filesystem::path first_ = folder_ / "first.h5", second_ = folder_ / "deeper" / "second.h5";
};

TEST_P(LinkedGroup, StartAtItsOwnRoot) {
  make_both([](hid_t file) {
    link(file, "group/by_root", "/values");
    link(file, "group/by_name", "inner");
    put(file, "group/inner", 3);
    link(file, "group/folder", "/group");
  });
  EXPECT_EQ(read("/values"), Bytes{1});
  EXPECT_EQ(read("/there/by_root"), Bytes{2});
  EXPECT_EQ(read("/there/by_name"), Bytes{3});
  EXPECT_EQ(read("/there/folder/by_root"), Bytes{2});
  EXPECT_EQ(read("/there/folder/folder/inner"), Bytes{3});
}

TEST_P(LinkedGroup, AreLookedAtThere) {
  make_both([](hid_t file) { link(file, "group/by_root", "/values"); });
  std::fstream bytes(second_, std::ios::in | std::ios::out | std::ios::binary);
  std::string all{std::istreambuf_iterator<char>(bytes), {}};
  using namespace std::string_literals;
  const std::size_t precision = all.find("\x10\0\0\0\1\0\0\0\0\0\x08\0"s);  // of the only data set's type
  ASSERT_NE(precision, std::string::npos);
  bytes.seekp(static_cast<std::streamoff>(precision + 10));
  bytes.put('\0');
  bytes.close();
  EXPECT_EQ(read("/values"), Bytes{1});
  EXPECT_THAT(refusal("/there/by_root"), HasSubstr("/values of " + second_.string() + " failed: its description"));
}

TEST_P(LinkedGroup, LeadToFilesBesideIt) {
  make_both([](hid_t file) { link(file, "group/third", "third.h5", "/group"); });
  const auto third = second_.parent_path() / "third.h5";
  make(third, [](hid_t file) { put(file, "group/values", 4); });
  EXPECT_EQ(read("/there/third/values"), Bytes{4});
}

TEST_P(LinkedGroup, ThatGoesInCirclesLeadsNowhere) {
  make_both([](hid_t file) {
    link(file, "group/there_and_back", "third.h5", "/back");
    link(file, "group/round", "third.h5", "/round");
    link(file, "group/itself", "/group/itself");
    put(file, "group/inner", 3);
  });
  make(second_.parent_path() / "third.h5", [](hid_t file) {
    link(file, "back", "second.h5", "/group");
    link(file, "round", "second.h5", "/group/round");
  });
  EXPECT_EQ(read("/there/there_and_back/inner"), Bytes{3});
  EXPECT_EQ(read("/there/there_and_back/there_and_back/inner"), Bytes{3});
  EXPECT_THAT(refusal("/there/itself"), HasSubstr("there is no such data set"));
  EXPECT_THAT(refusal("/there/round"), HasSubstr("there is no such data set"));
}

// One step at a time from group to group; a way of thousands would otherwise be walked as often as it is long.
TEST_P(LinkedGroup, AWayOfThousandsOfNamesIsNotWalked) {
  make_both([](hid_t file) {
    H5Lcreate_hard(file, "group", file, "group/again", H5P_DEFAULT, H5P_DEFAULT);
    std::string way = "/group";
    for (int i = 0; i < 500; ++i) way += "/again";
    put(file, "group/inner", 3);
    link(file, "group/far", (way + "/inner").c_str());
    for (int i = 0; i < 2000; ++i) way += "/again";
    link(file, "group/too_far", (way + "/inner").c_str());
  });
  EXPECT_EQ(read("/there/far"), Bytes{3});
  EXPECT_THAT(refusal("/there/too_far"), HasSubstr("there is no such data set"));
}

INSTANTIATE_TEST_SUITE_P(Everywhere, LinkedGroup, ::testing::Values(Links::kInFolder, Links::kAnywhere));

TEST(LinksOfAnotherFile, LeaveTheFirstFilesFolderOnlyWhenTheyMay) {
  const testing::TemporaryFolder folder;
  const auto first = folder / "inside" / "first.h5";
  make(first, [](hid_t file) { link(file, "there", "second.h5", "/group"); });
  make(folder / "inside" / "second.h5", [](hid_t file) { link(file, "group/out", "../outside.h5", "/values"); });
  make(folder / "outside.h5", [](hid_t file) { put(file, "values", 5); });
  EXPECT_EQ(File::open(first, Links::kAnywhere).read<std::uint8_t>("/there/out"), Bytes{5});
  EXPECT_THAT(testing::refused(ExitCode::kBadData, [&] { (void)File::open(first).read<std::uint8_t>("/there/out"); }),
              HasSubstr("it leads to ../outside.h5, which is not in the folder of the file"));
}

}  // namespace links_test
}  // namespace xrai::hdf5
