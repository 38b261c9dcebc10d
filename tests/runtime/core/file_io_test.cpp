#include "runtime/core/file_io.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <thread>

#include "runtime/core/error.h"
#include "tests/support/temporary_folder.h"

namespace xrai {
namespace file_io_test {

std::int64_t bytes_on_disk(const std::filesystem::path& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0);
  return status.st_blocks * 512;
}

// File systems that cannot set room aside pass, too: it is a hint.
TEST(FileIo, RoomSetAsideChangesNoSizeAndIsGivenBack) {
  const testing::TemporaryFolder folder;
  const std::filesystem::path path = folder / "file";
  write_text_file(path, "some words");
  const std::int64_t before = bytes_on_disk(path);
  set_room_aside(path, 1 << 20);
  EXPECT_EQ(std::filesystem::file_size(path), 10U);
  return_spare_room(path);
  EXPECT_EQ(std::filesystem::file_size(path), 10U);
  EXPECT_LE(bytes_on_disk(path), before + 4096);
}

TEST(FileIo, MoreRoomThanThereIsStaysFree) {
  const testing::TemporaryFolder folder;
  const std::filesystem::path path = folder / "file";
  write_text_file(path, "some words");
  set_room_aside(path, std::uint64_t{1} << 62);
  EXPECT_EQ(std::filesystem::file_size(path), 10U);
  EXPECT_LE(bytes_on_disk(path), 1 << 16);
  set_room_aside(folder / "absent", 1 << 20);
  EXPECT_FALSE(std::filesystem::exists(folder / "absent"));
}

std::string text_of(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// What the call refuses, with the code for what cannot be written.
template <class Call>
std::string refusal(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kStorage);
    return error.what();
  }
  return "not refused";
}

TEST(FileIo, ALinkStaysALinkAndItsFileIsReplaced) {
  const testing::TemporaryFolder folder;
  std::filesystem::create_directory(folder / "elsewhere");
  std::filesystem::create_symlink("elsewhere/file", folder / "link");
  std::filesystem::create_symlink("link", folder / "link_to_link");
  for (const char* words : {"made", "replaced"}) {
    write_text_file(folder / "link_to_link", words);
    EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
    EXPECT_TRUE(std::filesystem::is_symlink(folder / "link_to_link"));
    EXPECT_EQ(text_of(folder / "elsewhere/file"), words);
  }
  std::filesystem::create_symlink("round", folder / "round");
  EXPECT_THAT(refusal([&] { write_text_file(folder / "round", "words"); }), ::testing::HasSubstr("leads nowhere"));
}

TEST(FileIo, TextGoesIntoAPipeAndNoFileTakesItsPlace) {
  const testing::TemporaryFolder folder;
  const std::filesystem::path pipe = folder / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  std::string arrived;
  std::thread reader([&] { arrived = text_of(pipe); });
  require_writable(pipe);
  write_text_file(pipe, "some words");
  reader.join();
  EXPECT_EQ(arrived, "some words");
  EXPECT_THAT(refusal([&] { write_aside_and_rename(pipe, [](const auto&) { FAIL() << "was written"; }); }),
              ::testing::HasSubstr("a device or a pipe"));
  EXPECT_TRUE(std::filesystem::is_fifo(pipe));
}

TEST(FileIo, WhereNoFileCanBeMadeIsToldBeforehand) {
  const testing::TemporaryFolder folder;
  require_writable(folder / "file");
  EXPECT_FALSE(std::filesystem::exists(folder / "file"));
  EXPECT_THAT(refusal([&] { require_writable(folder / "no/file"); }), ::testing::HasSubstr("there is no folder"));
  std::filesystem::create_directory(folder / "sub");
  EXPECT_THAT(refusal([&] { require_writable(folder / "sub"); }), ::testing::HasSubstr("it is a folder"));
}

}  // namespace file_io_test
}  // namespace xrai
