// cuDNN's graph descriptors as values that clean up after themselves, and the GPU they are made for: a live one behind
// a handle, or one described by its properties, for which the library plans just the same without a device. What the
// operations are stands in cudnn_operations.h, which plan is taken in cudnn_plan.h.
#pragma once

#include <cudnn.h>

#include <array>
#include <cstdint>
#include <deque>
#include <source_location>
#include <span>
#include <string>
#include <vector>

#include "runtime/cuda/check.h"

namespace xrai::cuda {

/// Throws Error with the library's own words: kOutOfMemory, kNoDevice for a library that does not fit, else kFailure;
/// NotSupported where the status says so.
void check(cudnnStatus_t status, std::source_location where = std::source_location::current());

/// What cudnnGetLastErrorString says about the last failure, without the line breaks.
std::string last_cudnn_error();

/// How the library calls the type of a value; only what is listed can be set.
template <class T>
struct CudnnAttribute;
template <>
struct CudnnAttribute<std::int64_t> {
  static constexpr auto kType = CUDNN_TYPE_INT64;
};
template <>
struct CudnnAttribute<float> {
  static constexpr auto kType = CUDNN_TYPE_FLOAT;
};
template <>
struct CudnnAttribute<bool> {
  static constexpr auto kType = CUDNN_TYPE_BOOLEAN;
};
template <>
struct CudnnAttribute<char> {
  static constexpr auto kType = CUDNN_TYPE_CHAR;
};
template <>
struct CudnnAttribute<void*> {
  static constexpr auto kType = CUDNN_TYPE_VOID_PTR;
};
template <>
struct CudnnAttribute<cudnnHandle_t> {
  static constexpr auto kType = CUDNN_TYPE_HANDLE;
};
template <>
struct CudnnAttribute<cudnnDataType_t> {
  static constexpr auto kType = CUDNN_TYPE_DATA_TYPE;
};
template <>
struct CudnnAttribute<cudnnConvolutionMode_t> {
  static constexpr auto kType = CUDNN_TYPE_CONVOLUTION_MODE;
};
template <>
struct CudnnAttribute<cudnnPointwiseMode_t> {
  static constexpr auto kType = CUDNN_TYPE_POINTWISE_MODE;
};
template <>
struct CudnnAttribute<cudnnResampleMode_t> {
  static constexpr auto kType = CUDNN_TYPE_RESAMPLE_MODE;
};
template <>
struct CudnnAttribute<cudnnPaddingMode_t> {
  static constexpr auto kType = CUDNN_TYPE_PADDING_MODE;
};
template <>
struct CudnnAttribute<cudnnNanPropagation_t> {
  static constexpr auto kType = CUDNN_TYPE_NAN_PROPOGATION;
};
template <>
struct CudnnAttribute<cudnnBackendHeurMode_t> {
  static constexpr auto kType = CUDNN_TYPE_HEUR_MODE;
};
template <>
struct CudnnAttribute<cudnnBackendNumericalNote_t> {
  static constexpr auto kType = CUDNN_TYPE_NUMERICAL_NOTE;
};
template <>
struct CudnnAttribute<cudnnBackendKnobType_t> {
  static constexpr auto kType = CUDNN_TYPE_KNOB_TYPE;
};
template <>
struct CudnnAttribute<cudnnBackendBehaviorNote_t> {
  static constexpr auto kType = CUDNN_TYPE_BEHAVIOR_NOTE;
};

/// Owns one backend descriptor.
class CudnnDescriptor {
 public:
  CudnnDescriptor() = default;
  explicit CudnnDescriptor(cudnnBackendDescriptorType_t type);
  CudnnDescriptor(CudnnDescriptor&& other) noexcept;
  CudnnDescriptor& operator=(CudnnDescriptor&& other) noexcept;
  ~CudnnDescriptor();

  [[nodiscard]] cudnnBackendDescriptor_t get() const { return descriptor_; }

  template <class T>
  void set(cudnnBackendAttributeName_t name, const T& value) {
    set_values(name, CudnnAttribute<T>::kType, 1, &value);
  }
  template <class T>
  void set(cudnnBackendAttributeName_t name, std::span<const T> values) {
    set_values(name, CudnnAttribute<T>::kType, static_cast<std::int64_t>(values.size()), values.data());
  }
  template <class T, std::size_t kCount>
  void set(cudnnBackendAttributeName_t name, const std::array<T, kCount>& values) {
    set(name, std::span<const T>(values));
  }
  void set(cudnnBackendAttributeName_t name, const CudnnDescriptor& other);
  void set_descriptors(cudnnBackendAttributeName_t name, std::span<const cudnnBackendDescriptor_t> others);

  /// All the values the library has for this name, at most `at_most`.
  template <class T>
  [[nodiscard]] std::vector<T> get_values(cudnnBackendAttributeName_t name, std::int64_t at_most) const {
    std::vector<T> values(static_cast<std::size_t>(at_most));
    values.resize(read_values(name, CudnnAttribute<T>::kType, at_most, values.data()));
    return values;
  }
  /// The one number of this name.
  [[nodiscard]] std::int64_t get_number(cudnnBackendAttributeName_t name) const;
  /// Descriptors come out by being read into finished or empty ones; `into` is shortened to what came.
  void read_descriptors(cudnnBackendAttributeName_t name, std::vector<CudnnDescriptor>& into) const;

  void finalize(std::source_location where = std::source_location::current());
  /// For what may well not be supported.
  [[nodiscard]] cudnnStatus_t try_finalize();

 private:
  void set_values(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::int64_t count,
                  const void* values);
  [[nodiscard]] std::size_t read_values(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                                        std::int64_t at_most, void* values) const;

  cudnnBackendDescriptor_t descriptor_ = nullptr;
};

/// The GPU that graphs are planned for.
class CudnnTarget {
 public:
  /// The GPU of a live handle, which must outlive what is planned for it.
  static CudnnTarget live(cudnnHandle_t handle, std::string gpu);
  /// A GPU known by its properties only (JSON, the keys cuDNN documents for CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION).
  /// Plans can be made and looked at; they cannot be executed. Needs cuDNN 9.8.
  static CudnnTarget described(const std::string& properties, std::string gpu);

  /// For messages: "H100".
  [[nodiscard]] const std::string& gpu() const { return gpu_; }
  void aim_graph(CudnnDescriptor& graph) const;
  void aim_heuristics(CudnnDescriptor& heuristics) const;
  void aim_plan(CudnnDescriptor& plan) const;

 private:
  explicit CudnnTarget(std::string gpu) : gpu_(std::move(gpu)) {}

  std::string gpu_;
  cudnnHandle_t handle_ = nullptr;
  CudnnDescriptor properties_;
};

/// A tensor of a graph. dimensions are (n, channels, height, width), as the library counts them whatever the layout;
/// in memory channels are last. Weights are (filters, channels / groups, kh, kw).
struct CudnnTensor {
  std::int64_t uid = 0;
  cudnnDataType_t type = CUDNN_DATA_FLOAT;
  std::array<std::int64_t, 4> dimensions{};
  bool is_virtual = false;  // lives inside the fused kernel, has no memory
};

/// Operations over tensors, on their way to be planned. References to descriptors stay good while the graph lives.
class CudnnGraph {
 public:
  /// what: "the forward pass of a 3x3 convolution of (32, 96, 96, 16) ..., bfloat16": for messages.
  explicit CudnnGraph(std::string what) : what_(std::move(what)) {}

  const CudnnDescriptor& tensor(const CudnnTensor& tensor);
  /// A descriptor that operations refer to (of a convolution, a pointwise function, a pooling window).
  CudnnDescriptor& part(cudnnBackendDescriptorType_t type);
  CudnnDescriptor& operation(cudnnBackendDescriptorType_t type);
  /// After the last operation; the graph then is ready for the heuristics.
  void finalize(const CudnnTarget& target);

  [[nodiscard]] const std::string& what() const { return what_; }
  [[nodiscard]] const CudnnDescriptor& descriptor() const { return graph_; }
  /// Of the tensors that need memory, in the order they were made.
  [[nodiscard]] const std::vector<std::int64_t>& uids() const { return uids_; }
  /// Bytes of those tensors, in the same order.
  [[nodiscard]] const std::vector<std::size_t>& bytes() const { return bytes_; }

 private:
  std::string what_;
  std::deque<CudnnDescriptor> parts_, operations_;
  std::vector<std::int64_t> uids_;
  std::vector<std::size_t> bytes_;
  CudnnDescriptor graph_;
};

}  // namespace xrai::cuda
