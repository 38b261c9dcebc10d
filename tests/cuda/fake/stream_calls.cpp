// Streams: created, waited for, asked, destroyed; host functions.
#include <utility>

#include "schedule.h"

namespace xrai::fake {
namespace {

cudaError_t create(State& all, cudaStream_t* handle, unsigned int flags) {
  if ((flags & ~unsigned{cudaStreamNonBlocking}) != 0) return cudaErrorInvalidValue;
  CUstream_st* stream = all.streams.create();
  stream->lane = all.new_lane();
  stream->blocking = (flags & cudaStreamNonBlocking) == 0;
  stream->label = "stream " + std::to_string(stream->lane);
  *handle = stream;
  return cudaSuccess;
}

cudaError_t capture_forbids(CUstream_st& stream) {
  if (stream.capture == nullptr) return cudaSuccess;
  stream.capture->invalid = true;
  return cudaErrorStreamCaptureUnsupported;
}

}  // namespace
}  // namespace xrai::fake

using namespace xrai::fake;  // NOLINT(google-build-using-namespace): the functions below are NVIDIA's, of global scope

extern "C" {

cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  return api("cudaStreamCreate", [&](State& all) { return create(all, stream, cudaStreamDefault); });
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned int flags) {
  return api("cudaStreamCreateWithFlags", [&](State& all) { return create(all, stream, flags); });
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned int flags, int) {
  return api("cudaStreamCreateWithPriority", [&](State& all) { return create(all, stream, flags); });
}

cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  return api("cudaDeviceGetStreamPriorityRange", [&](State&) {
    *least = 0;
    *greatest = -5;
    return cudaSuccess;
  });
}

// As on a card, what is queued still runs; the host learns nothing from it.
cudaError_t cudaStreamDestroy(cudaStream_t handle) {
  return api("cudaStreamDestroy", Door::kCleanup, [&](State& all) {
    if (handle == nullptr || resolve(all, handle) != handle) return cudaErrorInvalidResourceHandle;
    if (const cudaError_t forbidden = capture_forbids(*handle); forbidden != cudaSuccess) return forbidden;
    run_until_empty(all, *handle);
    all.streams.destroy(handle);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
  return api("cudaStreamSynchronize", [&](State& all) {
    CUstream_st* stream = resolve(all, handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (const cudaError_t forbidden = capture_forbids(*stream); forbidden != cudaSuccess) return forbidden;
    ++all.report.synchronisations["cudaStreamSynchronize"];
    run_until_empty(all, *stream);
    host_learns(all, stream->clock);
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceSynchronize() {
  return api("cudaDeviceSynchronize", [&](State& all) {
    if (const cudaError_t refused = refuse_while_capturing(all); refused != cudaSuccess) return refused;
    ++all.report.synchronisations["cudaDeviceSynchronize"];
    run_everything(all);
    host_learns(all, all.default_stream.clock);
    all.streams.each([&](CUstream_st& stream) { host_learns(all, stream.clock); });
    return cudaSuccess;
  });
}

// A question moves the stream by one operation, so that a host that polls comes to an end, but not at once.
cudaError_t cudaStreamQuery(cudaStream_t handle) {
  return api("cudaStreamQuery", [&](State& all) {
    CUstream_st* stream = resolve(all, handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (const cudaError_t forbidden = capture_forbids(*stream); forbidden != cudaSuccess) return forbidden;
    if (!stream->queue.empty()) {
      advance(all, *stream);
      return cudaErrorNotReady;
    }
    host_learns(all, stream->clock);
    return cudaSuccess;
  });
}

cudaError_t cudaLaunchHostFunc(cudaStream_t handle, cudaHostFn_t function, void* data) {
  return api("cudaLaunchHostFunc", [&](State& all) {
    CUstream_st* stream = resolve(all, handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (function == nullptr) return cudaErrorInvalidValue;
    ++all.report.host_functions;
    Operation operation;
    operation.name = "host function";
    operation.type = cudaGraphNodeTypeHost;
    operation.run = [=] { function(data); };
    enqueue(all, *stream, std::move(operation));
    return cudaSuccess;
  });
}

}  // extern "C"
