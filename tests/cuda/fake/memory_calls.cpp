// cudaMalloc and its kin: tables, limits, what a freed pointer may still be used for.
#include "schedule.h"

namespace xrai::fake {
namespace {

cudaError_t allocate_device(State& all, void** pointer, std::size_t bytes) {
  *pointer = nullptr;
  if (bytes == 0) return cudaSuccess;
  *pointer = all.memory.allocate(bytes);
  if (*pointer == nullptr) return cudaErrorMemoryAllocation;
  ++all.report.allocations;
  return cudaSuccess;
}

cudaError_t invalid_free(const char* call) {
  find_fault(Fault::kInvalidFree, std::string(call) + " was given a pointer that is not allocated (any more).");
  return cudaErrorInvalidValue;
}

bool is_allocation(State& all, const void* pointer) {
  const auto* allocation = all.memory.find(pointer);
  return allocation != nullptr && allocation->begin == address_of(pointer);
}

void release_device(State& all, void* pointer) {
  const auto* allocation = all.memory.find(pointer);
  all.races.forget(allocation->begin, allocation->begin + allocation->bytes);
  if (std::string finding = all.memory.release(pointer); !finding.empty())
    find_fault(Fault::kOutOfRange, std::move(finding));
}

// Nothing may still be running with the memory that goes.
void finish_before_freeing(State& all, const char* call) {
  ++all.report.synchronisations[call];
  run_everything(all);
}

cudaError_t allocate_pinned(State& all, void** pointer, std::size_t bytes) {
  if (const cudaError_t refused = refuse_while_capturing(all); refused != cudaSuccess) return refused;
  *pointer = all.pinned.allocate(bytes);
  if (*pointer == nullptr) return cudaErrorMemoryAllocation;
  ++all.report.allocations;
  return cudaSuccess;
}

}  // namespace
}  // namespace xrai::fake

using namespace xrai::fake;  // NOLINT(google-build-using-namespace): the functions below are NVIDIA's, of global scope

extern "C" {

cudaError_t cudaMalloc(void** pointer, size_t bytes) {
  return api("cudaMalloc", [&](State& all) {
    if (const cudaError_t refused = refuse_while_capturing(all); refused != cudaSuccess) return refused;
    return allocate_device(all, pointer, bytes);
  });
}

cudaError_t cudaFree(void* pointer) {
  return api("cudaFree", Door::kCleanup, [&](State& all) {
    if (pointer == nullptr) return cudaSuccess;
    if (const cudaError_t refused = refuse_while_capturing(all); refused != cudaSuccess) return refused;
    if (!is_allocation(all, pointer)) return invalid_free("cudaFree");
    finish_before_freeing(all, "cudaFree");
    release_device(all, pointer);
    return cudaSuccess;
  });
}

cudaError_t cudaMallocAsync(void** pointer, size_t bytes, cudaStream_t handle) {
  return api("cudaMallocAsync", [&](State& all) {
    CUstream_st* stream = resolve(all, handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (stream->capture != nullptr) return cudaErrorNotSupported;
    return allocate_device(all, pointer, bytes);
  });
}

// The free is an operation of its own that writes the memory: whoever still uses it unordered is in a race with it.
cudaError_t cudaFreeAsync(void* pointer, cudaStream_t handle) {
  return api("cudaFreeAsync", [&](State& all) {
    CUstream_st* stream = resolve(all, handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (stream->capture != nullptr) return cudaErrorNotSupported;
    if (!is_allocation(all, pointer)) return invalid_free("cudaFreeAsync");
    Operation operation;
    operation.name = "free";
    const auto begin = address_of(pointer);
    operation.spans = {{begin, begin + all.memory.find(pointer)->bytes, true}};
    operation.run = [&all, pointer] { release_device(all, pointer); };
    enqueue(all, *stream, std::move(operation));
    return cudaSuccess;
  });
}

cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total_bytes) {
  return api("cudaMemGetInfo", [&](State& all) {
    *free_bytes = all.memory.capacity() - all.memory.used();
    *total_bytes = all.memory.capacity();
    return cudaSuccess;
  });
}

cudaError_t cudaMallocHost(void** pointer, size_t bytes) {
  return api("cudaMallocHost", [&](State& all) { return allocate_pinned(all, pointer, bytes); });
}

cudaError_t cudaHostAlloc(void** pointer, size_t bytes, unsigned int) {
  return api("cudaHostAlloc", [&](State& all) { return allocate_pinned(all, pointer, bytes); });
}

cudaError_t cudaFreeHost(void* pointer) {
  return api("cudaFreeHost", Door::kCleanup, [&](State& all) {
    if (pointer == nullptr) return cudaSuccess;
    if (const cudaError_t refused = refuse_while_capturing(all); refused != cudaSuccess) return refused;
    if (!all.pinned.contains(pointer, 1)) return invalid_free("cudaFreeHost");
    finish_before_freeing(all, "cudaFreeHost");
    const std::size_t bytes = all.pinned.bytes_at(pointer);
    all.races.forget(address_of(pointer), address_of(pointer) + bytes);
    all.host_reads.forget(address_of(pointer), address_of(pointer) + bytes);
    return all.pinned.release(pointer) ? cudaSuccess : invalid_free("cudaFreeHost");
  });
}

cudaError_t cudaHostRegister(void* pointer, size_t bytes, unsigned int) {
  return api("cudaHostRegister", [&](State& all) {
    if (pointer == nullptr || bytes == 0) return cudaErrorInvalidValue;
    if (!all.pinned.register_range(pointer, bytes)) return cudaErrorHostMemoryAlreadyRegistered;
    ++all.report.allocations;
    return cudaSuccess;
  });
}

cudaError_t cudaHostUnregister(void* pointer) {
  return api("cudaHostUnregister", Door::kCleanup, [&](State& all) {
    finish_before_freeing(all, "cudaHostUnregister");
    const std::size_t bytes = all.pinned.bytes_at(pointer);
    all.races.forget(address_of(pointer), address_of(pointer) + bytes);
    all.host_reads.forget(address_of(pointer), address_of(pointer) + bytes);
    if (all.pinned.unregister(pointer)) return cudaSuccess;
    invalid_free("cudaHostUnregister");
    return cudaErrorHostMemoryNotRegistered;
  });
}

cudaError_t cudaHostGetDevicePointer(void** device, void* host, unsigned int) {
  return api("cudaHostGetDevicePointer", [&](State& all) {
    if (!all.pinned.contains(host, 1)) return cudaErrorInvalidValue;
    *device = host;
    return cudaSuccess;
  });
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer) {
  return api("cudaPointerGetAttributes", [&](State& all) {
    *attributes = {};
    attributes->type = cudaMemoryTypeUnregistered;
    attributes->device = -2;  // no device: what the runtime says of pageable memory
    attributes->hostPointer = const_cast<void*>(pointer);
    if (all.memory.find(pointer) != nullptr) {
      attributes->type = cudaMemoryTypeDevice;
      attributes->device = 0;
      attributes->devicePointer = attributes->hostPointer;
      attributes->hostPointer = nullptr;
    } else if (all.pinned.contains(pointer, 1)) {
      attributes->type = cudaMemoryTypeHost;
      attributes->device = 0;
      attributes->devicePointer = attributes->hostPointer;
    }
    return cudaSuccess;
  });
}

}  // extern "C"
