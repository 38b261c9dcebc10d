// Copying an object takes along its attributes, which are looked at before they are read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>

#include <fstream>

#include "runtime/hdf5/file.h"
#include "runtime/hdf5/library.h"
#include "tests/support/errors.h"
#include "tests/support/run_command.h"
#include "tests/support/temporary_folder.h"

namespace xrai::hdf5 {
namespace copy_test {

using ::testing::HasSubstr;

/// "/group" with a group of one data set, whose type has an object of its own. `flagged`,
/// one of these, has an attribute of an enumeration.
void write(const std::filesystem::path& path, const std::string& flagged) {
  const LibraryLock lock;  // the library is set up before its first call
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t type = H5Tcopy(H5T_STD_I16LE), space = H5Screate(H5S_SCALAR), flag = H5Tcreate(H5T_ENUM, 1);
  H5Tcommit2(file, "type", type, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  H5Gclose(H5Gcreate2(file, "group", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  H5Gclose(H5Gcreate2(file, "group/inner", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  H5Dclose(H5Dcreate2(file, "group/inner/values", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  std::int8_t value = 0;
  H5Tenum_insert(flag, "FALSE", &value);
  H5Tenum_insert(flag, "TRUE", &++value);
  H5Aclose(H5Acreate_by_name(file, flagged.c_str(), "flag", flag, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  H5Tclose(type), H5Tclose(flag), H5Sclose(space);
  ASSERT_GE(H5Fclose(file), 0);
}

class Copy : public ::testing::TestWithParam<std::string> {
 protected:
  void copy() {
    const File from = File::open(in_);
    std::filesystem::remove(out_);
    File to = File::create(out_);
    for (const char* object : {"/group", "/type"}) to.copy(from, object);
    to.close();
  }
  testing::TemporaryFolder folder_;
  const std::filesystem::path in_ = folder_ / "in.h5", out_ = folder_ / "out.h5";
};

TEST_P(Copy, IsOfSoundObjects) {
  write(in_, GetParam());
  copy();
  EXPECT_TRUE(File::open(out_).is_dataset("/group/inner/values"));
}

TEST_P(Copy, IsRefusedWhereAnyOfThemIsDamaged) {
  write(in_, GetParam());
  std::string bytes = xrai::testing::text_of(in_);
  const std::size_t flag = bytes.find(std::string("\x18\2\0\0\1\0\0\0", 8));  // an enumeration of one byte
  ASSERT_NE(flag, std::string::npos);
  bytes[flag + 4] = 100;
  std::ofstream(in_, std::ios::binary) << bytes;
  EXPECT_THAT(testing::refused(ExitCode::kBadData, [&] { copy(); }), HasSubstr("its description is damaged"));
}

INSTANTIATE_TEST_SUITE_P(WithAnAttributeOf, Copy,
                         ::testing::Values("/group", "/group/inner", "/group/inner/values", "/type"));

}  // namespace copy_test
}  // namespace xrai::hdf5
