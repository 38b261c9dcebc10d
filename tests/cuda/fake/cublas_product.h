// One matrix product of cuBLASLt with everything that it needs, for the tests of the fake library.
#pragma once

#include <cublasLt.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "fake_fixture.h"

namespace xrai::fake {

inline constexpr std::size_t kM = 5, kN = 7, kK = 11, kMost = 16 * 16;
inline constexpr std::size_t kWorkspaceBytes = 4096;

/// Numbers as they lie in device memory, in one of the three types.
struct Numbers {
  cudaDataType type;
  void* memory = nullptr;

  [[nodiscard]] std::size_t size() const { return type == CUDA_R_32F ? 4 : 2; }
  void set(const std::vector<float>& values) {
    std::vector<std::byte> bytes(values.size() * size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (type == CUDA_R_32F) reinterpret_cast<float*>(bytes.data())[i] = values[i];
      if (type == CUDA_R_16F) reinterpret_cast<__half*>(bytes.data())[i] = __float2half(values[i]);
      if (type == CUDA_R_16BF) reinterpret_cast<__nv_bfloat16*>(bytes.data())[i] = __float2bfloat16(values[i]);
    }
    memory = upload(bytes);
  }
  [[nodiscard]] std::vector<float> get(std::size_t count) const {
    const auto bytes = download(static_cast<const std::byte*>(memory), count * size());
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i) {
      if (type == CUDA_R_32F) values[i] = reinterpret_cast<const float*>(bytes.data())[i];
      if (type == CUDA_R_16F) values[i] = __half2float(reinterpret_cast<const __half*>(bytes.data())[i]);
      if (type == CUDA_R_16BF) values[i] = __bfloat162float(reinterpret_cast<const __nv_bfloat16*>(bytes.data())[i]);
    }
    return values;
  }
};

struct Case {
  const char* name;
  cudaDataType in = CUDA_R_32F, out = CUDA_R_32F;
  bool ta = false, tb = false, row_major = false;
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  float alpha = 1, beta = 0;
};

/// Small integers, so that every type holds them and every sum exactly.
inline std::vector<float> integers(int seed) {
  std::vector<float> values(kMost);
  for (std::size_t i = 0; i < kMost; ++i) values[i] = static_cast<float>((static_cast<int>(i) * 7 + seed) % 5 - 2);
  return values;
}

/// One product with everything it needs, leading dimensions larger than they must be.
class Product {
 public:
  explicit Product(const Case& which) : which_(which) {
    cublasLtCreate(&handle);
    cublasLtMatmulDescCreate(&description, CUBLAS_COMPUTE_32F, CUDA_R_32F);
    set(CUBLASLT_MATMUL_DESC_TRANSA, which.ta ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(CUBLASLT_MATMUL_DESC_TRANSB, which.tb ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(CUBLASLT_MATMUL_DESC_EPILOGUE, which.epilogue);
    a_layout = layout(which.in, which.ta ? kK : kM, which.ta ? kM : kK);
    b_layout = layout(which.in, which.tb ? kN : kK, which.tb ? kK : kN);
    d_layout = layout(which.out, kM, kN);
    for (Numbers* numbers : {&a, &b}) numbers->type = which.in;
    for (Numbers* numbers : {&bias, &d}) numbers->type = which.out;
    a.set(integers(1));
    b.set(integers(2));
    bias.set(integers(3));
    d.set(integers(4));
    set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias.memory);
    workspace = on_device<std::byte>(kWorkspaceBytes);
    cublasLtMatmulPreferenceCreate(&preference);
    cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &kWorkspaceBytes, 8);
  }
  Product(const Product&) = delete;
  Product& operator=(const Product&) = delete;
  ~Product() {
    for (void* memory : {a.memory, b.memory, bias.memory, d.memory, static_cast<void*>(workspace)}) cudaFree(memory);
    for (auto* each : {a_layout, b_layout, d_layout}) cublasLtMatrixLayoutDestroy(each);
    cublasLtMatmulPreferenceDestroy(preference);
    cublasLtMatmulDescDestroy(description);
    cublasLtDestroy(handle);
  }

  template <class Value>
  void set(cublasLtMatmulDescAttributes_t attribute, Value value) {
    EXPECT_EQ(cublasLtMatmulDescSetAttribute(description, attribute, &value, sizeof value), CUBLAS_STATUS_SUCCESS);
  }
  cublasStatus_t choose() {
    int returned = 0;
    return cublasLtMatmulAlgoGetHeuristic(handle, description, a_layout, b_layout, d_layout, d_layout, preference, 1,
                                          &chosen, &returned);
  }
  cublasStatus_t run(std::size_t workspace_bytes = kWorkspaceBytes, cudaStream_t stream = nullptr) {
    return cublasLtMatmul(handle, description, &which_.alpha, a.memory, a_layout, b.memory, b_layout, &which_.beta,
                          d.memory, d_layout, d.memory, d_layout, &chosen.algo, workspace, workspace_bytes, stream);
  }
  [[nodiscard]] std::size_t index(std::size_t row, std::size_t col) const {
    return which_.row_major ? row * 16 + col : col * 16 + row;
  }

  cublasLtHandle_t handle = nullptr;
  cublasLtMatmulDesc_t description = nullptr;
  cublasLtMatrixLayout_t a_layout = nullptr, b_layout = nullptr, d_layout = nullptr;
  cublasLtMatmulPreference_t preference = nullptr;
  cublasLtMatmulHeuristicResult_t chosen{};
  Numbers a{}, b{}, bias{}, d{};
  std::byte* workspace = nullptr;

 private:
  cublasLtMatrixLayout_t layout(cudaDataType type, std::size_t rows, std::size_t cols) const {
    cublasLtMatrixLayout_t created = nullptr;
    cublasLtMatrixLayoutCreate(&created, type, rows, cols, 16);
    const std::int32_t order = which_.row_major ? CUBLASLT_ORDER_ROW : CUBLASLT_ORDER_COL;
    cublasLtMatrixLayoutSetAttribute(created, CUBLASLT_MATRIX_LAYOUT_ORDER, &order, sizeof order);
    return created;
  }
  Case which_;
};

}  // namespace xrai::fake
