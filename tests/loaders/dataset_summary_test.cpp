// What `xrai_dataset info` says of a file, ours or not.
#include "loaders/dataset_summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/loaders/layout_files.h"

namespace xrai {
namespace dataset_summary_test {

using ::testing::ElementsAre;
using testing::kHeight;
using testing::kPictures;
using testing::kPixels;
using testing::kWidth;

TEST(DatasetSummary, NumbersOfOtherPeopleInOurAttributesAreTheirs) {
  const testing::TemporaryFolder folder;
  const auto path = folder / "a.h5";
  {
    hdf5::File file = hdf5::File::create(path);
    file.set_attribute("/", "size", std::vector<double>{10, 8});
    file.set_attribute("/", "classes", std::int64_t{2});
    const std::vector<std::uint8_t> pixels(kPictures * kPixels);
    file.write<std::uint8_t>("/images", {kPictures, kHeight, kWidth}, pixels.data());
    file.write<std::uint8_t>("/labels", {kPictures}, std::vector<std::uint8_t>{0, 1, 0, 1, 0, 1}.data());
    file.close();
  }
  const auto reader = open_dataset(path);
  EXPECT_THAT(reader->classes(), ElementsAre("0", "1"));
  const DatasetSummary summary = summarise_dataset(*reader, [](std::int64_t, std::int64_t) {});
  EXPECT_EQ(std::get<std::vector<double>>(summary.attributes.at("size")), (std::vector<double>{10, 8}));
}

}  // namespace dataset_summary_test
}  // namespace xrai
