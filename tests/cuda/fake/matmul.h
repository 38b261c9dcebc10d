// What a matrix product of cuBLASLt is, as plain data: checked once, then computed by loops. Internal to the fake.
#pragma once

#include <cublasLt.h>

#include <cstdint>

#include "fake_stream.h"

namespace xrai::fake {

struct MatrixLayout {
  cudaDataType type = CUDA_R_32F;
  std::uint64_t rows = 0, cols = 0;
  std::int64_t ld = 0;
  std::int32_t order = CUBLASLT_ORDER_COL;
  std::int32_t batch_count = 1;

  [[nodiscard]] std::size_t offset(std::uint64_t row, std::uint64_t col) const {
    return order == CUBLASLT_ORDER_COL ? col * static_cast<std::uint64_t>(ld) + row
                                       : row * static_cast<std::uint64_t>(ld) + col;
  }
  [[nodiscard]] Range range(const void* begin) const;
};

struct MatmulDescription {
  cublasComputeType_t compute = CUBLAS_COMPUTE_32F;
  cudaDataType scale_type = CUDA_R_32F;
  std::int32_t transpose_a = CUBLAS_OP_N, transpose_b = CUBLAS_OP_N;
  std::uint32_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  void* bias = nullptr;         // or where the bias gradient goes
  std::int32_t bias_type = -1;  // -1: that of D
  std::int32_t pointer_mode = CUBLASLT_POINTER_MODE_HOST;
};

struct Matmul {
  MatmulDescription description;
  MatrixLayout a, b, c, d;
  std::uint64_t m = 0, n = 0, k = 0;

  [[nodiscard]] bool adds_bias() const;
  [[nodiscard]] bool gives_bias_gradient() const;
  [[nodiscard]] Range bias_range() const;
  /// Equal for products that one algorithm fits.
  [[nodiscard]] std::uint64_t fingerprint() const;
};

/// INVALID_VALUE for what contradicts itself, NOT_SUPPORTED for what the real library has no kernel for.
cublasStatus_t check(const Matmul& matmul, int compute_capability);
/// d = alpha op(a) op(b) + beta c and the epilogue. c is not read where beta is 0.
void compute(const Matmul& matmul, float alpha, const void* a, const void* b, float beta, const void* c, void* d);
std::size_t size_of(cudaDataType type);

}  // namespace xrai::fake
