// Indexes of chunks that would be read without end, or far longer than they are. All checksums are right.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>

#include <chrono>
#include <cstring>
#include <fstream>
#include <numeric>

#include "runtime/hdf5/file.h"
#include "runtime/hdf5/file_bytes.h"
#include "runtime/hdf5/library.h"
#include "tests/support/errors.h"
#include "tests/support/run_command.h"
#include "tests/support/temporary_folder.h"

namespace xrai::hdf5 {
namespace chunk_index_test {

using ::testing::HasSubstr;

/// An axis of bytes, in chunks of one byte each, in the newer format.
struct Axis {
  hsize_t n_values, largest;
  bool early = false;  // all chunks have their place at once
};

void write(const std::filesystem::path& path, const Axis& axis, hsize_t first,
           const std::vector<std::uint8_t>& values) {
  const LibraryLock lock;  // the library is set up before its first call
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS), creation = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
  const hsize_t one = 1, count = values.size();
  H5Pset_chunk(creation, 1, &one);
  if (axis.early) H5Pset_alloc_time(creation, H5D_ALLOC_TIME_EARLY);
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
  const hid_t space = H5Screate_simple(1, &axis.n_values, &axis.largest);
  const hid_t memory = H5Screate_simple(1, &count, nullptr);
  const hid_t dataset = H5Dcreate2(file, "values", H5T_STD_U8LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
  H5Sselect_hyperslab(space, H5S_SELECT_SET, &first, nullptr, &count, nullptr);
  ASSERT_GE(H5Dwrite(dataset, H5T_NATIVE_UINT8, memory, space, H5P_DEFAULT, values.data()), 0);
  H5Dclose(dataset), H5Sclose(memory), H5Sclose(space), H5Pclose(creation), H5Pclose(access);
  ASSERT_GE(H5Fclose(file), 0);
}

std::vector<std::uint8_t> rising(std::size_t n) {
  std::vector<std::uint8_t> values(n);
  std::iota(values.begin(), values.end(), std::uint8_t{1});
  return values;
}

std::uint64_t n_stored(const std::filesystem::path& path) {
  std::uint64_t n = 0;
  for (const StoredChunk& chunk : File::open(path).storage("/values").chunks) n += chunk.bytes;
  return n;
}

TEST(ExtensibleArray, OfThousandsOfChunksIsRead) {
  const testing::TemporaryFolder folder;
  write(folder / "a.h5", {40000, H5S_UNLIMITED}, 0, rising(40000));
  EXPECT_EQ(n_stored(folder / "a.h5"), 40000U);
}

TEST(ExtensibleArray, OfOneBlockUnderAllAddressesIsRefused) {
  const testing::TemporaryFolder folder;
  write(folder / "a.h5", {40000, H5S_UNLIMITED}, 39000, rising(1));  // one block of very many, which is in pages
  std::string file = xrai::testing::text_of(folder / "a.h5");
  const std::size_t block = file.find("EASB"), data = file.find("EADB");
  ASSERT_NE(block, std::string::npos);
  ASSERT_NE(data, std::string::npos);
  const auto bytes = [&](std::size_t at, std::size_t n) {
    return std::span(reinterpret_cast<const unsigned char*>(file.data()) + at, n);
  };
  std::size_t length = 18;
  while (!has_right_checksum(bytes(block, length))) ++length;
  std::string address(8, '\0');
  std::memcpy(address.data(), &data, sizeof data);
  const std::size_t named = file.find(address, block);
  ASSERT_LT(named, block + length);
  for (std::size_t at = named; at + 12 <= block + length; at += 8) file.replace(at, 8, address);
  for (std::size_t at = named; at >= block + 18 + 8; at -= 8) file.replace(at - 8, 8, address);
  const std::uint32_t sum = checksum(bytes(block, length - 4));
  std::memcpy(file.data() + block + length - 4, &sum, sizeof sum);
  std::ofstream(folder / "a.h5", std::ios::binary) << file;
  EXPECT_THAT(testing::refused(ExitCode::kBadData, [&] { (void)File::open(folder / "a.h5").storage("/values"); }),
              HasSubstr("the index of its chunks is damaged"));
}

TEST(ImplicitIndex, OfFewChunksIsReadFromALongFileAtOnce) {
  const testing::TemporaryFolder folder;
  write(folder / "a.h5", {100, 100, true}, 0, rising(100));
  EXPECT_EQ(n_stored(folder / "a.h5"), 100U);
  constexpr std::uintmax_t kFarEnd = std::uintmax_t{1} << 40;  // nothing is there, and the disk keeps nothing
  std::filesystem::resize_file(folder / "a.h5", kFarEnd);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(n_stored(folder / "a.h5"), 100U);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

TEST(ImplicitIndex, OfWhichTheFileLacksTheEndIsRefused) {
  const testing::TemporaryFolder folder;
  write(folder / "a.h5", {100000, 100000, true}, 0, rising(100000));
  const auto n_bytes = std::filesystem::file_size(folder / "a.h5");
  std::string file = xrai::testing::text_of(folder / "a.h5");
  const auto said = static_cast<std::uint64_t>(n_bytes - 50000);
  std::memcpy(file.data() + 28, &said, sizeof said);  // where the superblock has the end
  const std::uint32_t sum = checksum(std::span(reinterpret_cast<const unsigned char*>(file.data()), 44));
  std::memcpy(file.data() + 44, &sum, sizeof sum);
  std::ofstream(folder / "a.h5", std::ios::binary) << file.substr(0, said);
  EXPECT_THAT(testing::refused(ExitCode::kBadData, [&] { (void)File::open(folder / "a.h5").storage("/values"); }),
              HasSubstr("the index of its chunks is damaged"));
}

}  // namespace chunk_index_test
}  // namespace xrai::hdf5
