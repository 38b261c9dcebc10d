// Vector clocks and the shadow of memory that finds operations which touch the same bytes and which nothing orders.
// Knows nothing of streams: an operation is a lane (whatever runs in order), a tick on it, and what it knows of others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace xrai::fake {

/// For each lane the last tick that is known to be over.
using Clock = std::vector<std::uint64_t>;
void join(Clock& into, const Clock& other);
bool covers(const Clock& clock, int lane, std::uint64_t tick);

struct Span {
  std::uintptr_t begin = 0, end = 0;
  bool write = false;
};

/// Who touched memory: enough to say whether a later one comes after it, and to name it.
struct Stamp {
  int lane = -1;
  std::uint64_t tick = 0;
  std::shared_ptr<const std::string> who;  // "'convolution' on stream 2"
};

class RaceDetector {
 public:
  struct Conflict {
    Stamp earlier;
    bool earlier_writes = false;
    std::uintptr_t address = 0;
  };
  /// Takes note of the access and returns the first conflict with one that the clock does not cover, if any.
  std::vector<Conflict> touch(const Span& span, const Stamp& stamp, const Clock& clock);
  /// The memory is gone; what comes to lie there is new.
  void forget(std::uintptr_t begin, std::uintptr_t end);
  void clear() { segments_.clear(); }

 private:
  struct Segment {
    std::uintptr_t end = 0;
    Stamp writer;
    std::vector<Stamp> readers;  // since the last write
  };
  using Segments = std::map<std::uintptr_t, Segment>;

  void split_at(std::uintptr_t address);
  void cover(std::uintptr_t begin, std::uintptr_t end);

  Segments segments_;  // by first address; they do not overlap
};

}  // namespace xrai::fake
