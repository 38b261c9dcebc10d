// The test double of cuDNN: the calls. What they do with a graph is in fake_cudnn_execute.cpp.
#include <cudnn.h>
#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <set>

#include "fake_cudnn.h"
#include "fake_cudnn_execute.h"
#include "fake_stream.h"
#include "state.h"
#include "tests/cuda/cudnn/described_gpus.h"

namespace xrai::fake {
namespace {

using RecordPointer = std::shared_ptr<CudnnRecord>;

std::map<cudnnBackendDescriptor_t, RecordPointer>& records() {
  static std::map<cudnnBackendDescriptor_t, RecordPointer> all;
  return all;
}
std::set<cudnnHandle_t>& handles() {
  static std::set<cudnnHandle_t> all;
  return all;
}

/// Opened once and kept: the library does not bear being closed. The double of the driver comes first, under the name
/// by which the library will look for one.
void* real_library() {
  static void* library = [] {
    (void)dlopen(XRAI_NULL_DRIVER, RTLD_NOW | RTLD_GLOBAL);
    return dlopen(XRAI_CUDNN_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  }();
  return library;
}

template <class Function>
Function* real(Function*, const char* name) {
  return reinterpret_cast<Function*>(dlsym(real_library(), name));
}
#define XRAI_REAL(name) real(&name, #name)

/// The described GPU of the present settings.
cudnnBackendDescriptor_t properties() {
  static std::map<std::string, cudnnBackendDescriptor_t> known;
  const std::string& name = state().settings.gpu;
  if (const auto place = known.find(name); place != known.end()) return place->second;
  const std::string json = testing::described_gpu(name).properties;
  cudnnBackendDescriptor_t descriptor = nullptr;
  XRAI_REAL(cudnnBackendCreateDescriptor)(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &descriptor);
  XRAI_REAL(cudnnBackendSetAttribute)
  (descriptor, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, static_cast<std::int64_t>(json.size()),
   json.data());
  XRAI_REAL(cudnnBackendFinalize)(descriptor);
  return known[name] = descriptor;
}

/// An injected error is a cudnnStatus_t; the lost context shows as a failed execution.
cudnnStatus_t entered(const char* call) {
  const int error = library_call(call);
  if (error == 0) return CUDNN_STATUS_SUCCESS;
  return error >= CUDNN_STATUS_NOT_INITIALIZED ? static_cast<cudnnStatus_t>(error)
                                               : CUDNN_STATUS_EXECUTION_FAILED_CUDART;
}

bool is_alive(cudnnHandle_t handle, const char* call) {
  if (handles().contains(handle)) return true;
  add_finding(Fault::kInvalidHandle, std::string(call) + " was given a cuDNN handle that is not alive.");
  return false;
}

RecordPointer record_of(cudnnBackendDescriptor_t descriptor, const char* call) {
  const auto place = records().find(descriptor);
  if (place != records().end()) return place->second;
  add_finding(Fault::kInvalidHandle, std::string(call) + " was given a cuDNN descriptor that is not alive.");
  return nullptr;
}

void remember(CudnnRecord& record, int name, cudnnBackendAttributeType_t type, std::int64_t count, const void* values) {
  CudnnRecord::Attribute& attribute = record.attributes[name];
  attribute = {count, std::vector<std::byte>(size_of(type) * static_cast<std::size_t>(count)), {}};
  if (!attribute.bytes.empty()) std::memcpy(attribute.bytes.data(), values, attribute.bytes.size());
  if (type != CUDNN_TYPE_BACKEND_DESCRIPTOR) return;
  for (std::int64_t i = 0; i < count; ++i)
    if (auto other = record_of(static_cast<const cudnnBackendDescriptor_t*>(values)[i], "cudnnBackendSetAttribute"))
      attribute.records.push_back(std::move(other));
}

/// A live library plans for the GPU of its handle, this one for the described GPU.
void aim(CudnnRecord& record) {
  const cudnnBackendDescriptor_t gpu = properties();
  if (record.type == CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR) XRAI_REAL(cudnnBackendSetAttribute)
  (record.real, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &gpu);
  if (record.type == CUDNN_BACKEND_ENGINE_DESCRIPTOR) XRAI_REAL(cudnnBackendSetAttribute)
  (record.real, CUDNN_ATTR_ENGINE_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &gpu);
}

/// What the real library would miss, since it never sees the handle.
bool lacks_handle(const CudnnRecord& record) {
  return (record.type == CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR && !record.has(CUDNN_ATTR_OPERATIONGRAPH_HANDLE)) ||
         (record.type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR && !record.has(CUDNN_ATTR_EXECUTION_PLAN_HANDLE));
}

/// Whether the engine of a configuration adds up in an order that changes from run to run.
bool adds_in_any_order(cudnnBackendDescriptor_t configuration) {
  cudnnBackendDescriptor_t engine = nullptr;
  if (XRAI_REAL(cudnnBackendCreateDescriptor)(CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine) != CUDNN_STATUS_SUCCESS)
    return false;
  std::array<cudnnBackendNumericalNote_t, CUDNN_NUMERICAL_NOTE_TYPE_COUNT> notes{};
  std::int64_t count = 0, most = CUDNN_NUMERICAL_NOTE_TYPE_COUNT;
  XRAI_REAL(cudnnBackendGetAttribute)
  (configuration, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count, &engine);
  XRAI_REAL(cudnnBackendGetAttribute)
  (engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE, most, &count, notes.data());
  XRAI_REAL(cudnnBackendDestroyDescriptor)(engine);
  const auto end = notes.begin() + std::clamp<std::int64_t>(count, 0, most);
  return std::find(notes.begin(), end, CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC) != end;
}

std::size_t workspace_bytes(cudnnBackendDescriptor_t plan) {
  std::int64_t bytes = 0, count = 0;
  XRAI_REAL(cudnnBackendGetAttribute)
  (plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &count, &bytes);
  return static_cast<std::size_t>(bytes);
}

}  // namespace

std::string why_no_real_cudnn() {
  if (real_library() != nullptr) return "";
  const char* reason = dlerror();
  return std::string("the real cuDNN cannot be opened: ") + (reason == nullptr ? XRAI_CUDNN_LIBRARY : reason);
}

std::size_t size_of(cudnnBackendAttributeType_t type) {
  switch (type) {
    case CUDNN_TYPE_HANDLE:
    case CUDNN_TYPE_INT64:
    case CUDNN_TYPE_DOUBLE:
    case CUDNN_TYPE_VOID_PTR:
    case CUDNN_TYPE_BACKEND_DESCRIPTOR:
    case CUDNN_TYPE_FRACTION:
      return 8;
    case CUDNN_TYPE_BOOLEAN:
    case CUDNN_TYPE_CHAR:
      return 1;
    default:
      return 4;
  }
}

}  // namespace xrai::fake

using namespace xrai::fake;  // NOLINT(google-build-using-namespace): the functions below are NVIDIA's, of global scope

struct cudnnContext {
  cudaStream_t stream = nullptr;
};

extern "C" {

// An injected error is the version.
std::size_t cudnnGetVersion() {
  if (const auto version = entered("cudnnGetVersion"); version != CUDNN_STATUS_SUCCESS)
    return static_cast<std::size_t>(version);
  return real_library() == nullptr ? CUDNN_VERSION : XRAI_REAL(cudnnGetVersion)();
}
std::size_t cudnnGetCudartVersion() {
  return static_cast<std::size_t>(state().settings.runtime_version);
}
// The parts are those of the one library that was opened.
cudnnStatus_t cudnnGraphVersionCheck() {
  const std::lock_guard lock(state().mutex);
  return entered("cudnnGraphVersionCheck");
}
cudnnStatus_t cudnnOpsVersionCheck() {
  const std::lock_guard lock(state().mutex);
  return entered("cudnnOpsVersionCheck");
}
cudnnStatus_t cudnnCnnVersionCheck() {
  const std::lock_guard lock(state().mutex);
  return entered("cudnnCnnVersionCheck");
}
const char* cudnnGetErrorString(cudnnStatus_t status) {
  return real_library() == nullptr ? "cuDNN is not there" : XRAI_REAL(cudnnGetErrorString)(status);
}
void cudnnGetLastErrorString(char* message, std::size_t size) {
  if (size > 0) message[0] = '\0';
  if (real_library() != nullptr) XRAI_REAL(cudnnGetLastErrorString)(message, size);
}

cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  const std::lock_guard lock(state().mutex);
  if (const auto status = entered("cudnnCreate"); status != CUDNN_STATUS_SUCCESS) return status;
  if (real_library() == nullptr || state().settings.devices == 0) return CUDNN_STATUS_NOT_INITIALIZED;
  *handle = *handles().insert(new cudnnContext).first;
  library_handle_created();
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
  const std::lock_guard lock(state().mutex);
  (void)entered("cudnnDestroy");
  if (!is_alive(handle, "cudnnDestroy")) return CUDNN_STATUS_BAD_PARAM;
  handles().erase(handle);
  library_handle_destroyed();
  delete handle;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  const std::lock_guard lock(state().mutex);
  if (const auto status = entered("cudnnSetStream"); status != CUDNN_STATUS_SUCCESS) return status;
  if (!is_alive(handle, "cudnnSetStream")) return CUDNN_STATUS_BAD_PARAM;
  handle->stream = stream;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetStream(cudnnHandle_t handle, cudaStream_t* stream) {
  const std::lock_guard lock(state().mutex);
  if (!is_alive(handle, "cudnnGetStream")) return CUDNN_STATUS_BAD_PARAM;
  *stream = handle->stream;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t* descriptor) {
  const std::lock_guard lock(state().mutex);
  if (const auto status = entered("cudnnBackendCreateDescriptor"); status != CUDNN_STATUS_SUCCESS) return status;
  if (real_library() == nullptr) return CUDNN_STATUS_NOT_INITIALIZED;
  const auto status = XRAI_REAL(cudnnBackendCreateDescriptor)(type, descriptor);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  records()[*descriptor] = std::make_shared<CudnnRecord>(CudnnRecord{type, {}, nullptr, *descriptor});
  library_handle_created();
  return status;
}

cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor) {
  const std::lock_guard lock(state().mutex);
  if (!record_of(descriptor, "cudnnBackendDestroyDescriptor")) return CUDNN_STATUS_BAD_PARAM;
  records().erase(descriptor);
  library_handle_destroyed();
  return XRAI_REAL(cudnnBackendDestroyDescriptor)(descriptor);
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, std::int64_t count, const void* values) {
  const std::lock_guard lock(state().mutex);
  if (const auto status = entered("cudnnBackendSetAttribute"); status != CUDNN_STATUS_SUCCESS) return status;
  const RecordPointer record = record_of(descriptor, "cudnnBackendSetAttribute");
  if (record == nullptr) return CUDNN_STATUS_BAD_PARAM;
  if (type == CUDNN_TYPE_HANDLE) {
    if (!is_alive(*static_cast<const cudnnHandle_t*>(values), "cudnnBackendSetAttribute"))
      return CUDNN_STATUS_BAD_PARAM;
    remember(*record, name, type, count, values);
    return CUDNN_STATUS_SUCCESS;
  }
  const auto status = XRAI_REAL(cudnnBackendSetAttribute)(descriptor, name, type, count, values);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  remember(*record, name, type, count, values);
  if (name == CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG)
    record->in_any_order = adds_in_any_order(*static_cast<const cudnnBackendDescriptor_t*>(values));
  return status;
}

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t const descriptor, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, std::int64_t requested, std::int64_t* count,
                                       void* values) {
  const std::lock_guard lock(state().mutex);
  if (const auto status = entered("cudnnBackendGetAttribute"); status != CUDNN_STATUS_SUCCESS) return status;
  const RecordPointer record = record_of(descriptor, "cudnnBackendGetAttribute");
  if (record == nullptr) return CUDNN_STATUS_BAD_PARAM;
  const auto status = XRAI_REAL(cudnnBackendGetAttribute)(descriptor, name, type, requested, count, values);
  if (status != CUDNN_STATUS_SUCCESS || name != CUDNN_ATTR_ENGINEHEUR_RESULTS || values == nullptr) return status;
  for (std::int64_t i = 0; i < std::min(requested, *count); ++i)
    records().at(static_cast<cudnnBackendDescriptor_t*>(values)[i])->graph =
        record->attributes.at(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH).records.at(0);
  return status;
}

cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t descriptor) {
  const std::lock_guard lock(state().mutex);
  if (const auto status = entered("cudnnBackendFinalize"); status != CUDNN_STATUS_SUCCESS) return status;
  const RecordPointer record = record_of(descriptor, "cudnnBackendFinalize");
  if (record == nullptr) return CUDNN_STATUS_BAD_PARAM;
  if (lacks_handle(*record)) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
  aim(*record);
  return XRAI_REAL(cudnnBackendFinalize)(descriptor);
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan, cudnnBackendDescriptor_t pack) {
  const std::lock_guard lock(state().mutex);
  if (const auto status = entered("cudnnBackendExecute"); status != CUDNN_STATUS_SUCCESS) return status;
  const RecordPointer plan_record = record_of(plan, "cudnnBackendExecute");
  const RecordPointer pack_record = record_of(pack, "cudnnBackendExecute");
  if (!is_alive(handle, "cudnnBackendExecute") || !plan_record || !pack_record) return CUDNN_STATUS_BAD_PARAM;
  return execute_graph(handle->stream, *plan_record, workspace_bytes(plan), *pack_record);
}
}
