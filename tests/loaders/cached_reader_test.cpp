// What is kept in memory equals what is in the file, and the file is read once.
#include "loaders/cached_reader.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/loaders/fake_reader.h"

namespace xrai {
namespace cached_reader_test {

void expect_rows(DatasetReader& reader, const std::vector<std::int64_t>& rows) {
  std::vector<std::uint8_t> pixels(rows.size() * FakeReader::kImageBytes);
  reader.read_rows("train", rows, pixels.data());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(FakeReader::row_of(&pixels[i * FakeReader::kImageBytes]), rows[i]);
  }
}

constexpr std::int64_t kManyRows = 500'000;  // three blocks of a mebibyte

TEST(CachedReader, FileIsReadOnceWhateverIsAskedFor) {
  const auto file = std::make_shared<FakeReader>(kManyRows, 200'000);
  const auto reader = keep_in_memory(file);
  for (int round = 0; round < 3; ++round) expect_rows(*reader, {5, kManyRows - 1, 0, 5, 250'000});
  EXPECT_EQ(file->rows_read, kManyRows);
}

TEST(CachedReader, OnlyWhatIsAskedForIsRead) {
  const auto file = std::make_shared<FakeReader>(kManyRows, 1);
  const auto reader = keep_in_memory(file);
  expect_rows(*reader, {kManyRows - 1});
  EXPECT_LT(file->rows_read, kManyRows / 2);
}

TEST(CachedReader, FailureIsNotKept) {
  const auto file = std::make_shared<FakeReader>(10, 1);
  const auto reader = keep_in_memory(file);
  file->failing_row = 3;
  std::uint8_t pixels[FakeReader::kImageBytes];
  const std::int64_t row = 3, outside = 10;
  EXPECT_THROW(reader->read_rows("train", {&row, 1}, pixels), Error);
  file->failing_row = -1;
  expect_rows(*reader, {3});
  EXPECT_THROW(reader->read_rows("train", {&outside, 1}, pixels), Error);
}

TEST(CachedReader, LoadersMayShareIt) {
  const auto file = std::make_shared<FakeReader>(kManyRows, 100);
  const auto reader = keep_in_memory(file);
  const auto read = [&reader](std::int64_t first) {
    for (std::int64_t row = first; row < kManyRows; row += 997) expect_rows(*reader, {row, kManyRows - 1 - row});
  };
  std::thread one(read, 0), two(read, 500);
  one.join();
  two.join();
  EXPECT_EQ(file->rows_read, kManyRows);
}

}  // namespace cached_reader_test
}  // namespace xrai
