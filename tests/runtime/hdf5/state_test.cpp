// Files that are cut short, written to or taken away while they are read: whichever of them values come from.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>

#include <fstream>
#include <numeric>

#include "runtime/hdf5/file.h"
#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"

namespace xrai::hdf5 {
namespace state_test {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr hsize_t kRows = 4000;

std::vector<std::uint8_t> values() {
  std::vector<std::uint8_t> all(kRows);
  std::iota(all.begin(), all.end(), std::uint8_t{1});
  return all;
}

void write_values(const std::filesystem::path& path) {
  File file = File::create(path);
  file.write<std::uint8_t>("/values", {kRows}, values().data());
  file.close();
}

/// a.h5, whose /values are those of another file beside it.
class FileBeside : public ::testing::Test {
 protected:
  void make(const char* beside, const std::function<void(hid_t file)>& name_it) {
    const hid_t file = H5Fcreate((folder_ / "a.h5").c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    name_it(file);
    ASSERT_GE(H5Fclose(file), 0);
    beside_ = folder_ / beside;
    file_.emplace(File::open(folder_ / "a.h5"));
    EXPECT_EQ(read(), values());
  }
  void make_dataset(hid_t file, hid_t creation) {
    const hid_t space = H5Screate_simple(1, &kRows, nullptr);
    ASSERT_GE(H5Dclose(H5Dcreate2(file, "values", H5T_STD_U8LE, space, H5P_DEFAULT, creation, H5P_DEFAULT)), 0);
    H5Sclose(space);
    H5Pclose(creation);
  }
  void make_virtual() {
    write_values(folder_ / "b.h5");
    make("b.h5", [&](hid_t file) {
      const hid_t creation = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(1, &kRows, nullptr);
      ASSERT_GE(H5Pset_virtual(creation, space, "b.h5", "/values", space), 0);
      H5Sclose(space);
      make_dataset(file, creation);
    });
  }
  std::vector<std::uint8_t> read() {
    std::vector<std::uint8_t> rows(kRows);
    file_->read_rows("/values", 0, kRows, rows.data());
    return rows;
  }
  std::string refusal() {
    return testing::refused(ExitCode::kBadData, [&] { (void)read(); });
  }
  void expect_a_cut_to_be_noticed() {
    std::filesystem::resize_file(beside_, std::filesystem::file_size(beside_) / 2);
    EXPECT_THAT(refusal(), AllOf(HasSubstr(beside_.string()), HasSubstr("bytes when it was opened")));
  }

  testing::TemporaryFolder folder_;
  std::filesystem::path beside_;
  std::optional<File> file_;
};

TEST_F(FileBeside, OfAVirtualDataSetIsWatched) {
  make_virtual();
  expect_a_cut_to_be_noticed();
}

TEST_F(FileBeside, OfAVirtualDataSetMustStayThere) {
  make_virtual();
  std::filesystem::remove(beside_);
  EXPECT_THAT(refusal(), HasSubstr("its source " + beside_.string() + " is gone"));
}

TEST_F(FileBeside, WithoutAnyFormIsWatched) {
  const auto bytes = values();
  std::ofstream(folder_ / "raw.bin", std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), kRows);
  make("raw.bin", [&](hid_t file) {
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    ASSERT_GE(H5Pset_external(creation, "raw.bin", 0, kRows), 0);
    make_dataset(file, creation);
  });
  expect_a_cut_to_be_noticed();
}

TEST_F(FileBeside, BehindALinkIsWatched) {
  write_values(folder_ / "b.h5");
  make("b.h5", [&](hid_t file) {
    ASSERT_GE(H5Lcreate_external("b.h5", "/values", file, "values", H5P_DEFAULT, H5P_DEFAULT), 0);
  });
  expect_a_cut_to_be_noticed();
}

}  // namespace state_test
}  // namespace xrai::hdf5
