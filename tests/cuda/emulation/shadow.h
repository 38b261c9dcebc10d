// What the race checker remembers of every byte during one launch: the last accesses, and whether a new one is ordered
// after them. Knows nothing of kernels, symbols or messages.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "emulation.h"
#include "observer.h"

namespace xrai::emulation {

/// An atomic access counts as one that writes: what only reads atomically has company that writes.
enum class AccessKind : std::uint8_t { kNone, kRead, kWrite, kAtomic };

/// One access: by whom, when, from which instruction.
struct Mark {
  const void* instruction = nullptr;
  std::uint32_t block = 0;
  std::uint32_t barriers = 0;  // passed by the block before
  std::uint32_t clock = 0;     // the thread's own entry of its WarpClock
  std::uint16_t thread = 0;
  AccessKind kind = AccessKind::kNone;
};

/// Accesses that do not conflict with each other, of which as few are kept as are needed to find some conflict with a
/// later access whenever there is one: of two lanes of one warp, since the later access can be only by one of them, and
/// of a third thread elsewhere, for a later access that is ordered after all of that warp.
class Company {
 public:
  void add(const Mark& now, const WarpClock& clock);
  const Mark* conflict_with(const Mark& now, const WarpClock& clock) const;

 private:
  Mark first_, in_same_warp_, elsewhere_;
};

/// What is known of a byte, or of a word. Two accesses are ordered when one thread made both, or a __syncthreads lies
/// between, or, in one warp, a __syncwarp that both lanes took part in. Nothing orders the blocks of one launch.
/// Accesses conflict when they are not ordered, unless both only read or both are atomic.
class Cell {
 public:
  /// An earlier access that conflicts with `now`, if any; remembers `now`.
  std::optional<Mark> access(const Mark& now, const WarpClock& clock);

 private:
  Mark writer_;
  Company readers_, atomics_;
};

class Shadow {
 public:
  /// Forgets everything.
  void clear() { pages_.clear(), last_page_ = nullptr; }
  /// Checks and remembers an access. One conflict at most, of the first byte that has one.
  std::optional<Mark> access(std::uintptr_t address, std::size_t bytes, const Mark& now, const WarpClock& clock);
  /// The addresses get a new meaning: shared memory of another block.
  void forget(std::uintptr_t address, std::size_t bytes);
  /// Counts an access as global memory in touched().
  void touch(std::uintptr_t address, std::size_t bytes, bool write);
  /// All counted bytes, adjacent ones joined, by address; reads before writes.
  std::vector<Access> touched() const;

 private:
  static constexpr std::size_t kPageBytes = 1024, kWordBytes = 4;
  using Bytes = std::array<Cell, kWordBytes>;
  /// A cell a word as long as whole words are accessed; a cell a byte from the first narrower access on.
  struct Page {
    std::array<Cell, kPageBytes / kWordBytes> words;
    std::array<std::unique_ptr<Bytes>, kPageBytes / kWordBytes> bytes;
    std::bitset<kPageBytes> read, written;
  };

  Page& page(std::uintptr_t address);
  Bytes& split(Page& page, std::size_t word);

  std::unordered_map<std::uintptr_t, std::unique_ptr<Page>> pages_;
  std::uintptr_t last_number_ = 0;  // of last_page_: most accesses are near the one before
  Page* last_page_ = nullptr;
};

}  // namespace xrai::emulation
