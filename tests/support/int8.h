// The CPU device that scores in whole numbers, where the processor has the instructions.
#pragma once

#include <memory>

#include "runtime/core/error.h"
#include "runtime/cpu/cpu_device.h"

namespace xrai::testing {

constexpr const char* kNoInt8 = "this processor multiplies no bytes, so there is no device of --precision int8";

/// Null where there is none.
inline std::unique_ptr<Device> make_int8_device(int threads = 2) {
  try {
    return make_cpu_device(threads, Precision::kInt8);
  } catch (const Error&) {
    return nullptr;
  }
}

}  // namespace xrai::testing
