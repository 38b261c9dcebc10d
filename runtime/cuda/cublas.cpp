#include "runtime/cuda/cublas.h"

namespace xrai::cuda {
namespace {

// Places in the arenas are multiples of 32 bytes at least; rows of odd length are found out from the layouts.
constexpr std::uint32_t kAlignment = 16;
constexpr std::size_t kWorkspaceCap = std::size_t{32} << 20;

cudaDataType_t library_type(DataType type) {
  return type == DataType::kBfloat16 ? CUDA_R_16BF : type == DataType::kFloat16 ? CUDA_R_16F : CUDA_R_32F;
}

cublasLtEpilogue_t library_epilogue(MatmulEpilogue epilogue) {
  switch (epilogue) {
    case MatmulEpilogue::kBias:
      return CUBLASLT_EPILOGUE_BIAS;
    case MatmulEpilogue::kBiasRelu:
      return CUBLASLT_EPILOGUE_RELU_BIAS;
    case MatmulEpilogue::kRelu:
      return CUBLASLT_EPILOGUE_RELU;
    case MatmulEpilogue::kNone:
      break;
  }
  return CUBLASLT_EPILOGUE_DEFAULT;
}

cublasLtMatrixLayout_t layout(DataType type, std::int64_t rows, std::int64_t columns) {
  cublasLtMatrixLayout_t made = nullptr;
  check(cublasLtMatrixLayoutCreate(&made, library_type(type), static_cast<std::uint64_t>(rows),
                                   static_cast<std::uint64_t>(columns), rows));
  return made;
}

template <class T>
void set(cublasLtMatmulDesc_t product, cublasLtMatmulDescAttributes_t name, const T& value) {
  check(cublasLtMatmulDescSetAttribute(product, name, &value, sizeof value));
}

class Preference {
 public:
  Preference() { check(cublasLtMatmulPreferenceCreate(&preference_)); }
  Preference(const Preference&) = delete;
  Preference& operator=(const Preference&) = delete;
  ~Preference() { cublasLtMatmulPreferenceDestroy(preference_); }
  template <class T>
  void set(cublasLtMatmulPreferenceAttributes_t name, const T& value) {
    check(cublasLtMatmulPreferenceSetAttribute(preference_, name, &value, sizeof value));
  }
  [[nodiscard]] cublasLtMatmulPreference_t get() const { return preference_; }

 private:
  cublasLtMatmulPreference_t preference_ = nullptr;
};

}  // namespace

Matmul::Matmul(Context& context, const MatmulSpec& spec)
    : context_(context), bias_(spec.epilogue == MatmulEpilogue::kBias || spec.epilogue == MatmulEpilogue::kBiasRelu) {
  try {
    describe(spec);
    choose(spec);
  } catch (...) {
    release();
    throw;
  }
}

Matmul::~Matmul() {
  release();
}

void Matmul::describe(const MatmulSpec& spec) {
  const cublasComputeType_t compute =
      context_.precision == Precision::kTf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
  check(cublasLtMatmulDescCreate(&product_, compute, CUDA_R_32F));
  set(product_, CUBLASLT_MATMUL_DESC_TRANSA, spec.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N);
  set(product_, CUBLASLT_MATMUL_DESC_TRANSB, spec.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N);
  set(product_, CUBLASLT_MATMUL_DESC_EPILOGUE, library_epilogue(spec.epilogue));
  a_ = spec.transpose_a ? layout(spec.factors, spec.k, spec.m) : layout(spec.factors, spec.m, spec.k);
  b_ = spec.transpose_b ? layout(spec.factors, spec.n, spec.k) : layout(spec.factors, spec.k, spec.n);
  d_ = layout(spec.result, spec.m, spec.n);
}

void Matmul::choose(const MatmulSpec& spec) {
  Preference preference;
  preference.set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kWorkspaceCap);
  for (const auto name : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                          CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
    preference.set(name, kAlignment);
  // Parts of a sum are added up in float and in a fixed order, or there are none.
  preference.set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
                 std::uint32_t{CUBLASLT_REDUCTION_SCHEME_NONE | CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
  int found = 0;
  const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(context_.cublas.get(), product_, a_, b_, d_, d_,
                                                               preference.get(), 1, &heuristic_, &found);
  if (status != CUBLAS_STATUS_NOT_SUPPORTED) check(status);
  if (found == 0)
    throw NotSupported(ExitCode::kFailure,
                       fmt::format("cuBLAS {} has no algorithm for a product of ({}, {}) and ({}, {}) in {} on {}",
                                   cublasLtGetVersion(), spec.m, spec.k, spec.k, spec.n, data_type_name(spec.factors),
                                   context_.target.gpu()));
}

void Matmul::run(const void* a, const void* b, const void* bias, void* d, void* workspace) {
  // The pointer is part of the description; the library reads it during the call.
  if (bias_) set(product_, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
  const float one = 1, zero = 0;
  check(cublasLtMatmul(context_.cublas.get(), product_, &one, a, a_, b, b_, &zero, d, d_, d, d_, &heuristic_.algo,
                       heuristic_.workspaceSize > 0 ? workspace : nullptr, heuristic_.workspaceSize,
                       context_.compute.get()));
}

void Matmul::release() noexcept {
  if (d_ != nullptr) cublasLtMatrixLayoutDestroy(d_);
  if (b_ != nullptr) cublasLtMatrixLayoutDestroy(b_);
  if (a_ != nullptr) cublasLtMatrixLayoutDestroy(a_);
  if (product_ != nullptr) cublasLtMatmulDescDestroy(product_);
}

}  // namespace xrai::cuda
