// What the library would believe of chunks is looked at first: an index that leads back to itself, szip's parameters,
// filters that leave less than a chunk.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <functional>
#include <numeric>

#include "runtime/hdf5/file.h"
#include "tests/support/errors.h"
#include "tests/support/run_command.h"
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
  std::string bytes = testing::text_of(path);
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

constexpr H5Z_filter_t kInvert = 300;  // of this test: what xrai does not undo itself, as a plug-in would be

std::size_t invert(unsigned, std::size_t, const unsigned*, std::size_t n_bytes, std::size_t*, void** bytes) {
  auto* const each = static_cast<unsigned char*>(*bytes);
  std::transform(each, each + n_bytes, each, [](unsigned char byte) { return static_cast<unsigned char>(~byte); });
  return n_bytes;
}

std::vector<std::uint16_t> numbers() {
  std::vector<std::uint16_t> values(12);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::uint16_t>(257 * i);
  return values;
}

/// Three rows of four 16-bit numbers in chunks of two rows, behind the filters.
void write_filtered(const std::filesystem::path& path, const std::vector<H5Z_filter_t>& filters) {
  const H5Z_class2_t inverting{H5Z_CLASS_T_VERS, kInvert, 1, 1, "invert", nullptr, nullptr, invert};
  ASSERT_GE(H5Zregister(&inverting), 0);
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hsize_t shape[] = {3, 4}, chunk[] = {2, 4};
  const hid_t space = H5Screate_simple(2, shape, nullptr), creation = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(creation, 2, chunk);
  const unsigned level = 3;
  for (const H5Z_filter_t filter : filters) {
    H5Pset_filter(creation, filter, H5Z_FLAG_MANDATORY, filter == H5Z_FILTER_DEFLATE ? 1 : 0, &level);
  }
  const hid_t dataset = H5Dcreate2(file, "values", H5T_STD_U16LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
  H5Dwrite(dataset, H5T_STD_U16LE, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers().data());
  H5Dclose(dataset);
  H5Pclose(creation);
  H5Sclose(space);
  ASSERT_GE(H5Fclose(file), 0);
}

/// What the library would copy out of a chunk that its filters left too short, and how the file comes to be so.
struct ShortChunk {
  std::string name;
  std::vector<H5Z_filter_t> filters;
  std::function<void(std::string& file)> damage;
  const char* sentence;
};

std::vector<ShortChunk> short_chunks() {
  const auto larger = [](std::string& file) {
    using namespace std::string_literals;
    file[file.find("\2\0\0\0\4\0\0\0\2\0\0\0"s) + 4] = 40;  // values a row of the chunk
  };
  const auto chunk = [](std::string& file) { return file.find("TREE\1") + 24; };  // bytes, filters left out, place
  const auto shorter = [chunk](std::string& file) { file[chunk(file)] = 9; };
  const auto not_inflated = [chunk](std::string& file) { file[chunk(file) + 4] = 1; };
  return {{"DeflateIntoALargerChunk", {H5Z_FILTER_DEFLATE}, larger, "holds 16 bytes instead of 160"},
          {"ChecksumOfALargerChunk", {H5Z_FILTER_FLETCHER32}, larger, "holds 16 bytes instead of 160"},
          {"DeflateLeftOut", {H5Z_FILTER_DEFLATE}, not_inflated, "bytes instead of 16"},
          {"PlugInIntoALargerChunk", {kInvert}, larger, "its compressed values are damaged"},
          {"PlugInOfFewerBytes", {kInvert}, shorter, "its compressed values are damaged"},
          {"PlugInWithDeflate", {kInvert, H5Z_FILTER_DEFLATE}, larger, "its compressed values are damaged"}};
}

class PlantedChunk : public ::testing::TestWithParam<ShortChunk> {};

TEST_P(PlantedChunk, ThatIsTooShortIsNotGivenToTheLibrary) {
  const testing::TemporaryFolder folder;
  const auto path = folder / "a.h5";
  write_filtered(path, GetParam().filters);
  EXPECT_EQ(File::open(path).read<std::uint16_t>("/values"), numbers());
  change(path, GetParam().damage);
  std::vector<std::byte> row(8);
  for (const auto& read : std::vector<std::function<void(const File&)>>{
           [](const File& file) { (void)file.read<std::uint16_t>("/values"); },
           [&](const File& file) { file.read_stored_rows("/values", 1, 1, row.data()); }}) {
    EXPECT_THAT(testing::refused(ExitCode::kBadData, [&] { read(File::open(path)); }), HasSubstr(GetParam().sentence));
  }
}

INSTANTIATE_TEST_SUITE_P(Filters, PlantedChunk, ::testing::ValuesIn(short_chunks()),
                         [](const auto& chunk) { return chunk.param.name; });

}  // namespace chunk_check_test
}  // namespace xrai::hdf5
