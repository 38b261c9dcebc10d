// The test double of the CUDA runtime as tests see it: how the fake device behaves, and what it found. It is linked in
// the place of libcudart; the code under test includes NVIDIA's headers and knows nothing of it. No declarations for
// the fake libraries here: those are in fake_stream.h.
//
// Work is queued and runs only when something forces it. Device memory is 0xFF (NaN) when fresh and out of the host's
// reach, as on a card. Everything is held under one lock, so host functions must not wait for other threads.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace xrai::fake {

/// In which order queued work runs, within what streams and events allow.
struct Policy {
  enum Order {
    kEager,        // at once: what a lucky machine does
    kLazy,         // as late as possible, and only what is needed
    kOthersFirst,  // when forced: all other streams before the one that is waited for
    kRandom        // when forced: streams in an order that follows from the seed
  };
  Order order = kLazy;
  std::uint64_t seed = 1;
};

/// The card. Figures are the vendor's published ones.
struct Gpu {
  const char* name;
  int major, minor;  // compute capability
  int multiprocessors;
  std::size_t memory_bytes;
  int clock_khz, memory_clock_khz, bus_bits;
  int l2_bytes;
  int shared_optin_bytes;  // shared memory a block can have on request
  int threads_per_multiprocessor;
};
/// By the names V100, T4, A100, RTX 3090, RTX 4090, H100, B200, RTX 5090. Throws std::invalid_argument for another.
const Gpu& gpu(const std::string& name);
std::vector<std::string> gpu_names();

/// The nth call (from 1) of `call` returns `error` (a status of the library that has the call) and does nothing else.
/// With cudaSuccess it is a call that somebody forgot: only for calls of the CUDA runtime.
struct InjectedError {
  std::string call;  // "cudaMalloc", "cublasLtMatmul", ...
  int nth = 1;
  int error = cudaErrorUnknown;
};

/// After this many executed operations the context is lost: every later call returns the error.
struct StickyError {
  std::int64_t after_operations = -1;  // -1: never
  cudaError_t error = cudaErrorIllegalAddress;
};

struct Settings {
  Policy policy = {};
  std::string gpu = "A100";
  int devices = 1;               // 0: cudaErrorNoDevice
  std::size_t memory_bytes = 0;  // 0: what the card has
  int driver_version = CUDART_VERSION;
  int runtime_version = CUDART_VERSION;
  std::vector<InjectedError> injected_errors = {};
  StickyError sticky_error = {};
  /// Milliseconds that an operation seems to take, for event times. Default: 0.01 each.
  std::function<float(const std::string& operation)> duration_ms = {};
};

enum class Fault {
  kRace,            // two operations touch the same memory, one writes, and nothing orders them
  kHostRace,        // the host changed memory that a queued copy still had to read
  kOutOfRange,      // a range that is not inside one live device allocation, or bytes written past an allocation
  kWrongDirection,  // cudaMemcpyKind does not fit the pointers
  kInvalidFree,     // freed twice, or never allocated
  kInvalidHandle,   // a stream, event, graph or library handle that is not alive
  kKernel,          // the kernel emulation complained
  kMisuse           // anything else that the real libraries leave undefined
};

struct Finding {
  Fault fault;
  std::string text;  // one sentence
};

struct Leaks {
  int device_allocations = 0, pinned_allocations = 0, streams = 0, events = 0, graphs = 0, executable_graphs = 0;
  int library_handles = 0;  // handles and descriptors of the fake libraries
  std::size_t device_bytes = 0;
  [[nodiscard]] int count() const {
    return device_allocations + pinned_allocations + streams + events + graphs + executable_graphs + library_handles;
  }
};

struct Report {
  std::vector<Finding> findings;
  Leaks leaks;                                  // what is alive now
  std::map<std::string, int> calls;             // of the runtime and the fake libraries, by name
  std::map<std::string, int> synchronisations;  // calls in which the host waited for the device, by name
  std::map<std::string, int> executed;          // operations that ran, by name; those of graphs too
  int allocations = 0;                          // device and pinned
  int launches = 0;                             // kernels queued or captured
  int memcpys = 0, memsets = 0, host_functions = 0;
  int pageable_async = 0;  // asynchronous copies from or to pageable memory, which are not asynchronous
  int captures = 0, graph_launches = 0;
  int profiler_starts = 0, profiler_stops = 0;
  std::size_t peak_device_bytes = 0;

  [[nodiscard]] int count(Fault fault) const;
  /// Findings and leaks as lines; empty when there are none. EXPECT_EQ(report().complaints(), "") is the usual claim.
  [[nodiscard]] std::string complaints() const;
};

/// A fresh device. Everything that is alive is dropped: no handle or pointer from before may be used again.
void reset(Settings settings = {});
/// What happened since reset. Queued work that nothing forced has not run.
Report report();

}  // namespace xrai::fake
