// Plain loops over (row, column) with sums in double. The words of cuBLASLt's documentation: D is m x n, op(A) is m x
// k, op(B) is k x n; a bias has m elements; BGRADA sums op(A) over k (m elements), BGRADB sums op(B) over k (n
// elements).
#include "matmul.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <bit>
#include <initializer_list>

namespace xrai::fake {
namespace {

float load(cudaDataType type, const void* from, std::size_t index) {
  if (type == CUDA_R_32F) return static_cast<const float*>(from)[index];
  if (type == CUDA_R_16F) return __half2float(static_cast<const __half*>(from)[index]);
  return __bfloat162float(static_cast<const __nv_bfloat16*>(from)[index]);
}

void store(cudaDataType type, void* to, std::size_t index, float value) {
  if (type == CUDA_R_32F)
    static_cast<float*>(to)[index] = value;
  else if (type == CUDA_R_16F)
    static_cast<__half*>(to)[index] = __float2half(value);
  else
    static_cast<__nv_bfloat16*>(to)[index] = __float2bfloat16(value);
}

// TF32 keeps ten bits of the fraction; tensor cores round to nearest.
float to_tf32(float value) {
  constexpr std::uint32_t kDropped = 13;
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  if (((bits >> 23) & 0xFF) == 0xFF) return value;
  return std::bit_cast<float>((bits + (1U << (kDropped - 1))) & ~((1U << kDropped) - 1));
}

/// op(matrix) as an array of floats in (row, column) order.
std::vector<float> gather(const MatrixLayout& layout, bool transpose, const void* from, bool tf32) {
  const std::uint64_t rows = transpose ? layout.cols : layout.rows, cols = transpose ? layout.rows : layout.cols;
  std::vector<float> values(rows * cols);
  for (std::uint64_t row = 0; row < rows; ++row) {
    for (std::uint64_t col = 0; col < cols; ++col) {
      const float value = load(layout.type, from, transpose ? layout.offset(col, row) : layout.offset(row, col));
      values[row * cols + col] = tf32 ? to_tf32(value) : value;
    }
  }
  return values;
}

// Sums over k of op(A), by rows, or of op(B), by columns.
void store_bias_gradient(const Matmul& matmul, const std::vector<float>& a, const std::vector<float>& b) {
  const bool of_a = matmul.description.epilogue == CUBLASLT_EPILOGUE_BGRADA;
  for (std::uint64_t i = 0; i < (of_a ? matmul.m : matmul.n); ++i) {
    double sum = 0;
    for (std::uint64_t j = 0; j < matmul.k; ++j) sum += of_a ? a[i * matmul.k + j] : b[j * matmul.n + i];
    store(matmul.d.type, matmul.description.bias, i, static_cast<float>(sum));
  }
}

bool one_of(int value, std::initializer_list<int> values) {
  for (const int other : values) {
    if (value == other) return true;
  }
  return false;
}

bool types_supported(const Matmul& matmul, int compute_capability) {
  const auto& [description, a, b, c, d, m, n, k] = matmul;
  const bool inputs = a.type == b.type && one_of(a.type, {CUDA_R_32F, CUDA_R_16BF, CUDA_R_16F});
  const bool outputs = c.type == d.type && (d.type == a.type || d.type == CUDA_R_32F);
  const bool on_this_card = a.type != CUDA_R_16BF || compute_capability >= 80;
  const bool computes =
      one_of(description.compute, {CUBLAS_COMPUTE_32F, CUBLAS_COMPUTE_32F_PEDANTIC}) ||
      (a.type == CUDA_R_32F && one_of(description.compute, {CUBLAS_COMPUTE_32F_FAST_TF32, CUBLAS_COMPUTE_32F_FAST_16F,
                                                            CUBLAS_COMPUTE_32F_FAST_16BF}));
  const bool bias = description.bias_type == -1 || description.bias_type == d.type;
  return inputs && outputs && on_this_card && computes && bias && description.scale_type == CUDA_R_32F;
}

// A bias runs along the columns of D in memory, which only column order has.
bool epilogue_supported(const Matmul& matmul) {
  if (one_of(static_cast<int>(matmul.description.epilogue), {CUBLASLT_EPILOGUE_DEFAULT, CUBLASLT_EPILOGUE_RELU}))
    return true;
  return (matmul.adds_bias() || matmul.gives_bias_gradient()) && matmul.d.order == CUBLASLT_ORDER_COL;
}

bool layout_valid(const MatrixLayout& layout) {
  const auto ld = static_cast<std::uint64_t>(layout.ld);
  return layout.rows > 0 && layout.cols > 0 && layout.ld > 0 &&
         ld >= (layout.order == CUBLASLT_ORDER_COL ? layout.rows : layout.cols);
}

}  // namespace

std::size_t size_of(cudaDataType type) {
  return type == CUDA_R_32F ? 4 : 2;
}

Range MatrixLayout::range(const void* begin) const {
  return {begin, (offset(rows - 1, cols - 1) + 1) * size_of(type)};
}

bool Matmul::adds_bias() const {
  return one_of(static_cast<int>(description.epilogue), {CUBLASLT_EPILOGUE_BIAS, CUBLASLT_EPILOGUE_RELU_BIAS});
}

bool Matmul::gives_bias_gradient() const {
  return one_of(static_cast<int>(description.epilogue), {CUBLASLT_EPILOGUE_BGRADA, CUBLASLT_EPILOGUE_BGRADB});
}

Range Matmul::bias_range() const {
  return {description.bias, (description.epilogue == CUBLASLT_EPILOGUE_BGRADB ? n : m) * size_of(d.type)};
}

std::uint64_t Matmul::fingerprint() const {
  std::uint64_t hash = 14695981039346656037ULL;  // FNV-1a
  const auto add = [&](std::uint64_t value) { hash = (hash ^ value) * 1099511628211ULL; };
  for (const MatrixLayout* layout : {&a, &b, &c, &d}) {
    for (const std::uint64_t value : {std::uint64_t(layout->type), layout->rows, layout->cols,
                                      std::uint64_t(layout->ld), std::uint64_t(layout->order)})
      add(value);
  }
  for (const std::uint64_t value : {std::uint64_t(description.compute), std::uint64_t(description.transpose_a),
                                    std::uint64_t(description.transpose_b), std::uint64_t(description.epilogue)})
    add(value);
  return hash;
}

cublasStatus_t check(const Matmul& matmul, int compute_capability) {
  const auto& [description, a, b, c, d, m, n, k] = matmul;
  for (const MatrixLayout* layout : {&a, &b, &c, &d}) {
    if (!one_of(layout->order, {CUBLASLT_ORDER_COL, CUBLASLT_ORDER_ROW})) return CUBLAS_STATUS_NOT_SUPPORTED;
    if (!layout_valid(*layout)) return CUBLAS_STATUS_INVALID_VALUE;
  }
  const bool real_transposes = one_of(description.transpose_a, {CUBLAS_OP_N, CUBLAS_OP_T}) &&
                               one_of(description.transpose_b, {CUBLAS_OP_N, CUBLAS_OP_T});
  if (!real_transposes) return CUBLAS_STATUS_NOT_SUPPORTED;
  const bool ta = description.transpose_a == CUBLAS_OP_T, tb = description.transpose_b == CUBLAS_OP_T;
  const bool shapes_fit = (ta ? a.cols : a.rows) == m && (ta ? a.rows : a.cols) == k && (tb ? b.cols : b.rows) == k &&
                          (tb ? b.rows : b.cols) == n && c.rows == m && c.cols == n && d.rows == m && d.cols == n;
  if (!shapes_fit) return CUBLAS_STATUS_INVALID_VALUE;
  const bool supported = types_supported(matmul, compute_capability) && epilogue_supported(matmul);
  return supported ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
}

void compute(const Matmul& matmul, float alpha, const void* a, const void* b, float beta, const void* c, void* d) {
  const MatmulDescription& description = matmul.description;
  const bool tf32 = description.compute == CUBLAS_COMPUTE_32F_FAST_TF32;
  const auto left = gather(matmul.a, description.transpose_a == CUBLAS_OP_T, a, tf32);
  const auto right = gather(matmul.b, description.transpose_b == CUBLAS_OP_T, b, tf32);
  if (matmul.gives_bias_gradient()) store_bias_gradient(matmul, left, right);
  const bool relu = (description.epilogue & CUBLASLT_EPILOGUE_RELU) != 0;
  std::vector<double> row_sums(matmul.n);
  for (std::uint64_t row = 0; row < matmul.m; ++row) {
    row_sums.assign(matmul.n, 0.0);
    for (std::uint64_t i = 0; i < matmul.k; ++i) {
      const double factor = left[row * matmul.k + i];
      for (std::uint64_t col = 0; col < matmul.n; ++col) row_sums[col] += factor * right[i * matmul.n + col];
    }
    const float bias = matmul.adds_bias() ? load(matmul.d.type, description.bias, row) : 0.0F;
    for (std::uint64_t col = 0; col < matmul.n; ++col) {
      double value = alpha * row_sums[col] + bias;
      if (beta != 0) value += beta * load(matmul.c.type, c, matmul.c.offset(row, col));
      if (relu && value < 0) value = 0;  // a NaN stays one, so that it is seen
      store(matmul.d.type, d, matmul.d.offset(row, col), static_cast<float>(value));
    }
  }
}

}  // namespace xrai::fake
