// Batches on their way from the loader's slots to the device: each arrives whole, with its own labels, and every slot
// goes back in time, however late the device runs.
#include "runtime/train/batch_feeder.h"

#include <gtest/gtest.h>

#include "loaders/batch_loader.h"
#include "tests/cuda/device/doubled_card.h"
#include "tests/loaders/fake_reader.h"

namespace xrai {
namespace batch_feeder_test {

constexpr std::int64_t kImages = 50, kBatch = 8;

/// The fewest slots with which a source can work.
std::unique_ptr<BatchLoader> loader(Device& device) {
  auto reader = std::make_shared<FakeReader>(kImages);
  reader->make_labels();
  BatchLoaderOptions options;
  options.batch_size = kBatch;
  options.n_slots = BatchFeeder::kMostLent + 1;
  options.allocate = [&device](std::size_t bytes) -> std::shared_ptr<void> {
    auto memory = std::make_shared<Buffer>(device.allocate_staging(bytes));
    return {memory, memory->data()};
  };
  return std::make_unique<BatchLoader>(reader, "train", std::vector<std::int64_t>{}, options);
}

/// Feeds two epochs; device work copies what it finds into one place a batch, to be looked at in the end.
void expect_whole_batches(Device& device) {
  constexpr std::int64_t kBatches = 2 * ((kImages + kBatch - 1) / kBatch);
  constexpr std::size_t kPixels = kBatch * FakeReader::kImageBytes, kIds = kBatch * sizeof(std::int64_t),
                        kLabels = kBatch * sizeof(std::int32_t);
  const Buffer pixels = device.allocate(kBatches * kPixels), ids = device.allocate(kBatches * kIds),
               labels = device.allocate(kBatches * kLabels),
               numbers = device.allocate(kBatches * sizeof(kernels::StepNumbers));
  const auto source = loader(device);
  BatchFeeder feeder(device, *source, kBatch);
  std::vector<std::int64_t> counts;
  for (std::int64_t epoch = 0; epoch < 2; ++epoch) {
    source->start_epoch({epoch, 0});
    for (Batch batch; source->next(batch);) {
      const std::size_t at = counts.size();
      feeder.feed(batch, {1, static_cast<std::uint64_t>(epoch), at, 0, 0});
      device.copy(pixels.as<std::byte>() + at * kPixels, feeder.pixels(),
                  static_cast<std::size_t>(batch.n_images) * FakeReader::kImageBytes);
      feeder.done_with_pixels();
      device.copy(ids.as<std::byte>() + at * kIds, feeder.sample_ids(), kIds);
      device.copy(labels.as<std::byte>() + at * kLabels, feeder.labels(), kLabels);
      device.copy(numbers.as<std::byte>() + at * sizeof(kernels::StepNumbers), feeder.numbers(),
                  sizeof(kernels::StepNumbers));
      counts.push_back(batch.n_images);
    }
    feeder.finish();
  }
  ASSERT_EQ(counts.size(), static_cast<std::size_t>(kBatches));
  std::vector<std::uint8_t> got_pixels(kBatches * kPixels);
  std::vector<std::int64_t> got_ids(kBatches * kBatch);
  std::vector<std::int32_t> got_labels(kBatches * kBatch);
  std::vector<kernels::StepNumbers> got_numbers(kBatches);
  device.download(got_pixels.data(), pixels.data(), got_pixels.size());
  device.download(got_ids.data(), ids.data(), kBatches * kIds);
  device.download(got_labels.data(), labels.data(), kBatches * kLabels);
  device.download(got_numbers.data(), numbers.data(), kBatches * sizeof(kernels::StepNumbers));
  std::vector<int> seen(kImages, 0);
  for (std::size_t b = 0; b < counts.size(); ++b) {
    EXPECT_EQ(got_numbers[b].step, b);
    for (std::size_t i = 0; i < static_cast<std::size_t>(counts[b]); ++i) {
      const std::int64_t row = FakeReader::row_of(got_pixels.data() + b * kPixels + i * FakeReader::kImageBytes);
      ASSERT_EQ(row, got_ids[b * kBatch + i]) << "batch " << b;
      EXPECT_EQ(got_labels[b * kBatch + i], row % 2);
      ++seen.at(static_cast<std::size_t>(row));
    }
  }
  EXPECT_EQ(seen, std::vector<int>(kImages, 2)) << "each picture once an epoch";
}

TEST(BatchFeeder, DeliversWholeBatchesOnTheCpu) {
  const auto device = make_cpu_device(1);
  expect_whole_batches(*device);
}

class FeederPolicies : public ::testing::TestWithParam<fake::Policy::Order> {};

TEST_P(FeederPolicies, DeliverWholeBatchesOnCuda) {
  const auto device = testing::fresh_cuda("fp32", {.policy = {GetParam(), 4}});
  expect_whole_batches(*device);
  EXPECT_EQ(testing::findings(), "");
}

INSTANTIATE_TEST_SUITE_P(All, FeederPolicies,
                         ::testing::Values(fake::Policy::kEager, fake::Policy::kLazy, fake::Policy::kOthersFirst,
                                           fake::Policy::kRandom));

}  // namespace batch_feeder_test
}  // namespace xrai
