// Rows read around the HDF5 library are what the library reads, byte for byte, in every layout; and a damaged file is
// an Error, never a crash.
#include "loaders/row_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <lzf.h>

#include <fstream>
#include <numeric>
#include <optional>

#include "tests/loaders/row_files.h"
#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"

// The leak checker asks for this by name. On its way out of a damaged file the library itself forgets memory.
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libhdf5";
}

namespace xrai {
namespace {

using ::testing::HasSubstr;
using testing::kAnyLength;
using testing::make_row_file;
using testing::RowFile;
using ::testing::StartsWith;

constexpr const char* kValues = "/values";

std::vector<std::uint64_t> first_rows(std::uint64_t n) {
  std::vector<std::uint64_t> rows(n);
  std::iota(rows.begin(), rows.end(), std::uint64_t{0});
  return rows;
}

std::vector<std::byte> read(RowSource& source, const std::vector<std::int64_t>& rows) {
  std::vector<std::byte> bytes(rows.size() * static_cast<std::size_t>(source.row_bytes()), std::byte{0xEE});
  source.read(rows, bytes.data());
  return bytes;
}

/// All rows backwards, then some in any order, some twice.
std::vector<std::int64_t> rows_to_read(std::int64_t n, std::uint64_t stream) {
  testing::Random random(stream);
  std::vector<std::int64_t> rows;
  for (std::int64_t row = std::min<std::int64_t>(n, 400); row-- > 0;) rows.push_back(row);
  for (int i = 0; n > 0 && i < 20; ++i) rows.push_back(random.whole(0, n - 1));
  return rows;
}

RowOptions few_threads(bool through_library = false) {
  return {.n_threads = 2, .memory_bytes = 4096, .through_library = through_library};
}

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
  if (file.newest_format) add([](RowFile& f) { f.newest_format = false; });
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
  constexpr std::uint64_t kCases = 400;
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

}  // namespace
}  // namespace xrai
