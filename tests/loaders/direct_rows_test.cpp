// Chunks are inflated ahead by threads that would wait, and whoever expects them gets them.
#include "loaders/direct_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "tests/loaders/row_files.h"
#include "tests/loaders/row_reading.h"
#include "tests/support/errors.h"
#include "tests/support/run_command.h"
#include "tests/support/temporary_folder.h"

namespace xrai {
namespace direct_rows_test {

using testing::few_threads;
using testing::first_rows;
using ::testing::HasSubstr;
using testing::kValues;
using testing::make_row_file;
using testing::read;
using testing::RowFile;
using testing::rows_to_read;

/// A thread of its own would be idle while the other inflates the one chunk that the batch needs.
TEST(DirectRows, WhatIsExpectedIsInflatedByThreadsThatWouldWait) {
  const testing::TemporaryFolder folder;
  RowFile chunked;
  chunked.shape = {40, 8};
  chunked.chunk = {10, 8};
  chunked.filters = {H5Z_FILTER_DEFLATE};
  chunked.written = first_rows(40);
  make_row_file(folder / "a.h5", chunked);
  const hdf5::File file = hdf5::File::open(folder / "a.h5");
  const auto source = open_rows(file, kValues, {.n_threads = 2}), library = open_rows(file, kValues, few_threads(true));
  const std::vector<std::int64_t> order{3, 21, 22, 35, 11, 39, 1, 29};
  for (std::size_t i = 0; i < order.size(); ++i) {
    source->expect(std::span(order).subspan(i + 1));
    EXPECT_EQ(read(*source, {order[i]}), read(*library, {order[i]}));
  }
  source->expect(std::vector<std::int64_t>{-1, 40, 7});  // a hint is no reason to fail
  EXPECT_EQ(read(*source, {38}), read(*library, {38}));
}

RowFile many_chunks() {
  RowFile chunked;
  chunked.shape = {400, 8};
  chunked.chunk = {10, 8};
  chunked.filters = {H5Z_FILTER_DEFLATE};
  chunked.written = first_rows(400);
  return chunked;
}

/// Chunks go and come again: there is room for a dozen of the forty.
TEST(DirectRows, ThreadsThatExpectDifferentRowsGetTheirs) {
  const testing::TemporaryFolder folder;
  make_row_file(folder / "a.h5", many_chunks());
  const hdf5::File file = hdf5::File::open(folder / "a.h5");
  const auto source = open_rows(file, kValues, {.n_threads = 3, .memory_bytes = 4096});
  const std::vector<std::byte> all = read(*open_rows(file, kValues, few_threads(true)), rows_to_read(400, 1));
  const auto row_bytes = static_cast<std::size_t>(source->row_bytes());
  std::atomic<int> n_wrong = 0;
  const auto read_some = [&](std::uint64_t stream) {
    testing::Random random(stream);
    for (int i = 0; i < 60; ++i) {
      std::vector<std::int64_t> rows(24);
      for (std::int64_t& row : rows) row = random.whole(0, 399);
      source->expect(std::span(rows).subspan(4));
      const std::vector<std::byte> found = read(*source, {rows.begin(), rows.begin() + 4});
      for (std::size_t k = 0; k < 4; ++k) {  // the rows of `all` fall
        const std::byte* const row = all.data() + static_cast<std::size_t>(399 - rows[k]) * row_bytes;
        n_wrong += std::memcmp(found.data() + k * row_bytes, row, row_bytes) != 0;
      }
    }
  };
  std::vector<std::thread> threads;
  for (std::uint64_t stream = 1; stream <= 3; ++stream) threads.emplace_back(read_some, stream);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(n_wrong, 0);
}

TEST(DirectRows, AChunkThatCannotBeInflatedFailsThoseAloneWhoAskForIt) {
  const testing::TemporaryFolder folder;
  make_row_file(folder / "a.h5", many_chunks());
  const hdf5::StoredChunk third = hdf5::File::open(folder / "a.h5").storage(kValues).chunks[2];
  {
    std::fstream bytes(folder / "a.h5", std::ios::binary | std::ios::in | std::ios::out);
    bytes.seekp(static_cast<std::streamoff>(third.offset));
    bytes.write("not zlib", 8);
  }
  const hdf5::File file = hdf5::File::open(folder / "a.h5");
  const auto source = open_rows(file, kValues, {.n_threads = 2});
  for (const std::int64_t row : {1, 11, 31, 2, 12, 399}) {
    source->expect(std::vector<std::int64_t>{20, 40, 25, 50});
    EXPECT_EQ(read(*source, {row}).size(), 8u);
  }
  for (int i = 0; i < 2; ++i)
    EXPECT_THAT(testing::refused(ExitCode::kBadData,
                                 [&] {
                                   (void)read(*source, {1, 20});
                                 }),
                HasSubstr("reading rows 20 to 29 of /values in"));
}

}  // namespace direct_rows_test
}  // namespace xrai
