#include "runtime/cuda/cudnn_graph.h"

#include <algorithm>
#include <utility>

namespace xrai::cuda {
namespace {

// Every buffer of a device begins at 256 bytes and slices of arenas are aligned; 16 is what vector loads of all engines
// are content with.
constexpr std::int64_t kAlignment = 16;

ExitCode exit_code(cudnnStatus_t status) {
  switch (status) {
    case CUDNN_STATUS_NOT_INITIALIZED:
    case CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH:
    case CUDNN_STATUS_SUBLIBRARY_LOADING_FAILED:
    case CUDNN_STATUS_NOT_SUPPORTED_SUBLIBRARY_UNAVAILABLE:
    case CUDNN_STATUS_NOT_SUPPORTED_INCOMPATIBLE_CUDA_DRIVER:
    case CUDNN_STATUS_NOT_SUPPORTED_INCOMPATIBLE_CUDART:
      return ExitCode::kNoDevice;
    case CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED:
    case CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED:
      return ExitCode::kOutOfMemory;
    default:
      return ExitCode::kFailure;
  }
}

}  // namespace

std::string last_cudnn_error() {
  std::array<char, 1024> text{};
  cudnnGetLastErrorString(text.data(), text.size());
  std::string sentence(text.data());
  std::replace(sentence.begin(), sentence.end(), '\n', ' ');
  while (!sentence.empty() && sentence.back() == ' ') sentence.pop_back();
  return sentence;
}

void check(cudnnStatus_t status, std::source_location where) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  const std::string sentence = fmt::format("cuDNN refused: {} ({})", cudnnGetErrorString(status), last_cudnn_error());
  const ExitCode code = exit_code(status);
  if (code == ExitCode::kFailure && CUDNN_STATUS_CATEGORY(status) == CUDNN_STATUS_NOT_SUPPORTED)
    throw NotSupported(code, sentence, where);
  throw Error(code, sentence, where);
}

CudnnDescriptor::CudnnDescriptor(cudnnBackendDescriptorType_t type) {
  check(cudnnBackendCreateDescriptor(type, &descriptor_));
}

CudnnDescriptor::CudnnDescriptor(CudnnDescriptor&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, nullptr)) {}

CudnnDescriptor& CudnnDescriptor::operator=(CudnnDescriptor&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

CudnnDescriptor::~CudnnDescriptor() {
  if (descriptor_ != nullptr) (void)cudnnBackendDestroyDescriptor(descriptor_);
}

void CudnnDescriptor::set(cudnnBackendAttributeName_t name, const CudnnDescriptor& other) {
  const cudnnBackendDescriptor_t descriptor = other.get();
  set_descriptors(name, std::span(&descriptor, 1));
}

void CudnnDescriptor::set_descriptors(cudnnBackendAttributeName_t name,
                                      std::span<const cudnnBackendDescriptor_t> others) {
  set_values(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, static_cast<std::int64_t>(others.size()), others.data());
}

void CudnnDescriptor::set_values(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::int64_t count,
                                 const void* values) {
  check(cudnnBackendSetAttribute(descriptor_, name, type, count, values));
}

std::size_t CudnnDescriptor::read_values(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                                         std::int64_t at_most, void* values) const {
  std::int64_t count = 0;
  check(cudnnBackendGetAttribute(descriptor_, name, type, at_most, &count, values));
  return static_cast<std::size_t>(std::clamp<std::int64_t>(count, 0, at_most));
}

std::int64_t CudnnDescriptor::get_number(cudnnBackendAttributeName_t name) const {
  std::int64_t number = 0;
  if (read_values(name, CUDNN_TYPE_INT64, 1, &number) != 1)
    throw Error(ExitCode::kFailure, fmt::format("cuDNN has no value for attribute {}", static_cast<int>(name)));
  return number;
}

void CudnnDescriptor::read_descriptors(cudnnBackendAttributeName_t name, std::vector<CudnnDescriptor>& into) const {
  std::vector<cudnnBackendDescriptor_t> raw;
  raw.reserve(into.size());
  for (const CudnnDescriptor& descriptor : into) raw.push_back(descriptor.get());
  into.resize(read_values(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, static_cast<std::int64_t>(raw.size()), raw.data()));
}

void CudnnDescriptor::finalize(std::source_location where) {
  check(cudnnBackendFinalize(descriptor_), where);
}

cudnnStatus_t CudnnDescriptor::try_finalize() {
  return cudnnBackendFinalize(descriptor_);
}

CudnnTarget CudnnTarget::live(cudnnHandle_t handle, std::string gpu) {
  CudnnTarget target(std::move(gpu));
  target.handle_ = handle;
  return target;
}

CudnnTarget CudnnTarget::described(const std::string& properties, std::string gpu) {
  CudnnTarget target(std::move(gpu));
  target.properties_ = CudnnDescriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  target.properties_.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, std::span<const char>(properties));
  target.properties_.finalize();
  return target;
}

void CudnnTarget::aim_graph(CudnnDescriptor& graph) const {
  if (handle_ != nullptr) graph.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, handle_);
}

void CudnnTarget::aim_heuristics(CudnnDescriptor& heuristics) const {
  if (handle_ == nullptr) heuristics.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, properties_);
}

void CudnnTarget::aim_plan(CudnnDescriptor& plan) const {
  if (handle_ != nullptr) plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, handle_);
}

const CudnnDescriptor& CudnnGraph::tensor(const CudnnTensor& tensor) {
  const auto& [n, channels, height, width] = tensor.dimensions;
  CudnnDescriptor& descriptor = part(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  descriptor.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, tensor.uid);
  descriptor.set(CUDNN_ATTR_TENSOR_DATA_TYPE, tensor.type);
  descriptor.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, kAlignment);
  descriptor.set(CUDNN_ATTR_TENSOR_DIMENSIONS, tensor.dimensions);
  descriptor.set(CUDNN_ATTR_TENSOR_STRIDES,
                 std::array<std::int64_t, 4>{height * width * channels, 1, width * channels, channels});
  descriptor.set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, tensor.is_virtual);
  descriptor.finalize();
  if (tensor.is_virtual) return descriptor;
  const std::size_t size = tensor.type == CUDNN_DATA_FLOAT ? 4 : tensor.type == CUDNN_DATA_INT8 ? 1 : 2;
  uids_.push_back(tensor.uid);
  bytes_.push_back(static_cast<std::size_t>(n * channels * height * width) * size);
  return descriptor;
}

CudnnDescriptor& CudnnGraph::part(cudnnBackendDescriptorType_t type) {
  return parts_.emplace_back(type);
}

CudnnDescriptor& CudnnGraph::operation(cudnnBackendDescriptorType_t type) {
  return operations_.emplace_back(type);
}

void CudnnGraph::finalize(const CudnnTarget& target) {
  std::vector<cudnnBackendDescriptor_t> operations;
  operations.reserve(operations_.size());
  for (const CudnnDescriptor& operation : operations_) operations.push_back(operation.get());
  graph_ = CudnnDescriptor(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  graph_.set_descriptors(CUDNN_ATTR_OPERATIONGRAPH_OPS, operations);
  target.aim_graph(graph_);
  graph_.finalize();
}

}  // namespace xrai::cuda
