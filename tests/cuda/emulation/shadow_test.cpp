// The shadow remembers four accesses a byte. Held against a memory of all accesses: until the first conflict it must
// find one exactly when there is one.
#include "shadow.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

namespace xrai::emulation {
namespace shadow_test {

/// Random accesses of a few threads, with barriers and partial __syncwarp between them, to one word.
class History {
 public:
  static constexpr std::uint32_t kThreads = 64;

  explicit History(std::uint32_t seed) : generator_(seed) { begin_block(); }

  /// One random step: an access, or something that orders accesses.
  void step();
  bool conflict_seen() const { return conflict_seen_; }

 private:
  struct Past {
    Mark mark;
    std::uintptr_t address;
    std::size_t bytes;
  };

  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(generator_() % n); }
  void begin_block() {
    clocks_.assign(kThreads, WarpClock{});
    for (std::uint32_t t = 0; t < kThreads; ++t) clocks_[t][t % kWarpSize] = 1;
    barriers_ = 0;
  }
  void sync_lanes();
  void access();
  bool is_in_conflict_with_any(const Mark& now, std::uintptr_t address, std::size_t bytes) const;

  std::mt19937 generator_;
  Shadow shadow_;
  std::vector<Past> past_;
  std::vector<WarpClock> clocks_;
  std::uint32_t block_ = 0, barriers_ = 0;
  bool conflict_seen_ = false;
};

void History::step() {
  const std::uint32_t dice = below(100);
  if (dice < 2) {
    ++block_;
    begin_block();
  } else if (dice < 10) {
    ++barriers_;
  } else if (dice < 45) {
    sync_lanes();
  } else {
    access();
  }
}

/// A __syncwarp of some lanes of one warp: their clocks join.
void History::sync_lanes() {
  const std::uint32_t warp = below(2), mask = below(2) == 0 ? 0xffu : 1u << below(4) | 1u << below(4) | 1u << below(8);
  WarpClock joined{};
  for (std::uint32_t lane = 0; lane < 8; ++lane) {
    if ((mask >> lane & 1u) == 0) continue;
    for (std::uint32_t i = 0; i < kWarpSize; ++i) joined[i] = std::max(joined[i], clocks_[warp * 32 + lane][i]);
  }
  for (std::uint32_t lane = 0; lane < 8; ++lane) {
    if ((mask >> lane & 1u) == 0) continue;
    clocks_[warp * 32 + lane] = joined;
    ++clocks_[warp * 32 + lane][lane];
  }
}

bool History::is_in_conflict_with_any(const Mark& now, std::uintptr_t address, std::size_t bytes) const {
  return std::any_of(past_.begin(), past_.end(), [&](const Past& past) {
    if (address >= past.address + past.bytes || past.address >= address + bytes) return false;
    if (past.mark.kind == now.kind && now.kind != AccessKind::kWrite) return false;
    if (past.mark.block != now.block) return true;
    if (past.mark.thread == now.thread || past.mark.barriers != now.barriers) return false;
    const bool same_warp = past.mark.thread / kWarpSize == now.thread / kWarpSize;
    return !same_warp || clocks_[now.thread][past.mark.thread % kWarpSize] < past.mark.clock;
  });
}

void History::access() {
  Mark now;
  now.thread = static_cast<std::uint16_t>(below(2) * 32 + below(8));
  now.block = block_;
  now.barriers = barriers_;
  now.clock = clocks_[now.thread][now.thread % kWarpSize];
  const std::uint32_t dice = below(12);
  now.kind = dice == 0 ? AccessKind::kWrite : dice < 4 ? AccessKind::kAtomic : AccessKind::kRead;
  const std::size_t bytes = std::size_t{1} << below(4);
  const std::uintptr_t address = 4096 + below(16 / static_cast<std::uint32_t>(bytes)) * bytes;
  const bool found = shadow_.access(address, bytes, now, clocks_[now.thread]).has_value();
  conflict_seen_ = is_in_conflict_with_any(now, address, bytes);
  EXPECT_EQ(found, conflict_seen_) << "after " << past_.size() << " accesses";
  past_.push_back({now, address, bytes});
}

TEST(Shadow, FindsTheFirstConflictExactlyWhenThereIsOne) {
  int conflicts = 0, long_histories = 0;
  for (std::uint32_t seed = 0; seed < 20000 && !::testing::Test::HasFailure(); ++seed) {
    History history(seed);
    int steps = 0;
    while (!history.conflict_seen() && steps < 60) {
      history.step();
      ++steps;
    }
    conflicts += history.conflict_seen();
    long_histories += steps > 12;
  }
  // Both outcomes, and conflicts after a long peace, must have been tried.
  EXPECT_GT(conflicts, 1000);
  EXPECT_GT(long_histories, 1000);
}

Mark write_by(std::uint16_t thread) {
  Mark mark;
  mark.kind = AccessKind::kWrite;
  mark.thread = thread;
  mark.clock = 1;
  return mark;
}

TEST(Shadow, ForgottenBytesConflictWithNothing) {
  Shadow shadow;
  const WarpClock clock{};
  shadow.access(1000, 8, write_by(0), clock);
  shadow.forget(1000, 7);
  EXPECT_FALSE(shadow.access(1000, 7, write_by(1), clock).has_value());
  EXPECT_TRUE(shadow.access(1007, 1, write_by(1), clock).has_value());
}

TEST(Shadow, AccessesAcrossAPageAreSeenOnBothSides) {
  Shadow shadow;
  const WarpClock clock{};
  shadow.access(2048 - 8, 16, write_by(0), clock);
  EXPECT_TRUE(shadow.access(2048 - 1, 1, write_by(1), clock).has_value());
  EXPECT_TRUE(shadow.access(2048 + 7, 1, write_by(1), clock).has_value());
  EXPECT_FALSE(shadow.access(2048 + 8, 1, write_by(1), clock).has_value());
}

}  // namespace shadow_test
}  // namespace xrai::emulation
