#include "loaders/ordered_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>

namespace xrai {
namespace ordered_pool_test {

TEST(OrderedPool, ResultsComeInOrderWhateverTheThreadsDo) {
  std::int64_t expected = 0;
  produce_in_parallel(
      500, 4,
      [](std::int64_t i) {
        std::this_thread::sleep_for(std::chrono::microseconds(i * 7919 % 100));
        return i * i;
      },
      [&](std::int64_t i, std::int64_t square) {
        EXPECT_EQ(i, expected++);
        EXPECT_EQ(square, i * i);
      });
  EXPECT_EQ(expected, 500);
}

TEST(OrderedPool, FewResultsWait) {
  std::atomic<std::int64_t> produced = 0;
  produce_in_parallel(
      400, 2, [&](std::int64_t) { return ++produced; },
      [&](std::int64_t i, std::int64_t) {
        std::this_thread::sleep_for(std::chrono::microseconds(200));
        EXPECT_LE(produced.load(), i + 1 + 32 * 2);
      });
}

TEST(OrderedPool, FailuresOfEitherSideEndTheWork) {
  const auto fail_at = [](std::int64_t place) {
    return [place](std::int64_t i) {
      if (i == place) throw std::runtime_error("failed");
      return i;
    };
  };
  EXPECT_THROW(produce_in_parallel(1000, 3, fail_at(500), [](std::int64_t, std::int64_t) {}), std::runtime_error);
  EXPECT_THROW(produce_in_parallel(1000, 3, fail_at(-1),
                                   [](std::int64_t i, std::int64_t) {
                                     if (i == 10) throw std::runtime_error("failed");
                                   }),
               std::runtime_error);
}

TEST(OrderedPool, NothingToDoIsDone) {
  produce_in_parallel(
      0, 3, [](std::int64_t i) { return i; }, [](std::int64_t, std::int64_t) { FAIL(); });
}

}  // namespace ordered_pool_test
}  // namespace xrai
