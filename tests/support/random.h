// Values for tests as a function of a stream's number: the same on every machine and in any order of tests.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/philox.h"

namespace xrai::testing {

using Values = std::vector<float>;
using Doubles = std::vector<double>;

/// Uniform numbers and integers, drawn one after the other.
class Random {
 public:
  explicit Random(std::uint64_t stream) : stream_(stream) {}

  /// Uniform in [low, high).
  double real(double low, double high) { return low + (high - low) * kernels::uniform01(bits()); }
  /// Uniform in [low, high], both included.
  std::int64_t whole(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(bits() % static_cast<std::uint64_t>(high - low + 1));
  }
  bool coin() { return whole(0, 1) == 1; }

 private:
  std::uint32_t bits() {
    if (next_ % 4 == 0)
      four_ = kernels::philox({{static_cast<std::uint32_t>(next_ / 4), 0, 0, 7}}, 0x5EEDu,
                              static_cast<std::uint32_t>(stream_));
    return four_.v[next_++ % 4];
  }
  std::uint64_t stream_, next_ = 0;
  kernels::Philox4 four_{};
};

inline Values random_values(std::int64_t n, std::uint64_t stream, double low = -1, double high = 1) {
  Random random(stream);
  Values values(static_cast<std::size_t>(n));
  for (float& value : values) value = static_cast<float>(random.real(low, high));
  return values;
}

/// What lies in the CPU device's memory.
inline Values floats_at(const void* activations, std::int64_t count) {
  const auto* first = static_cast<const float*>(activations);
  return {first, first + count};
}

inline Doubles widened(const Values& values) {
  return Doubles(values.begin(), values.end());
}

}  // namespace xrai::testing
