#include "runtime/cuda/check.h"

#include <algorithm>
#include <array>

#include "kernels/cuda_stream.h"

namespace xrai::cuda {
namespace {

static_assert(std::is_permutation(kernels::kStickyErrors.begin(), kernels::kStickyErrors.end(),
                                  std::array<int, kernels::kStickyErrors.size()>{
                                      cudaErrorIllegalAddress, cudaErrorLaunchFailure, cudaErrorHardwareStackError,
                                      cudaErrorIllegalInstruction, cudaErrorMisalignedAddress,
                                      cudaErrorInvalidAddressSpace, cudaErrorInvalidPc, cudaErrorLaunchTimeout,
                                      cudaErrorECCUncorrectable, cudaErrorAssert, cudaErrorNvlinkUncorrectable}
                                      .begin()));

}  // namespace

bool means_no_cuda(cudaError_t status) {
  return status == cudaErrorInsufficientDriver || status == cudaErrorNoDevice || status == cudaErrorStubLibrary;
}

void check(cudaError_t status, std::source_location where) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // else the next launch would report it once more
  const ExitCode code = status == cudaErrorMemoryAllocation ? ExitCode::kOutOfMemory
                        : means_no_cuda(status)             ? ExitCode::kNoDevice
                                                            : ExitCode::kFailure;
  throw Error(code,
              fmt::format("the GPU reported {} ({}){}", cudaGetErrorString(status), cudaGetErrorName(status),
                          kernels::remedy(status)),
              where);
}

void check(cublasStatus_t status, std::source_location where) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  const ExitCode code = status == CUBLAS_STATUS_ALLOC_FAILED      ? ExitCode::kOutOfMemory
                        : status == CUBLAS_STATUS_NOT_INITIALIZED ? ExitCode::kNoDevice
                                                                  : ExitCode::kFailure;
  throw Error(code, fmt::format("cuBLAS reported {}", cublasLtGetStatusString(status)), where);
}

}  // namespace xrai::cuda
