// The extension of a newer superblock, whose messages the library reads as soon as it opens the file: what it writes
// there itself is taken, and what would have it leave its memory is refused. All checksums are right.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>

#include <cstring>
#include <fstream>
#include <functional>

#include "runtime/hdf5/file.h"
#include "runtime/hdf5/file_bytes.h"
#include "tests/support/errors.h"
#include "tests/support/run_command.h"
#include "tests/support/temporary_folder.h"

namespace xrai::hdf5 {
namespace superblock_check_test {

using ::testing::HasSubstr;

std::string number(std::uint64_t value, std::size_t n_bytes) {
  std::string bytes;
  for (std::size_t i = 0; i < n_bytes; ++i) bytes += static_cast<char>(value >> 8 * i);
  return bytes;
}

std::string with_sum(const std::string& block) {
  return block + number(checksum({reinterpret_cast<const unsigned char*>(block.data()), block.size()}), 4);
}

/// A file of the newer format with one group, and whatever `choose` chooses for it.
void write(const std::filesystem::path& path, const std::function<void(hid_t creation)>& choose) {
  const LibraryLock lock;  // the library is set up before its first call
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS), creation = H5Pcreate(H5P_FILE_CREATE);
  H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
  choose(creation);
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation, access);
  H5Gclose(H5Gcreate2(file, "group", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  H5Pclose(creation), H5Pclose(access);
  ASSERT_GE(H5Fclose(file), 0);
}

class Extension : public ::testing::Test {
 protected:
  /// Gives the file one message of that type. `more` follows at the place that is put in where the message has "HERE".
  void add(std::uint64_t type, std::string message, const std::string& more = "") const {
    write(path_, [](hid_t) {});
    std::string file = xrai::testing::text_of(path_);
    const std::size_t at = file.size(), header_bytes = 10 + 4 + message.size() + 4;
    if (const auto here = message.find("HERE"); here != std::string::npos) {
      message.replace(here, 4, number(at + header_bytes + 4, 8));
    }
    file += with_sum("OHDR" + number(2, 1) + number(2, 1) + number(4 + message.size(), 4) + number(type, 1) +
                     number(message.size(), 2) + number(0, 1) + message);
    file.resize(at + header_bytes + 4);
    file += more;
    file.replace(20, 8, number(at, 8));           // of the extension
    file.replace(28, 8, number(file.size(), 8));  // where the file ends
    file.replace(0, 48, with_sum(file.substr(0, 44)));
    std::ofstream(path_, std::ios::binary) << file;
  }
  [[nodiscard]] std::string refusal() const {
    return testing::refused(ExitCode::kBadData, [&] { (void)File::open(path_).has("/group"); });
  }
  [[nodiscard]] bool is_read() const { return File::open(path_).has("/group"); }

  testing::TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_ / "a.h5";
};

TEST_F(Extension, ThatTheLibraryWritesIsRead) {
  const std::vector<std::function<void(hid_t)>> choices{
      [](hid_t creation) { H5Pset_istore_k(creation, 7), H5Pset_sym_k(creation, 5, 6); },
      [](hid_t creation) { H5Pset_file_space_strategy(creation, H5F_FSPACE_STRATEGY_FSM_AGGR, true, 1); },
      [](hid_t creation) { H5Pset_file_space_strategy(creation, H5F_FSPACE_STRATEGY_PAGE, false, 1); },
      [](hid_t creation) { H5Pset_userblock(creation, 512), H5Pset_istore_k(creation, 7); },
      [](hid_t creation) {
        H5Pset_shared_mesg_nindexes(creation, 2);
        H5Pset_shared_mesg_index(creation, 0, H5O_SHMESG_DTYPE_FLAG, 4000);
        H5Pset_shared_mesg_index(creation, 1, H5O_SHMESG_ATTR_FLAG, 4000);
      }};
  for (std::size_t i = 0; i < choices.size(); ++i) {
    write(path_, choices[i]);
    EXPECT_TRUE(is_read()) << i;
    EXPECT_NE(xrai::testing::text_of(path_).substr(i == 3 ? 532 : 20, 8), number(kNowhere, 8)) << "no extension";
  }
}

/// Eight lists are what the library has room for; with more it writes past its stack.
TEST_F(Extension, OfMoreListsThanThereMayBeIsRefused) {
  const auto table = [](std::size_t n_lists) {
    std::string lists = "SMTB";
    for (std::size_t i = 0; i < n_lists; ++i) {
      lists += number(0, 2) + number(i == 0 ? 2 : 0, 2) + number(50, 4) + number(50, 2) + number(40, 2) + number(0, 2) +
               number(kNowhere, 8) + number(kNowhere, 8);
    }
    return with_sum(lists);
  };
  add(15, number(0, 1) + "HERE" + number(8, 1), table(8));
  EXPECT_TRUE(is_read());
  for (const std::size_t n_lists : {std::size_t{0}, std::size_t{9}, std::size_t{200}}) {
    add(15, number(0, 1) + "HERE" + number(n_lists, 1), table(n_lists));
    EXPECT_THAT(refusal(), HasSubstr("its first block is damaged")) << n_lists;
  }
}

TEST_F(Extension, WithAnImageOfTheCacheIsRefusedInWords) {
  add(24, number(0, 1) + number(100, 8) + number(std::uint64_t{1} << 40, 8));
  EXPECT_THAT(refusal(), HasSubstr("because it holds an image of the cache"));
}

TEST_F(Extension, OfMessagesThatEndTooEarlyIsRefused) {
  const std::string whole = number(0, 1) + number(32, 2) + number(16, 2) + number(4, 2);
  add(19, whole);
  EXPECT_TRUE(is_read());
  for (const auto& [type, message] : std::vector<std::pair<std::uint64_t, std::string>>{
           {15, number(0, 4)},
           {19, whole.substr(0, 5)},
           {19, number(0, 7)},                                     // trees of no width
           {20, number(0, 1) + "NCSAmult" + number(60000, 2)},     // information of a driver
           {23, number(1, 1) + number(1, 1)},                      // free space
           {23, number(1, 1) + number(1, 1) + number(1, 100)}}) {  // in pages of a byte
    add(type, message);
    EXPECT_THAT(refusal(), HasSubstr("its first block is damaged")) << type;
  }
}

TEST_F(Extension, WithoutAddressesOf64BitsIsRefusedInWords) {
  write(path_, [](hid_t creation) { H5Pset_sizes(creation, 4, 4); });
  EXPECT_THAT(refusal(), HasSubstr("because its addresses are not of 64 bits"));
}

}  // namespace superblock_check_test
}  // namespace xrai::hdf5
