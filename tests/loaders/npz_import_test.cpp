// NumPy's archives with MedMNIST's names become data sets of ours; damaged ones are refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libdeflate.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <memory>

#include "loaders/import.h"
#include "loaders/npz_file.h"
#include "loaders/reader.h"
#include "runtime/core/interrupt.h"
#include "tests/support/errors.h"
#include "tests/support/picture_files.h"
#include "tests/support/random.h"
#include "tests/support/run_command.h"

namespace xrai {
namespace npz_import_test {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int kSide = 8, kPictures = 6;

void put(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += i < 8 ? static_cast<char>(value >> (8 * i)) : '\0';
}

std::string npy(const std::string& descr, const std::string& shape, const std::string& values) {
  std::string header = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': (" + shape + "), }";
  header += std::string(63 - (10 + header.size()) % 64, ' ') + "\n";
  std::string file("\x93NUMPY\1\0", 8);
  put(file, header.size(), 2);
  return file + header + values;
}

std::string deflated(const std::string& content) {
  const std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)> deflate(
      libdeflate_alloc_compressor(6), libdeflate_free_compressor);
  std::string out(libdeflate_deflate_compress_bound(deflate.get(), content.size()), '\0');
  out.resize(libdeflate_deflate_compress(deflate.get(), content.data(), content.size(), out.data(), out.size()));
  return out;
}

/// What numpy.savez (or savez_compressed) writes.
class Archive {
 public:
  enum class Numbers { k32Bits, k64Bits };  // as in archives of more than 4 GiB

  explicit Archive(bool compressed, Numbers numbers = Numbers::k32Bits)
      : compressed_(compressed), large_(numbers == Numbers::k64Bits) {}
  void add(const std::string& name, const std::string& content) {
    const std::string stored = compressed_ ? deflated(content) : content, file = name + ".npy";
    const std::size_t at = members_.size();
    std::string facts;
    put(facts, compressed_ ? 8 : 0, 2);
    put(facts, 0, 4);  // time, date
    put(facts, libdeflate_crc32(0, content.data(), content.size()), 4);
    std::string in_directory = facts;
    put(facts, stored.size(), 4);
    put(facts, content.size(), 4);
    put(facts, file.size(), 2);
    members_ += std::string("PK\3\4\x14\0\0\0", 8) + facts + std::string(2, '\0') + file + stored;
    put(in_directory, large_ ? kLarge : stored.size(), 4);
    put(in_directory, large_ ? kLarge : content.size(), 4);
    put(in_directory, file.size(), 2);
    put(in_directory, large_ ? 5 + 28 : 0, 2);
    directory_ += std::string("PK\1\2\x14\0\x14\0\0\0", 10) + in_directory + std::string(10, '\0');
    put(directory_, large_ ? kLarge : at, 4);
    directory_ += file;
    if (large_) {
      put(directory_, 7, 2);  // a field that means nothing here
      directory_ += std::string("\1\0x", 3);
      put(directory_, 1, 2);
      put(directory_, 24, 2);
      for (const std::size_t number : {content.size(), stored.size(), at}) put(directory_, number, 8);
    }
    ++n_;
  }
  [[nodiscard]] std::string bytes() const {
    std::string all = members_ + directory_;
    if (large_) {
      all += std::string("PK\6\6", 4);
      put(all, 44, 8);
      put(all, 0, 12);
      for (const std::size_t number : {n_, n_, directory_.size(), members_.size()}) put(all, number, 8);
      all += std::string("PK\6\7\0\0\0\0", 8);
      put(all, members_.size() + directory_.size(), 8);
      put(all, 1, 4);
    }
    all += std::string("PK\5\6\0\0\0\0", 8);
    put(all, n_, 2);
    put(all, n_, 2);
    put(all, large_ ? kLarge : directory_.size(), 4);
    put(all, large_ ? kLarge : members_.size(), 4);
    return all + std::string(2, '\0');
  }

 private:
  static constexpr std::size_t kLarge = 0xFFFFFFFF;  // the number stands elsewhere

  bool compressed_, large_;
  std::string members_, directory_;
  std::size_t n_ = 0;
};

char level(std::int64_t picture, std::int64_t pixel) {
  return static_cast<char>(picture * 31 + pixel);
}

std::string medmnist(bool compressed, const std::string& label_shape = "6, 1",
                     Archive::Numbers numbers = Archive::Numbers::k32Bits, std::string_view of_even = {"\0", 1},
                     std::string_view of_odd = "\1") {
  Archive archive(compressed, numbers);
  for (const std::string split : {"train", "val", "test"}) {
    std::string pixels, labels;
    for (int i = 0; i < kPictures; ++i) {
      for (int pixel = 0; pixel < kSide * kSide; ++pixel) pixels += level(i, pixel);
      labels += i % 2 == 0 ? of_even : of_odd;
    }
    archive.add(split + "_images", npy("|u1", "6, 8, 8", pixels));
    archive.add(split + "_labels", npy("|u1", label_shape, labels));
  }
  return archive.bytes();
}

ImportReport import(const testing::TemporaryFolder& folder, const std::string& bytes) {
  std::ofstream(folder / "a.npz", std::ios::binary) << bytes;
  ImportOptions options;
  options.folder = folder / "a.npz";
  options.output = folder / "a.h5";
  options.force = true;
  return import_npz(options, [](std::int64_t, std::int64_t) {});
}

TEST(NpzImport, GivesTheSamePicturesAndLabels) {
  for (const bool compressed : {false, true}) {
    const testing::TemporaryFolder folder;
    const ImportReport report = import(folder, medmnist(compressed));
    EXPECT_EQ(report.n_pictures, 3 * kPictures);
    const auto reader = open_dataset(folder / "a.h5");
    EXPECT_THAT(reader->splits(), ElementsAre("train", "val", "test"));
    EXPECT_THAT(reader->labels("val"), ElementsAre(0, 1, 0, 1, 0, 1));
    EXPECT_THAT(reader->classes(), ElementsAre("0", "1"));
    const std::vector<std::int64_t> rows{4, 1};
    std::vector<std::uint8_t> pixels(2 * kSide * kSide);
    reader->read_rows("test", rows, pixels.data());
    for (std::size_t i = 0; i < pixels.size(); ++i) {
      ASSERT_EQ(pixels[i], static_cast<std::uint8_t>(level(rows[i / 64], static_cast<std::int64_t>(i % 64))));
    }
  }
}

TEST(NpzImport, ReadsNumbersOf64Bits) {
  const testing::TemporaryFolder folder;
  for (const bool compressed : {false, true}) {
    const std::string bytes = medmnist(compressed, "6, 1", Archive::Numbers::k64Bits);
    EXPECT_EQ(import(folder, bytes).n_pictures, 3 * kPictures);
    for (std::size_t length = bytes.size() - 150; length < bytes.size(); ++length) {
      (void)testing::refused(ExitCode::kBadData, [&] { (void)import(folder, bytes.substr(0, length)); });
    }
  }
}

TEST(NpzImport, AWrongPixelIsToldByTheChecksum) {
  const testing::TemporaryFolder folder;
  std::string bytes = medmnist(false);
  const std::size_t pixel = bytes.find("val_images.npy") + 200;
  bytes[pixel] = static_cast<char>(bytes[pixel] ^ 1);
  EXPECT_THAT(testing::refused(ExitCode::kBadData, [&] { (void)import(folder, bytes); }),
              HasSubstr("the checksum of val_images.npy is wrong"));
}

TEST(NpzImport, RowsAreReadInAnyOrder) {
  const testing::TemporaryFolder folder;
  for (const bool compressed : {false, true}) {
    std::ofstream(folder / "a.npz", std::ios::binary) << medmnist(compressed);
    NpyArray images = NpzFile(folder / "a.npz").open("test_images");
    std::vector<std::byte> row(kSide * kSide);
    for (const std::int64_t picture : {5, 0, 3, 3, 1, 5}) {
      images.read_rows(static_cast<std::uint64_t>(picture), 1, row.data());
      for (std::size_t i = 0; i < row.size(); ++i) {
        ASSERT_EQ(static_cast<char>(row[i]), level(picture, static_cast<std::int64_t>(i)));
      }
    }
    EXPECT_THAT(testing::refused(ExitCode::kBadData, [&] { images.read_rows(6, 1, row.data()); }), HasSubstr("cut"));
  }
}

std::int64_t resident_bytes() {
  std::int64_t all_pages = 0, resident_pages = 0;
  std::ifstream("/proc/self/statm") >> all_pages >> resident_pages;
  return resident_pages * ::sysconf(_SC_PAGESIZE);
}

TEST(NpzImport, AnArrayThatInflatesToGigabytesIsNotHeld) {
  const testing::TemporaryFolder folder;
  const std::string pixels(std::size_t{64} << 20, '\7');
  Archive archive(true);
  archive.add("train_images", npy("|u1", "1048576, 8, 8", pixels));
  archive.add("train_labels", npy("|u1", "1048576", std::string(std::size_t{1} << 20, '\1')));
  std::ofstream(folder / "a.npz", std::ios::binary) << archive.bytes();
  EXPECT_LT(std::filesystem::file_size(folder / "a.npz"), 100000u);
  const std::int64_t before = resident_bytes();
  NpyArray images = NpzFile(folder / "a.npz").open("train_images");
  std::vector<std::byte> row(kSide * kSide);
  images.read_rows((std::uint64_t{1} << 20) - 1, 1, row.data());
  EXPECT_EQ(row, std::vector<std::byte>(row.size(), std::byte{7}));
  EXPECT_LT(resident_bytes() - before, std::int64_t{8} << 20);
}

// In a process of its own: the flag that a signal sets cannot be taken back.
void import_until_signal() {
  install_interrupt_handlers();
  const testing::TemporaryFolder folder;
  std::ofstream(folder / "a.npz", std::ios::binary) << medmnist(true);
  ImportOptions options;
  options.folder = folder / "a.npz";
  options.output = folder / "a.h5";
  int exit_code = 1;
  try {
    (void)import_npz(options, [](std::int64_t done, std::int64_t) {
      if (done == 3) std::raise(SIGTERM);
    });
  } catch (const Error& error) {
    const auto left = std::distance(std::filesystem::directory_iterator(folder.path()), {});
    exit_code = error.code() == ExitCode::kInterrupted && left == 1 ? 0 : 2;
  }
  std::_Exit(exit_code);
}

TEST(NpzImport, LabelsMayBeAColumnAClass) {
  const testing::TemporaryFolder folder;
  const auto of = [](std::string_view odd) {
    return medmnist(true, "6, 3", Archive::Numbers::k32Bits, {"\1\0\0", 3}, odd);
  };
  EXPECT_THAT(import(folder, of({"\0\0\1", 3})).classes, ElementsAre("0", "1", "2"));
  EXPECT_THAT(open_dataset(folder / "a.h5")->labels("val"), ElementsAre(0, 2, 0, 2, 0, 2));
  for (const std::string_view odd : {std::string_view{"\0\0\0", 3}, {"\0\1\1", 3}, {"\0\1\2", 3}}) {
    EXPECT_THAT(testing::refused(ExitCode::kBadData, [&] { (void)import(folder, of(odd)); }),
                HasSubstr("train_labels has 3 columns, but row 1 is not zeros and a single one"));
  }
}

TEST(NpzImport, StopsAtASignalAndLeavesNothingBehind) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(import_until_signal(), ::testing::ExitedWithCode(0), "");
}

TEST(NpzImport, WhatIsMissingIsSaid) {
  const testing::TemporaryFolder folder;
  const auto refusal = [&](const std::string& bytes) {
    return testing::refused(ExitCode::kBadData, [&] { (void)import(folder, bytes); });
  };
  Archive other(false);
  other.add("weights", npy("<f4", "2", std::string(8, '\0')));
  EXPECT_THAT(refusal(other.bytes()), AllOf(HasSubstr("train_images"), HasSubstr("it holds weights")));
  EXPECT_THAT(refusal(medmnist(false, "3, 2")), HasSubstr("train_labels is (3, 2) for 6 pictures"));
  EXPECT_THAT(refusal(medmnist(false, "7, 1")), HasSubstr("fewer values than its shape (7, 1)"));
  EXPECT_THAT(refusal(medmnist(false, "18446744073709551615, 99")), HasSubstr("fewer values"));
  EXPECT_THAT(refusal("text"), HasSubstr("no .npz file"));
  EXPECT_FALSE(std::filesystem::exists(folder / "a.h5"));
}

TEST(NpzImport, DamagedFilesAreRefusedOrRead) {
  const testing::TemporaryFolder folder;
  const auto try_import = [&](const std::string& bytes) {
    try {
      (void)import(folder, bytes);
      return true;
    } catch (const Error& error) {
      EXPECT_TRUE(error.code() == ExitCode::kBadData) << error.what();
      return false;
    }
  };
  for (const bool compressed : {false, true}) {
    const std::string whole = medmnist(compressed);
    for (std::size_t length = 0; length < whole.size(); length += 97) {
      EXPECT_FALSE(try_import(whole.substr(0, length))) << length << " of " << whole.size() << " bytes";
    }
    testing::Random random(compressed ? 1 : 2);
    for (int round = 0; round < 100; ++round) {
      std::string damaged = whole;
      const auto at = static_cast<std::size_t>(random.whole(0, static_cast<std::int64_t>(whole.size()) - 1));
      damaged[at] = static_cast<char>(random.whole(0, 255));
      (void)try_import(damaged);
    }
  }
}

}  // namespace npz_import_test
}  // namespace xrai
