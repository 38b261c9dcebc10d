// Groups of many links and objects of many attributes, kept in heaps and trees of their own: those that the library
// writes are read, and one in which a byte is wrong is refused before the library sees it. All checksums are right.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>

#include <bit>
#include <cstring>
#include <fstream>
#include <functional>
#include <random>

#include "runtime/hdf5/file_bytes.h"
#include "runtime/hdf5/library.h"
#include "tests/support/errors.h"
#include "tests/support/run_command.h"
#include "tests/support/temporary_folder.h"

namespace xrai::hdf5 {
namespace dense_storage_test {

using ::testing::HasSubstr;
using xrai::testing::TemporaryFolder;

struct Many {
  int n_links = 0, n_attributes = 0;
  bool ordered = false;
  int n_deleted = 0;  // of both
};

hid_t many_links(const Many& many) {
  const hid_t creation = H5Pcreate(H5P_GROUP_CREATE);
  if (many.ordered) H5Pset_link_creation_order(creation, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
  if (many.ordered) H5Pset_attr_creation_order(creation, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
  return creation;
}

std::string name_of(int number) {
  return fmt::format("member {}", number);
}

/// Of every fifth the values are too many for the heap's blocks, and lie elsewhere ("huge"); others are enumerations,
/// of a type that has an object of its own.
void add_attributes(hid_t object, hid_t committed, const Many& many) {
  for (int i = 0; i < many.n_attributes; ++i) {
    const hsize_t n = i % 5 == 4 ? 5000 : 1;
    const std::vector<std::int8_t> values(n, 1);
    const hid_t space = H5Screate_simple(1, &n, nullptr), type = i % 2 == 0 ? committed : H5T_STD_I8LE;
    const hid_t made = H5Acreate2(object, name_of(i).c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(made, i % 2 == 0 ? committed : H5T_NATIVE_INT8, values.data());
    H5Aclose(made), H5Sclose(space);
  }
  for (int i = 0; i < many.n_deleted && 3 * i < many.n_attributes; ++i) H5Adelete(object, name_of(3 * i).c_str());
}

/// A file with one group, "/many", of links of all kinds and of attributes.
void write(const std::filesystem::path& path, const Many& many) {
  const LibraryLock lock;  // the library is set up before its first call
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS), creation = many_links(many);
  H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
  const hid_t type = H5Tcreate(H5T_ENUM, 1);
  std::int8_t value = 0;
  H5Tenum_insert(type, "FALSE", &value);
  H5Tenum_insert(type, "TRUE", &++value);
  H5Tcommit2(file, "type", type, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t group = H5Gcreate2(file, "many", H5P_DEFAULT, creation, H5P_DEFAULT);
  for (int i = 0; i < many.n_links; ++i) {
    const std::string name = name_of(i);
    if (i % 3 == 0) H5Lcreate_soft("/type", group, name.c_str(), H5P_DEFAULT, H5P_DEFAULT);
    if (i % 3 == 1) H5Lcreate_hard(file, "type", group, name.c_str(), H5P_DEFAULT, H5P_DEFAULT);
    if (i % 3 == 2) H5Lcreate_external("b.h5", "/type", group, name.c_str(), H5P_DEFAULT, H5P_DEFAULT);
  }
  for (int i = 0; i < std::min(many.n_deleted, many.n_links); ++i) {
    H5Ldelete(group, name_of(i * 7 % many.n_links).c_str(), H5P_DEFAULT);
  }
  add_attributes(group, type, many);
  H5Gclose(group), H5Tclose(type), H5Pclose(creation), H5Pclose(access);
  ASSERT_GE(H5Fclose(file), 0);
}

class ManyMembers : public ::testing::TestWithParam<Many> {};

TEST_P(ManyMembers, AreAllFound) {
  const TemporaryFolder folder;
  write(folder / "a.h5", GetParam());
  const File file = File::open(folder / "a.h5");
  EXPECT_EQ(file.names_in("/many").size(),
            static_cast<std::size_t>(GetParam().n_links - std::min(GetParam().n_deleted, GetParam().n_links)));
  for (int i = 0; i < GetParam().n_attributes; ++i) {
    const bool is_there = i % 3 != 0 || i / 3 >= GetParam().n_deleted;
    if (i % 10 == 1) {
      EXPECT_EQ(file.attribute("/many", name_of(i)).has_value(), is_there) << i;
    }
  }
  EXPECT_FALSE(file.attribute("/many", "missing").has_value());
}

INSTANTIATE_TEST_SUITE_P(OfSizes, ManyMembers,
                         ::testing::Values(Many{8, 8}, Many{9, 9}, Many{300, 300}, Many{300, 300, true},
                                           Many{701, 600, true, 200}, Many{3000, 0, false, 2950},
                                           Many{20000, 0, true, 100}, Many{9, 1500, true, 400}));

/// The file's bytes, with blocks that are found by their signatures and closed again with the right checksum.
class Bytes {
 public:
  explicit Bytes(const std::filesystem::path& path) : text_(xrai::testing::text_of(path)) {}

  [[nodiscard]] std::size_t find(std::string_view signature, int number = 0) const {
    std::size_t at = text_.find(signature);
    for (; number > 0; --number) at = text_.find(signature, at + 1);
    EXPECT_NE(at, std::string::npos) << signature;
    return at;
  }
  /// Of blocks whose checksum is right: signatures may stand in values, too.
  [[nodiscard]] std::vector<std::size_t> all(std::string_view signature) const {
    std::vector<std::size_t> places;
    for (std::size_t at = text_.find(signature); at != std::string::npos; at = text_.find(signature, at + 1)) {
      if (sum_of(at).n_bytes > 0) places.push_back(at);
    }
    return places;
  }
  [[nodiscard]] std::uint64_t number(std::size_t at, std::size_t n_bytes) const {
    return Fields(std::span(bytes()).subspan(at, n_bytes)).number(n_bytes);
  }
  /// Changes the block at `at` and gives it the checksum that it then must have.
  void change(std::size_t at, const std::function<void(std::string&)>& damage) {
    const Sum sum = sum_of(at);
    ASSERT_NE(sum.n_bytes, 0U) << "no checksum was found";
    std::string block = text_.substr(at, sum.n_bytes);
    damage(block);
    const auto put = [&](std::uint32_t number) { std::memcpy(block.data() + sum.place, &number, sizeof number); };
    put(0);
    put(checksum(bytes_of(sum.in_between ? block : block.substr(0, sum.place))));
    text_.replace(at, block.size(), block);
  }
  void store(const std::filesystem::path& path) const { std::ofstream(path, std::ios::binary) << text_; }

 private:
  struct Sum {
    std::size_t n_bytes = 0, place = 0;
    bool in_between = false;  // of the whole block, with zeros there
  };
  static std::span<const unsigned char> bytes_of(const std::string& text) {
    return {reinterpret_cast<const unsigned char*>(text.data()), text.size()};
  }
  [[nodiscard]] std::span<const unsigned char> bytes() const { return bytes_of(text_); }

  /// Where the block ends is where its checksum is right.
  [[nodiscard]] Sum sum_of(std::size_t at) const {
    if (text_.compare(at, 4, "FHDB") == 0) {
      const std::size_t place = number(number(at + 5, 8) + 128, 2) / 8 + 13;
      for (std::size_t n_bytes = 512; at + n_bytes <= text_.size(); n_bytes *= 2) {
        std::string block = text_.substr(at, n_bytes);
        block.replace(place, 4, 4, '\0');
        if (checksum(bytes_of(block)) == number(at + place, 4)) return {n_bytes, place, true};
      }
      return {};
    }
    for (std::size_t n_bytes = 14; at + n_bytes <= text_.size() && n_bytes < 70000; ++n_bytes) {
      if (has_right_checksum(bytes().subspan(at, n_bytes))) return {n_bytes, n_bytes - 4};
    }
    return {};
  }

  std::string text_;
};

/// What is wrong with one block, in a number that was another.
struct Wrong {
  std::string name;
  Many many;
  std::string block;
  int number;  // of the blocks with that signature
  std::size_t place, n_bytes;
  std::uint64_t value;
};
constexpr Many kFewLinks{12}, kLinks{600}, kOrdered{12, 0, true}, kAttributes{0, 12};
constexpr std::uint64_t kBehindTheEnd = std::uint64_t{1} << 40;

std::vector<Wrong> wrong_blocks() {
  return {
      {"HeapOfLongerIdentifiers", kFewLinks, "FRHP", 0, 5, 2, 8},
      {"HeapOfLargerObjectsThanBlocks", kFewLinks, "FRHP", 0, 10, 4, 1 << 20},
      {"HeapOfNoObjects", kFewLinks, "FRHP", 0, 10, 4, 0},
      {"HugeObjectsBehindTheEnd", kFewLinks, "FRHP", 0, 22, 8, kBehindTheEnd},
      {"TableOfNoColumns", kFewLinks, "FRHP", 0, 110, 2, 0},
      {"TableOfThreeColumns", kFewLinks, "FRHP", 0, 110, 2, 3},
      {"TableOfNoBytes", kFewLinks, "FRHP", 0, 112, 8, 0},
      {"TableOfTerabytes", kFewLinks, "FRHP", 0, 112, 8, kBehindTheEnd},
      {"LargestBlockSmallerThanTheFirst", kFewLinks, "FRHP", 0, 120, 8, 256},
      {"LargestBlockOfTerabytes", kFewLinks, "FRHP", 0, 120, 8, kBehindTheEnd},
      {"HeapSmallerThanARow", kFewLinks, "FRHP", 0, 128, 2, 3},
      {"HeapOfMoreBitsThanThereAre", kFewLinks, "FRHP", 0, 128, 2, 2000},
      {"RootBehindTheEnd", kFewLinks, "FRHP", 0, 132, 8, kBehindTheEnd},
      {"RootOfMoreRows", kLinks, "FRHP", 0, 140, 2, 60},
      {"RootThatIsADirectBlock", kLinks, "FRHP", 0, 140, 2, 0},
      {"DirectBlockElsewhereInTheHeap", kFewLinks, "FHDB", 0, 13, 4, 512},
      {"DirectBlockOfAnotherHeap", kFewLinks, "FHDB", 0, 5, 8, 48},
      {"LinkOfAnotherVersion", kFewLinks, "FHDB", 0, 21, 1, 9},
      {"LinkWithALongerName", kFewLinks, "FHDB", 0, 24, 1, 200},
      {"IndirectBlockElsewhereInTheHeap", kLinks, "FHIB", 0, 13, 4, 512},
      {"DirectBlockBehindTheEnd", kLinks, "FHIB", 0, 17, 8, kBehindTheEnd},
      {"TreeOfAnotherType", kFewLinks, "BTHD", 0, 5, 1, 8},
      {"TreeOfLargeNodes", kFewLinks, "BTHD", 0, 6, 4, 0xffffffff},
      {"TreeOfNoRecords", kFewLinks, "BTHD", 0, 10, 2, 0},
      {"TreeOfLongerRecords", kFewLinks, "BTHD", 0, 10, 2, 17},
      {"TreeDeeperThanAny", kFewLinks, "BTHD", 0, 12, 2, 65535},
      {"TreeDeeperThanItIs", kFewLinks, "BTHD", 0, 12, 2, 1},
      {"TreeBehindTheEnd", kFewLinks, "BTHD", 0, 16, 8, kBehindTheEnd},
      {"RootOfMoreRecords", kFewLinks, "BTHD", 0, 24, 2, 46},
      {"TreeOfMoreRecordsInAll", kFewLinks, "BTHD", 0, 26, 8, 13},
      {"TreeOfFewerRecordsInAll", kFewLinks, "BTHD", 0, 26, 8, 11},
      {"TreeOfMoreRecordsThanBytes", kFewLinks, "BTHD", 0, 26, 8, kBehindTheEnd},
      {"NodeOfMoreRecordsBelow", kLinks, "BTIN", 0, 6 + 11 * 12 + 8, 1, 44},
      {"ObjectOutsideTheHeap", kFewLinks, "BTLF", 0, 6 + 4 + 1, 4, 1 << 20},
      {"ObjectInTheHeadOfABlock", kFewLinks, "BTLF", 0, 6 + 4 + 1, 4, 3},
      {"ObjectPastItsBlock", kFewLinks, "BTLF", 0, 6 + 4 + 5, 2, 510},
      {"ObjectOfNoBytes", kFewLinks, "BTLF", 0, 6 + 4 + 5, 2, 0},
      {"ObjectInItsIdentifier", kFewLinks, "BTLF", 0, 6 + 4, 1, 0x2f},
      {"ObjectOfAnUnknownKind", kFewLinks, "BTLF", 0, 6 + 4, 1, 0x30},
      {"HugeObjectThatIsNot", kFewLinks, "BTLF", 0, 6 + 4, 1, 0x10},
      {"AttributeOfAnotherVersion", kAttributes, "FHDB", 0, 22, 1, 9},
      {"AttributeWithALongerName", kAttributes, "FHDB", 0, 24, 2, 60000},
      {"HugeAttributeBehindTheEnd", kAttributes, std::string("BTLF\0\1", 6), 0, 6, 8, kBehindTheEnd},
      {"HugeAttributeOfMoreBytes", kAttributes, std::string("BTLF\0\1", 6), 0, 6 + 8, 8, kBehindTheEnd},
      {"HugeAttributeOfAnotherNumber", kAttributes, std::string("BTLF\0\1", 6), 0, 6 + 16, 8, 77},
      {"LinkThatIsNotFoundByItsOrder", kOrdered, std::string("BTLF\0\6", 6), 0, 6 + 8 + 1, 4, 22},
      {"TreeByOrderOfFewer", kOrdered, std::string("BTHD\0\6", 6), 0, 24, 1, 11},
  };
}

/// Asks for a link and an attribute, and for the names, of files that are opened anew.
void expect_refused(const std::filesystem::path& path, const char* why) {
  for (const auto& look : std::vector<std::function<void(const File&)>>{
           [](const File& file) { (void)file.has("/many/member 1"); },
           [](const File& file) { (void)file.names_in("/many"); },
           [](const File& file) { (void)file.attribute("/many", "member 1"); }}) {
    EXPECT_THAT(xrai::testing::refused(ExitCode::kBadData, [&] { look(File::open(path)); }), HasSubstr(why));
  }
}

class DenseStorage : public ::testing::TestWithParam<Wrong> {};

TEST_P(DenseStorage, WithOneWrongNumberIsRefused) {
  const TemporaryFolder folder;
  const Wrong& wrong = GetParam();
  write(folder / "a.h5", wrong.many);
  Bytes bytes(folder / "a.h5");
  bytes.change(bytes.find(wrong.block, wrong.number), [&](std::string& block) {
    ASSERT_LE(wrong.place + wrong.n_bytes, block.size());
    std::memcpy(block.data() + wrong.place, &wrong.value, wrong.n_bytes);
  });
  bytes.store(folder / "a.h5");
  expect_refused(folder / "a.h5", "its description is damaged");
}

INSTANTIATE_TEST_SUITE_P(Blocks, DenseStorage, ::testing::ValuesIn(wrong_blocks()),
                         [](const auto& wrong) { return wrong.param.name; });

TEST(DenseTree, ThatLeadsBackToItselfIsRefused) {
  const TemporaryFolder folder;
  write(folder / "a.h5", kLinks);
  Bytes bytes(folder / "a.h5");
  const std::size_t root = bytes.find("BTIN"), n_records = bytes.number(bytes.find("BTHD") + 24, 2);
  for (const std::uint64_t child : {std::uint64_t{root}, bytes.number(root + 6 + 11 * n_records + 10, 8)}) {
    Bytes other = bytes;
    other.change(root, [&](std::string& block) { std::memcpy(block.data() + 6 + 11 * n_records, &child, 8); });
    other.store(folder / "a.h5");
    expect_refused(folder / "a.h5", "its description is damaged");
  }
}

TEST(DenseHeap, WithABlockTwiceIsRefused) {
  const TemporaryFolder folder;
  write(folder / "a.h5", kLinks);
  Bytes bytes(folder / "a.h5");
  bytes.change(bytes.find("FHIB"), [](std::string& block) { block.replace(17 + 8, 8, block, 17, 8); });
  bytes.store(folder / "a.h5");
  expect_refused(folder / "a.h5", "its description is damaged");
}

TEST(DenseHeap, WithATypeThatIsWrongInAnAttributeIsRefused) {
  const TemporaryFolder folder;
  write(folder / "a.h5", kAttributes);
  Bytes bytes(folder / "a.h5");
  bytes.change(bytes.find("FHDB"), [](std::string& block) {
    const std::size_t flags = block.find(std::string("\10\0\0\1\0\0\0", 7));  // signed, one byte
    ASSERT_NE(flags, std::string::npos);
    block[flags + 3] = 100;
  });
  bytes.store(folder / "a.h5");
  expect_refused(folder / "a.h5", "its description is damaged");
}

/// Few links are in the header, many in the heap. Of one without any bytes the library reads the first.
TEST(DenseHeap, WithAnExternalLinkToNothingIsRefusedAndSoIsAHeaderWithIt) {
  const TemporaryFolder folder;
  using namespace std::string_literals;
  for (const auto& [n_links, signature] : {std::pair{3, "OHDR"}, std::pair{12, "FHDB"}}) {
    for (const auto& [place, value] : {std::pair{0, "\0"s}, std::pair{7, "x"s}, std::pair{13, "x"s}}) {
      write(folder / "a.h5", {n_links});
      Bytes bytes(folder / "a.h5");
      for (const std::size_t at : bytes.all(signature)) {
        bytes.change(at, [&, place = place, value = value](std::string& block) {
          const std::size_t link = block.find("\14\0\0b.h5\0/type\0"s);  // length, flags, two names
          if (link != std::string::npos) block.replace(link + static_cast<std::size_t>(place), 1, value);
        });
      }
      bytes.store(folder / "a.h5");
      expect_refused(folder / "a.h5", "its description is damaged");
    }
  }
}

TEST(DenseHeap, WithoutTheRightChecksumIsRefused) {
  const TemporaryFolder folder;
  for (const char* block : {"FRHP", "FHIB", "FHDB", "BTHD", "BTIN", "BTLF"}) {
    write(folder / "a.h5", kLinks);
    std::string text = xrai::testing::text_of(folder / "a.h5");
    text[text.find(block) + 12] ^= 1;
    std::ofstream(folder / "a.h5", std::ios::binary) << text;
    expect_refused(folder / "a.h5", "its description is damaged");
  }
}

void write_compressed(const std::filesystem::path& path) {
  const LibraryLock lock;
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS), creation = H5Pcreate(H5P_GROUP_CREATE);
  H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
  H5Pset_deflate(creation, 1);
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
  const hid_t group = H5Gcreate2(file, "many", H5P_DEFAULT, creation, H5P_DEFAULT);
  for (int i = 0; i < 20; ++i) H5Lcreate_soft("/", group, name_of(i).c_str(), H5P_DEFAULT, H5P_DEFAULT);
  H5Gclose(group), H5Pclose(creation), H5Pclose(access);
  ASSERT_GE(H5Fclose(file), 0);
}

TEST(DenseHeap, ThatIsCompressedIsRefusedInWords) {
  const TemporaryFolder folder;
  write_compressed(folder / "a.h5");
  expect_refused(folder / "a.h5", "it cannot be checked, because the list of what it has is compressed");
}

/// Everything that a file says it has; whether it was not refused.
bool is_read(const std::filesystem::path& path) {
  try {
    const File file = File::open(path);
    for (const std::string& name : file.names_in("/many")) (void)file.has("/many/" + name);
    for (int i = 0; i < 12; ++i) (void)file.attribute("/many", name_of(i));
    return true;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadData) << error.what();
    return false;
  }
}

/// What no checksum tells from a sound file, as somebody would make it who means harm.
TEST(DenseStorageOfRandomBytes, IsAnErrorOrRead) {
  const TemporaryFolder folder;
  std::mt19937 random(11);
  int n_refused = 0, n_read = 0;
  for (const Many& many : {kFewLinks, kOrdered, kAttributes, Many{60, 40, true, 10}}) {
    write(folder / "a.h5", many);
    const Bytes sound(folder / "a.h5");
    std::vector<std::size_t> blocks;
    for (const char* signature : {"OHDR", "FRHP", "FHIB", "FHDB", "BTHD", "BTIN", "BTLF"}) {
      for (const std::size_t at : sound.all(signature)) blocks.push_back(at);
    }
    for (int round = 0; round < 500; ++round) {
      Bytes bytes = sound;
      bytes.change(blocks[random() % blocks.size()], [&](std::string& block) {
        for (int i = 0; i <= round % 3; ++i) block[4 + random() % (block.size() - 8)] = static_cast<char>(random());
      });
      bytes.store(folder / "b.h5");
      ++(is_read(folder / "b.h5") ? n_read : n_refused);
    }
  }
  EXPECT_GT(n_refused, 500);
  EXPECT_GT(n_read, 100) << "bytes in between mean nothing";
}

}  // namespace dense_storage_test
}  // namespace xrai::hdf5
