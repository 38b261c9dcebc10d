// Batches arrive in the order that seed and epoch say, whatever the threads do; nothing hangs and nothing is lost.
#include "loaders/batch_loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>

#include "runtime/core/error.h"
#include "tests/loaders/fake_reader.h"

namespace xrai {
namespace batch_loader_test {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::shared_ptr<FakeReader> fake(std::int64_t n_images) {
  auto reader = std::make_shared<FakeReader>(n_images);
  reader->make_labels();
  return reader;
}

/// Rows of what is left of the epoch, in order of delivery; checks each batch on the way.
std::vector<std::int64_t> rest_of_epoch(BatchLoader& loader, std::int64_t stop_after = 1 << 30) {
  std::vector<std::int64_t> seen;
  Batch batch;
  while (stop_after-- > 0 && loader.next(batch)) {
    for (std::int64_t i = 0; i < batch.n_images; ++i) {
      const std::int64_t row = batch.sample_ids[static_cast<std::size_t>(i)];
      EXPECT_EQ(FakeReader::row_of(batch.pixels + i * FakeReader::kImageBytes), row);
      EXPECT_EQ(batch.labels[static_cast<std::size_t>(i)], row % 2);
      seen.push_back(row);
    }
    loader.release(batch);
  }
  return seen;
}

BatchLoaderOptions options(std::int64_t batch_size, int n_slots = 4, Order order = Order::kShuffled) {
  BatchLoaderOptions chosen;
  chosen.batch_size = batch_size;
  chosen.n_slots = n_slots;
  chosen.order = order;
  chosen.seed = 11;
  return chosen;
}

TEST(BatchLoader, PicturesThatAreOnTheDeviceAreNotRead) {
  const auto file = fake(50);
  const std::uint8_t on_device = 0;
  BatchLoaderOptions chosen = options(8);
  chosen.resident = &on_device;
  chosen.allocate = [](std::size_t) -> std::shared_ptr<void> { throw std::logic_error("no slot needs pixels"); };
  BatchLoader loader(file, "train", {}, chosen);
  std::vector<std::int64_t> seen;
  for (Batch batch; loader.next(batch); loader.release(batch)) {
    EXPECT_EQ(batch.pixels, nullptr);
    EXPECT_EQ(batch.resident, &on_device);
    seen.insert(seen.end(), batch.sample_ids.begin(), batch.sample_ids.end());
  }
  EXPECT_EQ(seen, epoch_order(Order::kShuffled, 50, 11, 0));
  EXPECT_EQ(file->n_reads, 0);
}

TEST(BatchLoader, OrderDependsOnSeedAndEpochOnly) {
  for (const int n_slots : {1, 2, 7}) {
    for (const std::int64_t batch_size : {1, 5, 32, 100}) {
      BatchLoader loader(fake(50), "train", {}, options(batch_size, n_slots));
      for (const std::int64_t epoch : {0, 1, 2}) {
        loader.start_epoch({epoch, 0});
        EXPECT_EQ(rest_of_epoch(loader), epoch_order(Order::kShuffled, 50, 11, epoch))
            << n_slots << " slots, batches of " << batch_size << ", epoch " << epoch;
      }
    }
  }
}

TEST(BatchLoader, LastPartialBatchIsDelivered) {
  BatchLoader loader(fake(10), "train", {}, options(4, 3, Order::kSequential));
  Batch batch;
  std::vector<std::int64_t> sizes, positions;
  while (loader.next(batch)) {
    sizes.push_back(batch.n_images);
    positions.push_back(batch.first_position);
    EXPECT_EQ(batch.epoch, 0);
    EXPECT_EQ(batch.height, 2);
    EXPECT_EQ(batch.width, 3);
    loader.release(batch);
  }
  EXPECT_THAT(sizes, ElementsAre(4, 4, 2));
  EXPECT_THAT(positions, ElementsAre(0, 4, 8));
  EXPECT_FALSE(loader.next(batch)) << "the next epoch must not begin by itself";
}

TEST(BatchLoader, LastPartialBatchCanBeDropped) {
  auto chosen = options(4);
  chosen.drop_last = true;
  BatchLoader loader(fake(10), "train", {}, chosen);
  EXPECT_EQ(rest_of_epoch(loader).size(), 8u);
  loader.start_epoch({1, 0});
  EXPECT_EQ(rest_of_epoch(loader).size(), 8u);
  EXPECT_THROW(BatchLoader(fake(3), "train", {}, chosen), Error);
}

TEST(BatchLoader, ResumingInTheMiddleGivesTheSameRest) {
  const auto whole = epoch_order(Order::kShuffled, 23, 11, 6);
  for (const std::int64_t position : {0, 4, 8, 20, 22, 23}) {
    BatchLoader loader(fake(23), "train", {}, options(4));
    loader.start_epoch({6, position});
    EXPECT_EQ(rest_of_epoch(loader), std::vector<std::int64_t>(whole.begin() + position, whole.end())) << position;
    loader.start_epoch({7, 0});
    EXPECT_EQ(rest_of_epoch(loader), epoch_order(Order::kShuffled, 23, 11, 7)) << position;
  }
}

TEST(BatchLoader, GoingBackOrAheadDropsWhatWasReadAhead) {
  BatchLoader loader(fake(30), "train", {}, options(4));
  for (const std::int64_t epoch : {3, 0, 0, 9, 8}) {
    loader.start_epoch({epoch, 0});
    const auto order = epoch_order(Order::kShuffled, 30, 11, epoch);
    EXPECT_EQ(rest_of_epoch(loader, 2), std::vector<std::int64_t>(order.begin(), order.begin() + 8)) << epoch;
  }
}

TEST(BatchLoader, TheNextEpochIsReadAheadAndStartingItCostsNothing) {
  auto reader = fake(8);
  BatchLoader loader(reader, "train", {}, options(4, 2));
  for (std::int64_t epoch = 0; epoch < 5; ++epoch) {
    loader.start_epoch({epoch, 0});
    rest_of_epoch(loader);
  }
  loader.close();
  EXPECT_LE(reader->n_reads, 5 * 2 + 2) << "nothing may be read twice";
}

TEST(BatchLoader, RepeatingASequentialEpochCostsNothing) {
  auto reader = fake(8);
  BatchLoader loader(reader, "train", {}, options(4, 2, Order::kSequential));
  Batch batch;
  for (const std::int64_t epoch : {0, 0, 5, 0}) {
    loader.start_epoch({epoch, 0});
    ASSERT_TRUE(loader.next(batch));
    EXPECT_EQ(batch.epoch, epoch);
    loader.release(batch);
    EXPECT_THAT(rest_of_epoch(loader), ElementsAre(4, 5, 6, 7));
  }
  loader.close();
  EXPECT_LE(reader->n_reads, 4 * 2 + 2);
}

TEST(BatchLoader, SubsetKeepsItsRowNumbers) {
  BatchLoader loader(fake(30), "train", {3, 29, 7}, options(2, 2, Order::kSequential));
  EXPECT_EQ(loader.size(), 3);
  EXPECT_THAT(rest_of_epoch(loader), ElementsAre(3, 29, 7));
}

TEST(BatchLoader, FailureSurfacesInNextAfterTheBatchesBeforeIt) {
  auto reader = fake(12);
  reader->failing_row = 9;
  BatchLoader loader(reader, "train", {}, options(4, 4, Order::kSequential));
  EXPECT_EQ(rest_of_epoch(loader, 2).size(), 8u);
  Batch batch;
  for (int attempt = 0; attempt < 2; ++attempt) {
    try {
      loader.next(batch);
      FAIL() << "attempt " << attempt;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kBadData);
      EXPECT_THAT(error.what(), HasSubstr("row 9 is damaged"));
    }
  }
  reader->failing_row = -1;
  loader.start_epoch({0, 8});
  EXPECT_THAT(rest_of_epoch(loader), ElementsAre(8, 9, 10, 11));
}

TEST(BatchLoader, FailureOfTheFirstReadSurfaces) {
  auto reader = fake(4);
  reader->failing_row = 0;
  BatchLoader loader(reader, "train", {}, options(4));
  Batch batch;
  EXPECT_THROW(loader.next(batch), Error);
}

TEST(BatchLoader, SlowReaderOrSlowConsumerChangesNothing) {
  for (const bool slow_reader : {true, false}) {
    auto reader = fake(20);
    if (slow_reader) reader->delay = 2000us;
    BatchLoader loader(reader, "train", {}, options(4, 2));
    std::vector<std::int64_t> seen;
    Batch batch;
    while (loader.next(batch)) {
      if (!slow_reader) std::this_thread::sleep_for(2ms);
      seen.insert(seen.end(), batch.sample_ids.begin(), batch.sample_ids.end());
      loader.release(batch);
    }
    EXPECT_EQ(seen, epoch_order(Order::kShuffled, 20, 11, 0));
    EXPECT_GT(loader.wait_seconds(), slow_reader ? 0.001 : -1.0);
  }
}

TEST(BatchLoader, MayBeDestroyedAtAnyTime) {
  for (int round = 0; round < 60; ++round) {
    auto reader = fake(40);
    reader->delay = std::chrono::microseconds(round * 7);
    BatchLoader loader(reader, "train", {}, options(3, 1 + round % 4));
    Batch batch;
    for (int taken = 0; taken < round % 4; ++taken) {
      if (loader.next(batch) && taken % 2 == 0) loader.release(batch);
      if (taken % 2 != 0) break;
    }
    if (round % 3 == 0) loader.start_epoch({round, 3});
  }
}

TEST(BatchLoader, CloseWakesAConsumerThatWaits) {
  auto reader = fake(40);
  reader->delay = 100ms;
  BatchLoader loader(reader, "train", {}, options(3));
  std::thread consumer([&] {
    Batch batch;
    EXPECT_FALSE(loader.next(batch));
  });
  std::this_thread::sleep_for(5ms);
  loader.close();
  consumer.join();
}

TEST(BatchLoader, DestructionWakesAConsumerThatWaits) {
  auto reader = fake(40);
  reader->delay = 50ms;
  auto loader = std::make_unique<BatchLoader>(reader, "train", std::vector<std::int64_t>{}, options(3));
  std::thread consumer([inside = loader.get()] {
    Batch batch;
    EXPECT_FALSE(inside->next(batch));
  });
  std::this_thread::sleep_for(10ms);
  loader.reset();
  consumer.join();
}

TEST(BatchLoader, SlotsLieInTheMemoryOfTheCaller) {
  std::vector<std::pair<const std::uint8_t*, std::size_t>> given;
  auto chosen = options(4, 3);
  chosen.allocate = [&given](std::size_t bytes) {
    auto memory = allocate_host_memory(bytes);
    given.emplace_back(static_cast<const std::uint8_t*>(memory.get()), bytes);
    return memory;
  };
  BatchLoader loader(fake(9), "train", {}, chosen);
  ASSERT_EQ(given.size(), 3u);
  EXPECT_EQ(given[0].second, 4u * 6u);
  Batch batch;
  ASSERT_TRUE(loader.next(batch));
  EXPECT_TRUE(std::any_of(given.begin(), given.end(), [&](const auto& slot) { return slot.first == batch.pixels; }));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(batch.pixels) % 64, 0u);
}

TEST(BatchLoader, ImpossibleWishesAreRefused) {
  const auto reader = fake(5);
  EXPECT_THROW(BatchLoader(reader, "train", {5}, options(1)), Error);
  EXPECT_THROW(BatchLoader(reader, "train", {-1}, options(1)), Error);
  EXPECT_THROW(BatchLoader(reader, "train", {}, options(0)), Error);
  EXPECT_THROW(BatchLoader(reader, "train", {}, options(1, 0)), Error);
  EXPECT_THROW(BatchLoader(fake(0), "train", {}, options(1)), Error);
  BatchLoader loader(reader, "train", {}, options(2));
  EXPECT_THROW(loader.start_epoch({0, 6}), Error);
  EXPECT_THROW(loader.start_epoch({-1, 0}), Error);
  Batch never_taken;
  EXPECT_THROW(loader.release(never_taken), Error);
}

}  // namespace batch_loader_test
}  // namespace xrai
