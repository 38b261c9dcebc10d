// A repacked file holds the same values, labels, names, attributes and links; only the chunks are others.
#include "loaders/repack.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <fstream>

#include "loaders/file_survey.h"
#include "loaders/row_source.h"
#include "tests/loaders/row_files.h"
#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"

namespace xrai {
namespace repack_test {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::uint64_t kRows = 50;

class Repack : public ::testing::Test {
 protected:
  Repack() {
    hdf5::File file = hdf5::File::create(input_);
    std::vector<std::int16_t> pixels(kRows * 6 * 5);
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::int16_t>(i * 31);
    file.write("/train/images", {kRows, 6, 5}, pixels.data(), {.chunk_shape = {40, 6, 5}, .deflate_level = 1});
    file.set_attribute("/train/images", "unit", std::string("grey levels"));
    file.write("/train/labels", {kRows}, pixels.data());
    file.write_strings("/train/source", {"one", "two"});
    file.set_attribute("/", "classes", std::vector<std::string>{"NORMAL", "PNEUMONIA"});
    file.set_attribute("/train", "size", std::int64_t{6});
    file.close();
    const hid_t opened = H5Fopen(input_.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    testing::require(H5Lcreate_soft("/train/labels", opened, "y", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    testing::require(H5Fclose(opened) >= 0);
  }

  std::vector<Repacked> run(const RepackOptions& options) {
    return repack(input_, output_, options,
                  [this](const std::string&, std::int64_t done, std::int64_t) { done_ = done; });
  }

  testing::TemporaryFolder folder_;
  const std::filesystem::path input_ = folder_ / "in.h5", output_ = folder_ / "out.h5";
  std::int64_t done_ = 0;
};

// h5py writes one for f["kind"] = numpy.dtype("f4").
TEST_F(Repack, NamedTypesAreNeitherGroupsNorDataSetsAndAreCopied) {
  const hid_t opened = H5Fopen(input_.c_str(), H5F_ACC_RDWR, H5P_DEFAULT), type = H5Tcopy(H5T_IEEE_F32LE);
  testing::require(H5Tcommit2(opened, "kind", type, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT) >= 0);
  testing::require(H5Tclose(type) >= 0 && H5Fclose(opened) >= 0);
  EXPECT_EQ(survey(hdf5::File::open(input_), 0).size(), 4U);  // images, labels, source, and y, which leads to labels
  (void)run({});
  const hdf5::File repacked = hdf5::File::open(output_);
  EXPECT_TRUE(repacked.has("/kind"));
  EXPECT_FALSE(repacked.is_group("/kind"));
  EXPECT_FALSE(repacked.is_dataset("/kind"));
}

/// The library would copy values of variable length by what the heap says of them, and not come to an end.
TEST_F(Repack, AHeapThatIsWrongIsRefusedOrReadAsFarAsItGoes) {
  std::ifstream stream(input_, std::ios::binary);
  const std::string whole(std::istreambuf_iterator<char>(stream), {});
  int n_heaps = 0, n_refused = 0;
  for (std::size_t heap = whole.find("GCOL"); heap != std::string::npos; heap = whole.find("GCOL", heap + 1)) {
    ++n_heaps;
    std::size_t gap = heap + 16;  // objects of less than 256 bytes: index, 6 others, length
    while (whole[gap] != 0) gap += 16 + (static_cast<unsigned char>(whole[gap + 8]) + 7U) / 8 * 8;
    const std::size_t second = heap + 32 + (static_cast<unsigned char>(whole[heap + 24]) + 7U) / 8 * 8;
    std::vector<std::pair<std::size_t, char>> wrong{{heap + 25, 100}, {heap + 29, 1}, {heap + 24, 2}, {gap + 8, 0},
                                                    {gap + 9, 0},     {heap + 8, 1},  {second, 1}};
    // A value's length stands before its address; of 0 bytes the library would still take the whole object. Those of
    // attributes have a checksum; "one" and "two" have none.
    std::string address(8, '\0');
    for (std::size_t i = 0; i < 8; ++i) address[i] = static_cast<char>(heap >> (8 * i) & 0xff);
    for (std::size_t at = whole.find(address); at != std::string::npos; at = whole.find(address, at + 1))
      if (whole[at - 4] == 3) wrong.emplace_back(at - 4, 0);
    ASSERT_EQ(wrong.size(), 9u);
    for (const auto& [place, value] : wrong) {
      std::string bytes = whole;
      ASSERT_NE(bytes[place], value);
      bytes[place] = value;
      std::ofstream(input_, std::ios::binary) << bytes;
      std::filesystem::remove(output_);
      try {
        (void)run({});
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::kBadData);
        EXPECT_THAT(error.what(), HasSubstr("variable length are damaged")) << heap << " " << place - heap;
        ++n_refused;
      }
    }
  }
  EXPECT_GE(n_heaps, 1);
  EXPECT_GE(n_refused, 3 * n_heaps);
}

TEST_F(Repack, NumbersBesideThePicturesAreCopiedHoweverLittleOfThemWasWritten) {
  const hid_t file = H5Fopen(input_.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  const hsize_t shape[] = {100000, 512}, chunk[] = {1000, 512};
  const hid_t space = H5Screate_simple(2, shape, nullptr), creation = H5Pcreate(H5P_DATASET_CREATE);
  testing::require(H5Pset_chunk(creation, 2, chunk) >= 0);
  const hid_t made = H5Dcreate2(file, "features", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, creation, H5P_DEFAULT);
  testing::require(made >= 0 && H5Dclose(made) >= 0 && H5Pclose(creation) >= 0 && H5Sclose(space) >= 0 &&
                   H5Fclose(file) >= 0);
  (void)run({});
  EXPECT_THAT(hdf5::File::open(output_).info("/features").shape, ElementsAre(100000, 512));
}

TEST_F(Repack, EverythingButTheChunksStays) {
  const auto repacked = run({.chunk_rows = 7, .gzip = 2});
  ASSERT_EQ(repacked.size(), 1u);
  EXPECT_THAT(repacked[0].chunks_before, ElementsAre(40, 6, 5));
  const hdf5::File before = hdf5::File::open(input_), after = hdf5::File::open(output_);
  EXPECT_THAT(after.info("/train/images").chunk_shape, ElementsAre(7, 6, 5));
  EXPECT_THAT(after.info("/train/images").filters, ElementsAre("deflate(2)"));
  EXPECT_EQ(after.info("/train/images").type, hdf5::Type::kInt16);
  EXPECT_EQ(after.read<std::int16_t>("/train/images"), before.read<std::int16_t>("/train/images"));
  EXPECT_EQ(after.read<std::int16_t>("/y"), before.read<std::int16_t>("/train/labels"));
  EXPECT_THAT(after.read_strings("/train/source"), ElementsAre("one", "two"));
  EXPECT_EQ(after.attribute("/", "classes"), before.attribute("/", "classes"));
  EXPECT_EQ(after.attribute("/train", "size"), before.attribute("/train", "size"));
  EXPECT_EQ(after.attribute("/train/images", "unit"), before.attribute("/train/images", "unit"));
  EXPECT_TRUE(after.is_link("/y"));
  EXPECT_EQ(done_, static_cast<std::int64_t>(kRows));
}

TEST_F(Repack, ByItselfTakesChunksOfAMegabyteWithoutCompression) {
  (void)run({});
  const hdf5::File after = hdf5::File::open(output_);
  EXPECT_THAT(after.info("/train/images").chunk_shape, ElementsAre(kRows, 6, 5));
  EXPECT_TRUE(after.info("/train/images").filters.empty());
}

TEST_F(Repack, AChunkOfMoreThanFourGigabytesIsRefused) {
  testing::RowFile wide;
  wide.shape = {3, 1 << 15, 1 << 16};
  testing::make_row_file(input_, wide);
  EXPECT_THAT(testing::refused(ExitCode::kUsage, [&] { (void)run({.chunk_rows = 3}); }), HasSubstr("--chunk-rows"));
}

TEST_F(Repack, WhatHasSeveralNamesIsWrittenOnce) {
  hid_t file = H5Fopen(input_.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  testing::require(H5Lcreate_hard(file, "/", file, "/train/again", H5P_DEFAULT, H5P_DEFAULT) >= 0);
  testing::require(H5Lcreate_hard(file, "/train/images", file, "/pictures", H5P_DEFAULT, H5P_DEFAULT) >= 0);
  // Two ways into each of thirty groups: a thousand million ways to the last.
  testing::require(H5Gclose(H5Gcreate2(file, "g0", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT)) >= 0);
  for (int i = 1; i <= 30; ++i) {
    const std::string before = "g" + std::to_string(i - 1), group = "g" + std::to_string(i);
    testing::require(H5Gclose(H5Gcreate2(file, group.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT)) >= 0);
    for (const char* name : {"/a", "/b"})
      testing::require(H5Lcreate_hard(file, group.c_str(), file, (before + name).c_str(), H5P_DEFAULT, H5P_DEFAULT) >=
                       0);
  }
  testing::require(H5Fclose(file) >= 0);
  EXPECT_EQ(run({}).size(), 1U);
  const hdf5::File after = hdf5::File::open(output_);
  EXPECT_EQ(after.address("/train/again"), after.address("/"));
  EXPECT_EQ(after.address("/train/images"), after.address("/pictures"));
  EXPECT_EQ(after.address("/g0/b/a"), after.address("/g2"));
}

// Nine attributes stand in dense storage, and H5Ocopy of libraries before 1.10.9 crashes on strings there.
TEST_F(Repack, AttributesInDenseStorageStay) {
  {
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    testing::require(H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110) >= 0);
    const hid_t file = H5Fopen(input_.c_str(), H5F_ACC_RDWR, access),
                labels = H5Dopen2(file, "/train/labels", H5P_DEFAULT);
    const hid_t scalar = H5Screate(H5S_SCALAR), text = H5Tcopy(H5T_C_S1);
    testing::require(H5Tset_size(text, H5T_VARIABLE) >= 0);
    const char* const words = "grey level";
    for (int i = 0; i < 12; ++i) {
      const hid_t attribute =
          H5Acreate2(labels, ("k" + std::to_string(i)).c_str(), text, scalar, H5P_DEFAULT, H5P_DEFAULT);
      testing::require(H5Awrite(attribute, text, &words) >= 0 && H5Aclose(attribute) >= 0);
    }
    testing::require(H5Dclose(labels) >= 0 && H5Sclose(scalar) >= 0 && H5Tclose(text) >= 0 && H5Pclose(access) >= 0 &&
                     H5Fclose(file) >= 0);
  }
  (void)run({});
  const hdf5::File after = hdf5::File::open(output_);
  for (int i = 0; i < 12; ++i)
    EXPECT_EQ(std::get<std::string>(*after.attribute("/train/labels", "k" + std::to_string(i))), "grey level");
}

TEST_F(Repack, ValuesOfEveryKindStay) {
  const hsize_t n = 3;
  const std::int32_t first[] = {1, 2, 3}, second[] = {4};
  {
    const hid_t file = H5Fopen(input_.c_str(), H5F_ACC_RDWR, H5P_DEFAULT), space = H5Screate_simple(1, &n, nullptr);
    const hid_t sequence = H5Tvlen_create(H5T_STD_I32BE), memory = H5Tvlen_create(H5T_NATIVE_INT32);
    const hid_t made = H5Dcreate2(file, "sequences", sequence, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    hvl_t values[] = {{3, const_cast<std::int32_t*>(first)}, {0, nullptr}, {1, const_cast<std::int32_t*>(second)}};
    testing::require(H5Dwrite(made, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0 && H5Dclose(made) >= 0);
    const hid_t nothing = H5Screate(H5S_NULL), scalar = H5Screate(H5S_SCALAR);
    testing::require(
        H5Dclose(H5Dcreate2(file, "empty", H5T_STD_U8LE, nothing, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT)) >= 0);
    const hid_t one = H5Dcreate2(file, "one", H5T_IEEE_F64BE, scalar, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    const double value = 2.5;
    testing::require(H5Dwrite(one, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, &value) >= 0 &&
                     H5Dclose(one) >= 0);
    const hid_t reference =
        H5Dcreate2(file, "references", H5T_STD_REF_OBJ, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    testing::require(reference >= 0 && H5Dclose(reference) >= 0 && H5Sclose(space) >= 0 && H5Sclose(nothing) >= 0 &&
                     H5Sclose(scalar) >= 0 && H5Tclose(sequence) >= 0 && H5Tclose(memory) >= 0 && H5Fclose(file) >= 0);
  }
  (void)run({});
  EXPECT_FALSE(hdf5::File::open(output_).has("/references")) << "they mean nothing in another file";
  EXPECT_EQ(hdf5::File::open(output_).read<double>("/one"), std::vector<double>{2.5});
  const hid_t file = H5Fopen(output_.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  const hid_t made = H5Dopen2(file, "sequences", H5P_DEFAULT), memory = H5Tvlen_create(H5T_NATIVE_INT32);
  const hid_t empty = H5Dopen2(file, "empty", H5P_DEFAULT), nothing = H5Dget_space(empty);
  EXPECT_EQ(H5Sget_simple_extent_type(nothing), H5S_NULL);
  std::array<hvl_t, 3> values{};
  testing::require(H5Dread(made, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) >= 0);
  ASSERT_EQ(values[0].len, 3u);
  EXPECT_EQ(static_cast<const std::int32_t*>(values[0].p)[2], 3);
  EXPECT_EQ(values[1].len, 0u);
  EXPECT_EQ(static_cast<const std::int32_t*>(values[2].p)[0], 4);
  for (hvl_t& value : values) H5free_memory(value.p);
  testing::require(H5Sclose(nothing) >= 0 && H5Dclose(empty) >= 0 && H5Dclose(made) >= 0 && H5Tclose(memory) >= 0 &&
                   H5Fclose(file) >= 0);
}

}  // namespace repack_test
}  // namespace xrai
