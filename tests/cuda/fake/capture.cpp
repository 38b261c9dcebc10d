// Stream capture: operations become nodes, streams are drawn in by events and must have come back at the end.
#include <utility>

#include "schedule.h"

namespace xrai::fake {
namespace {

void drop(State& all, const std::shared_ptr<Capture>& capture) {
  for (CUstream_st* member : capture->members) {
    member->capture = nullptr;
    member->front.clear();
  }
  std::erase(all.captures, capture);
}

// Every node must come before the end of the stream in which the capture began.
bool joined(const Capture& capture) {
  const auto& nodes = capture.graph->nodes;
  std::vector<bool> reached(nodes.size());
  for (const std::size_t node : capture.origin->front) reached[node] = true;
  for (std::size_t i = nodes.size(); i-- > 0;) {
    if (!reached[i]) return false;
    for (const std::size_t before : nodes[i].after) reached[before] = true;
  }
  return true;
}

cudaError_t begin(State& all, CUstream_st& stream, cudaStreamCaptureMode mode) {
  if (&stream == &all.default_stream) return cudaErrorStreamCaptureUnsupported;
  if (stream.capture != nullptr) return cudaErrorIllegalState;
  auto capture = std::make_shared<Capture>();
  capture->graph = all.graphs.create();
  capture->origin = &stream;
  capture->mode = mode;
  capture->thread = std::this_thread::get_id();
  capture->members = {&stream};
  stream.capture = capture;
  stream.front.clear();
  all.captures.push_back(std::move(capture));
  ++all.report.captures;
  return cudaSuccess;
}

cudaError_t verdict(const Capture& capture) {
  if (capture.mode != cudaStreamCaptureModeRelaxed && capture.thread != std::this_thread::get_id())
    return cudaErrorStreamCaptureWrongThread;
  if (capture.invalid) return cudaErrorStreamCaptureInvalidated;
  return joined(capture) ? cudaSuccess : cudaErrorStreamCaptureUnjoined;
}

cudaError_t end(State& all, CUstream_st& stream, cudaGraph_t* graph) {
  *graph = nullptr;
  const auto capture = stream.capture;
  if (capture == nullptr) return cudaErrorIllegalState;
  if (capture->origin != &stream) {
    capture->invalid = true;
    return cudaErrorStreamCaptureUnmatched;
  }
  const cudaError_t error = verdict(*capture);
  drop(all, capture);
  if (error == cudaSuccess)
    *graph = capture->graph;
  else
    all.graphs.destroy(capture->graph);
  return error;
}

}  // namespace

void add_node(CUstream_st& stream, Operation operation) {
  if (operation.name.empty()) return;  // a mark: events keep the front themselves
  CUgraph_st& graph = *stream.capture->graph;
  graph.handles.push_back({operation.type});
  graph.nodes.push_back({std::move(operation), stream.front});
  stream.front = {graph.nodes.size() - 1};
}

cudaError_t refuse_while_capturing(State& all) {
  bool refused = false;
  for (const auto& capture : all.captures) {
    const bool forbids =
        capture->mode == cudaStreamCaptureModeGlobal ||
        (capture->mode == cudaStreamCaptureModeThreadLocal && capture->thread == std::this_thread::get_id());
    if (forbids) refused = capture->invalid = true;
  }
  return refused ? cudaErrorStreamCaptureUnsupported : cudaSuccess;
}

}  // namespace xrai::fake

using namespace xrai::fake;  // NOLINT(google-build-using-namespace): the functions below are NVIDIA's, of global scope

extern "C" {

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode mode) {
  return api("cudaStreamBeginCapture", [&](State& all) {
    CUstream_st* stream = resolve(all, handle);
    return stream == nullptr ? cudaErrorInvalidResourceHandle : begin(all, *stream, mode);
  });
}

cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph) {
  return api("cudaStreamEndCapture", Door::kCleanup, [&](State& all) {
    CUstream_st* stream = resolve(all, handle);
    return stream == nullptr ? cudaErrorInvalidResourceHandle : end(all, *stream, graph);
  });
}

cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
  return api("cudaStreamIsCapturing", [&](State& all) {
    const CUstream_st* stream = resolve(all, handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    *status = stream->capture == nullptr ? cudaStreamCaptureStatusNone
              : stream->capture->invalid ? cudaStreamCaptureStatusInvalidated
                                         : cudaStreamCaptureStatusActive;
    return cudaSuccess;
  });
}

}  // extern "C"
