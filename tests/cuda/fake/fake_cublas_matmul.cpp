// The test double of cuBLASLt: heuristics and the product.
#include <cublasLt.h>

#include <cstring>
#include <optional>

#include "cublas_handles.h"
#include "matmul.h"

namespace xrai::fake {
namespace {

constexpr std::uint64_t kAlgorithmMark = 0x78726169616c676f;
constexpr std::size_t kWorkspaceAlignment = 16;

/// What fits into the eight words of a cublasLtMatmulAlgo_t.
struct Algorithm {
  std::uint64_t mark, fingerprint, workspace_bytes;
  std::uint32_t alignments[4];
  std::uint64_t in_any_order;  // partial sums are added to the result as they come: other bits in every run
  std::uint64_t unused[2];
};
static_assert(sizeof(Algorithm) == sizeof(cublasLtMatmulAlgo_t));

Matmul matmul_of(const void* description, const void* a, const void* b, const void* c, const void* d) {
  Matmul matmul{*value_of<MatmulDescription>(description), *value_of<MatrixLayout>(a), *value_of<MatrixLayout>(b),
                *value_of<MatrixLayout>(c), *value_of<MatrixLayout>(d)};
  matmul.m = matmul.d.rows;
  matmul.n = matmul.d.cols;
  matmul.k = matmul.description.transpose_a == CUBLAS_OP_N ? matmul.a.cols : matmul.a.rows;
  return matmul;
}

int compute_capability() {
  const Gpu& card = gpu(state().settings.gpu);
  return card.major * 10 + card.minor;
}

// The first splits the sum over k and needs room for partial sums, the second needs none: as with the real library,
// what the heuristics offer depends on the workspace that the caller can give.
std::vector<Algorithm> algorithms(const Matmul& matmul, const Preference& preference) {
  Algorithm plain{kAlgorithmMark, matmul.fingerprint(), 0, {}, 0, {}};
  std::memcpy(plain.alignments, preference.alignments, sizeof plain.alignments);
  Algorithm split = plain;
  split.workspace_bytes = matmul.m * matmul.n * sizeof(float) * 2;
  split.in_any_order = (preference.reduction_schemes & CUBLASLT_REDUCTION_SCHEME_INPLACE) != 0 ? 1 : 0;
  const bool may_split = preference.reduction_schemes != CUBLASLT_REDUCTION_SCHEME_NONE &&
                         split.workspace_bytes <= preference.max_workspace_bytes;
  return may_split ? std::vector{split, plain} : std::vector{plain};
}

struct Operands {
  const void *a, *b, *c;
  void* d;
  float alpha, beta;
  void* workspace;
  std::size_t workspace_bytes;
};

bool aligned(const void* pointer, std::size_t bytes) {
  return reinterpret_cast<std::uintptr_t>(pointer) % bytes == 0;
}

// The sentence for what the real library answers with INVALID_VALUE, or misreads without a word.
std::optional<std::string> objection(const Matmul& matmul, const Algorithm& algorithm, const Operands& operands) {
  const auto& [a, b, c, d, alpha, beta, workspace, workspace_bytes] = operands;
  if (a == nullptr || b == nullptr || d == nullptr || (beta != 0 && c == nullptr)) return "a null matrix";
  const bool needs_bias = matmul.adds_bias() || matmul.gives_bias_gradient();
  if (needs_bias && matmul.description.bias == nullptr) return "an epilogue with a bias and no bias pointer";
  if (algorithm.mark != kAlgorithmMark) return "an algorithm that no heuristic gave";
  if (algorithm.fingerprint != matmul.fingerprint()) return "an algorithm that was chosen for another product";
  if (algorithm.workspace_bytes > workspace_bytes) return "less workspace than the algorithm needs";
  if (algorithm.workspace_bytes > 0 && (workspace == nullptr || !aligned(workspace, kWorkspaceAlignment)))
    return "a workspace that is null or not aligned to 16 bytes";
  const void* matrices[] = {a, b, beta != 0 ? c : d, d};
  for (int i = 0; i < 4; ++i) {
    if (!aligned(matrices[i], algorithm.alignments[i])) return "a matrix less aligned than the preference promised";
  }
  if (d == a || d == b) return "a result over one of its factors";
  if (c == d && beta != 0 && matmul.c.ld != matmul.d.ld) return "a result over C with another layout";
  return std::nullopt;
}

cublasStatus_t queue(const Matmul& matmul, const Algorithm& algorithm, const Operands& operands, cudaStream_t stream) {
  std::vector<Range> reads{matmul.a.range(operands.a), matmul.b.range(operands.b)}, writes{matmul.d.range(operands.d)};
  if (operands.beta != 0) reads.push_back(matmul.c.range(operands.c));
  if (matmul.adds_bias()) reads.push_back(matmul.bias_range());
  if (matmul.gives_bias_gradient()) writes.push_back(matmul.bias_range());
  writes.push_back({operands.workspace, algorithm.workspace_bytes});
  const cudaError_t error = enqueue_operation(
      stream, algorithm.in_any_order != 0 ? "cublasLtMatmul, sums in any order" : "cublasLtMatmul", reads, writes, [=] {
        if (algorithm.workspace_bytes > 0) std::memset(operands.workspace, 0xFF, algorithm.workspace_bytes);
        compute(matmul, operands.alpha, operands.a, operands.b, operands.beta, operands.c, operands.d);
      });
  if (error == cudaSuccess) return CUBLAS_STATUS_SUCCESS;
  return error == cudaErrorInvalidValue ? CUBLAS_STATUS_INVALID_VALUE : CUBLAS_STATUS_EXECUTION_FAILED;
}

}  // namespace
}  // namespace xrai::fake

using namespace xrai::fake;  // NOLINT(google-build-using-namespace): the functions below are NVIDIA's, of global scope

extern "C" {

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t description,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int requested,
                                              cublasLtMatmulHeuristicResult_t results[], int* returned) {
  if (const auto status = entered("cublasLtMatmulAlgoGetHeuristic"); status != CUBLAS_STATUS_SUCCESS) return status;
  *returned = 0;
  if (requested <= 0 || !are_alive({handle, description, a, b, c, d, preference})) return CUBLAS_STATUS_INVALID_VALUE;
  const Matmul matmul = matmul_of(description, a, b, c, d);
  if (const auto status = check(matmul, compute_capability()); status != CUBLAS_STATUS_SUCCESS) return status;
  for (const Algorithm& algorithm : algorithms(matmul, *value_of<Preference>(preference))) {
    if (*returned == requested) break;
    cublasLtMatmulHeuristicResult_t& result = results[(*returned)++];
    result = {};
    std::memcpy(&result.algo, &algorithm, sizeof algorithm);
    result.workspaceSize = algorithm.workspace_bytes;
    result.state = CUBLAS_STATUS_SUCCESS;
    result.wavesCount = 1.0F;
  }
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t description, const void* alpha,
                              const void* a, cublasLtMatrixLayout_t a_layout, const void* b,
                              cublasLtMatrixLayout_t b_layout, const void* beta, const void* c,
                              cublasLtMatrixLayout_t c_layout, void* d, cublasLtMatrixLayout_t d_layout,
                              const cublasLtMatmulAlgo_t* algo, void* workspace, size_t workspace_bytes,
                              cudaStream_t stream) {
  if (const auto status = entered("cublasLtMatmul"); status != CUBLAS_STATUS_SUCCESS) return status;
  if (!are_alive({handle, description, a_layout, b_layout, c_layout, d_layout})) return CUBLAS_STATUS_INVALID_VALUE;
  const Matmul matmul = matmul_of(description, a_layout, b_layout, c_layout, d_layout);
  if (const auto status = check(matmul, compute_capability()); status != CUBLAS_STATUS_SUCCESS) return status;
  if (matmul.description.pointer_mode != CUBLASLT_POINTER_MODE_HOST || matmul.d.batch_count != 1) {
    add_finding(Fault::kMisuse, "The fake cuBLASLt has neither factors in device memory nor batches.");
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  if (alpha == nullptr || beta == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  Algorithm algorithm{kAlgorithmMark, matmul.fingerprint(), 0, {1, 1, 1, 1}, 0, {}};
  if (algo != nullptr) std::memcpy(&algorithm, algo, sizeof algorithm);
  const Operands operands{
      a, b, c, d, *static_cast<const float*>(alpha), *static_cast<const float*>(beta), workspace, workspace_bytes};
  if (const auto text = objection(matmul, algorithm, operands)) {
    add_finding(Fault::kMisuse, "cublasLtMatmul was given " + *text + ".");
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  return queue(matmul, algorithm, operands, stream);
}

}  // extern "C"
