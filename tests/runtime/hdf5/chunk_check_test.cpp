// What the library would believe of chunks is looked at first: an index that leads back to itself, szip's parameters.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>

#include <cstring>
#include <fstream>
#include <functional>
#include <numeric>

#include "runtime/hdf5/file.h"
#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"

namespace xrai::hdf5 {
namespace chunk_check_test {

using ::testing::HasSubstr;

constexpr hsize_t kValues = 4096;

/// One axis of bytes in chunks, with whatever filters `add` adds.
void write(const std::filesystem::path& path, hsize_t chunk, const std::function<void(hid_t)>& add) {
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t space = H5Screate_simple(1, &kValues, nullptr), creation = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(creation, 1, &chunk);
  add(creation);
  const hid_t dataset = H5Dcreate2(file, "values", H5T_STD_U8LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
  std::vector<std::uint8_t> values(kValues);
  std::iota(values.begin(), values.end(), std::uint8_t{0});
  ASSERT_GE(H5Dwrite(dataset, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), 0);
  H5Dclose(dataset);
  H5Pclose(creation);
  H5Sclose(space);
  H5Fclose(file);
}

void change(const std::filesystem::path& path, const std::function<void(std::string&)>& damage) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  std::string bytes = text.str();
  damage(bytes);
  std::ofstream(path, std::ios::binary) << bytes;
}

template <class T>
void put(std::string& bytes, std::size_t at, T value) {
  ASSERT_LE(at + sizeof value, bytes.size());
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

class ChunkIndexOfOneself : public ::testing::TestWithParam<bool> {
 protected:
  testing::TemporaryFolder folder_;
};

TEST_P(ChunkIndexOfOneself, IsRefusedBeforeTheLibraryFollowsIt) {
  const std::filesystem::path path = folder_ / "a.h5";
  write(path, 16, [](hid_t creation) {
    if (GetParam()) H5Pset_deflate(creation, 1);
  });
  change(path, [](std::string& bytes) {
    const std::size_t root = bytes.find(std::string("TREE\1\1", 6));  // of chunks, above the leaves
    ASSERT_NE(root, std::string::npos);
    constexpr std::size_t kFirstChild = 24 + 4 + 4 + 2 * 8;  // behind the node's start and a key
    put(bytes, root + kFirstChild, std::uint64_t{root});
  });
  const File file = File::open(path);
  constexpr const char* kWhy = "the index of its chunks is damaged";
  EXPECT_THAT(testing::refused(ExitCode::kBadData, [&] { (void)file.info("/values"); }), HasSubstr(kWhy));
  EXPECT_THAT(testing::refused(ExitCode::kBadData, [&] { (void)file.read<std::uint8_t>("/values"); }), HasSubstr(kWhy));
  EXPECT_THAT(testing::refused(ExitCode::kBadData, [&] { (void)file.storage("/values"); }), HasSubstr(kWhy));
}

INSTANTIATE_TEST_SUITE_P(Deflated, ChunkIndexOfOneself, ::testing::Bool());

TEST(StoredBytes, OfChunksAreSummedFromTheirIndex) {
  const testing::TemporaryFolder folder;
  write(folder / "a.h5", 16, [](hid_t) {});
  EXPECT_EQ(File::open(folder / "a.h5").info("/values").stored_bytes, kValues);
}

class Szip : public ::testing::Test {
 protected:
  void SetUp() override {
    unsigned can = 0;
    ASSERT_GE(H5Zget_filter_info(H5Z_FILTER_SZIP, &can), 0);
    ASSERT_NE(can & H5Z_FILTER_CONFIG_ENCODE_ENABLED, 0U) << "this library cannot write szip";
    write(path_, 1024, [](hid_t creation) { H5Pset_szip(creation, H5_SZIP_NN_OPTION_MASK, 8); });
  }
  /// Why the values are not read once parameter `number` (from 0) is `value`.
  [[nodiscard]] std::string refusal(std::size_t number, std::uint32_t value) const {
    change(path_, [&](std::string& bytes) {
      const std::size_t name = bytes.find(std::string("szip\0\0\0\0", 8));
      ASSERT_NE(name, std::string::npos);
      put(bytes, name + 8 + 4 * number, value);
    });
    return testing::refused(ExitCode::kBadData, [&] { (void)File::open(path_).read<std::uint8_t>("/values"); });
  }
  testing::TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_ / "a.h5";
};

TEST_F(Szip, WithItsOwnParametersIsRead) {
  const auto values = File::open(path_).read<std::uint8_t>("/values");
  ASSERT_EQ(values.size(), kValues);
  for (std::size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], i % 256) << i;
}

TEST_F(Szip, OfBlocksThatCannotBeIsRefused) {
  EXPECT_THAT(refusal(1, 0), HasSubstr("'szip' has blocks of 0 pixels"));
  EXPECT_THAT(refusal(1, 9), HasSubstr("'szip' has blocks of 9 pixels"));
  EXPECT_THAT(refusal(1, 34), HasSubstr("'szip' has blocks of 34 pixels"));
}

TEST_F(Szip, OfPixelsThatAreNotTheValuesIsRefused) {
  EXPECT_THAT(refusal(2, 0), HasSubstr("'szip' has pixels of 0 bits"));
  EXPECT_THAT(refusal(2, 16), HasSubstr("'szip' has pixels of 16 bits"));
}

TEST_F(Szip, OfLinesThatCannotBeIsRefused) {
  EXPECT_THAT(refusal(3, 0), HasSubstr("'szip' has lines of 0 pixels"));
  EXPECT_THAT(refusal(3, 0xffffff), HasSubstr("'szip' has lines of 16777215 pixels"));
}

TEST_F(Szip, ThatClaimsGigabytesGetsNone) {
  const std::uint64_t place = File::open(path_).storage("/values").chunks.at(1).offset;
  change(path_, [&](std::string& bytes) { put(bytes, place, std::uint32_t{0x7fffffff}); });
  EXPECT_THAT(testing::refused(ExitCode::kBadData, [&] { (void)File::open(path_).read<std::uint8_t>("/values"); }),
              HasSubstr("inflates to more than the data set declares"));
}

}  // namespace chunk_check_test
}  // namespace xrai::hdf5
