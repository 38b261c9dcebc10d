// Events: marks in streams that other streams and the host wait for, and that tell times.
#include <utility>

#include "schedule.h"

namespace xrai::fake {
namespace {

cudaError_t create(State& all, cudaEvent_t* handle, unsigned int flags) {
  *handle = all.events.create();
  (*handle)->timed = (flags & cudaEventDisableTiming) == 0;
  return cudaSuccess;
}

bool alive(State& all, cudaEvent_t event) {
  if (event != nullptr && all.events.alive(event)) return true;
  find_fault(Fault::kInvalidHandle, "A call was given an event that is not alive.");
  return false;
}

cudaError_t record(State& all, cudaEvent_t event, cudaStream_t handle) {
  CUstream_st* stream = resolve(all, handle);
  if (stream == nullptr || !alive(all, event)) return cudaErrorInvalidResourceHandle;
  event->mark = nullptr;
  event->capture = stream->capture;
  if (stream->capture != nullptr) {
    event->front = stream->front;
    return cudaSuccess;
  }
  Operation operation;
  operation.reaches = event->mark = std::make_shared<Mark>();
  enqueue(all, *stream, std::move(operation));
  return cudaSuccess;
}

bool in_progress(State& all, const std::shared_ptr<Capture>& capture) {
  return std::find(all.captures.begin(), all.captures.end(), capture) != all.captures.end();
}

// Waiting for an event of a capture draws the stream into it.
cudaError_t wait_in_capture(State& all, CUstream_st& stream, const CUevent_st& event) {
  if (event.capture == nullptr) {
    stream.capture->invalid = true;
    return cudaErrorStreamCaptureIsolation;
  }
  if (!in_progress(all, event.capture)) return cudaErrorCapturedEvent;
  if (stream.capture != nullptr && stream.capture != event.capture) {
    stream.capture->invalid = event.capture->invalid = true;
    return cudaErrorStreamCaptureMerge;
  }
  if (&stream == &all.default_stream) {
    event.capture->invalid = true;
    return cudaErrorStreamCaptureImplicit;
  }
  if (stream.capture == nullptr) stream.front.clear();
  stream.capture = event.capture;
  stream.capture->members.insert(&stream);
  for (const std::size_t node : event.front) {
    if (std::find(stream.front.begin(), stream.front.end(), node) == stream.front.end()) stream.front.push_back(node);
  }
  return cudaSuccess;
}

void wait(State& all, CUstream_st& stream, const CUevent_st& event) {
  if (event.mark == nullptr) return;  // never recorded: nothing to wait for
  Operation operation;
  operation.waits = {event.mark};
  join(stream.clock, event.mark->clock);
  enqueue(all, stream, std::move(operation));
}

}  // namespace
}  // namespace xrai::fake

using namespace xrai::fake;  // NOLINT(google-build-using-namespace): the functions below are NVIDIA's, of global scope

extern "C" {

cudaError_t cudaEventCreate(cudaEvent_t* event) {
  return api("cudaEventCreate", [&](State& all) { return create(all, event, cudaEventDefault); });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned int flags) {
  return api("cudaEventCreateWithFlags", [&](State& all) { return create(all, event, flags); });
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  return api("cudaEventDestroy", Door::kCleanup, [&](State& all) {
    if (!alive(all, event)) return cudaErrorInvalidResourceHandle;
    all.events.destroy(event);
    return cudaSuccess;
  });
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return api("cudaEventRecord", [&](State& all) { return record(all, event, stream); });
}

cudaError_t cudaEventRecordWithFlags(cudaEvent_t event, cudaStream_t stream, unsigned int) {
  return api("cudaEventRecordWithFlags", [&](State& all) { return record(all, event, stream); });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event, unsigned int) {
  return api("cudaStreamWaitEvent", [&](State& all) {
    CUstream_st* stream = resolve(all, handle);
    if (stream == nullptr || !alive(all, event)) return cudaErrorInvalidResourceHandle;
    if (event->capture != nullptr || stream->capture != nullptr) return wait_in_capture(all, *stream, *event);
    wait(all, *stream, *event);
    return cudaSuccess;
  });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  return api("cudaEventSynchronize", [&](State& all) {
    if (!alive(all, event)) return cudaErrorInvalidResourceHandle;
    if (event->capture != nullptr) return cudaErrorCapturedEvent;
    ++all.report.synchronisations["cudaEventSynchronize"];
    if (event->mark == nullptr) return cudaSuccess;
    run_until_reached(all, *event->mark);
    host_learns(all, event->mark->clock);
    return cudaSuccess;
  });
}

// A question moves the event's stream by one operation, as cudaStreamQuery does.
cudaError_t cudaEventQuery(cudaEvent_t event) {
  return api("cudaEventQuery", [&](State& all) {
    if (!alive(all, event)) return cudaErrorInvalidResourceHandle;
    if (event->capture != nullptr) return cudaErrorCapturedEvent;
    if (event->mark == nullptr) return cudaSuccess;
    if (!event->mark->reached) {
      advance(all, *event->mark->stream);
      return cudaErrorNotReady;
    }
    host_learns(all, event->mark->clock);
    return cudaSuccess;
  });
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  return api("cudaEventElapsedTime", [&](State& all) {
    if (!alive(all, start) || !alive(all, end)) return cudaErrorInvalidResourceHandle;
    if (!start->timed || !end->timed || start->mark == nullptr || end->mark == nullptr)
      return cudaErrorInvalidResourceHandle;
    if (!start->mark->reached || !end->mark->reached) return cudaErrorNotReady;
    *milliseconds = static_cast<float>(end->mark->time_ms - start->mark->time_ms);
    return cudaSuccess;
  });
}

}  // extern "C"
