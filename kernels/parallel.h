// How CPU kernels use the cores. Lives here because kernels include nothing of the other folders. One pool serves
// oneDNN and the kernels (OpenMP's), so that a step never runs more threads than it was given.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

namespace xrai::kernels {

/// A borrowed callable void(begin, end): two pointers, no allocation. Must not outlive the call it is passed to.
class RangeBody {
 public:
  template <class F>
  RangeBody(const F& f)  // NOLINT: implicit on purpose, so that a lambda can be passed
      : object_(std::addressof(f)), call_([](const void* object, std::int64_t begin, std::int64_t end) {
          (*static_cast<const F*>(object))(begin, end);
        }) {}
  void operator()(std::int64_t begin, std::int64_t end) const { call_(object_, begin, end); }

 private:
  const void* object_;
  void (*call_)(const void*, std::int64_t, std::int64_t);
};

/// Splits [0, n) into at most thread_count() contiguous ranges and runs `body` on each; returns when all are done.
/// The bodies must not throw. Results must not depend on where the ranges are cut.
void parallel_for(std::int64_t n, RangeBody body);

/// Threads that parallel_for uses; also what oneDNN uses.
int thread_count();
/// Sets it for the calling thread's parallel regions from now on; n >= 1.
void set_thread_count(int n);

}  // namespace xrai::kernels
