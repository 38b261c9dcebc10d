// A file far larger than the memory trains in as little memory as a small one.
#include <gmock/gmock.h>
#include <hdf5.h>

#include "apps/training/memory_need.h"
#include "tests/apps/training_runs.h"

namespace xrai {
namespace large_file_test {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::run_command;
using testing::text_of;

constexpr hsize_t kSide = 1024;
constexpr hsize_t kPictures = 50 * 1000;  // of a megabyte

/// All addresses are given out and nothing is written: the file is as long as it says and takes no place on the disk.
void make_sparse(hid_t file, const char* name, hsize_t n, hsize_t chunk_rows) {
  const hsize_t shape[] = {n, kSide, kSide}, chunk[] = {chunk_rows, kSide, kSide};
  const hid_t links = H5Pcreate(H5P_LINK_CREATE), creation = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_create_intermediate_group(links, 1);
  H5Pset_alloc_time(creation, H5D_ALLOC_TIME_EARLY);
  H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER);
  if (chunk_rows > 0) H5Pset_chunk(creation, 3, chunk);
  const hid_t space = H5Screate_simple(3, shape, nullptr);
  const hid_t dataset = H5Dcreate2(file, name, H5T_STD_U8LE, space, links, creation, H5P_DEFAULT);
  ASSERT_GE(dataset, 0);
  H5Dclose(dataset);
  H5Sclose(space);
  H5Pclose(creation);
  H5Pclose(links);
}

void make_labels(hid_t file, const char* name, hsize_t n) {
  std::vector<std::uint8_t> labels(n);
  for (std::size_t i = 0; i < n; ++i) labels[i] = i % 2;
  const hid_t space = H5Screate_simple(1, &n, nullptr);
  const hid_t dataset = H5Dcreate2(file, name, H5T_STD_U8LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  ASSERT_GE(H5Dwrite(dataset, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, labels.data()), 0);
  H5Dclose(dataset);
  H5Sclose(space);
}

class LargeFile : public testing::TrainingRuns, public ::testing::WithParamInterface<hsize_t> {
 protected:
  void SetUp() override {
    std::ofstream(folder_ / "tiny.toml") << testing::kTinyModel;
    const hid_t file = H5Fcreate(data().c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    for (const auto& [split, n] : {std::pair{std::string("/train"), kPictures}, {"/val", hsize_t{20}}}) {
      make_sparse(file, (split + "/images").c_str(), n, GetParam());
      make_labels(file, (split + "/labels").c_str(), n);
    }
    ASSERT_GE(H5Fclose(file), 0);
    ASSERT_GT(fs::file_size(data()), std::uintmax_t{50} * 1000 * 1000 * 1000);
  }
};

TEST_P(LargeFile, TrainsInLessThan500Megabytes) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the address sanitizer keeps memory that was freed";
#endif
  const auto more = std::vector<std::string>{"--device", "cpu", "--image-size", "32", "--max-steps", "3", "--quiet"};
  testing::StartedProgram program(words("r", more), folder_ / "errors");
  ASSERT_EQ(program.exit_code(), 0) << program.errors();
  EXPECT_LT(program.peak_bytes(), 500e6);
  EXPECT_GT(program.peak_bytes(), 64e6) << "batches of 64 pictures of a megabyte were read";
  const std::string log = text_of(run("r") / "train.log");
  EXPECT_THAT(log, HasSubstr("pictures are read from the file in every epoch"))
      << "--cache auto saw that they do not fit";
  EXPECT_THAT(log, HasSubstr("read outside the HDF5 library"));
}

INSTANTIATE_TEST_SUITE_P(Layout, LargeFile, ::testing::Values(0, 1),
                         [](const auto& chunk_rows) { return chunk_rows.param == 0 ? "Contiguous" : "Chunked"; });

TEST(Memory, LargePicturesAreScoredAndReadAheadInSmallerNumbers) {
  EXPECT_EQ(scoring_batch(224 * 224), 64);
  EXPECT_EQ(scoring_batch(512 * 512), 64);
  EXPECT_EQ(scoring_batch(1024 * 1024), 16);
  EXPECT_EQ(scoring_batch(std::int64_t{1} << 40), 1);
  EXPECT_EQ(batches_ahead(4, 32 * 224 * 224), 4);
  EXPECT_EQ(batches_ahead(64, std::int64_t{16} << 20), 4);
  EXPECT_EQ(batches_ahead(4, std::int64_t{1} << 40), 1);
  EXPECT_EQ(batches_ahead(2, 1), 2);
}

}  // namespace large_file_test
}  // namespace xrai
