// Memory that kernels on the emulation may touch, and nothing beside it: it ends with the last element, begins wherever
// a test wants it to, and what surrounds it is NaN, is watched for writes, and is out of bounds for the sanitizers and
// the race checker. Fresh memory is NaN, too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/data_type.h"
#include "tests/support/random.h"

namespace xrai::testing {

class DeviceMemory {
 public:
  /// Begins `offset` bytes after a multiple of 256.
  explicit DeviceMemory(std::size_t bytes, std::size_t offset = 0);
  /// Fails the test if something was written beside it.
  ~DeviceMemory();
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  [[nodiscard]] void* begin() const { return begin_; }

 private:
  std::size_t bytes_, block_bytes_;
  unsigned char *block_, *begin_;
};

/// For emulation::set_device_memory_check: whether the range lies in one DeviceMemory.
bool is_device_memory(const void* begin, std::size_t bytes);

/// Elements of a plain type; `offset` counts elements.
template <class T>
class Array {
 public:
  explicit Array(const std::vector<T>& values, std::size_t offset = 0) : Array(values.size(), offset) {
    if (n_ > 0) std::memcpy(memory_.begin(), values.data(), n_ * sizeof(T));
  }
  explicit Array(std::size_t n, std::size_t offset = 0) : n_(n), memory_(n * sizeof(T), offset * sizeof(T)) {}

  [[nodiscard]] T* data() const { return static_cast<T*>(memory_.begin()); }
  [[nodiscard]] std::vector<T> values() const { return {data(), data() + n_}; }

 private:
  std::size_t n_;
  DeviceMemory memory_;
};

/// Activations of any type, seen as float32 from outside.
class Activations {
 public:
  Activations(DataType type, const Values& values, std::size_t offset = 0);
  Activations(DataType type, std::size_t n, std::size_t offset = 0);

  [[nodiscard]] void* data() const { return memory_.begin(); }
  [[nodiscard]] Values values() const;

 private:
  DataType type_;
  std::size_t n_;
  DeviceMemory memory_;
};

/// The nearest number of the type.
float rounded(DataType type, float value);
Values rounded(DataType type, Values values);

/// The largest relative error of rounding() to a type, and the absolute one below its smallest normal number.
double unit_roundoff(DataType type);
double smallest_step(DataType type);

/// Each value is the reference, rounded to the type, after arithmetic with a relative error of `arithmetic` and an
/// absolute one of `absolute`. NaN and infinity equal only themselves.
void expect_rounded(DataType type, const Values& computed, const Doubles& reference, double arithmetic, double absolute,
                    const std::string& what);

/// The same numbers; NaN equals NaN.
void expect_same(const Values& computed, const Values& expected, const std::string& what);

}  // namespace xrai::testing
