// What the fake libraries (cuBLASLt, cuDNN) need of the fake runtime: to queue an operation with the memory it touches,
// to fail on request, and to be counted. Tests of the product use fake_cuda.h only.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "fake_cuda.h"

namespace xrai::fake {

struct Range {
  const void* begin = nullptr;
  std::size_t bytes = 0;
};

/// Queues on the stream, or adds to the graph that the stream is captured into. Ranges must be device memory; empty
/// ones are ignored. `run` is called under the runtime's lock, perhaps several times (graphs), perhaps never.
cudaError_t enqueue_operation(cudaStream_t stream, std::string name, std::vector<Range> reads,
                              std::vector<Range> writes, std::function<void()> run);

/// True where all bytes are in one live device allocation (or there are none).
bool is_device_range(const void* begin, std::size_t bytes);
/// Counts the call; the injected error where one is due, the sticky error where the context is lost, else 0.
int library_call(const std::string& name);
void library_handle_created();
void library_handle_destroyed();
void add_finding(Fault fault, std::string text);

}  // namespace xrai::fake
