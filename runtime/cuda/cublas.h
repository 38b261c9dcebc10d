// One matrix product by cuBLASLt, chosen once and run many times. Column-major, as the library counts: an array that is
// (rows, columns) to us is a (columns, rows) matrix to it.
#pragma once

#include <cublasLt.h>

#include <cstddef>
#include <cstdint>

#include "kernels/data_type.h"
#include "runtime/cuda/context.h"

namespace xrai::cuda {

enum class MatmulEpilogue : std::uint8_t { kNone, kBias, kBiasRelu, kRelu };

/// d (m, n) = a (m, k) * b (k, n), each transposed in memory where the flag says so. Leading dimensions are those of
/// the matrices as they lie in memory, without gaps. The bias has m elements of the type of d.
struct MatmulSpec {
  std::int64_t m = 0, n = 0, k = 0;
  bool transpose_a = false, transpose_b = false;
  DataType factors = DataType::kFloat32, result = DataType::kFloat32;
  MatmulEpilogue epilogue = MatmulEpilogue::kNone;
};

class Matmul {
 public:
  /// Throws NotSupported naming the sizes when the library has no algorithm for them.
  Matmul(Context& context, const MatmulSpec& spec);
  Matmul(const Matmul&) = delete;
  Matmul& operator=(const Matmul&) = delete;
  ~Matmul();

  [[nodiscard]] std::size_t workspace_bytes() const { return heuristic_.workspaceSize; }
  void run(const void* a, const void* b, const void* bias, void* d, void* workspace);

 private:
  void describe(const MatmulSpec& spec);
  void choose(const MatmulSpec& spec);
  void release() noexcept;

  Context& context_;
  cublasLtMatmulDesc_t product_ = nullptr;
  cublasLtMatrixLayout_t a_ = nullptr, b_ = nullptr, d_ = nullptr;
  cublasLtMatmulHeuristicResult_t heuristic_{};
  bool bias_ = false;
};

}  // namespace xrai::cuda
