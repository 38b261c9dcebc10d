#include "runtime/cuda/context.h"

namespace xrai::cuda {

CudnnHandle::CudnnHandle(cudaStream_t stream) {
  check(cudnnCreate(&handle_));
  check(cudnnSetStream(handle_, stream));
}

Context::Context(std::string gpu, Precision wanted)
    : precision(wanted), cudnn(compute.get()), target(CudnnTarget::live(cudnn.get(), std::move(gpu))) {}

}  // namespace xrai::cuda
