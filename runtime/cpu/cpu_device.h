// The CPU device: oneDNN for convolution, pooling and dense layers, our kernels for the rest, one pool of threads.
#pragma once

#include <memory>

#include "runtime/core/device.h"

namespace xrai {

/// threads: 0 takes available_cores() of runtime/core/host.h. precision: kFloat32 or kInt8, which trains nothing.
/// Errors: Error(kUsage) where the processor cannot.
std::unique_ptr<Device> make_cpu_device(int threads = 0, Precision precision = Precision::kFloat32);

}  // namespace xrai
