// A card of the test doubles' with properties of the test's choice.
#pragma once

#include "runtime/cuda/cuda_device.h"
#include "tests/cuda/device/device_pair.h"
#include "tests/cuda/fake/fake_cuda.h"

namespace xrai::testing {

inline std::unique_ptr<Device> fresh_cuda(const std::string& precision = "fp32", const fake::Settings& settings = {}) {
  fake::reset(settings);
  return cuda::make_cuda_device({0, precision});
}

}  // namespace xrai::testing
