#include "runtime/cuda/check.h"

#include <algorithm>
#include <array>

namespace xrai::cuda {
namespace {

// After these the context is lost: memory, streams and graphs of this process with it.
constexpr std::array kSticky{cudaErrorIllegalAddress,     cudaErrorLaunchFailure,
                             cudaErrorHardwareStackError, cudaErrorIllegalInstruction,
                             cudaErrorMisalignedAddress,  cudaErrorInvalidAddressSpace,
                             cudaErrorInvalidPc,          cudaErrorLaunchTimeout,
                             cudaErrorECCUncorrectable,   cudaErrorAssert,
                             cudaErrorNvlinkUncorrectable};

bool is_sticky(cudaError_t status) {
  return std::find(kSticky.begin(), kSticky.end(), status) != kSticky.end();
}

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
  throw Error(
      code,
      fmt::format("the GPU reported {} ({}){}", cudaGetErrorString(status), cudaGetErrorName(status),
                  is_sticky(status) ? "; nothing more can be computed on it in this process. The last checkpoint "
                                      "is intact: --resume auto goes on from it"
                                    : ""),
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
