// Rows read around the HDF5 library are what the library reads, byte for byte, in every layout; and a damaged file is
// an Error, never a crash.
#include "loaders/row_source.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <lzf.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "tests/loaders/row_files.h"
#include "tests/loaders/row_reading.h"
#include "tests/support/errors.h"
#include "tests/support/run_command.h"
#include "tests/support/temporary_folder.h"

namespace xrai {
namespace row_source_test {

using testing::few_threads;
using testing::first_rows;
using ::testing::HasSubstr;
using testing::kAnyLength;
using testing::kValues;
using testing::make_row_file;
using testing::read;
using testing::RowFile;
using testing::rows_to_read;
using ::testing::StartsWith;

/// What differs between the two ways of reading; empty: nothing.
std::string difference(const std::filesystem::path& path, std::uint64_t stream, bool outside) {
  const hdf5::File file = hdf5::File::open(path);
  const auto direct = open_rows(file, kValues, few_threads()), library = open_rows(file, kValues, few_threads(true));
  if (direct->how().starts_with("outside") != outside) return direct->how();
  if (direct->n_rows() != library->n_rows()) return "the number of rows";
  if (direct->row_bytes() != library->row_bytes()) return "the bytes of a row";
  const auto rows = rows_to_read(library->n_rows(), stream);
  const auto expected = read(*library, rows), actual = read(*direct, rows);
  if (actual == expected) return "";
  const auto at = std::mismatch(actual.begin(), actual.end(), expected.begin()).first - actual.begin();
  return fmt::format("byte {} of row {}, {}", at % direct->row_bytes(),
                     rows[static_cast<std::size_t>(at / direct->row_bytes())], direct->how());
}

RowFile random_file(std::uint64_t stream) {
  testing::Random random(stream);
  RowFile file;
  file.stream = stream;
  const auto rank = static_cast<std::size_t>(random.whole(1, 4));
  const std::vector<hid_t> types{H5T_STD_U8LE, H5T_STD_I16BE, H5T_IEEE_F32LE, H5T_IEEE_F64BE};
  file.type = types[static_cast<std::size_t>(random.whole(0, 3))];
  for (std::size_t axis = 0; axis < rank; ++axis) {
    file.shape.push_back(static_cast<hsize_t>(random.whole(axis == 0 ? 0 : 1, axis == 0 ? 60 : 7)));
  }
  file.newest_format = random.coin();
  file.user_block = random.coin() ? 0 : 512;
  file.fill = random.coin() ? 0 : 7;
  const std::int64_t layout = random.whole(0, 9);
  for (hsize_t row = 0; row < file.shape[0]; ++row) {
    if (layout % 2 == 0 || random.coin()) file.written.push_back(row);
  }
  if (layout == 0) file.compact = true;
  if (layout < 2) return file;
  for (const hsize_t length : file.shape) {
    const std::int64_t growth = random.whole(0, 3);
    file.largest.push_back(growth == 0 ? length + 9 : growth == 1 ? kAnyLength : std::max<hsize_t>(length, 1));
    const hsize_t longest = growth < 2 ? length + 2 : std::max<hsize_t>(length, 1);
    file.chunk.push_back(static_cast<hsize_t>(random.whole(1, static_cast<std::int64_t>(longest))));
  }
  if (random.coin()) file.largest = file.shape;
  if (file.largest == file.shape) {
    for (std::size_t axis = 0; axis < rank; ++axis) {
      file.largest[axis] = std::max<hsize_t>(file.shape[axis], 1);
      file.chunk[axis] = std::min(file.chunk[axis], file.largest[axis]);
    }
  }
  if (random.coin()) file.filters.push_back(H5Z_FILTER_SHUFFLE);
  if (random.coin()) file.filters.push_back(H5Z_FILTER_DEFLATE);
  if (random.coin())
    file.filters.insert(random.coin() ? file.filters.begin() : file.filters.end(), H5Z_FILTER_FLETCHER32);
  if (random.coin()) file.filters.clear();
  file.plain_edges = file.newest_format && random.coin();
  file.allocate_early = file.filters.empty() && random.coin();
  return file;
}

/// Simpler files that may show the same fault.
std::vector<RowFile> simpler(const RowFile& file) {
  std::vector<RowFile> files;
  const auto add = [&](auto change) {
    RowFile changed = file;
    change(changed);
    files.push_back(changed);
  };
  if (file.user_block != 0) add([](RowFile& f) { f.user_block = 0; });
  if (file.fill != 0) add([](RowFile& f) { f.fill = 0; });
  if (file.plain_edges) add([](RowFile& f) { f.plain_edges = false; });
  if (file.newest_format) add([](RowFile& f) { f.newest_format = f.plain_edges = false; });
  for (std::size_t i = 0; i < file.filters.size(); ++i) {
    add([i](RowFile& f) { f.filters.erase(f.filters.begin() + static_cast<std::ptrdiff_t>(i)); });
  }
  if (file.shape[0] > 1) {
    add([](RowFile& f) {
      f.shape[0] /= 2;
      std::erase_if(f.written, [&](std::uint64_t row) { return row >= f.shape[0]; });
      if (!f.largest.empty()) f.largest[0] = std::max(f.largest[0], f.chunk[0]);
    });
  }
  for (std::size_t axis = 0; axis < file.chunk.size(); ++axis) {
    if (file.chunk[axis] > 1) add([axis](RowFile& f) { f.chunk[axis] /= 2; });
  }
  return files;
}

std::string fault(const std::filesystem::path& path, const RowFile& wanted) {
  try {
    make_row_file(path, wanted);
    return difference(path, wanted.stream, !wanted.compact);
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(RowSource, ReadsWhatTheLibraryReadsInEveryLayout) {
  const testing::TemporaryFolder folder;
  constexpr std::uint64_t kCases = 300;
  for (std::uint64_t stream = 1; stream <= kCases; ++stream) {
    RowFile file = random_file(stream);
    std::string found = fault(folder / "rows.h5", file);
    for (bool shrunk = !found.empty(); shrunk;) {
      shrunk = false;
      for (const RowFile& candidate : simpler(file)) {
        const std::string same = fault(folder / "rows.h5", candidate);
        if (same.empty()) continue;
        file = candidate, found = same, shrunk = true;
        break;
      }
    }
    ASSERT_EQ(found, "") << file.text();
  }
}

/// Libraries before 1.6.3 wrote another layout message. With three axes it is as long as the newer one with its
/// filling.
void age_layout(const std::filesystem::path& path, char version) {
  std::string bytes = testing::text_of(path);
  const std::string newer("\3\2\4", 3);  // version, chunked, axes and one more
  const std::size_t at = bytes.find(newer);
  ASSERT_NE(at, std::string::npos);
  ASSERT_EQ(bytes.find(newer, at + 1), std::string::npos);
  bytes.replace(at, 32, std::string{version, 4, 2, 0, 0, 0, 0, 0} + bytes.substr(at + 3, 24));
  std::ofstream(path, std::ios::binary) << bytes;
}

TEST(RowSource, ReadsLayoutsOfOldLibrariesOutsideTheLibrary) {
  const testing::TemporaryFolder folder;
  RowFile old;
  old.shape = {9, 5, 3};
  old.chunk = {2, 3, 3};
  old.filters = {H5Z_FILTER_DEFLATE};
  old.written = first_rows(9);
  for (const char version : {'\1', '\2'}) {
    make_row_file(folder / "old.h5", old);
    age_layout(folder / "old.h5", version);
    EXPECT_EQ(difference(folder / "old.h5", 1, true), "") << static_cast<int>(version);
  }
}

struct Index {
  const char* name;
  RowFile file;
};

/// Sparse data sets, whose indexes are deep and need little writing.
std::vector<Index> deep_indexes() {
  std::vector<std::uint64_t> scattered;
  for (std::uint64_t i = 0; i < 300; ++i) scattered.push_back(i * i * 3 + i);
  RowFile old;
  old.shape = {300000};
  old.chunk = {1};
  old.written = scattered;
  old.fill = 3;
  std::vector<Index> files{{"version 1 B-tree", old}};
  files.push_back({"version 1 B-tree, thousands in order", old});
  files.back().file.shape = {9000};
  files.back().file.written = first_rows(9000);
  RowFile newest = old;
  newest.newest_format = true;
  files.push_back({"fixed array with pages", newest});
  newest.largest = {kAnyLength};
  files.push_back({"extensible array with secondary blocks and pages", newest});
  newest.filters = {H5Z_FILTER_FLETCHER32};
  files.push_back({"the same with sizes", newest});
  RowFile two = newest;
  two.shape = {9000, 1};
  two.largest = {kAnyLength, kAnyLength};
  two.chunk = {1, 1};
  two.written = first_rows(9000);
  two.filters.clear();
  files.push_back({"version 2 B-tree", two});
  two.filters = {H5Z_FILTER_FLETCHER32};
  files.push_back({"version 2 B-tree with sizes", two});
  return files;
}

TEST(RowSource, ReadsDeepIndexesOutsideTheLibrary) {
  const testing::TemporaryFolder folder;
  for (const Index& index : deep_indexes()) {
    make_row_file(folder / "deep.h5", index.file);
    const hdf5::File file = hdf5::File::open(folder / "deep.h5");
    const auto source = open_rows(file, kValues, few_threads());
    EXPECT_THAT(source->how(), StartsWith("outside")) << index.name;
    std::vector<std::int64_t> rows(index.file.written.begin(), index.file.written.end());
    rows.push_back(source->n_rows() - 1);
    EXPECT_EQ(read(*source, rows), read(*open_rows(file, kValues, few_threads(true)), rows)) << index.name;
  }
}

/// A file whose chunks hold what the test puts there, behind the library's back.
void make_raw_chunks(const std::filesystem::path& path, const RowFile& wanted, H5Z_filter_t filter, int first_row,
                     const std::vector<unsigned char>& chunk, std::uint32_t skipped = 0) {
  const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
  testing::require(H5Pset_chunk(properties, static_cast<int>(wanted.chunk.size()), wanted.chunk.data()) >= 0);
  if (filter == H5Z_FILTER_DEFLATE) testing::require(H5Pset_deflate(properties, 1) >= 0);
  const std::vector<unsigned> values{4, 0x0105, static_cast<unsigned>(wanted.chunk[0] * wanted.chunk[1])};
  if (filter != H5Z_FILTER_DEFLATE) {
    testing::require(H5Pset_filter(properties, filter, H5Z_FLAG_OPTIONAL, values.size(), values.data()) >= 0);
  }
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t space = H5Screate_simple(static_cast<int>(wanted.shape.size()), wanted.shape.data(), nullptr);
  const hid_t dataset = H5Dcreate2(file, "values", wanted.type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
  std::vector<hsize_t> place(wanted.shape.size(), 0);
  place[0] = static_cast<hsize_t>(first_row);
  testing::require(H5Dwrite_chunk(dataset, H5P_DEFAULT, skipped, place.data(), chunk.size(), chunk.data()) >= 0);
  H5Dclose(dataset);
  H5Sclose(space);
  H5Pclose(properties);
  testing::require(H5Fclose(file) >= 0);
}

RowFile two_rows_of(hsize_t bytes) {
  RowFile file;
  file.shape = {4, bytes};
  file.chunk = {2, bytes};
  return file;
}

constexpr H5Z_filter_t kLzf = 32000;

TEST(RowSource, ReadsLzfAsH5pyWritesIt) {
  const testing::TemporaryFolder folder;
  const RowFile wanted = two_rows_of(64);
  std::vector<unsigned char> values(128), stored(200);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<unsigned char>(i / 9);
  stored.resize(lzf_compress(values.data(), 128, stored.data(), 200));
  make_raw_chunks(folder / "lzf.h5", wanted, kLzf, 2, stored);
  const hdf5::File file = hdf5::File::open(folder / "lzf.h5");
  const auto source = open_rows(file, kValues);
  const auto bytes = read(*source, {3, 2, 0});
  EXPECT_EQ(std::memcmp(bytes.data(), values.data() + 64, 64), 0);
  EXPECT_EQ(std::memcmp(bytes.data() + 64, values.data(), 64), 0);
  EXPECT_EQ(bytes[128], std::byte{0}) << "a chunk that was never written";
  EXPECT_EQ(source->rows_per_chunk(), 2);
  EXPECT_EQ(read(*open_rows(file, kValues, few_threads(true)), {3, 2, 0}), bytes) << "labels go through the library";
}

// Where the system keeps files in memory anyway this is one reading more.
TEST(RowSource, ReadsWhatIsNotInMemory) {
  const testing::TemporaryFolder folder;
  for (const bool compressed : {false, true}) {
    RowFile wanted;
    wanted.shape = {40, 3000};
    wanted.chunk = {3, 3000};
    if (compressed) wanted.filters = {H5Z_FILTER_DEFLATE};
    wanted.written = first_rows(30);
    make_row_file(folder / "cold.h5", wanted);
    const hdf5::File file = hdf5::File::open(folder / "cold.h5");
    const auto source = open_rows(file, kValues, few_threads());
    const int descriptor = open((folder / "cold.h5").c_str(), O_RDONLY);
    ASSERT_EQ(fdatasync(descriptor), 0);
    ASSERT_EQ(posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED), 0);
    close(descriptor);
    const auto rows = rows_to_read(40, 3);
    const auto bytes = read(*source, rows);
    EXPECT_EQ(bytes, read(*open_rows(file, kValues, few_threads(true)), rows));
  }
}

// Sums of many words overflow where they are folded too late.
TEST(RowSource, ChecksumsOfLongChunksAreThoseOfTheLibrary) {
  const testing::TemporaryFolder folder;
  for (const hsize_t bytes : {50001, 50014, 16384, 31}) {
    const hsize_t shape[] = {3, bytes}, chunk[] = {1, bytes};
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(2, shape, nullptr);
    testing::require(H5Pset_chunk(properties, 2, chunk) >= 0 && H5Pset_fletcher32(properties) >= 0);
    std::vector<std::byte> values(3 * bytes, std::byte{0xff});
    const auto random = testing::row_values(bytes, 5, 6);
    std::copy(random.begin(), random.end(), values.begin());
    std::fill_n(values.begin() + static_cast<std::ptrdiff_t>(bytes), bytes, std::byte{0});
    const hid_t file = H5Fcreate((folder / "long.h5").c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t dataset = H5Dcreate2(file, "values", H5T_STD_U8LE, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    testing::require(H5Dwrite(dataset, H5T_STD_U8LE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) >= 0);
    H5Dclose(dataset);
    H5Pclose(properties);
    H5Sclose(space);
    testing::require(H5Fclose(file) >= 0);
    const hdf5::File opened = hdf5::File::open(folder / "long.h5");
    const auto source = open_rows(opened, kValues, few_threads());
    EXPECT_THAT(source->how(), StartsWith("outside"));
    EXPECT_EQ(read(*source, {0, 1, 2}), values) << bytes;
  }
}

TEST(RowSource, AChunkThatInflatesToMoreThanItsShapeIsRefused) {
  const testing::TemporaryFolder folder;
  const std::vector<unsigned char> zeros(100000);
  std::vector<unsigned char> stored(2000);
  stored.resize(lzf_compress(zeros.data(), 100000, stored.data(), 2000));
  ASSERT_GT(stored.size(), 0u);
  make_raw_chunks(folder / "bomb.h5", two_rows_of(64), kLzf, 0, stored);
  const hdf5::File file = hdf5::File::open(folder / "bomb.h5");
  const std::string why = testing::refused(ExitCode::kBadData, [&] { (void)read(*open_rows(file, kValues), {1}); });
  EXPECT_THAT(why, HasSubstr("reading rows 0 to 1 of /values in"));
  EXPECT_THAT(why, HasSubstr("inflates to more than the data set declares"));
}

TEST(RowSource, AChunkFarLargerThanItsBytesCanHoldIsRefusedBeforeItIsAllocated) {
  const testing::TemporaryFolder folder;
  make_raw_chunks(folder / "large.h5", two_rows_of(1 << 28), H5Z_FILTER_DEFLATE, 0, {0x78, 0x9c, 3, 0, 0, 0, 0, 1});
  const hdf5::File file = hdf5::File::open(folder / "large.h5");
  const auto source = open_rows(file, kValues);
  std::byte unused{};
  EXPECT_THAT(testing::refused(ExitCode::kBadData, [&] { source->read(std::vector<std::int64_t>{1}, &unused); }),
              HasSubstr("cannot be as large"));
}

TEST(RowSource, OtherFiltersGoThroughTheLibraryWithTheReason) {
  const testing::TemporaryFolder folder;
  make_raw_chunks(folder / "other.h5", two_rows_of(64), 32015, 0, std::vector<unsigned char>(128), 1);
  const hdf5::File file = hdf5::File::open(folder / "other.h5");
  EXPECT_THAT(open_rows(file, kValues)->how(),
              StartsWith("through the HDF5 library, because its filter 32015 is none"));
}

TEST(RowSource, AFilterThatNobodyHasIsNamedWithWhereToPutIt) {
  const testing::TemporaryFolder folder;
  make_raw_chunks(folder / "other.h5", two_rows_of(64), 32001, 0, std::vector<unsigned char>(128));
  const hdf5::File file = hdf5::File::open(folder / "other.h5");
  const std::string why = testing::refused(ExitCode::kBadData, [&] { (void)read(*open_rows(file, kValues), {1}); });
  EXPECT_THAT(why, HasSubstr("the filter number 32001, which the HDF5 library does not have"));
  EXPECT_THAT(why, HasSubstr("HDF5_PLUGIN_PATH"));
}

}  // namespace row_source_test
}  // namespace xrai
