// The fake cuBLASLt against sums written out here, and its refusals.
#include <cublasLt.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "cublas_product.h"
#include "fake_fixture.h"

namespace xrai::fake {
namespace fake_cublas_test {

class Products : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override { reset(); }
};

TEST_P(Products, EqualTheSumsWrittenOut) {
  const Case& which = GetParam();
  Product product(which);
  ASSERT_EQ(product.choose(), CUBLAS_STATUS_SUCCESS);
  ASSERT_EQ(product.run(), CUBLAS_STATUS_SUCCESS);
  const auto a = integers(1), b = integers(2), bias = integers(3), before = integers(4);
  const auto result = product.d.get(kMost);
  for (std::size_t row = 0; row < kM; ++row) {
    for (std::size_t col = 0; col < kN; ++col) {
      float expected = which.beta * before[product.index(row, col)];
      for (std::size_t k = 0; k < kK; ++k)
        expected += which.alpha * a[which.ta ? product.index(k, row) : product.index(row, k)] *
                    b[which.tb ? product.index(col, k) : product.index(k, col)];
      if ((which.epilogue & CUBLASLT_EPILOGUE_BIAS) != 0) expected += bias[row];
      if ((which.epilogue & CUBLASLT_EPILOGUE_RELU) != 0) expected = std::max(expected, 0.0F);
      EXPECT_EQ(result[product.index(row, col)], expected) << row << ", " << col;
    }
  }
  EXPECT_EQ(result[product.index(kM, 0)], before[product.index(kM, 0)]) << "what lies between the columns is not D's";
  EXPECT_TRUE(report().findings.empty()) << report().complaints();
}

INSTANTIATE_TEST_SUITE_P(All, Products,
                         testing::Values(Case{.name = "Plain"}, Case{.name = "TransposedA", .ta = true},
                                         Case{.name = "TransposedB", .tb = true},
                                         Case{.name = "BothTransposed", .ta = true, .tb = true},
                                         Case{.name = "RowMajor", .row_major = true},
                                         Case{.name = "RowMajorTransposedA", .ta = true, .row_major = true},
                                         Case{.name = "Bfloat16", .in = CUDA_R_16BF, .out = CUDA_R_16BF},
                                         Case{.name = "Bfloat16ToFloat", .in = CUDA_R_16BF, .out = CUDA_R_32F},
                                         Case{.name = "Half", .in = CUDA_R_16F, .out = CUDA_R_16F},
                                         Case{.name = "Bias", .epilogue = CUBLASLT_EPILOGUE_BIAS},
                                         Case{.name = "Relu", .epilogue = CUBLASLT_EPILOGUE_RELU},
                                         Case{.name = "ReluBias", .epilogue = CUBLASLT_EPILOGUE_RELU_BIAS},
                                         Case{.name = "HalfReluBias",
                                              .in = CUDA_R_16F,
                                              .out = CUDA_R_16F,
                                              .ta = true,
                                              .epilogue = CUBLASLT_EPILOGUE_RELU_BIAS},
                                         Case{.name = "Accumulated", .alpha = 2, .beta = 1},
                                         Case{.name = "Scaled", .alpha = -1, .beta = 2}),
                         [](const auto& parameter) { return std::string(parameter.param.name); });

class CublasLt : public OnLazyDevice {};

TEST_F(CublasLt, BiasGradientOfBSumsItsColumns) {
  Product product({.name = "", .epilogue = CUBLASLT_EPILOGUE_BGRADB});
  ASSERT_EQ(product.choose(), CUBLAS_STATUS_SUCCESS);
  ASSERT_EQ(product.run(), CUBLAS_STATUS_SUCCESS);
  const auto b = integers(2), gradient = product.bias.get(kN);
  for (std::size_t col = 0; col < kN; ++col) {
    float expected = 0;
    for (std::size_t k = 0; k < kK; ++k) expected += b[product.index(k, col)];
    EXPECT_EQ(gradient[col], expected);
  }
}

TEST_F(CublasLt, BiasGradientOfASumsItsRows) {
  Product product({.name = "", .ta = true, .epilogue = CUBLASLT_EPILOGUE_BGRADA});
  ASSERT_EQ(product.choose(), CUBLAS_STATUS_SUCCESS);
  ASSERT_EQ(product.run(), CUBLAS_STATUS_SUCCESS);
  const auto a = integers(1), gradient = product.bias.get(kM);
  for (std::size_t row = 0; row < kM; ++row) {
    float expected = 0;
    for (std::size_t k = 0; k < kK; ++k) expected += a[product.index(k, row)];
    EXPECT_EQ(gradient[row], expected);
  }
}

TEST_F(CublasLt, Tf32DropsThirteenBits) {
  Product product({.name = ""});
  product.set(CUBLASLT_MATMUL_DESC_COMPUTE_TYPE, CUBLAS_COMPUTE_32F_FAST_TF32);
  cudaFree(product.a.memory);
  product.a.set(std::vector<float>(kMost, 1.0F + std::ldexp(1.0F, -12)));
  ASSERT_EQ(product.choose(), CUBLAS_STATUS_SUCCESS);
  ASSERT_EQ(product.run(), CUBLAS_STATUS_SUCCESS);
  for (const float value : product.d.get(kM)) EXPECT_EQ(value, std::round(value));
}

TEST_F(CublasLt, ShapesThatDoNotFitAreInvalid) {
  Product product({.name = ""});
  product.set(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
  EXPECT_EQ(product.choose(), CUBLAS_STATUS_INVALID_VALUE);
}

TEST_F(CublasLt, LeadingDimensionBelowTheRowsIsInvalid) {
  Product product({.name = ""});
  const std::int64_t ld = kM - 1;
  cublasLtMatrixLayoutSetAttribute(product.a_layout, CUBLASLT_MATRIX_LAYOUT_LD, &ld, sizeof ld);
  EXPECT_EQ(product.choose(), CUBLAS_STATUS_INVALID_VALUE);
}

TEST_F(CublasLt, AttributeOfAnotherSizeIsInvalid) {
  Product product({.name = ""});
  const std::int64_t wide = CUBLAS_OP_T;
  EXPECT_EQ(cublasLtMatmulDescSetAttribute(product.description, CUBLASLT_MATMUL_DESC_TRANSA, &wide, sizeof wide),
            CUBLAS_STATUS_INVALID_VALUE);
}

TEST_F(CublasLt, MissingBiasPointerIsInvalid) {
  Product product({.name = "", .epilogue = CUBLASLT_EPILOGUE_BIAS});
  product.choose();
  product.set<void*>(CUBLASLT_MATMUL_DESC_BIAS_POINTER, nullptr);
  EXPECT_EQ(product.run(), CUBLAS_STATUS_INVALID_VALUE);
}

TEST_F(CublasLt, BiasOfAnotherTypeIsNotSupported) {
  Product product({.name = "", .in = CUDA_R_16F, .out = CUDA_R_16F, .epilogue = CUBLASLT_EPILOGUE_BIAS});
  product.set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, CUDA_R_32F);
  EXPECT_EQ(product.choose(), CUBLAS_STATUS_NOT_SUPPORTED);
}

TEST_F(CublasLt, Bfloat16NeedsAmpere) {
  reset({.gpu = "T4"});
  Product product({.name = "", .in = CUDA_R_16BF, .out = CUDA_R_16BF});
  EXPECT_EQ(product.choose(), CUBLAS_STATUS_NOT_SUPPORTED);
}

TEST_F(CublasLt, TooLittleWorkspaceIsInvalid) {
  Product product({.name = ""});
  product.choose();
  ASSERT_GT(product.chosen.workspaceSize, 0U);
  EXPECT_EQ(product.run(product.chosen.workspaceSize - 1), CUBLAS_STATUS_INVALID_VALUE);
}

TEST_F(CublasLt, WithoutWorkspaceAnotherAlgorithmIsOffered) {
  Product product({.name = ""});
  const std::uint64_t none = 0;
  cublasLtMatmulPreferenceSetAttribute(product.preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &none, 8);
  product.choose();
  EXPECT_EQ(product.chosen.workspaceSize, 0U);
  EXPECT_EQ(product.run(0), CUBLAS_STATUS_SUCCESS);
}

TEST_F(CublasLt, AlgorithmOfAnotherProductIsInvalid) {
  Product product({.name = ""}), other({.name = "", .epilogue = CUBLASLT_EPILOGUE_RELU});
  other.choose();
  product.chosen = other.chosen;
  EXPECT_EQ(product.run(), CUBLAS_STATUS_INVALID_VALUE);
}

TEST_F(CublasLt, MatrixLessAlignedThanPromisedIsInvalid) {
  Product product({.name = ""});
  product.choose();
  void* const whole = std::exchange(product.a.memory, static_cast<std::byte*>(product.a.memory) + 16);
  EXPECT_EQ(product.run(), CUBLAS_STATUS_INVALID_VALUE);
  product.a.memory = whole;
}

TEST_F(CublasLt, SharedWorkspaceOnTwoStreamsIsARace) {
  Product first({.name = ""}), second({.name = ""});
  first.choose();
  second.choose();
  std::byte* const own = std::exchange(second.workspace, first.workspace);
  first.run(kWorkspaceBytes, new_stream());
  second.run(kWorkspaceBytes, new_stream());
  cudaDeviceSynchronize();
  second.workspace = own;
  EXPECT_EQ(report().count(Fault::kRace), 1);
}

TEST_F(CublasLt, InjectedStatusIsReturned) {
  reset({.injected_errors = {{"cublasLtMatmul", 1, CUBLAS_STATUS_EXECUTION_FAILED}}});
  Product product({.name = ""});
  product.choose();
  EXPECT_EQ(product.run(), CUBLAS_STATUS_EXECUTION_FAILED);
  EXPECT_EQ(product.run(), CUBLAS_STATUS_SUCCESS);
}

TEST_F(CublasLt, LeakedDescriptorsAreCounted) {
  cublasLtMatmulDesc_t description = nullptr;
  cublasLtMatmulDescCreate(&description, CUBLAS_COMPUTE_32F, CUDA_R_32F);
  EXPECT_EQ(report().leaks.library_handles, 1);
  cublasLtMatmulDescDestroy(description);
  EXPECT_EQ(report().leaks.library_handles, 0);
}

TEST_F(CublasLt, HandleNeedsADevice) {
  reset({.devices = 0});
  cublasLtHandle_t handle = nullptr;
  EXPECT_EQ(cublasLtCreate(&handle), CUBLAS_STATUS_NOT_INITIALIZED);
}

}  // namespace fake_cublas_test
}  // namespace xrai::fake
