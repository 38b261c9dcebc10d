// The CUDA device behind the seam. How it is found and loaded is in plugin.cpp and diagnosis.h.
#pragma once

#include <memory>

#include "runtime/core/cuda_plugin.h"

namespace xrai::cuda {

/// Throws Error(kNoDevice, kUsage, kOutOfMemory).
std::unique_ptr<Device> make_cuda_device(const CudaRequest& request);

}  // namespace xrai::cuda
