// NumPy's archives with MedMNIST's names become data sets of ours; damaged ones are refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libdeflate.h>

#include <memory>

#include "loaders/import.h"
#include "loaders/reader.h"
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
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
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

/// What numpy.savez (or savez_compressed) writes, without the sums that nobody checks here.
class Archive {
 public:
  explicit Archive(bool compressed) : compressed_(compressed) {}
  void add(const std::string& name, const std::string& content) {
    const std::string stored = compressed_ ? deflated(content) : content, file = name + ".npy";
    const std::size_t at = members_.size();
    std::string facts;
    put(facts, compressed_ ? 8 : 0, 2);
    put(facts, 0, 8);  // time, date, CRC
    put(facts, stored.size(), 4);
    put(facts, content.size(), 4);
    put(facts, file.size(), 2);
    members_ += std::string("PK\3\4\x14\0\0\0", 8) + facts + std::string(2, '\0') + file + stored;
    directory_ += std::string("PK\1\2\x14\0\x14\0\0\0", 10) + facts + std::string(12, '\0');
    put(directory_, at, 4);
    directory_ += file;
    ++n_;
  }
  [[nodiscard]] std::string bytes() const {
    std::string all = members_ + directory_ + std::string("PK\5\6\0\0\0\0", 8);
    put(all, n_, 2);
    put(all, n_, 2);
    put(all, directory_.size(), 4);
    put(all, members_.size(), 4);
    return all + std::string(2, '\0');
  }

 private:
  bool compressed_;
  std::string members_, directory_;
  std::uint64_t n_ = 0;
};

char level(std::int64_t picture, std::int64_t pixel) {
  return static_cast<char>(picture * 31 + pixel);
}

std::string medmnist(bool compressed, const std::string& label_shape = "6, 1") {
  Archive archive(compressed);
  for (const std::string split : {"train", "val", "test"}) {
    std::string pixels, labels;
    for (int i = 0; i < kPictures; ++i) {
      for (int pixel = 0; pixel < kSide * kSide; ++pixel) pixels += level(i, pixel);
      labels += static_cast<char>(i % 2);
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
