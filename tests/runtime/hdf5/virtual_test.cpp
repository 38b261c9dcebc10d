// Virtual data sets and values in other files: read where all is sound, one sentence where it is not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <numeric>

#include "runtime/hdf5/file.h"
#include "runtime/hdf5/file_bytes.h"
#include "tests/support/errors.h"
#include "tests/support/random.h"
#include "tests/support/run_command.h"
#include "tests/support/temporary_folder.h"

namespace xrai::hdf5 {
namespace virtual_test {

using ::testing::HasSubstr;
using xrai::testing::TemporaryFolder;
using Bytes = std::vector<std::uint8_t>;

constexpr hsize_t kRows = 4, kHeight = 3, kWidth = 2;
constexpr std::size_t kHalf = kRows * kHeight * kWidth;

Bytes values_of(int first) {
  Bytes values(kHalf);
  std::iota(values.begin(), values.end(), static_cast<std::uint8_t>(first));
  return values;
}

Bytes both_halves() {
  Bytes values = values_of(0);
  const Bytes second = values_of(100);
  values.insert(values.end(), second.begin(), second.end());
  return values;
}

void put(hid_t file, const char* name, int first, bool deflated) {
  const hsize_t shape[] = {kRows, kHeight, kWidth}, chunk[] = {2, kHeight, kWidth};
  const hid_t space = H5Screate_simple(3, shape, nullptr), creation = H5Pcreate(H5P_DATASET_CREATE);
  if (deflated) H5Pset_chunk(creation, 3, chunk);
  if (deflated) H5Pset_deflate(creation, 4);
  const hid_t dataset = H5Dcreate2(file, name, H5T_STD_U8LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
  EXPECT_GE(H5Dwrite(dataset, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, values_of(first).data()), 0);
  H5Dclose(dataset);
  H5Pclose(creation);
  H5Sclose(space);
}

struct Source {
  const char *file, *dataset;
};

/// "/v" of two halves, each all of a source.
void put_virtual(hid_t file, const std::vector<Source>& sources, const char* name = "v") {
  const hsize_t half[] = {kRows, kHeight, kWidth}, whole[] = {2 * kRows, kHeight, kWidth};
  const hid_t seen = H5Screate_simple(3, half, nullptr), space = H5Screate_simple(3, whole, nullptr);
  const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const hsize_t first[] = {i * kRows, 0, 0};
    H5Sselect_hyperslab(space, H5S_SELECT_SET, first, nullptr, half, nullptr);
    EXPECT_GE(H5Pset_virtual(creation, space, sources[i].file, sources[i].dataset, seen), 0);
  }
  H5Sselect_all(space);
  H5Dclose(H5Dcreate2(file, name, H5T_STD_U8LE, space, H5P_DEFAULT, creation, H5P_DEFAULT));
  H5Pclose(creation);
  H5Sclose(space);
  H5Sclose(seen);
}

void make(const std::filesystem::path& path, const std::function<void(hid_t)>& put_all) {
  std::filesystem::remove(path);
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  put_all(file);
  ASSERT_GE(H5Fclose(file), 0);
}

class Virtual : public ::testing::Test {
 protected:
  void make_in_one_file() const {
    make(path_, [](hid_t file) {
      put(file, "a", 0, false);
      put(file, "b", 100, true);
      put_virtual(file, {{".", "/a"}, {".", "/b"}});
    });
  }
  void make_in_two_files() const {
    make(folder_ / "source.h5", [](hid_t file) {
      put(file, "a", 0, false);
      put(file, "b", 100, true);
    });
    make(path_, [](hid_t file) { put_virtual(file, {{"source.h5", "/a"}, {"source.h5", "/b"}}); });
  }
  [[nodiscard]] std::string refusal(Links links = Links::kInFolder) const {
    return xrai::testing::refused(ExitCode::kBadData, [&] { (void)File::open(path_, links).read<std::uint8_t>("/v"); });
  }
  void change(const std::filesystem::path& path, const std::function<void(std::string&)>& damage) const {
    std::string bytes = xrai::testing::text_of(path);
    damage(bytes);
    std::ofstream(path, std::ios::binary) << bytes;
  }

  TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_ / "a.h5";
};

TEST_F(Virtual, SourcesInTheSameFileAndInOthersAreRead) {
  make_in_one_file();
  EXPECT_EQ(File::open(path_).read<std::uint8_t>("/v"), both_halves());
  make_in_two_files();
  EXPECT_EQ(File::open(path_).read<std::uint8_t>("/v"), both_halves());
  EXPECT_EQ(File::open(path_, Links::kAnywhere).read<std::uint8_t>("/v"), both_halves());
  Bytes rows(2 * kHeight * kWidth);
  const File file = File::open(path_);
  for (std::uint64_t first = 0; first + 2 <= 2 * kRows; ++first) {
    file.read_rows("/v", first, 2, rows.data());
    const Bytes all = both_halves();
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>(first * kHeight * kWidth);
    EXPECT_EQ(rows, Bytes(begin, begin + static_cast<std::ptrdiff_t>(rows.size()))) << first;
  }
}

/// A change in the list of sources, whose checksum is made right again. Bytes from the list's begin: 0 version, 1 their
/// number, 9 names, 14 what is seen of the source (all), 30 where: kind, 34 version, 46 axes, 50 blocks, 54 corners.
struct Change {
  const char* what;
  std::size_t place;
  int value;
  const char* sentence;
};

void change_list(std::string& bytes, const Change& change) {
  using namespace std::string_literals;
  const std::size_t begin = bytes.find(".\0/a\0"s) - 9;
  ASSERT_LT(begin, bytes.size());
  const auto size = static_cast<std::size_t>(static_cast<unsigned char>(bytes[begin - 8]));
  bytes[begin + change.place] = static_cast<char>(change.value);
  const auto* const block = reinterpret_cast<const unsigned char*>(&bytes[begin]);
  const std::uint32_t sum = checksum({block, size - 4});
  for (std::size_t i = 0; i < 4; ++i) bytes[begin + size - 4 + i] = static_cast<char>(sum >> 8 * i);
}

TEST_F(Virtual, AListOfSourcesThatIsWrongIsRefusedBeforeTheLibrarySeesIt) {
  constexpr const char* kDamaged = "its description is damaged";
  const std::vector<Change> changes{
      {"a newer list", 0, 1, "of a newer version"},
      {"more sources", 1, 99, kDamaged},
      {"far more sources", 7, 1, kDamaged},
      {"a file without a name", 9, 0, kDamaged},
      {"a name that does not end", 13, 'x', kDamaged},
      {"a pattern", 12, '%', "named by a pattern"},
      {"single values", 14, 1, "not blocks of values"},
      {"another kind of part", 14, 9, kDamaged},
      {"a newer part", 34, 3, "in the way of HDF5 2.0"},
      {"fewer axes", 46, 2, kDamaged},
      {"more axes", 46, 33, kDamaged},
      {"more blocks", 50, 2, kDamaged},
      {"far more blocks", 53, 1, kDamaged},
      {"no block", 50, 0, kDamaged},
      {"a block past the shape", 66, 8, kDamaged},
      {"a block far past the shape", 69, 127, kDamaged},
      {"a block that ends before it begins", 54, 9, kDamaged},
  };
  for (const Change& change : changes) {
    make_in_one_file();
    this->change(path_, [&](std::string& bytes) { change_list(bytes, change); });
    for (const auto& look : std::vector<std::function<void(const File&)>>{
             [](const File& file) { (void)file.is_dataset("/v"); }, [](const File& file) { (void)file.info("/v"); },
             [](const File& file) { (void)file.read<float>("/v"); }}) {
      EXPECT_THAT(xrai::testing::refused(ExitCode::kBadData, [&] { look(File::open(path_)); }),
                  HasSubstr(change.sentence))
          << change.what;
    }
  }
  make_in_one_file();
  this->change(path_, [](std::string& bytes) { change_list(bytes, {"", 54, 0, ""}); });
  EXPECT_EQ(File::open(path_).read<std::uint8_t>("/v"), both_halves()) << "nothing was changed";
}

TEST_F(Virtual, AHeapThatIsWrongIsRefused) {
  for (const auto& [place, value] : std::vector<std::pair<std::size_t, int>>{
           {0, 'X'}, {4, 9}, {9, 1}, {14, 1}, {16, 2}, {24, 10}, {25, 127}, {31, 127}}) {
    make_in_one_file();
    change(path_,
           [&, at = place, to = value](std::string& bytes) { bytes[bytes.find("GCOL") + at] = static_cast<char>(to); });
    EXPECT_THAT(refusal(), HasSubstr("its description is damaged")) << place;
  }
  make_in_one_file();
  change(path_, [](std::string& bytes) {  // free space of no length: the library would look at it for ever
    const std::size_t heap = bytes.find("GCOL"), first = static_cast<unsigned char>(bytes[heap + 24]);
    const std::size_t gap = heap + 32 + (first + 7) / 8 * 8;
    ASSERT_EQ(bytes[gap], 0);
    bytes[gap + 8] = bytes[gap + 9] = 0;
  });
  EXPECT_THAT(refusal(), HasSubstr("its description is damaged"));
}

TEST_F(Virtual, FlippedBytesAreAnErrorOrValues) {
  make_in_one_file();
  const std::string whole = xrai::testing::text_of(path_);
  testing::Random random(5);
  int n_refused = 0;
  for (int i = 0; i < 600; ++i) {
    std::string bytes = whole;
    const std::size_t heap = whole.find("GCOL"), begin = i % 2 == 0 ? heap : 0;
    const std::size_t end = i % 2 == 0 ? heap + 230 : whole.size();
    bytes[static_cast<std::size_t>(
        random.whole(static_cast<std::int64_t>(begin), static_cast<std::int64_t>(end) - 1))] =
        static_cast<char>(random.whole(0, 255));
    std::ofstream(path_, std::ios::binary) << bytes;
    try {
      (void)File::open(path_).read<std::uint8_t>("/v");
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kBadData) << error.what();
      ++n_refused;
    }
  }
  EXPECT_GT(n_refused, 200);
}

TEST_F(Virtual, SourcesAreLookedAtAsIfTheyWereAskedFor) {
  make_in_two_files();
  std::filesystem::remove(folder_ / "source.h5");
  EXPECT_THAT(refusal(Links::kAnywhere), HasSubstr("source.h5 is not there"));
  make_in_two_files();
  change(folder_ / "source.h5", [](std::string& bytes) {  // a type of no bits
    using namespace std::string_literals;
    bytes[bytes.find("\x10\0\0\0\1\0\0\0\0\0\x08\0"s) + 10] = 0;
  });
  EXPECT_THAT(refusal(), HasSubstr("/a of " + (folder_ / "source.h5").string() + " failed: its description"));
  make_in_two_files();
  change(folder_ / "source.h5", [](std::string& bytes) { bytes[bytes.find("TREE\1") + 24] = 9; });
  EXPECT_THAT(refusal(), HasSubstr("/b of " + (folder_ / "source.h5").string()));
  make(folder_ / "source.h5", [](hid_t file) {
    put(file, "b", 0, false);
    const hsize_t fewer[] = {kRows - 1, kHeight, kWidth};
    const hid_t space = H5Screate_simple(3, fewer, nullptr);
    H5Dclose(H5Dcreate2(file, "a", H5T_STD_U8LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Sclose(space);
  });
  EXPECT_THAT(refusal(), HasSubstr("its source /a has another shape or type"));
}

TEST_F(Virtual, BehindALinkSourcesAreLookedForBesideTheFileThatNamesThem) {
  const auto deeper = folder_ / "deeper";
  std::filesystem::create_directories(deeper);
  make_in_two_files();
  std::filesystem::rename(path_, deeper / "v.h5");
  std::filesystem::rename(folder_ / "source.h5", deeper / "source.h5");
  make(path_, [](hid_t file) { H5Lcreate_external("deeper/v.h5", "/v", file, "v", H5P_DEFAULT, H5P_DEFAULT); });
  for (const Links links : {Links::kInFolder, Links::kAnywhere}) {
    EXPECT_EQ(File::open(path_, links).read<std::uint8_t>("/v"), both_halves());
  }
  change(deeper / "source.h5", [](std::string& bytes) { bytes[bytes.find("TREE\1") + 24] = 9; });
  for (const Links links : {Links::kInFolder, Links::kAnywhere}) {
    EXPECT_THAT(refusal(links), HasSubstr("/b of " + (deeper / "source.h5").string()));
  }
}

TEST_F(Virtual, ASourceThatIsVirtualItselfIsRefused) {
  make(path_, [](hid_t file) { put_virtual(file, {{".", "/v"}, {".", "/v"}}); });
  EXPECT_THAT(refusal(), HasSubstr("is a virtual data set itself"));
}

TEST_F(Virtual, PartsThatGrowAreRefused) {
  make(path_, [](hid_t file) {
    const hsize_t length[] = {4}, any[] = {H5S_UNLIMITED}, first[] = {0}, one[] = {1};
    put(file, "a", 0, false);
    const hid_t space = H5Screate_simple(1, length, any), creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, first, nullptr, one, any);
    H5Pset_virtual(creation, space, ".", "/a", space);
    H5Sselect_all(space);
    H5Dclose(H5Dcreate2(file, "v", H5T_STD_U8LE, space, H5P_DEFAULT, creation, H5P_DEFAULT));
    H5Pclose(creation);
    H5Sclose(space);
  });
  EXPECT_THAT(refusal(), HasSubstr("it grows with its sources"));
}

/// Of every other row, so many, one by one.
void put_every_other(hid_t file, hsize_t n_blocks) {
  const hsize_t seen[] = {2 * n_blocks}, shape[] = {n_blocks}, first[] = {0}, stride[] = {2};
  const hid_t source = H5Screate_simple(1, seen, nullptr), space = H5Screate_simple(1, shape, nullptr);
  H5Dclose(H5Dcreate2(file, "a", H5T_STD_U8LE, source, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  H5Sselect_hyperslab(source, H5S_SELECT_SET, first, stride, shape, nullptr);
  const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_virtual(creation, space, ".", "/a", source);
  H5Dclose(H5Dcreate2(file, "v", H5T_STD_U8LE, space, H5P_DEFAULT, creation, H5P_DEFAULT));
  H5Pclose(creation);
  H5Sclose(space);
  H5Sclose(source);
}

TEST_F(Virtual, PartsOfSoManyBlocksThatTheLibraryTakesMinutesAreRefused) {
  make(path_, [](hid_t file) { put_every_other(file, 500); });
  EXPECT_EQ(File::open(path_).read<std::uint8_t>("/v"), Bytes(500));
  make(path_, [](hid_t file) { put_every_other(file, 10001); });
  EXPECT_THAT(refusal(), HasSubstr("its parts are of too many blocks"));
}

TEST_F(Virtual, VariablesThatLeadElsewhereAreNamed) {
  make_in_two_files();
  ::setenv("HDF5_VDS_PREFIX", "/tmp", 1);
  EXPECT_THAT(refusal(), HasSubstr("unset HDF5_VDS_PREFIX"));
  ::unsetenv("HDF5_VDS_PREFIX");
  EXPECT_EQ(File::open(path_).read<std::uint8_t>("/v"), both_halves());
}

class Linked : public Virtual, public ::testing::WithParamInterface<Links> {
 protected:
  void link_to(const char* file) const {
    make(path_, [&](hid_t links) { H5Lcreate_external(file, "/a", links, "v", H5P_DEFAULT, H5P_DEFAULT); });
  }
};

TEST_P(Linked, FilesBehindALinkAreLookedAtAsTheFirstOne) {
  const auto target = folder_ / "source.h5";
  link_to("source.h5");
  const auto make_target = [&] { make(target, [](hid_t file) { put(file, "a", 7, false); }); };
  make_target();
  EXPECT_EQ(File::open(path_, GetParam()).read<std::uint8_t>("/v"), values_of(7));
  change(target, [](std::string& bytes) {  // a driver block of gigabytes
    for (std::size_t i = 48; i < 56; ++i) bytes[i] = i == 50 ? 1 : 0;
  });
  EXPECT_THAT(refusal(GetParam()), HasSubstr("the first block of " + target.string() + " is damaged"));
  make_target();
  change(target, [](std::string& bytes) {
    using namespace std::string_literals;
    bytes[bytes.find("\x10\0\0\0\1\0\0\0\0\0\x08\0"s) + 10] = 0;
  });
  EXPECT_THAT(refusal(GetParam()), HasSubstr("its description is damaged"));
  make_target();
  change(target, [](std::string& bytes) { bytes[bytes.find("SNOD") + 9] = 112; });
  EXPECT_THAT(refusal(GetParam()), HasSubstr("its description is damaged"));
}

INSTANTIATE_TEST_SUITE_P(Links, Linked, ::testing::Values(Links::kInFolder, Links::kAnywhere));

TEST_F(Virtual, RawFilesThatAreTooShortAreRefused) {
  const auto make_external = [&](hsize_t offset, hsize_t n_bytes) {
    make(path_, [&](hid_t file) {
      const hsize_t shape[] = {4, 10};
      const hid_t space = H5Screate_simple(2, shape, nullptr), creation = H5Pcreate(H5P_DATASET_CREATE);
      H5Pset_external(creation, "raw.bin", static_cast<off_t>(offset), n_bytes);
      H5Dclose(H5Dcreate2(file, "v", H5T_STD_U8LE, space, H5P_DEFAULT, creation, H5P_DEFAULT));
      H5Pclose(creation);
      H5Sclose(space);
    });
  };
  std::ofstream(folder_ / "raw.bin", std::ios::binary) << std::string(50, 'x');
  for (const hsize_t n_bytes : {hsize_t{40}, H5F_UNLIMITED}) {
    make_external(10, n_bytes);
    EXPECT_EQ(File::open(path_).read<std::uint8_t>("/v"), Bytes(40, 'x'));
    make_external(11, n_bytes);
    EXPECT_THAT(refusal(), HasSubstr("raw.bin ends before its values do"));
    EXPECT_THAT(refusal(Links::kAnywhere), HasSubstr("raw.bin ends before its values do"));
  }
  make_external(10, 40);
  change(path_, [](std::string& bytes) {  // the heap of names, of which one no longer ends
    const std::size_t at = bytes.find("raw.bin");
    for (std::size_t i = at + 7; i < bytes.size() && bytes[i] == 0; ++i) bytes[i] = 'x';
  });
  EXPECT_NE(refusal(), "");
  make_external(10, 40);
  std::filesystem::remove(folder_ / "raw.bin");
  EXPECT_THAT(refusal(Links::kAnywhere), HasSubstr("raw.bin, which holds its values, is not there"));
}

}  // namespace virtual_test
}  // namespace xrai::hdf5
