// Checking and queueing one execution of a plan. Internal to the fake.
#pragma once

#include <cuda_runtime_api.h>

#include "fake_cudnn_records.h"

namespace xrai::fake {

cudnnStatus_t execute_graph(cudaStream_t stream, const CudnnRecord& plan, std::size_t workspace_bytes,
                            const CudnnRecord& pack);

}  // namespace xrai::fake
