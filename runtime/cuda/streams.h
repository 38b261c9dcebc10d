// Streams, events and graphs that clean up after themselves.
#pragma once

#include <cuda_runtime_api.h>

#include <utility>

#include "runtime/core/device.h"
#include "runtime/cuda/check.h"

namespace xrai::cuda {

/// A stream that does not wait for the legacy default stream.
class OwnedStream {
 public:
  OwnedStream() { check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking)); }
  OwnedStream(const OwnedStream&) = delete;
  OwnedStream& operator=(const OwnedStream&) = delete;
  ~OwnedStream() { cudaStreamDestroy(stream_); }
  [[nodiscard]] cudaStream_t get() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

class EventMarker final : public Marker {
 public:
  EventMarker() { check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming)); }
  EventMarker(const EventMarker&) = delete;
  EventMarker& operator=(const EventMarker&) = delete;
  ~EventMarker() override { cudaEventDestroy(event_); }
  [[nodiscard]] cudaEvent_t get() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

/// An event that tells the time.
class TimedEvent {
 public:
  TimedEvent() { check(cudaEventCreate(&event_)); }
  TimedEvent(const TimedEvent&) = delete;
  TimedEvent& operator=(const TimedEvent&) = delete;
  ~TimedEvent() { cudaEventDestroy(event_); }
  void record(cudaStream_t stream) { check(cudaEventRecord(event_, stream)); }
  /// Waits until this one is reached.
  [[nodiscard]] float milliseconds_since(const TimedEvent& earlier) const {
    float elapsed = 0;
    check(cudaEventSynchronize(event_));
    check(cudaEventElapsedTime(&elapsed, earlier.event_, event_));
    return elapsed;
  }

 private:
  cudaEvent_t event_ = nullptr;
};

/// A graph that was captured from a stream, made ready to be launched.
class GraphRecording final : public Recording {
 public:
  /// Takes the graph over and destroys it.
  explicit GraphRecording(cudaGraph_t graph);
  GraphRecording(const GraphRecording&) = delete;
  GraphRecording& operator=(const GraphRecording&) = delete;
  ~GraphRecording() override { cudaGraphExecDestroy(executable_); }

  void launch(cudaStream_t stream) { check(cudaGraphLaunch(executable_, stream)); }
  [[nodiscard]] std::size_t n_nodes() const { return n_nodes_; }

 private:
  cudaGraphExec_t executable_ = nullptr;
  std::size_t n_nodes_ = 0;
};

}  // namespace xrai::cuda
