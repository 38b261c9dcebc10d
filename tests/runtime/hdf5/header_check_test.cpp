// What a header has too much of, so that the same would be looked at over and over, and messages that end too early.
// The files have headers of version 1, which have no checksums.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>

#include <fstream>

#include "runtime/hdf5/file.h"
#include "runtime/hdf5/file_bytes.h"
#include "runtime/hdf5/library.h"
#include "tests/support/errors.h"
#include "tests/support/run_command.h"
#include "tests/support/temporary_folder.h"

namespace xrai::hdf5 {
namespace header_check_test {

using ::testing::HasSubstr;

std::string number(std::uint64_t value, std::size_t n_bytes) {
  std::string bytes;
  for (std::size_t i = 0; i < n_bytes; ++i) bytes += static_cast<char>(value >> 8 * i);
  return bytes;
}

/// Messages of version 1: type, length, flags, nothing.
std::string message(std::uint64_t type, const std::string& body) {
  return number(type, 2) + number(body.size(), 2) + number(0, 4) + body;
}

/// A file whose root group has no other header than one of these messages.
class RootOf : public ::testing::Test {
 protected:
  void SetUp() override {
    const LibraryLock lock;  // the library is set up before its first call
    const hid_t file = H5Fcreate(path_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    H5Gclose(H5Gcreate2(file, "group", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Fclose(file);
    sound_ = xrai::testing::text_of(path_);
    ASSERT_EQ(sound_[8], 0) << "a superblock of version 0 was wanted";
    members_ = message(17, sound_.substr(80, 16));  // as the superblock has them, tree and heap
    while (sound_.size() % 8 != 0) sound_ += '\0';
  }
  /// `more`: behind the header, whose bytes lie at end() before.
  void store(const std::vector<std::string>& messages, const std::string& more = "") const {
    std::string all, file = sound_;
    for (const std::string& each : messages) all += each;
    file.replace(64, 8, number(file.size(), 8));  // where the root's header is
    file += number(1, 2) + number(messages.size(), 2) + number(1, 4) + number(all.size(), 8) + all + more;
    file.replace(40, 8, number(file.size(), 8));  // where the file ends
    std::ofstream(path_, std::ios::binary) << file;
  }
  [[nodiscard]] std::uint64_t end() const { return sound_.size(); }
  [[nodiscard]] std::string refusal() const {
    return testing::refused(ExitCode::kBadData, [&] { (void)File::open(path_).has("/group"); });
  }

  testing::TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_ / "a.h5";
  std::string sound_, members_;
};

TEST_F(RootOf, OneListOfMembersIsRead) {
  store({members_});
  EXPECT_TRUE(File::open(path_).has("/group"));
}

TEST_F(RootOf, TwoListsOfMembersAreRefused) {
  store({members_, members_});
  EXPECT_THAT(refusal(), HasSubstr("its description is damaged"));
}

TEST_F(RootOf, PiecesThatLieOverOneAnotherAreRefused) {
  constexpr std::size_t kPieceBytes = 40000;
  const std::string piece(kPieceBytes, '\0');  // of messages that say nothing
  const auto behind = [&](std::uint64_t n_pieces) {
    return message(16, number(end() + 16 + 24 * (1 + n_pieces), 8) + number(kPieceBytes, 8));
  };
  store({members_, behind(1)}, piece);
  EXPECT_TRUE(File::open(path_).has("/group"));
  store({members_, behind(3), behind(3), behind(3)}, piece);
  EXPECT_THAT(refusal(), HasSubstr("its first block is damaged"));  // the library reads it while it opens the file
}

TEST_F(RootOf, APieceOfExabytesIsRefusedBeforeTheLibraryMakesRoom) {
  store({members_, message(16, number(end(), 8) + number(kNowhere, 8))});
  EXPECT_THAT(refusal(), HasSubstr("its first block is damaged"));
}

TEST_F(RootOf, ACommentWithoutAnEndIsRefused) {
  store({members_, message(13, std::string("a word\0\0", 8))});
  EXPECT_TRUE(File::open(path_).has("/group"));
  store({members_, message(13, "a word..")});
  EXPECT_THAT(refusal(), HasSubstr("its description is damaged"));
}

TEST_F(RootOf, TimesThatEndTooEarlyAreRefused) {
  store({members_, message(18, number(1, 8))});
  EXPECT_TRUE(File::open(path_).has("/group"));
  store({members_, message(18, "")});
  EXPECT_THAT(refusal(), HasSubstr("its description is damaged"));
  store({members_, message(14, "20260101")});
  EXPECT_THAT(refusal(), HasSubstr("its description is damaged"));
}

}  // namespace header_check_test
}  // namespace xrai::hdf5
