// A mapped file whose bytes are gone says so, again and again and in any thread, and the program lives on.
#include "runtime/core/mapped_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <string>
#include <thread>

#include "tests/support/temporary_folder.h"

namespace xrai {
namespace mapped_file_test {

constexpr std::size_t kBytes = 40000;

class Mapping : public ::testing::Test {
 protected:
  Mapping() {
    std::ofstream(path_) << std::string(kBytes - 1, 'x') << 'y';
    descriptor_ = ::open(path_.c_str(), O_RDONLY);
  }
  ~Mapping() override { ::close(descriptor_); }

  testing::TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_ / "mapped";
  int descriptor_ = -1;
  std::array<std::byte, 100> out_{};
};

TEST_F(Mapping, CopiesWhatIsThereAndNothingPastTheEnd) {
  const MappedFile file(descriptor_, kBytes);
  EXPECT_TRUE(file.copy(kBytes - 100, 100, out_.data()));
  EXPECT_EQ(out_.back(), std::byte{'y'});
  EXPECT_FALSE(file.copy(kBytes - 99, 100, out_.data()));
  EXPECT_FALSE(file.copy(~std::uint64_t{0}, 2, out_.data()));
}

TEST_F(Mapping, BytesThatWereCutOffAreAnAnswerAndNotASignal) {
  const MappedFile file(descriptor_, kBytes);
  std::filesystem::resize_file(path_, 10);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(file.copy(20000, 100, out_.data()));
  std::thread([&] { EXPECT_FALSE(file.copy(30000, 100, out_.data())); }).join();
  EXPECT_TRUE(file.copy(0, 10, out_.data()));
}

TEST_F(Mapping, WhatCannotBeMappedIsNeverCopied) {
  EXPECT_FALSE(MappedFile(-1, kBytes).copy(0, 1, out_.data()));
  EXPECT_FALSE(MappedFile(descriptor_, 0).copy(0, 1, out_.data()));
}

}  // namespace mapped_file_test
}  // namespace xrai
