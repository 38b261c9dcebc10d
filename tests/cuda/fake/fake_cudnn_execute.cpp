#include "fake_cudnn_execute.h"

#include <cstring>
#include <optional>

#include "fake_cudnn_graph.h"
#include "fake_stream.h"

namespace xrai::fake {
namespace {

constexpr std::uintptr_t kWorkspaceAlignment = 16;

/// One execution with all its memory.
struct Execution {
  CudnnProgram program;
  std::map<std::int64_t, void*> memory;
  Range workspace;
  std::map<std::int64_t, CudnnTensorView> reads, writes;  // by uid
};

Range range_of(const Execution& execution, const CudnnTensorView& tensor) {
  return {execution.memory.at(tensor.uid), tensor.bytes()};
}

bool overlap(const Range& a, const Range& b) {
  const auto* a_begin = static_cast<const std::byte*>(a.begin);
  const auto* b_begin = static_cast<const std::byte*>(b.begin);
  return a.bytes > 0 && b.bytes > 0 && a_begin < b_begin + b.bytes && b_begin < a_begin + a.bytes;
}

Execution assemble(const CudnnRecord& plan, std::size_t workspace_bytes, const CudnnRecord& pack) {
  Execution execution;
  execution.program = read_program(*plan.record(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG).graph);
  if (plan.in_any_order) execution.program.name += ", sums in any order";
  const auto uids = pack.values<std::int64_t>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
  const auto pointers = pack.values<void*>(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
  for (std::size_t i = 0; i < uids.size() && i < pointers.size(); ++i) execution.memory[uids[i]] = pointers[i];
  execution.workspace = {pack.value<void*>(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, nullptr), workspace_bytes};
  for (const CudnnStep& step : execution.program.steps) {
    for (const CudnnTensorView& tensor : step.inputs())
      if (!tensor.is_virtual) execution.reads[tensor.uid] = tensor;
    for (const CudnnTensorView& tensor : step.outputs())
      if (!tensor.is_virtual) execution.writes[tensor.uid] = tensor;
  }
  return execution;
}

struct Objection {
  Fault fault;
  cudnnStatus_t status;
  std::string text;
};

std::optional<Objection> objection_to(const Execution& execution, const CudnnTensorView& tensor) {
  const std::string name = "tensor " + std::to_string(tensor.uid);
  const auto place = execution.memory.find(tensor.uid);
  if (place == execution.memory.end() || place->second == nullptr)
    return Objection{Fault::kMisuse, CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "no memory for " + name};
  if (reinterpret_cast<std::uintptr_t>(place->second) % static_cast<std::uintptr_t>(tensor.alignment) != 0)
    return Objection{Fault::kMisuse, CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER, name + " less aligned than promised"};
  if (!is_device_range(place->second, tensor.bytes()))
    return Objection{Fault::kOutOfRange, CUDNN_STATUS_EXECUTION_FAILED,
                     name + " (" + std::to_string(tensor.bytes()) + " bytes) outside one allocation"};
  return std::nullopt;
}

std::optional<Objection> objection_to_workspace(const Range& workspace) {
  if (workspace.bytes == 0) return std::nullopt;
  if (workspace.begin == nullptr) return Objection{Fault::kMisuse, CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "no workspace"};
  if (reinterpret_cast<std::uintptr_t>(workspace.begin) % kWorkspaceAlignment != 0)
    return Objection{Fault::kMisuse, CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER, "a workspace not aligned to 16 bytes"};
  if (!is_device_range(workspace.begin, workspace.bytes))
    return Objection{Fault::kOutOfRange, CUDNN_STATUS_EXECUTION_FAILED,
                     "a workspace of " + std::to_string(workspace.bytes) + " bytes outside one allocation"};
  return std::nullopt;
}

/// What is written must not lie over anything else of the same call.
std::optional<Objection> objection_to_overlaps(const Execution& execution) {
  const auto over = [](const std::string& a, const std::string& b) {
    return Objection{Fault::kMisuse, CUDNN_STATUS_BAD_PARAM, a + " over " + b};
  };
  for (const auto& [uid, tensor] : execution.writes) {
    const Range range = range_of(execution, tensor);
    const std::string name = "tensor " + std::to_string(uid);
    if (overlap(range, execution.workspace)) return over(name, "the workspace");
    for (const auto* others : {&execution.reads, &execution.writes})
      for (const auto& [other_uid, other] : *others)
        if (other_uid != uid && overlap(range, range_of(execution, other)))
          return over(name, "tensor " + std::to_string(other_uid));
  }
  for (const auto& [uid, tensor] : execution.reads)
    if (overlap(execution.workspace, range_of(execution, tensor)))
      return over("the workspace", "tensor " + std::to_string(uid));
  return std::nullopt;
}

std::optional<Objection> objection(const Execution& execution) {
  for (const auto* tensors : {&execution.reads, &execution.writes})
    for (const auto& [uid, tensor] : *tensors)
      if (auto found = objection_to(execution, tensor)) return found;
  if (auto found = objection_to_workspace(execution.workspace)) return found;
  return objection_to_overlaps(execution);
}

cudnnStatus_t queue(cudaStream_t stream, const Execution& execution) {
  std::vector<Range> reads, writes{execution.workspace};
  for (const auto& [uid, tensor] : execution.reads) reads.push_back(range_of(execution, tensor));
  for (const auto& [uid, tensor] : execution.writes) writes.push_back(range_of(execution, tensor));
  const cudaError_t error = enqueue_operation(stream, execution.program.name, reads, writes, [execution] {
    // Nothing may be expected of a workspace, before or after.
    if (execution.workspace.bytes > 0)
      std::memset(const_cast<void*>(execution.workspace.begin), 0xFF, execution.workspace.bytes);
    run_program(execution.program, execution.memory);
  });
  return error == cudaSuccess ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_EXECUTION_FAILED_CUDART;
}

}  // namespace

cudnnStatus_t execute_graph(cudaStream_t stream, const CudnnRecord& plan, std::size_t workspace_bytes,
                            const CudnnRecord& pack) {
  try {
    const Execution execution = assemble(plan, workspace_bytes, pack);
    const auto found = objection(execution);
    if (!found) return queue(stream, execution);
    add_finding(found->fault, "cudnnBackendExecute (" + execution.program.name + ") was given " + found->text + ".");
    return found->status;
  } catch (const std::exception& error) {
    add_finding(Fault::kMisuse, std::string("The fake cuDNN cannot execute this graph: ") + error.what() + ".");
    return CUDNN_STATUS_NOT_SUPPORTED;
  }
}

}  // namespace xrai::fake
