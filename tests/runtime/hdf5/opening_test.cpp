// Files that cannot be opened: the sentence says why, and what to do.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <fstream>

#include "runtime/hdf5/library.h"
#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"

namespace xrai::hdf5 {
namespace opening_test {

using ::testing::AllOf;
using ::testing::HasSubstr;

class Opening : public ::testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path made(const char* name) const {
    File file = File::create(folder_ / name);
    const std::uint8_t value = 1;
    file.write<std::uint8_t>("/value", {1}, &value);
    file.close();
    return folder_ / name;
  }
  static std::string refusal(const std::filesystem::path& path) {
    return testing::refused(ExitCode::kBadData, [&] { (void)File::open(path); });
  }
  testing::TemporaryFolder folder_;
};

TEST_F(Opening, WhatIsNoHdf5FileIsCalledByItsName) {
  const auto refusal_of = [&](const std::string& bytes) {
    std::ofstream(folder_ / "a.h5", std::ios::binary) << bytes;
    return refusal(folder_ / "a.h5");
  };
  EXPECT_THAT(refusal_of("\x1f\x8b\x08 and so on"), AllOf(HasSubstr("compressed with gzip"), HasSubstr("gunzip")));
  EXPECT_THAT(refusal_of("\xff\xd8\xff\xe0 and so on"),
              AllOf(HasSubstr("a JPEG picture"), HasSubstr("xrai_dataset import")));
  EXPECT_THAT(refusal_of("\x89PNG\r\n\x1a\n and so on"),
              AllOf(HasSubstr("a PNG picture"), HasSubstr("xrai_dataset import")));
  EXPECT_THAT(refusal_of("PK\x03\x04 and so on"), AllOf(HasSubstr("a zip archive"), HasSubstr("xrai_dataset import")));
  EXPECT_THAT(refusal_of("version https://git-lfs.github.com/spec/v1\n"), HasSubstr("git lfs pull"));
  EXPECT_THAT(refusal_of("<!DOCTYPE html><html>"), HasSubstr("a web page"));
  EXPECT_THAT(refusal_of("MATLAB 5.0 MAT-file"), HasSubstr("-v7.3"));
  EXPECT_THAT(refusal_of(""), HasSubstr("it is empty"));
  EXPECT_THAT(refusal_of("something else"), HasSubstr("it is not an HDF5 file"));
}

TEST_F(Opening, WithoutTheRightToReadTheSentenceSaysSo) {
  const auto path = made("a.h5");
  std::filesystem::permissions(path, std::filesystem::perms::none);
  std::filesystem::permissions(folder_.path(), std::filesystem::perms::all);
  constexpr uid_t kNobody = 65534;  // root may read everything
  const bool is_root = ::geteuid() == 0;
  ASSERT_EQ(is_root ? ::seteuid(kNobody) : 0, 0);
  const std::string why = refusal(path);
  ASSERT_EQ(is_root ? ::seteuid(0) : 0, 0);
  EXPECT_THAT(why, AllOf(HasSubstr("Permission denied"), ::testing::ContainsRegex("chmod|rights")));
}

TEST_F(Opening, AFileThatAnotherProgramWritesToIsRefusedUnlessAskedFor) {
  const auto path = made("a.h5");
  const int writer = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(::flock(writer, LOCK_EX), 0);  // as the library holds it
  EXPECT_THAT(refusal(path),
              AllOf(HasSubstr("another program has it open for writing"), HasSubstr("HDF5_USE_FILE_LOCKING=FALSE")));
  ::setenv("HDF5_USE_FILE_LOCKING", "FALSE", 1);
  EXPECT_EQ(File::open(path).read<int>("/value"), std::vector<int>{1});
  ::unsetenv("HDF5_USE_FILE_LOCKING");
  ::flock(writer, LOCK_SH);
  EXPECT_TRUE(File::open(path).has("/value")) << "another reader disturbs nobody";
  ::flock(writer, LOCK_UN);
  const File reading = File::open(path);
  EXPECT_EQ(::flock(writer, LOCK_EX | LOCK_NB), 0) << "no lock is kept while it is read";
  ::close(writer);
}

TEST_F(Opening, TheMarkOfAWriterThatNeverClosedIsNamed) {
  const auto path = folder_ / "a.h5";
  {
    const LibraryLock lock;
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Fflush(file, H5F_SCOPE_GLOBAL);
    std::filesystem::copy_file(path, folder_ / "copy.h5");
    H5Fclose(file);
    H5Pclose(access);
  }
  EXPECT_THAT(refusal(folder_ / "copy.h5"), AllOf(HasSubstr("open for writing"), HasSubstr("h5clear -s")));
  EXPECT_TRUE(File::open(path).has("/"));
}

// What the library says on mounts without locks, when HDF5_USE_FILE_LOCKING insists on them.
TEST_F(Opening, AMountThatRefusesLocksIsNamedWithTheVariable) {
  const Cause cause = cause_of("unable to lock file, errno = 37, error message = 'No locks available'");
  EXPECT_THAT(cause.reason, HasSubstr("refuses file locks"));
  EXPECT_THAT(std::string(cause.advice), HasSubstr("HDF5_USE_FILE_LOCKING=FALSE"));
}

}  // namespace opening_test
}  // namespace xrai::hdf5
