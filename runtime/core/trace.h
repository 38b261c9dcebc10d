// Named ranges of time, for profilers: what the host was doing, one range inside the other. Who listens is behind
// Trace; what is traced opens a Span. Costs a test of a pointer where nobody listens.
#pragma once

#include <string_view>

namespace xrai {

/// Ranges of one thread end in the reverse order of their beginnings. May be called from any thread.
class Trace {
 public:
  virtual ~Trace() = default;
  virtual void begin(std::string_view name) = 0;
  virtual void end() = 0;
  /// Of the calling thread.
  virtual void name_thread(std::string_view name) = 0;
};

/// A range that lasts as long as this object. A null trace: nothing happens.
class Span {
 public:
  Span(Trace* trace, std::string_view name) : trace_(trace) {
    if (trace_ != nullptr) trace_->begin(name);
  }
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;
  ~Span() {
    if (trace_ != nullptr) trace_->end();
  }

 private:
  Trace* trace_;
};

}  // namespace xrai
