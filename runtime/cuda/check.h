// CUDA's and cuBLAS' statuses as xrai's errors. cuDNN's stand with its descriptors in cudnn_graph.h.
#pragma once

#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include <source_location>

#include "runtime/core/error.h"

namespace xrai::cuda {

/// A library does not offer what was asked for on this GPU: the caller may do it in another way.
class NotSupported : public Error {
 public:
  using Error::Error;
};

/// Throws Error: kOutOfMemory, kNoDevice for a card or library that cannot be used, else kFailure, with CUDA's own
/// words. Errors that leave the card unusable for the process say so, since every later call repeats them.
void check(cudaError_t status, std::source_location where = std::source_location::current());
void check(cublasStatus_t status, std::source_location where = std::source_location::current());

/// A driver that is missing or too old, or no card: the codes that mean that there is no CUDA here.
bool means_no_cuda(cudaError_t status);

}  // namespace xrai::cuda
