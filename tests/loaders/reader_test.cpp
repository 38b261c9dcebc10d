// Our own files are read whatever the order of rows; what is wrong with them is said in a sentence that helps.
#include "loaders/reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "loaders/batch_loader.h"
#include "loaders/cached_reader.h"
#include "runtime/core/error.h"
#include "runtime/hdf5/file.h"

namespace xrai {
namespace reader_test {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Dataset : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ =
        std::filesystem::temp_directory_path() /
        fmt::format("xrai-reader-{}-{}.h5", getpid(), ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove(path_);
  }
  void TearDown() override { std::filesystem::remove(path_); }

  /// The sentence with which the file is refused.
  [[nodiscard]] std::string refusal() const {
    try {
      (void)open_dataset(path_);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kBadData);
      return error.what();
    }
    return "it was not refused";
  }

  std::filesystem::path path_;
};

constexpr std::int64_t kSide = 4;
constexpr std::int64_t kImageBytes = kSide * kSide;

/// Pixels of n pictures; each holds its row number.
std::vector<std::uint8_t> numbered(std::int64_t n) {
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(n * kImageBytes));
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(i / kImageBytes);
  return pixels;
}

struct Wish {
  std::vector<std::uint64_t> shape{12, 4, 4};
  hdf5::CreateOptions layout;
  std::vector<std::int64_t> labels{0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1};
  std::vector<std::uint64_t> label_shape{12};
};

template <class Change>
Wish wish(Change change) {
  Wish wished;
  change(wished);
  return wished;
}

void write_split(hdf5::File& file, const std::string& split, const Wish& wish) {
  file.write<std::uint8_t>("/" + split + "/images", wish.shape, numbered(12).data(), wish.layout);
  file.write<std::int64_t>("/" + split + "/labels", wish.label_shape, wish.labels.data());
}

void write_dataset(const std::filesystem::path& path, const Wish& wish) {
  hdf5::File file = hdf5::File::create(path);
  write_split(file, "train", wish);
  file.set_attribute("/", "classes", std::vector<std::string>{"NORMAL", "PNEUMONIA"});
  file.close();
}

void expect_rows(DatasetReader& reader, const std::vector<std::int64_t>& rows) {
  std::vector<std::uint8_t> pixels(rows.size() * kImageBytes + 1, 0xEE);
  reader.read_rows("train", rows, pixels.data());
  for (std::size_t i = 0; i < rows.size() * kImageBytes; ++i) {
    ASSERT_EQ(pixels[i], rows[i / kImageBytes]) << "pixel " << i << " of rows " << ::testing::PrintToString(rows);
  }
  EXPECT_EQ(pixels.back(), 0xEE) << "nothing may be written past the last picture";
}

TEST_F(Dataset, WhatTheImporterWritesIsDescribed) {
  {
    hdf5::File file = hdf5::File::create(path_);
    for (const char* split : {"test", "train"}) {
      write_split(file, split, {});
      file.write_strings(fmt::format("/{}/source", split), std::vector<std::string>(12, "a.jpeg"));
    }
    file.write_strings("/train/group", std::vector<std::string>(12, "person1"));
    file.set_attribute("/", "classes", std::vector<std::string>{"NORMAL", "PNEUMONIA"});
    file.set_attribute("/", "fit", std::string("pad"));
    file.close();
  }
  const auto reader = open_dataset(path_);
  EXPECT_EQ(reader->path(), path_);
  EXPECT_THAT(reader->splits(), ElementsAre("train", "test"));
  EXPECT_EQ(reader->n_images("train"), 12);
  EXPECT_EQ(reader->height("test"), 4);
  EXPECT_EQ(reader->width("test"), 4);
  EXPECT_THAT(reader->classes(), ElementsAre("NORMAL", "PNEUMONIA"));
  EXPECT_THAT(reader->labels("train"), ElementsAre(0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1));
  EXPECT_EQ(reader->groups("train").at(11), "person1");
  EXPECT_THAT(reader->groups("test"), IsEmpty());
  EXPECT_EQ(reader->sources("test").at(0), "a.jpeg");
  EXPECT_EQ(reader->attribute("fit"), hdf5::Attribute(std::string("pad")));
  EXPECT_EQ(reader->attribute("synthetic"), std::nullopt);
  EXPECT_THROW((void)reader->labels("val"), Error);
}

TEST_F(Dataset, SaysWhereLesionsAreWhereTheFileDoes) {
  const auto write = [&](std::int64_t schema, const std::vector<std::uint64_t>& shape) {
    std::filesystem::remove(path_);
    hdf5::File file = hdf5::File::create(path_);
    write_split(file, "train", {});
    std::vector<float> lesions(36);
    for (std::size_t i = 0; i < 36; ++i) lesions[i] = static_cast<float>(i) / 64;
    file.write("/train/lesion", shape, lesions.data());
    file.set_attribute("/", "classes", std::vector<std::string>{"NORMAL", "PNEUMONIA"});
    if (schema > 0) file.set_attribute("/", "xrai_schema", schema);
    file.close();
  };
  write(1, {12, 3});
  const auto lesions = keep_in_memory(open_dataset(path_))->lesions("train");
  ASSERT_EQ(lesions.size(), 12u);
  EXPECT_EQ(lesions[11], (LesionPlace{33.0f / 64, 34.0f / 64, 35.0f / 64}));
  // A file of somebody else's may call anything a lesion; one of the project's own may not.
  write(0, {12, 3});
  EXPECT_THAT(open_dataset(path_)->lesions("train"), IsEmpty());
  write(1, {9, 4});
  EXPECT_THROW((void)open_dataset(path_)->lesions("train"), Error);
  std::filesystem::remove(path_);
  write_dataset(path_, {});
  EXPECT_THAT(open_dataset(path_)->lesions("train"), IsEmpty());
}

TEST_F(Dataset, RowsComeInTheOrderAskedFromEveryLayout) {
  const hdf5::CreateOptions layouts[] = {{}, {{5, 4, 4}, 0, false}, {{5, 4, 4}, 4, false}, {{3, 2, 4}, 1, true}};
  for (const auto& layout : layouts) {
    std::filesystem::remove(path_);
    write_dataset(path_, wish([&](Wish& w) { w.layout = layout; }));
    const auto reader = open_dataset(path_);
    EXPECT_EQ(reader->rows_per_chunk("train"), layout.chunk_shape.empty() ? 1 : std::int64_t(layout.chunk_shape[0]));
    expect_rows(*reader, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
    expect_rows(*reader, {11, 0, 5, 6, 7, 2, 3});
    expect_rows(*reader, {4, 4, 5, 4, 5, 6});
    expect_rows(*reader, {11, 10, 9});
    expect_rows(*reader, {7});
    expect_rows(*reader, {});
  }
}

TEST_F(Dataset, ShapesOfOtherToolsAreAccepted) {
  write_dataset(path_, wish([](Wish& w) {
                  w.shape = {12, 4, 4, 1};
                  w.layout.chunk_shape = {1, 4, 4, 1};
                  w.label_shape = {12, 1};
                }));
  const auto reader = open_dataset(path_);
  EXPECT_EQ(reader->labels("train").size(), 12u);
  expect_rows(*reader, {3, 9, 10});
}

TEST_F(Dataset, ClassesWithoutNamesAreNumbered) {
  Wish three;
  three.labels[5] = 2;
  hdf5::File file = hdf5::File::create(path_);
  write_split(file, "train", three);
  file.close();
  EXPECT_THAT(open_dataset(path_)->classes(), ElementsAre("0", "1", "2"));
}

TEST_F(Dataset, WhatDoesNotFitIsRefusedWithWhatIsWrong) {
  const auto refusal_of = [this](auto change) {
    std::filesystem::remove(path_);
    write_dataset(path_, wish(change));
    return refusal();
  };
  const auto refusal_of_shape = [&](const std::vector<std::uint64_t>& shape) {
    return refusal_of([&](Wish& w) { w.shape = shape; });
  };
  EXPECT_THAT(refusal_of([](Wish& w) { w.labels[7] = 2; }),
              HasSubstr("label 2 of picture 7 is not one of the 2 classes"));
  EXPECT_THAT(refusal_of([](Wish& w) { w.labels[0] = -1; }), HasSubstr("label -1 of picture 0"));
  EXPECT_THAT(refusal_of([](Wish& w) { w.label_shape = {3}; }), HasSubstr("3 labels for 12 pictures"));
  EXPECT_THAT(refusal_of([](Wish& w) { w.label_shape = {6, 2}; }), HasSubstr("6 labels for 12 pictures"));
  EXPECT_THAT(refusal_of_shape({12, 16}), HasSubstr("has no pictures; it holds /train/images, /train/labels"));
  EXPECT_THAT(refusal_of_shape({4, 4, 4, 3}), HasSubstr("--layout NHWC or --layout NCHW"));
  EXPECT_THAT(refusal_of_shape({0, 4, 4}), HasSubstr("holds no pictures"));
}

TEST_F(Dataset, MissingOrForeignPartsAreNamed) {
  {
    hdf5::File file = hdf5::File::create(path_);
    const std::vector<float> values(192, 0.5f);
    file.write<float>("/block0_values", {12, 16}, values.data());
    file.close();
    EXPECT_THAT(refusal(), ::testing::AllOf(HasSubstr("/block0_values"), HasSubstr("train/images")));
  }
  std::filesystem::remove(path_);
  {
    hdf5::File file = hdf5::File::create(path_);
    file.write<std::uint8_t>("/train/images", {12, 4, 4}, numbered(12).data());
    file.close();
    EXPECT_THAT(refusal(), ::testing::AllOf(HasSubstr("no labels"), HasSubstr("--labels-key")));
  }
  std::filesystem::remove(path_);
  {
    hdf5::File file = hdf5::File::create(path_);
    file.set_attribute("/", "keras_version", std::string("2.15"));
    file.close();
    EXPECT_THAT(refusal(), HasSubstr("Keras model"));
  }
  std::filesystem::remove(path_);
  std::ofstream(path_) << "pixels";
  EXPECT_THAT(refusal(), HasSubstr("not an HDF5 file"));
}

TEST_F(Dataset, InterruptedImportIsNoticed) {
  hdf5::File file = hdf5::File::create(path_);
  file.create_dataset<std::uint8_t>("/train/images", {12, 4, 4}, {.chunk_shape = {4, 4, 4}});
  file.write_rows<std::uint8_t>("/train/images", 0, 4, numbered(4).data());
  file.write<std::int64_t>("/train/labels", {12}, Wish().labels.data());
  file.close();
  EXPECT_THAT(refusal(), HasSubstr("was the writing interrupted?"));
}

TEST_F(Dataset, NewerSchemaIsRefused) {
  {
    hdf5::File file = hdf5::File::create(path_);
    write_split(file, "train", {});
    file.set_attribute("/", "xrai_schema", std::int64_t{99});
    file.close();
  }
  EXPECT_THAT(refusal(), HasSubstr("schema 99"));
}

TEST_F(Dataset, FileTruncatedWhileReadingIsAnErrorAndNotBlackPictures) {
  write_dataset(path_, {});
  const auto reader = open_dataset(path_);
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) / 2);
  std::vector<std::uint8_t> pixels(kImageBytes);
  try {
    const std::int64_t last = 11;
    reader->read_rows("train", {&last, 1}, pixels.data());
    FAIL() << "the truncated file was read";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadData);
    EXPECT_THAT(error.what(), ::testing::AllOf(HasSubstr(path_.string()), HasSubstr("bytes when it was opened")));
  }
}

TEST_F(Dataset, FileOverwrittenWhileReadingReachesTheTrainer) {
  write_dataset(path_, {});
  BatchLoader loader(open_dataset(path_), "train", {}, {.batch_size = 2, .n_slots = 1});
  Batch batch;
  ASSERT_TRUE(loader.next(batch));
  std::ofstream(path_, std::ios::trunc) << "something else";
  loader.release(batch);
  const auto read_on = [&] {
    while (loader.next(batch)) loader.release(batch);
  };
  EXPECT_THROW(read_on(), Error);
}

TEST_F(Dataset, FileReplacedWhileReadingIsAnError) {
  write_dataset(path_, {});
  const auto reader = open_dataset(path_);
  const auto aside = std::filesystem::path(path_.string() + ".new");
  write_dataset(aside, {});
  std::filesystem::rename(aside, path_);
  try {
    expect_rows(*reader, {5, 11});
    FAIL() << "the old file was read under the new one's name";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadData);
    EXPECT_THAT(error.what(), HasSubstr("another file has taken its place"));
  }
}

TEST_F(Dataset, RemovedFileIsReadToItsEnd) {
  write_dataset(path_, {});
  const auto reader = open_dataset(path_);
  std::filesystem::remove(path_);
  expect_rows(*reader, {5, 11});
}

TEST_F(Dataset, BatchesCarryTheLabelsOfTheirPictures) {
  write_dataset(path_, wish([](Wish& w) { w.layout = {{5, 4, 4}, 4, false}; }));
  const std::shared_ptr<DatasetReader> reader = open_dataset(path_);
  BatchLoader train(reader, "train", {0, 1, 2, 3, 8, 9, 10, 11}, {.batch_size = 3});
  BatchLoader val(reader, "train", {4, 5, 6, 7}, {.batch_size = 3, .order = Order::kSequential});
  for (BatchLoader* loader : {&train, &val, &train}) {
    Batch batch;
    while (loader->next(batch)) {
      for (std::int64_t i = 0; i < batch.n_images; ++i) {
        const auto index = static_cast<std::size_t>(i);
        EXPECT_EQ(batch.pixels[i * kImageBytes], batch.sample_ids[index]);
        EXPECT_EQ(batch.labels[index], batch.sample_ids[index] % 2);
      }
      loader->release(batch);
    }
  }
}

}  // namespace reader_test
}  // namespace xrai
