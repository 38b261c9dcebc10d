// Which device there is, what it can do, versions, error texts, the profiler's switch.
#include <cuda_profiler_api.h>

#include <cstdio>
#include <cstring>
#include <utility>

#include "schedule.h"

namespace xrai::fake {
namespace {

constexpr int kWarp = 32, kMaxThreads = 1024, kRegisters = 65536, kBlocksPerMultiprocessor = 16;
constexpr int kSharedPerBlock = 48 << 10, kSharedReserved = 1 << 10;

cudaError_t valid_device(const State& all, int device) {
  return device >= 0 && device < all.settings.devices ? cudaSuccess : cudaErrorInvalidDevice;
}

void fill_limits(cudaDeviceProp& properties) {
  properties.warpSize = kWarp;
  properties.maxThreadsPerBlock = kMaxThreads;
  const int block[3] = {1024, 1024, 64}, grid[3] = {0x7fffffff, 65535, 65535};
  std::memcpy(properties.maxThreadsDim, block, sizeof block);
  std::memcpy(properties.maxGridSize, grid, sizeof grid);
  properties.totalConstMem = 64 << 10;
  properties.memPitch = 0x7fffffff;
  properties.sharedMemPerBlock = kSharedPerBlock;
  properties.reservedSharedMemPerBlock = kSharedReserved;
  properties.regsPerBlock = properties.regsPerMultiprocessor = kRegisters;
  properties.maxBlocksPerMultiProcessor = kBlocksPerMultiprocessor;
  properties.textureAlignment = 512;
  properties.texturePitchAlignment = 32;
  properties.canMapHostMemory = properties.concurrentKernels = properties.unifiedAddressing = 1;
  properties.streamPrioritiesSupported = properties.managedMemory = properties.cooperativeLaunch = 1;
  properties.memoryPoolsSupported = properties.hostRegisterSupported = 1;
  properties.asyncEngineCount = 2;
  properties.pciBusID = 1;
}

void fill(const State& all, cudaDeviceProp& properties) {
  const Gpu& card = gpu(all.settings.gpu);
  std::memset(&properties, 0, sizeof properties);
  fill_limits(properties);
  std::snprintf(properties.name, sizeof properties.name, "%s", card.name);
  properties.major = card.major;
  properties.minor = card.minor;
  properties.totalGlobalMem = all.memory.capacity();
  properties.multiProcessorCount = card.multiprocessors;
  properties.memoryBusWidth = card.bus_bits;
  properties.l2CacheSize = card.l2_bytes;
  properties.maxThreadsPerMultiProcessor = card.threads_per_multiprocessor;
  properties.sharedMemPerBlockOptin = static_cast<std::size_t>(card.shared_optin_bytes);
  properties.sharedMemPerMultiprocessor = static_cast<std::size_t>(card.shared_optin_bytes + kSharedReserved);
}

constexpr int kUnknownAttribute = -1;

int attribute_of(const Gpu& card, cudaDeviceAttr which) {
  switch (which) {
    case cudaDevAttrComputeCapabilityMajor:
      return card.major;
    case cudaDevAttrComputeCapabilityMinor:
      return card.minor;
    case cudaDevAttrMultiProcessorCount:
      return card.multiprocessors;
    case cudaDevAttrClockRate:
      return card.clock_khz;
    case cudaDevAttrMemoryClockRate:
      return card.memory_clock_khz;
    case cudaDevAttrGlobalMemoryBusWidth:
      return card.bus_bits;
    case cudaDevAttrL2CacheSize:
      return card.l2_bytes;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      return card.shared_optin_bytes;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
      return card.shared_optin_bytes + kSharedReserved;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
      return card.threads_per_multiprocessor;
    default:
      return kUnknownAttribute;
  }
}

int attribute_of_all(cudaDeviceAttr which) {
  constexpr std::pair<cudaDeviceAttr, int> kCommon[] = {
      {cudaDevAttrMaxSharedMemoryPerBlock, kSharedPerBlock},
      {cudaDevAttrReservedSharedMemoryPerBlock, kSharedReserved},
      {cudaDevAttrMaxThreadsPerBlock, kMaxThreads},
      {cudaDevAttrMaxBlocksPerMultiprocessor, kBlocksPerMultiprocessor},
      {cudaDevAttrMaxRegistersPerBlock, kRegisters},
      {cudaDevAttrMaxRegistersPerMultiprocessor, kRegisters},
      {cudaDevAttrWarpSize, kWarp},
      {cudaDevAttrMemoryPoolsSupported, 1},
      {cudaDevAttrUnifiedAddressing, 1},
      {cudaDevAttrCooperativeLaunch, 1},
      {cudaDevAttrConcurrentKernels, 1},
      {cudaDevAttrAsyncEngineCount, 2},
      {cudaDevAttrPciBusId, 1},
      {cudaDevAttrPciDeviceId, 0},
      {cudaDevAttrPciDomainId, 0},
      {cudaDevAttrTccDriver, 0},
      {cudaDevAttrIntegrated, 0},
  };
  for (const auto& [attribute, value] : kCommon) {
    if (attribute == which) return value;
  }
  return kUnknownAttribute;
}

struct ErrorText {
  cudaError_t error;
  const char *name, *text;
};
#define XRAI_ERROR(error, text) \
  { error, #error, text }
constexpr ErrorText kErrors[] = {
    XRAI_ERROR(cudaSuccess, "no error"),
    XRAI_ERROR(cudaErrorInvalidValue, "invalid argument"),
    XRAI_ERROR(cudaErrorMemoryAllocation, "out of memory"),
    XRAI_ERROR(cudaErrorInitializationError, "initialization error"),
    XRAI_ERROR(cudaErrorInvalidConfiguration, "invalid configuration argument"),
    XRAI_ERROR(cudaErrorInsufficientDriver, "CUDA driver version is insufficient for CUDA runtime version"),
    XRAI_ERROR(cudaErrorInvalidDeviceFunction, "invalid device function"),
    XRAI_ERROR(cudaErrorNoDevice, "no CUDA-capable device is detected"),
    XRAI_ERROR(cudaErrorInvalidDevice, "invalid device ordinal"),
    XRAI_ERROR(cudaErrorNoKernelImageForDevice, "no kernel image is available for execution on the device"),
    XRAI_ERROR(cudaErrorInvalidResourceHandle, "invalid resource handle"),
    XRAI_ERROR(cudaErrorIllegalState, "the operation cannot be performed in the present state"),
    XRAI_ERROR(cudaErrorNotReady, "device not ready"),
    XRAI_ERROR(cudaErrorIllegalAddress, "an illegal memory access was encountered"),
    XRAI_ERROR(cudaErrorLaunchFailure, "unspecified launch failure"),
    XRAI_ERROR(cudaErrorNotPermitted, "operation not permitted"),
    XRAI_ERROR(cudaErrorNotSupported, "operation not supported"),
    XRAI_ERROR(cudaErrorStreamCaptureUnsupported, "operation not permitted when stream is capturing"),
    XRAI_ERROR(cudaErrorStreamCaptureInvalidated, "operation failed due to a previous error during capture"),
    XRAI_ERROR(cudaErrorStreamCaptureMerge, "operation would result in a merge of separate capture sequences"),
    XRAI_ERROR(cudaErrorStreamCaptureUnmatched, "capture was not ended in the same stream as it began"),
    XRAI_ERROR(cudaErrorStreamCaptureUnjoined, "capturing stream has unjoined work"),
    XRAI_ERROR(cudaErrorStreamCaptureIsolation, "dependency created on uncaptured work in another stream"),
    XRAI_ERROR(cudaErrorStreamCaptureImplicit, "operation would make the legacy stream depend on a capturing one"),
    XRAI_ERROR(cudaErrorCapturedEvent, "operation not permitted on an event last recorded in a capturing stream"),
    XRAI_ERROR(cudaErrorUnknown, "unknown error"),
};
#undef XRAI_ERROR

const ErrorText* find_text(cudaError_t error) {
  const auto found =
      std::find_if(std::begin(kErrors), std::end(kErrors), [&](const auto& e) { return e.error == error; });
  return found == std::end(kErrors) ? nullptr : found;
}

}  // namespace
}  // namespace xrai::fake

using namespace xrai::fake;  // NOLINT(google-build-using-namespace): the functions below are NVIDIA's, of global scope

extern "C" {

cudaError_t cudaGetDeviceCount(int* count) {
  return api("cudaGetDeviceCount", [&](State& all) {
    *count = all.settings.devices;
    return cudaSuccess;
  });
}

cudaError_t cudaGetDevice(int* device) {
  return api("cudaGetDevice", [&](State&) {
    *device = 0;
    return cudaSuccess;
  });
}

// Several devices may be seen, but all memory and streams are of the first.
cudaError_t cudaSetDevice(int device) {
  return api("cudaSetDevice", [&](State& all) {
    if (const cudaError_t error = valid_device(all, device); error != cudaSuccess) return error;
    if (device != 0)
      find_fault(Fault::kMisuse, "cudaSetDevice chose another device than 0, which is only a name here.");
    return cudaSuccess;
  });
}

// How the host waits makes no difference here.
cudaError_t cudaSetDeviceFlags(unsigned int) {
  return api("cudaSetDeviceFlags", [](State&) { return cudaSuccess; });
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  return api("cudaGetDeviceProperties", [&](State& all) {
    if (const cudaError_t error = valid_device(all, device); error != cudaSuccess) return error;
    fill(all, *properties);
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr which, int device) {
  return api("cudaDeviceGetAttribute", [&](State& all) {
    if (const cudaError_t error = valid_device(all, device); error != cudaSuccess) return error;
    int answer = attribute_of(gpu(all.settings.gpu), which);
    if (answer == kUnknownAttribute) answer = attribute_of_all(which);
    if (answer == kUnknownAttribute) {
      find_fault(Fault::kMisuse, "The fake runtime has no device attribute " + std::to_string(which) + ".");
      return cudaErrorInvalidValue;
    }
    *value = answer;
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetPCIBusId(char* text, int length, int device) {
  return api("cudaDeviceGetPCIBusId", [&](State& all) {
    if (const cudaError_t error = valid_device(all, device); error != cudaSuccess) return error;
    std::snprintf(text, static_cast<std::size_t>(length), "0000:01:00.0");
    return cudaSuccess;
  });
}

cudaError_t cudaDriverGetVersion(int* version) {
  return api("cudaDriverGetVersion", Door::kAlways, [&](State& all) {
    *version = all.settings.driver_version;
    return cudaSuccess;
  });
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  return api("cudaRuntimeGetVersion", Door::kAlways, [&](State& all) {
    *version = all.settings.runtime_version;
    return cudaSuccess;
  });
}

cudaError_t cudaGetLastError() {
  return take_last_error(true);
}

cudaError_t cudaPeekAtLastError() {
  return take_last_error(false);
}

const char* cudaGetErrorName(cudaError_t error) {
  const ErrorText* known = find_text(error);
  return known == nullptr ? "an error that the fake runtime has no name for" : known->name;
}

const char* cudaGetErrorString(cudaError_t error) {
  const ErrorText* known = find_text(error);
  return known == nullptr ? "an error that the fake runtime has no text for" : known->text;
}

cudaError_t cudaProfilerStart() {
  return api("cudaProfilerStart", [&](State& all) {
    ++all.report.profiler_starts;
    return cudaSuccess;
  });
}

cudaError_t cudaProfilerStop() {
  return api("cudaProfilerStop", [&](State& all) {
    ++all.report.profiler_stops;
    return cudaSuccess;
  });
}

}  // extern "C"
