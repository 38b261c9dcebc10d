// The ring keeps order, never gives one slot twice, and lets nobody wait for what cannot come.
#include "loaders/ring.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

#include "runtime/core/error.h"

namespace xrai {
namespace ring_test {

using namespace std::chrono_literals;

TEST(Ring, SlotsComeOutInTheOrderInWhichTheyWereFilled) {
  Ring ring(3);
  std::vector<int> filled;
  for (int i = 0; i < 3; ++i) {
    const auto ticket = ring.wait_free();
    filled.push_back(ticket->slot);
    ring.publish(*ticket);
  }
  for (const int slot : filled) EXPECT_EQ(ring.take(), slot);
}

TEST(Ring, FullSlotsBeforeTheEndAreDelivered) {
  Ring ring(2);
  ring.publish(*ring.wait_free());
  ring.finish(*ring.wait_free());
  EXPECT_TRUE(ring.take().has_value());
  EXPECT_EQ(ring.take(), std::nullopt);
  EXPECT_EQ(ring.take(), std::nullopt);
}

TEST(Ring, FailureComesAfterTheSlotsBeforeItAndAgainUntilRestart) {
  Ring ring(2);
  ring.publish(*ring.wait_free());
  ring.finish(*ring.wait_free(), std::make_exception_ptr(Error(ExitCode::kBadData, "broken")));
  EXPECT_TRUE(ring.take().has_value());
  EXPECT_THROW(ring.take(), Error);
  EXPECT_THROW(ring.take(), Error);
  EXPECT_TRUE(ring.has_failed());
  ring.restart({});
  EXPECT_FALSE(ring.has_failed());
  ring.publish(*ring.wait_free());
  EXPECT_TRUE(ring.take().has_value());
}

TEST(Ring, WhatWasFilledForAnotherPlaceIsDropped) {
  Ring ring(2);
  ring.publish(*ring.wait_free());
  const auto stale = *ring.wait_free();
  ring.restart({.epoch = 4, .position = 8});
  ring.publish(stale);
  const auto fresh = *ring.wait_free();
  EXPECT_EQ(fresh.start.epoch, 4);
  EXPECT_EQ(fresh.start.position, 8);
  EXPECT_NE(fresh.generation, stale.generation);
  ring.publish(fresh);
  EXPECT_EQ(ring.take(), fresh.slot);
  EXPECT_EQ(ring.wait_free()->generation, fresh.generation);  // the stale slots are free again
}

TEST(Ring, FailureForAnotherPlaceIsForgotten) {
  Ring ring(2);
  const auto stale = *ring.wait_free();
  ring.restart({});
  ring.finish(stale, std::make_exception_ptr(Error(ExitCode::kBadData, "broken")));
  EXPECT_FALSE(ring.has_failed());
}

TEST(Ring, HoldingEverySlotIsAnErrorAndNotAHang) {
  Ring ring(1);
  ring.publish(*ring.wait_free());
  const int slot = *ring.take();
  EXPECT_THROW(ring.take(), Error);
  ring.give_back(slot);
  EXPECT_THROW(ring.give_back(slot), Error);
  EXPECT_THROW(ring.give_back(7), Error);
  EXPECT_THROW(Ring(0), Error);
}

TEST(Ring, CloseWakesBothSides) {
  Ring ring(1);
  ASSERT_TRUE(ring.wait_free().has_value());
  std::thread producer([&] { EXPECT_EQ(ring.wait_free().has_value(), false); });
  std::thread consumer([&] { EXPECT_EQ(ring.take(), std::nullopt); });
  std::this_thread::sleep_for(5ms);
  ring.close();
  producer.join();
  consumer.join();
  EXPECT_EQ(ring.wait_free().has_value(), false);
}

TEST(Ring, DestructionWaitsForWhoIsInside) {
  for (int round = 0; round < 50; ++round) {
    auto ring = std::make_unique<Ring>(1);
    std::atomic<bool> started = false;
    std::thread consumer([&started, inside = ring.get()] {
      started = true;
      inside->take();
    });
    while (!started) std::this_thread::yield();
    std::this_thread::sleep_for(1ms);
    ring.reset();
    consumer.join();
  }
}

TEST(Ring, WaitingIsMeasured) {
  Ring ring(1);
  std::thread producer([&] {
    const auto ticket = ring.wait_free();
    std::this_thread::sleep_for(20ms);
    ring.publish(*ticket);
  });
  ring.take();
  producer.join();
  EXPECT_GE(ring.waited_seconds(), 0.005);
  ring.reset_waited();
  EXPECT_EQ(ring.waited_seconds(), 0.0);
}

}  // namespace ring_test
}  // namespace xrai
