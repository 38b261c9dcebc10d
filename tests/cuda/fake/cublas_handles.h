// Handles and descriptors of the fake cuBLASLt: which are alive, and what lies behind them. Internal to the fake.
#pragma once

#include <cublasLt.h>

#include <initializer_list>
#include <mutex>

#include "fake_stream.h"
#include "state.h"

struct cublasLtContext {};

namespace xrai::fake {

struct Preference {
  std::uint64_t max_workspace_bytes = 0;
  std::uint32_t reduction_schemes = CUBLASLT_REDUCTION_SCHEME_MASK;
  std::uint32_t search_mode = CUBLASLT_SEARCH_BEST_FIT;
  std::uint64_t implementations = ~std::uint64_t{0};
  std::uint32_t alignments[4] = {256, 256, 256, 256};  // of a, b, c, d
};

bool are_alive(std::initializer_list<const void*> handles);
/// An injected error is a cublasStatus_t; the lost context shows as EXECUTION_FAILED.
cublasStatus_t entered(const char* call);

template <class Value>
Value* value_of(const void* handle) {
  return static_cast<Value*>(const_cast<void*>(handle));
}

template <class Value, class Handle>
cublasStatus_t create(Handle* handle, const Value& value) {
  const std::lock_guard lock(state().mutex);
  auto* owned = new Value(value);
  state().cublas_handles.insert(owned);
  library_handle_created();
  *handle = reinterpret_cast<Handle>(owned);
  return CUBLAS_STATUS_SUCCESS;
}

template <class Value>
cublasStatus_t destroy(const void* handle) {
  const std::lock_guard lock(state().mutex);
  if (handle == nullptr) return CUBLAS_STATUS_SUCCESS;
  if (!are_alive({handle})) return CUBLAS_STATUS_INVALID_VALUE;
  state().cublas_handles.erase(handle);
  library_handle_destroyed();
  delete value_of<Value>(handle);
  return CUBLAS_STATUS_SUCCESS;
}

}  // namespace xrai::fake
