// Queued operations that still have to read host memory, and whether the host let that memory alone until it could
// know that they had. The race detector cannot see what the host does; this compares the bytes instead.
#pragma once

#include <cstdint>
#include <vector>

#include "clocks.h"

namespace xrai::fake {

class HostReads {
 public:
  struct Change {
    Stamp reader;
    Span span;
  };
  void expect_unchanged(const Span& span, const Stamp& reader);
  /// An operation is about to read: its bytes must be those of the call.
  std::vector<Change> before_running(const Stamp& reader);
  /// The host is now ordered after all that the clock covers; what it changes from here on is its own affair.
  std::vector<Change> settle(const Clock& clock);
  /// An operation is about to write the bytes; reads of them are checked now and no longer watched.
  std::vector<Change> before_writing(const Span& span);
  /// The memory is given back.
  void forget(std::uintptr_t begin, std::uintptr_t end);
  [[nodiscard]] bool watches(const Span& span) const;
  void clear() { reads_.clear(); }

 private:
  struct Read {
    Span span;
    Stamp reader;
    std::size_t hash = 0;
  };
  template <class Condition>
  std::vector<Change> take(Condition condition);

  std::vector<Read> reads_;
};

}  // namespace xrai::fake
