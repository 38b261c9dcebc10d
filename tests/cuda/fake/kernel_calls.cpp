// Kernels of the emulation and operations of the fake libraries, on streams; what is asked about kernels.
#include <optional>
#include <utility>

#include "fake_stream.h"
#include "schedule.h"
#include "tests/cuda/emulation/emulation.h"

namespace xrai::fake {
namespace {

bool device_may_touch(const void* begin, std::size_t bytes) {
  const State& all = state();
  return all.memory.contains(begin, bytes) || all.pinned.contains(begin, bytes);
}

bool fits(State& all, const emulation::Launch& launch) {
  constexpr std::uint64_t kMostThreads = 1024, kMaxGridYZ = 65535;
  const auto volume = [](const dim3& size) { return std::uint64_t{size.x} * size.y * size.z; };
  const std::uint64_t threads = volume(launch.block);
  return threads != 0 && threads <= kMostThreads && volume(launch.grid) != 0 && launch.grid.x <= 0x7fffffffU &&
         launch.grid.y <= kMaxGridYZ && launch.grid.z <= kMaxGridYZ && launch.block.z <= 64 &&
         launch.shared_bytes <= static_cast<std::size_t>(gpu(all.settings.gpu).shared_optin_bytes);
}

// Runs the kernel; what it really touched (known in the race build) goes to the detector of the streams.
void run_kernel(State& all, const emulation::Launch& launch) {
  emulation::run(launch);
  for (const emulation::Access& access : emulation::last_accesses()) {
    const Span span{address_of(access.begin), address_of(access.begin) + access.bytes, access.write};
    touch(all, span, *all.running);
  }
}

std::optional<std::string> misplaced(State& all, const std::vector<Range>& ranges) {
  for (const Range& range : ranges) {
    if (!all.memory.contains(range.begin, range.bytes))
      return std::to_string(range.bytes) + " bytes from " + describe(all, address_of(range.begin));
  }
  return std::nullopt;
}

void add_spans(Operation& operation, const std::vector<Range>& ranges, bool write) {
  for (const Range& range : ranges) {
    const auto begin = address_of(range.begin);
    if (range.bytes != 0) operation.spans.push_back({begin, begin + range.bytes, write});
  }
}

}  // namespace

void install_kernel_hooks() {
  emulation::set_device_memory_check(device_may_touch);
}

cudaError_t enqueue_operation(cudaStream_t handle, std::string name, std::vector<Range> reads,
                              std::vector<Range> writes, std::function<void()> run) {
  State& all = state();
  const std::lock_guard lock(all.mutex);
  CUstream_st* stream = resolve(all, handle);
  if (stream == nullptr) return cudaErrorInvalidResourceHandle;
  for (const auto* ranges : {&reads, &writes}) {
    const auto outside = misplaced(all, *ranges);
    if (!outside) continue;
    find_fault(Fault::kOutOfRange, "'" + name + "' was given " + *outside + ", which are not in one allocation.");
    return cudaErrorInvalidValue;
  }
  Operation operation;
  operation.name = std::move(name);
  add_spans(operation, reads, false);
  add_spans(operation, writes, true);
  operation.run = std::move(run);
  enqueue(all, *stream, std::move(operation));
  if (all.running == nullptr) all.memory.close();
  return all.lost;
}

}  // namespace xrai::fake

namespace xrai::emulation {

// The strong definition: the emulation's own, which runs the kernel at once, is weak.
cudaError_t enqueue(cudaStream_t handle, Launch launch) {
  return fake::api("cudaLaunchKernel", [&](fake::State& all) {
    CUstream_st* stream = fake::resolve(all, handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (!fake::fits(all, launch)) return cudaErrorInvalidConfiguration;
    ++all.report.launches;
    fake::Operation operation;
    operation.name = launch.kernel;
    operation.run = [&all, launch = std::move(launch)] { fake::run_kernel(all, launch); };
    fake::enqueue(all, *stream, std::move(operation));
    return cudaSuccess;
  });
}

}  // namespace xrai::emulation

using namespace xrai::fake;  // NOLINT(google-build-using-namespace): the functions below are NVIDIA's, of global scope

extern "C" {

// Registers and limits of kernels are known to nvcc only; these are the figures of a modest kernel.
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* function) {
  return api("cudaFuncGetAttributes", [&](State& all) {
    if (function == nullptr) return cudaErrorInvalidDeviceFunction;
    const Gpu& card = gpu(all.settings.gpu);
    *attributes = {};
    attributes->maxThreadsPerBlock = 1024;
    attributes->numRegs = 32;
    attributes->ptxVersion = attributes->binaryVersion = card.major * 10 + card.minor;
    attributes->maxDynamicSharedSizeBytes = 48 * 1024;
    return cudaSuccess;
  });
}

cudaError_t cudaFuncSetAttribute(const void* function, cudaFuncAttribute attribute, int value) {
  return api("cudaFuncSetAttribute", [&](State& all) {
    if (function == nullptr) return cudaErrorInvalidDeviceFunction;
    const bool too_much = attribute == cudaFuncAttributeMaxDynamicSharedMemorySize &&
                          (value < 0 || value > gpu(all.settings.gpu).shared_optin_bytes);
    return too_much ? cudaErrorInvalidValue : cudaSuccess;
  });
}

// What threads and shared memory allow; registers are not known.
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void* function, int block_size,
                                                          size_t shared_bytes) {
  return api("cudaOccupancyMaxActiveBlocksPerMultiprocessor", [&](State& all) {
    if (function == nullptr) return cudaErrorInvalidDeviceFunction;
    if (block_size <= 0 || block_size > 1024) return cudaErrorInvalidValue;
    const Gpu& card = gpu(all.settings.gpu);
    constexpr int kReservedBytes = 1024, kMaxBlocks = 16;
    const auto by_shared = static_cast<std::size_t>(card.shared_optin_bytes) / (shared_bytes + kReservedBytes);
    *blocks = std::min({card.threads_per_multiprocessor / block_size, static_cast<int>(by_shared), kMaxBlocks});
    return cudaSuccess;
  });
}

}  // extern "C"
