// The test double of cuBLASLt: handles and descriptors. As in the real library (13.1, tried without a device), a
// descriptor takes any value at all as long as its size is right; contradictions are found only when it is used.
#include <cublasLt.h>

#include <cstring>

#include "cublas_handles.h"
#include "matmul.h"

namespace xrai::fake {
namespace {

template <class Field>
cublasStatus_t assign(Field& field, const void* value, std::size_t bytes) {
  if (value == nullptr || bytes != sizeof(Field)) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(&field, value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t unknown_attribute(const char* of, int attribute) {
  add_finding(Fault::kMisuse,
              std::string("The fake cuBLASLt has no attribute ") + std::to_string(attribute) + " of a " + of + ".");
  return CUBLAS_STATUS_INVALID_VALUE;
}

}  // namespace

bool are_alive(std::initializer_list<const void*> handles) {
  const std::lock_guard lock(state().mutex);
  for (const void* handle : handles) {
    if (state().cublas_handles.count(handle) != 0) continue;
    find_fault(Fault::kInvalidHandle, "cuBLASLt was given a handle or descriptor that is not alive.");
    return false;
  }
  return true;
}

cublasStatus_t entered(const char* call) {
  const int error = library_call(call);
  if (error == 0) return CUBLAS_STATUS_SUCCESS;
  return state().lost != cudaSuccess ? CUBLAS_STATUS_EXECUTION_FAILED : static_cast<cublasStatus_t>(error);
}

}  // namespace xrai::fake

using namespace xrai::fake;  // NOLINT(google-build-using-namespace): the functions below are NVIDIA's, of global scope

extern "C" {

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  if (const auto status = entered("cublasLtCreate"); status != CUBLAS_STATUS_SUCCESS) return status;
  const Settings& settings = state().settings;
  if (settings.devices == 0 || settings.driver_version < settings.runtime_version) return CUBLAS_STATUS_NOT_INITIALIZED;
  return create(handle, cublasLtContext{});
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  return destroy<cublasLtContext>(handle);
}

size_t cublasLtGetVersion() {
  return CUBLAS_VERSION;
}
size_t cublasLtGetCudartVersion() {
  return CUDART_VERSION;
}

const char* cublasLtGetStatusName(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS:
      return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED:
      return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_ALLOC_FAILED:
      return "CUBLAS_STATUS_ALLOC_FAILED";
    case CUBLAS_STATUS_INVALID_VALUE:
      return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_ARCH_MISMATCH:
      return "CUBLAS_STATUS_ARCH_MISMATCH";
    case CUBLAS_STATUS_EXECUTION_FAILED:
      return "CUBLAS_STATUS_EXECUTION_FAILED";
    case CUBLAS_STATUS_INTERNAL_ERROR:
      return "CUBLAS_STATUS_INTERNAL_ERROR";
    case CUBLAS_STATUS_NOT_SUPPORTED:
      return "CUBLAS_STATUS_NOT_SUPPORTED";
    default:
      return "a status that the fake cuBLASLt has no name for";
  }
}
const char* cublasLtGetStatusString(cublasStatus_t status) {
  return cublasLtGetStatusName(status);
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* description, cublasComputeType_t compute,
                                        cudaDataType scale_type) {
  if (const auto status = entered("cublasLtMatmulDescCreate"); status != CUBLAS_STATUS_SUCCESS) return status;
  MatmulDescription fresh;
  fresh.compute = compute;
  fresh.scale_type = scale_type;
  return create(description, fresh);
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t description) {
  return destroy<MatmulDescription>(description);
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t description,
                                              cublasLtMatmulDescAttributes_t attribute, const void* value,
                                              size_t bytes) {
  if (!are_alive({description})) return CUBLAS_STATUS_INVALID_VALUE;
  auto& fields = *value_of<MatmulDescription>(description);
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_COMPUTE_TYPE:
      return assign(fields.compute, value, bytes);
    case CUBLASLT_MATMUL_DESC_SCALE_TYPE:
      return assign(fields.scale_type, value, bytes);
    case CUBLASLT_MATMUL_DESC_POINTER_MODE:
      return assign(fields.pointer_mode, value, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSA:
      return assign(fields.transpose_a, value, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSB:
      return assign(fields.transpose_b, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      return assign(fields.epilogue, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
      return assign(fields.bias, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
      return assign(fields.bias_type, value, bytes);
    default:
      return unknown_attribute("product", attribute);
  }
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType type, uint64_t rows,
                                          uint64_t cols, int64_t ld) {
  if (const auto status = entered("cublasLtMatrixLayoutCreate"); status != CUBLAS_STATUS_SUCCESS) return status;
  return create(layout, MatrixLayout{type, rows, cols, ld});
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  return destroy<MatrixLayout>(layout);
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                cublasLtMatrixLayoutAttribute_t attribute, const void* value,
                                                size_t bytes) {
  if (!are_alive({layout})) return CUBLAS_STATUS_INVALID_VALUE;
  auto& fields = *value_of<MatrixLayout>(layout);
  switch (attribute) {
    case CUBLASLT_MATRIX_LAYOUT_TYPE:
      return assign(fields.type, value, bytes);
    case CUBLASLT_MATRIX_LAYOUT_ORDER:
      return assign(fields.order, value, bytes);
    case CUBLASLT_MATRIX_LAYOUT_ROWS:
      return assign(fields.rows, value, bytes);
    case CUBLASLT_MATRIX_LAYOUT_COLS:
      return assign(fields.cols, value, bytes);
    case CUBLASLT_MATRIX_LAYOUT_LD:
      return assign(fields.ld, value, bytes);
    case CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT:
      return assign(fields.batch_count, value, bytes);
    default:
      return unknown_attribute("matrix layout", attribute);
  }
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  if (const auto status = entered("cublasLtMatmulPreferenceCreate"); status != CUBLAS_STATUS_SUCCESS) return status;
  return create(preference, Preference{});
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  return destroy<Preference>(preference);
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute, const void* value,
                                                    size_t bytes) {
  if (!are_alive({preference})) return CUBLAS_STATUS_INVALID_VALUE;
  auto& fields = *value_of<Preference>(preference);
  switch (attribute) {
    case CUBLASLT_MATMUL_PREF_SEARCH_MODE:
      return assign(fields.search_mode, value, bytes);
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
      return assign(fields.max_workspace_bytes, value, bytes);
    case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK:
      return assign(fields.reduction_schemes, value, bytes);
    case CUBLASLT_MATMUL_PREF_IMPL_MASK:
      return assign(fields.implementations, value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES:
      return assign(fields.alignments[0], value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES:
      return assign(fields.alignments[1], value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES:
      return assign(fields.alignments[2], value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES:
      return assign(fields.alignments[3], value, bytes);
    default:
      return unknown_attribute("preference", attribute);
  }
}

}  // extern "C"
