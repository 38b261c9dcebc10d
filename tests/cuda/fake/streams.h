// Operations, streams, events and graphs of the fake device: the structs behind NVIDIA's opaque handles.
#pragma once

#include <cuda_runtime_api.h>

#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "clocks.h"

namespace xrai::fake {

/// A place in a stream's queue, reached or not. Events and waits share it, so an event may be destroyed meanwhile.
struct Mark {
  bool reached = false;
  CUstream_st* stream = nullptr;
  Clock clock;         // what is over once it is reached
  double time_ms = 0;  // of the device, when it was reached
};

struct Operation {
  std::string name;  // empty: a bare wait or mark
  cudaGraphNodeType type = cudaGraphNodeTypeKernel;
  std::vector<Span> spans;
  std::function<void()> run;
  std::vector<std::shared_ptr<Mark>> waits;
  std::shared_ptr<Mark> reaches;
  // Given when it is queued:
  Stamp stamp;
  Clock clock;
};

struct GraphNode {
  Operation operation;
  std::vector<std::size_t> after;  // nodes that come before it; smaller indices
};

struct Capture {
  CUgraph_st* graph = nullptr;
  CUstream_st* origin = nullptr;
  cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  std::thread::id thread;
  bool invalid = false;
  std::set<CUstream_st*> members;
};

}  // namespace xrai::fake

struct CUstream_st {
  int lane = 0;
  bool blocking = true;  // with respect to the legacy default stream
  std::string label;     // "stream 2"
  std::deque<xrai::fake::Operation> queue;
  xrai::fake::Clock clock;  // of what was queued
  std::shared_ptr<xrai::fake::Capture> capture;
  std::vector<std::size_t> front;  // while captured: the nodes that the next one comes after
};

struct CUevent_st {
  bool timed = true;
  std::shared_ptr<xrai::fake::Mark> mark;  // of the latest record
  std::shared_ptr<xrai::fake::Capture> capture;
  std::vector<std::size_t> front;
};

struct CUgraphNode_st {
  cudaGraphNodeType type;
};

struct CUgraph_st {
  std::vector<xrai::fake::GraphNode> nodes;
  std::deque<CUgraphNode_st> handles;
};

struct CUgraphExec_st {
  std::shared_ptr<const std::vector<xrai::fake::GraphNode>> nodes;
  std::vector<int> lanes;  // of each node
  // Launches of one executable graph follow each other, whatever their streams:
  xrai::fake::Clock finished;
  std::shared_ptr<xrai::fake::Mark> previous;
};
