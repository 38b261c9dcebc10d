#include "runtime/core/file_io.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

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

}  // namespace file_io_test
}  // namespace xrai
