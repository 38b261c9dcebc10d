// What the device's plans share: the streams, the libraries' handles, and in which numbers to compute.
#pragma once

#include <cublasLt.h>
#include <cudnn.h>

#include <cstddef>
#include <optional>
#include <string>

#include "runtime/core/precision.h"
#include "runtime/cuda/cudnn_graph.h"
#include "runtime/cuda/cudnn_operations.h"
#include "runtime/cuda/plan_tuner.h"
#include "runtime/cuda/streams.h"

namespace xrai::cuda {

class CudnnHandle {
 public:
  explicit CudnnHandle(cudaStream_t stream);
  CudnnHandle(const CudnnHandle&) = delete;
  CudnnHandle& operator=(const CudnnHandle&) = delete;
  ~CudnnHandle() { cudnnDestroy(handle_); }
  [[nodiscard]] cudnnHandle_t get() const { return handle_; }

 private:
  cudnnHandle_t handle_ = nullptr;
};

class CublasHandle {
 public:
  CublasHandle() { check(cublasLtCreate(&handle_)); }
  CublasHandle(const CublasHandle&) = delete;
  CublasHandle& operator=(const CublasHandle&) = delete;
  ~CublasHandle() { cublasLtDestroy(handle_); }
  [[nodiscard]] cublasLtHandle_t get() const { return handle_; }

 private:
  cublasLtHandle_t handle_ = nullptr;
};

struct Context {
  Context(std::string gpu, Precision wanted);

  Precision precision;
  OwnedStream compute, copy;
  CudnnHandle cudnn;
  CublasHandle cublas;
  CudnnTarget target;
  std::optional<PlanTuner> tuner;  // where plans are to be timed

  [[nodiscard]] DataType type() const { return activation_type_of(precision); }
};

/// Places inside a workspace start at multiples of this.
constexpr std::size_t aligned(std::size_t bytes) {
  return (bytes + 255) / 256 * 256;
}

}  // namespace xrai::cuda
