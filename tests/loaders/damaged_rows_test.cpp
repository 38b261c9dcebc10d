// Files with flipped bits, cut or replaced while they are read: an Error or what the library reads, never a crash.
// Meant for the sanitizers too.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/loaders/row_files.h"
#include "tests/loaders/row_reading.h"
#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"

// The leak checker asks for this by name. On its way out of a damaged file the library itself forgets memory.
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libhdf5";
}

namespace xrai {
namespace damaged_rows_test {

using testing::few_threads;
using testing::first_rows;
using ::testing::HasSubstr;
using testing::kAnyLength;
using testing::kValues;
using testing::make_row_file;
using testing::read;
using testing::RowFile;
using testing::rows_to_read;

class DamagedRows : public ::testing::Test {
 protected:
  std::vector<char> bytes_of(const RowFile& wanted) {
    make_row_file(path_, wanted);
    std::ifstream stream(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  void store(const std::vector<char>& bytes) const {
    std::ofstream(path_, std::ios::binary | std::ios::trunc)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  /// Empty when it is refused with the exit code of bad data.
  std::vector<std::byte> values_or_refusal(bool through_library) const {
    try {
      const hdf5::File file = hdf5::File::open(path_);
      const auto source = open_rows(file, kValues, few_threads(through_library));
      if (source->n_rows() > 1000 || source->row_bytes() > 1000) return {};  // another data set than was written
      return read(*source, rows_to_read(source->n_rows(), 1));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kBadData) << error.what();
      return {};
    }
  }

  testing::TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_ / "damaged.h5";
};

/// One of each index.
std::vector<RowFile> indexed_files() {
  RowFile file;
  file.shape = {90, 3, 5};
  file.chunk = {2, 3, 3};
  file.written = first_rows(90);
  file.filters = {H5Z_FILTER_SHUFFLE, H5Z_FILTER_DEFLATE};
  std::vector<RowFile> files{file};
  file.filters.clear();
  files.push_back(file);
  file.newest_format = true;
  files.push_back(file);
  file.largest = {kAnyLength, 3, 5};
  files.push_back(file);
  file.filters = {H5Z_FILTER_FLETCHER32, H5Z_FILTER_DEFLATE};
  files.push_back(file);
  file.largest = {kAnyLength, 3, kAnyLength};
  files.push_back(file);
  return files;
}

TEST_F(DamagedRows, FlippedBitsAreAnErrorOrWhatTheLibraryReads) {
  for (const RowFile& wanted : indexed_files()) {
    const std::vector<char> whole = bytes_of(wanted);
    testing::Random random(whole.size());
    for (int i = 0; i < 100; ++i) {
      std::vector<char> damaged = whole;
      const auto at = static_cast<std::size_t>(random.whole(0, static_cast<std::int64_t>(whole.size()) - 1));
      damaged[at] = static_cast<char>(damaged[at] ^ 1 << random.whole(0, 7));
      store(damaged);
      const auto direct = values_or_refusal(false);
      if (direct.empty()) continue;  // the library trusts some of what is refused here, and crashes
      const auto library = values_or_refusal(true);
      ASSERT_TRUE(library.empty() || direct == library) << "byte " << at << ", " << wanted.text();
    }
  }
}

TEST_F(DamagedRows, TruncatedAnywhereIsAnError) {
  for (const RowFile& wanted : indexed_files()) {
    const std::vector<char> whole = bytes_of(wanted);
    for (std::size_t i = 1; i < 20; ++i) {
      store({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(whole.size() * i / 20)});
      EXPECT_TRUE(values_or_refusal(false).empty()) << i << ", " << wanted.text();
    }
  }
}

TEST_F(DamagedRows, AWrongChecksumIsOneSentence) {
  RowFile wanted = indexed_files().front();
  wanted.filters = {H5Z_FILTER_FLETCHER32};
  std::vector<char> bytes = bytes_of(wanted);
  const std::uint64_t at = hdf5::File::open(path_).storage(kValues).chunks.back().offset;
  bytes[at] = static_cast<char>(bytes[at] ^ 4);
  store(bytes);
  const hdf5::File file = hdf5::File::open(path_);
  EXPECT_THAT(testing::refused(ExitCode::kBadData, [&] { (void)read(*open_rows(file, kValues), {89}); }),
              HasSubstr("a checksum does not match"));
}

TEST_F(DamagedRows, AFileThatIsCutOrReplacedWhileItIsReadIsSaidSo) {
  RowFile wanted = indexed_files().front();
  wanted.filters.clear();
  const std::vector<char> bytes = bytes_of(wanted);
  const hdf5::File file = hdf5::File::open(path_);
  const auto source = open_rows(file, kValues);
  EXPECT_EQ(read(*source, {5}).size(), 15u);
  std::filesystem::resize_file(path_, bytes.size() / 2);
  EXPECT_THAT(testing::refused(ExitCode::kBadData,
                               [&] {
                                 (void)read(*source, {5, 89});
                               }),
              HasSubstr("bytes when it was"));
  std::filesystem::remove(path_);
  store(bytes);
  EXPECT_THAT(testing::refused(ExitCode::kBadData, [&] { (void)read(*source, {5}); }), HasSubstr("another file"));
}

TEST_F(DamagedRows, RowsThatAreNotThereAreRefused) {
  (void)bytes_of(indexed_files().front());
  const hdf5::File file = hdf5::File::open(path_);
  for (const std::int64_t row : {std::int64_t{-1}, std::int64_t{90}}) {
    EXPECT_THAT(testing::refused(ExitCode::kBadData,
                                 [&] {
                                   (void)read(*open_rows(file, kValues), {0, row});
                                 }),
                HasSubstr("it has 90"));
  }
}

}  // namespace damaged_rows_test
}  // namespace xrai
