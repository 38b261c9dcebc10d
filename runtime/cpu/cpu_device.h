// The CPU device: oneDNN for convolution, pooling and dense layers, our kernels for the rest, one pool of threads.
#pragma once

#include <memory>
#include <string>

#include "runtime/core/device.h"

namespace xrai {

/// threads: 0 takes available_cores().
std::unique_ptr<Device> make_cpu_device(int threads = 0);

/// OMP_NUM_THREADS if it is set, else the cores that affinity and the cgroup's CPU quota allow; at least 1.
int available_cores();

/// Model name of the processor and the vector instructions in use, e.g. "Intel(R) Xeon(R) Processor, AVX-512".
std::string cpu_name();
std::string cpu_features();

}  // namespace xrai
