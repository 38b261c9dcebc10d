// Headers in which one thing is wrong: HDF5 1.10 would copy past its memory (or could not tell), so each is refused
// before the library sees it. The file is written with the library, and the bytes are changed where they are found.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>

#include <algorithm>
#include <fstream>
#include <functional>

#include "runtime/hdf5/file.h"
#include "tests/support/errors.h"
#include "tests/support/run_command.h"
#include "tests/support/temporary_folder.h"

namespace xrai::hdf5 {
namespace planted_bytes_test {

using ::testing::HasSubstr;
using xrai::testing::TemporaryFolder;

/// A type in a file, by the name of the one thing that a test changes in it.
struct Planted {
  std::string name;
  std::function<hid_t()> type;
  std::function<void(std::string& file)> damage;
};

/// Where the description of a type begins: `first` is class and version, then its flags.
std::size_t type_at(const std::string& file, unsigned char first, unsigned flags, unsigned bytes) {
  std::string start;
  start += static_cast<char>(first);
  for (int i = 0; i < 3; ++i) start += static_cast<char>(flags >> 8 * i);
  for (int i = 0; i < 4; ++i) start += static_cast<char>(bytes >> 8 * i);
  const std::size_t at = file.find(start);
  EXPECT_NE(at, std::string::npos);
  EXPECT_EQ(file.find(start, at + 1), std::string::npos) << "not the only one";
  return at;
}

hid_t enumeration() {
  const hid_t type = H5Tcreate(H5T_ENUM, 1);
  std::int8_t value = 0;
  H5Tenum_insert(type, "FALSE", &value);
  H5Tenum_insert(type, "TRUE", &++value);
  return type;
}

hid_t compound() {
  const hid_t type = H5Tcreate(H5T_COMPOUND, 12);
  H5Tinsert(type, "first", 0, H5T_STD_I64LE);
  H5Tinsert(type, "second", 8, H5T_STD_I32LE);
  return type;
}

hid_t array() {
  const hsize_t axes[] = {3, 5};
  return H5Tarray_create2(H5T_STD_I16LE, 2, axes);
}

hid_t opaque() {
  const hid_t type = H5Tcreate(H5T_OPAQUE, 77);
  H5Tset_tag(type, "a word");
  return type;
}

std::vector<Planted> planted() {
  const auto at = [](unsigned char first, unsigned flags, unsigned bytes, std::size_t place, char value) {
    return [=](std::string& file) { file[type_at(file, first, flags, bytes) + place] = value; };
  };
  // Behind the eight bytes of the start stand the properties. 0x18, 0x16, 0x15, 0x10, 0x2a: version and class.
  return {
      {"EnumerationLargerThanItsIntegers", enumeration, at(0x18, 2, 1, 4, 100)},
      {"EnumerationOfOtherIntegers", enumeration, at(0x18, 2, 1, 8 + 4, 8)},
      {"EnumerationOfMoreMembers", enumeration, at(0x18, 2, 1, 1, 90)},
      {"EnumerationOfFloats", enumeration, at(0x18, 2, 1, 8, 0x11)},
      {"EnumerationWithoutTheEndOfAName", enumeration,
       [](std::string& file) { file.replace(file.find("TRUE"), 12, 12, 'x'); }},
      {"CompoundSmallerThanItsMembers", compound, at(0x16, 2, 12, 4, 9)},
      {"CompoundOfMoreMembers", compound, at(0x16, 2, 12, 2, 3)},
      {"CompoundWithAMemberOutside", compound, [](std::string& file) { file[file.find("second") + 8] = 60; }},
      {"ArrayOfMoreValues", array, at(0x2a, 0, 30, 8 + 4, 127)},
      {"ArrayOfMoreAxes", array, at(0x2a, 0, 30, 8, 120)},
      {"ArrayOfNothing", array, at(0x2a, 0, 30, 8 + 4, 0)},
      {"OpaqueWithALongerWord", opaque, at(0x15, 8, 77, 1, static_cast<char>(0xf8))},
      {"IntegerWithBitsOutside", [] { return H5Tcopy(H5T_STD_I64BE); }, at(0x10, 9, 8, 8, 60)},
      {"IntegerOfAHundredBytes", [] { return H5Tcopy(H5T_STD_I64BE); }, at(0x10, 9, 8, 4, 100)},
      {"FloatWithItsExponentOutside", [] { return H5Tcopy(H5T_IEEE_F64BE); }, at(0x11, 0x3f21, 8, 12, 60)},
      {"FloatWithItsSignOutside", [] { return H5Tcopy(H5T_IEEE_F64BE); }, at(0x11, 0x3f21, 8, 2, 127)},
      {"TextOfNoLength",
       [] {
         const hid_t type = H5Tcopy(H5T_C_S1);
         H5Tset_size(type, 9);
         return type;
       },
       at(0x13, 0, 9, 4, 0)},
      {"VariableOfAnotherLength", [] { return H5Tvlen_create(H5T_STD_I16BE); }, at(0x19, 0, 16, 4, 8)},
  };
}

enum class Place { kDataset, kCommitted, kAttribute };

void write(const std::filesystem::path& path, hid_t type, Place place) {
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hsize_t n = 2;
  const hid_t space = H5Screate_simple(1, &n, nullptr);
  if (place == Place::kCommitted) H5Tcommit2(file, "type", type, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t stored = place == Place::kAttribute ? H5T_STD_U8LE : type;
  const hid_t dataset = H5Dcreate2(file, "values", stored, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  if (place == Place::kAttribute) H5Aclose(H5Acreate2(dataset, "about", type, space, H5P_DEFAULT, H5P_DEFAULT));
  H5Dclose(dataset);
  H5Sclose(space);
  H5Tclose(type);
  ASSERT_GE(H5Fclose(file), 0);
}

void look_at(const std::filesystem::path& path) {
  const File file = File::open(path);
  (void)file.is_dataset("/values");
  (void)file.attribute("/values", "missing");
  (void)file.info("/values");
}

class PlantedType : public ::testing::TestWithParam<Planted> {};

TEST_P(PlantedType, IsRefusedBeforeTheLibrarySeesIt) {
  const TemporaryFolder folder;
  for (const Place place : {Place::kDataset, Place::kCommitted, Place::kAttribute}) {
    const auto path = folder / "a.h5";
    write(path, GetParam().type(), place);
    EXPECT_NO_THROW(look_at(path));
    std::string bytes = xrai::testing::text_of(path);
    GetParam().damage(bytes);
    std::ofstream(path, std::ios::binary) << bytes;
    for (const auto& look : std::vector<std::function<void(const File&)>>{
             [](const File& file) { (void)file.is_dataset("/values"); },
             [](const File& file) { (void)file.info("/values"); },
             [](const File& file) { (void)file.attribute("/values", "about"); }}) {
      EXPECT_THAT(xrai::testing::refused(ExitCode::kBadData, [&] { look(File::open(path)); }),
                  HasSubstr("its description is damaged"))
          << static_cast<int>(place);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Bytes, PlantedType, ::testing::ValuesIn(planted()),
                         [](const auto& planted) { return planted.param.name; });

/// Three rows of four 16-bit numbers in chunks of two, with a fill value, filters of which one has a name, and so on.
void write_chunked(const std::filesystem::path& path, bool compact) {
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hsize_t shape[] = {3, 4}, chunk[] = {2, 4};
  const hid_t space = H5Screate_simple(2, shape, nullptr), creation = H5Pcreate(H5P_DATASET_CREATE);
  const std::uint16_t fill = 0x7a7b;
  H5Pset_fill_value(creation, H5T_STD_U16LE, &fill);
  if (compact) {
    H5Pset_layout(creation, H5D_COMPACT);
  } else {
    H5Pset_chunk(creation, 2, chunk);
    H5Pset_deflate(creation, 3);
  }
  H5Dclose(H5Dcreate2(file, "values", H5T_STD_U16LE, space, H5P_DEFAULT, creation, H5P_DEFAULT));
  H5Pclose(creation);
  H5Sclose(space);
  ASSERT_GE(H5Fclose(file), 0);
}

TEST(PlantedHeader, WhatDisagreesWithTheShapeOrTheTypeIsRefused) {
  using namespace std::string_literals;
  struct Change {
    const char* what;
    bool compact;
    std::string found;
    std::size_t place;
    char value;
  };
  const std::string shape("\3\0\0\0\0\0\0\0\4\0\0\0\0\0\0\0"s), chunk("\2\0\0\0\4\0\0\0\2\0\0\0"s);
  const std::vector<Change> changes{
      {"more rows than a compact data set holds", true, shape, 0, 9},
      {"a compact data set past its message", true, "\3\0\30\0"s, 3, 1},
      {"a chunk of larger values", false, chunk, 8, 100},
      {"a chunk of no rows", false, chunk, 0, 0},
      {"a chunk of more axes", false, "\3\2\3"s, 2, 4},
      {"a fill value of more bytes", false, "\2\0\0\0\x7b\x7a"s, 0, 8},
      {"a filter's name past the message", false, "deflate\0"s, 7, 'd'},
      {"a filter of more numbers", false, "\1\0\10\0\1\0\1\0"s, 6, 120},
  };
  const TemporaryFolder folder;
  for (const Change& change : changes) {
    write_chunked(folder / "a.h5", change.compact);
    EXPECT_NO_THROW(look_at(folder / "a.h5"));
    std::string bytes = xrai::testing::text_of(folder / "a.h5");
    std::size_t n_found = 0;
    for (std::size_t at = bytes.find(change.found); at != std::string::npos; at = bytes.find(change.found, at + 1)) {
      bytes[at + change.place] = change.value;
      ++n_found;
    }
    ASSERT_GE(n_found, 1U) << change.what;
    std::ofstream(folder / "a.h5", std::ios::binary) << bytes;
    EXPECT_THAT(xrai::testing::refused(ExitCode::kBadData, [&] { look_at(folder / "a.h5"); }),
                HasSubstr("its description is damaged"))
        << change.what;
  }
}

TEST(PlantedSuperblock, DriverInformationThatTheFileDoesNotHaveIsRefused) {
  const TemporaryFolder folder;
  const auto path = folder / "a.h5";
  write_chunked(path, true);
  const std::string sound = xrai::testing::text_of(path);
  ASSERT_EQ(sound[8], 0) << "a superblock of version 0 was wanted";
  constexpr std::size_t kPlace = 48;  // of the address
  const auto with_block = [&](std::size_t address, char largest_byte) {
    std::string bytes = sound;
    bytes.append(32, '\0');
    for (std::size_t i = 0; i < 8; ++i) bytes[kPlace + i] = static_cast<char>(address >> 8 * i);
    if (address + 8 <= bytes.size()) bytes[address + 7] = largest_byte;
    return bytes;
  };
  const std::string user_block(512, ' ');
  for (const std::string& before : {std::string(), user_block}) {
    for (const std::string& damaged :
         {with_block(sound.size(), 0x7f), with_block(sound.size() + 20, 0), with_block(std::size_t{1} << 60, 0)}) {
      std::ofstream(path, std::ios::binary) << before << damaged;
      EXPECT_THAT(xrai::testing::refused(ExitCode::kBadData, [&] { (void)File::open(path); }),
                  HasSubstr("its first block is damaged"));
    }
    std::ofstream(path, std::ios::binary) << before << sound;
    EXPECT_TRUE(File::open(path).has("/values"));
  }
}

/// The library would make room for it all before it looks whether the file has as much.
TEST(PlantedSuperblock, AHeaderThatSaysItIsLongIsRefusedBeforeTheLibraryMakesRoom) {
  const TemporaryFolder folder;
  for (const bool is_new : {false, true}) {
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (is_new) H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    const hid_t made = H5Fcreate((folder / "in.h5").c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
    const hid_t group = H5Gcreate2(made, "train", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5O_info_t info{};
    H5Oget_info2(group, &info, H5O_INFO_BASIC);
    H5Gclose(group), H5Fclose(made), H5Pclose(access);
    std::ifstream stream(folder / "in.h5", std::ios::binary);
    const std::string sound(std::istreambuf_iterator<char>(stream), {});
    const std::size_t root = is_new ? sound.find("OHDR") : static_cast<unsigned char>(sound[64]);
    ASSERT_LT(root + 16, sound.size());
    ASSERT_NE(root, info.addr);
    const auto said = [&](std::size_t header) {
      std::string bytes = sound;
      if (is_new) bytes[header + 5] = static_cast<char>(bytes[header + 5] | 3);  // its length in 8 bytes
      bytes[header + (is_new ? 6 + ((bytes[header + 5] & 0x20) != 0 ? 16 : 0) + 2 : 8 + 2)] = 0x40;
      std::ofstream(folder / "out.h5", std::ios::binary) << bytes;
      return xrai::testing::refused(ExitCode::kBadData,
                                    [&] { (void)File::open(folder / "out.h5").is_dataset("/train"); });
    };
    EXPECT_THAT(said(root), HasSubstr("its first block is damaged"));
    EXPECT_THAT(said(info.addr), HasSubstr("its description is damaged"));
  }
}

TEST(PlantedGroup, NamesAndMembersOutsideAreRefused) {
  struct Change {
    const char* what;
    std::string block;
    std::size_t place;
    char value;
  };
  const std::vector<Change> changes{
      {"a heap larger than the file", "HEAP", 8 + 6, 1},  {"a heap past the file's end", "HEAP", 24 + 6, 1},
      {"a gap past the heap's end", "HEAP", 16 + 1, 112}, {"a tree that is higher than it says", "TREE", 5, 1},
      {"a tree of something else", "TREE", 4, 1},         {"a name past the heap's end", "SNOD", 8 + 1, 112},
      {"a member past the file's end", "SNOD", 23, 1},    {"a member of an unknown kind", "SNOD", 24, 7},
  };
  const TemporaryFolder folder;
  const auto path = folder / "a.h5";
  for (const Change& change : changes) {
    write_chunked(path, true);
    std::string bytes = xrai::testing::text_of(path);
    const std::size_t at = bytes.find(change.block);
    ASSERT_NE(at, std::string::npos);
    bytes[at + change.place] = change.value;
    std::ofstream(path, std::ios::binary) << bytes;
    for (const auto& look : std::vector<std::function<void(const File&)>>{
             [](const File& file) { (void)file.has("/values"); }, [](const File& file) { (void)file.names_in("/"); },
             [](const File& file) { (void)file.attribute("/", "about"); }}) {
      EXPECT_THAT(xrai::testing::refused(ExitCode::kBadData, [&] { look(File::open(path)); }),
                  HasSubstr("its description is damaged"))
          << change.what;
    }
  }
}

TEST(PlantedGroup, GapsInACircleAreRefused) {
  const TemporaryFolder folder;
  const auto path = folder / "a.h5";
  write_chunked(path, true);
  std::string bytes = xrai::testing::text_of(path);
  const auto number = [&](std::size_t at) {
    return static_cast<std::size_t>(static_cast<unsigned char>(bytes[at])) +
           256 * static_cast<unsigned char>(bytes[at + 1]);
  };
  const std::size_t heap = bytes.find("HEAP"), first = number(heap + 16), data = number(heap + 24);
  ASSERT_NE(first, 1U);
  bytes[data + first] = bytes[heap + 16];  // the gap behind it is itself
  bytes[data + first + 1] = bytes[heap + 17];
  std::ofstream(path, std::ios::binary) << bytes;
  EXPECT_THAT(xrai::testing::refused(ExitCode::kBadData, [&] { (void)File::open(path).has("/values"); }),
              HasSubstr("its description is damaged"));
}

TEST(PlantedGroup, LinksInCirclesLeadNowhere) {
  const TemporaryFolder folder;
  const auto path = folder / "a.h5";
  write_chunked(path, true);
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  H5Lcreate_soft("/b", file, "/a", H5P_DEFAULT, H5P_DEFAULT);
  H5Lcreate_soft("./a/./a/a", file, "/b", H5P_DEFAULT, H5P_DEFAULT);
  H5Lcreate_soft(".//values/.", file, "/c", H5P_DEFAULT, H5P_DEFAULT);
  ASSERT_GE(H5Fclose(file), 0);
  const File opened = File::open(path);
  EXPECT_FALSE(opened.has("/a"));
  EXPECT_TRUE(opened.is_dataset("/c"));
}

}  // namespace planted_bytes_test
}  // namespace xrai::hdf5
