// Copies and fills: direction, ranges, and what pageable host memory makes of "asynchronous".
#include <cstring>
#include <utility>

#include "schedule.h"

namespace xrai::fake {
namespace {

/// Rows of `width` bytes; a plain copy is one row.
struct Copy {
  char* to;
  const char* from;
  std::size_t width, rows = 1, to_pitch = 0, from_pitch = 0;
  cudaMemcpyKind kind;
};

const char* name_of(cudaMemcpyKind kind) {
  return kind == cudaMemcpyHostToDevice   ? "memcpy host to device"
         : kind == cudaMemcpyDeviceToHost ? "memcpy device to host"
         : kind == cudaMemcpyHostToHost   ? "memcpy host to host"
                                          : "memcpy device to device";
}

std::size_t reach(const Copy& copy, std::size_t pitch) {
  return copy.rows == 0 || copy.width == 0 ? 0 : (copy.rows - 1) * pitch + copy.width;
}

Span span_of(const void* begin, std::size_t bytes, bool write) {
  return {address_of(begin), address_of(begin) + bytes, write};
}

cudaError_t check_direction(State& all, Copy& copy) {
  const bool to_device = all.memory.in_region(copy.to), from_device = all.memory.in_region(copy.from);
  const cudaMemcpyKind real = to_device && from_device ? cudaMemcpyDeviceToDevice
                              : to_device              ? cudaMemcpyHostToDevice
                              : from_device            ? cudaMemcpyDeviceToHost
                                                       : cudaMemcpyHostToHost;
  if (copy.kind == cudaMemcpyDefault) copy.kind = real;
  if (copy.kind == real) return cudaSuccess;
  find_fault(Fault::kWrongDirection,
             std::string("A copy called '") + name_of(copy.kind) + "' is really '" + name_of(real) + "'.");
  return cudaErrorInvalidValue;
}

// Device memory must be allocated; pinned memory that begins in a block must not run past it.
cudaError_t check_range(State& all, const void* begin, std::size_t bytes, const std::string& what) {
  const bool fits = all.memory.in_region(begin) ? all.memory.contains(begin, bytes)
                                                : !all.pinned.contains(begin, 1) || all.pinned.contains(begin, bytes);
  if (bytes == 0 || fits) return cudaSuccess;
  find_fault(Fault::kOutOfRange, what + " of " + std::to_string(bytes) + " bytes from " +
                                     describe(all, address_of(begin)) + " does not fit there.");
  return cudaErrorInvalidValue;
}

void move_rows(const Copy& copy) {
  for (std::size_t row = 0; row < copy.rows; ++row)
    std::memmove(copy.to + row * copy.to_pitch, copy.from + row * copy.from_pitch, copy.width);
}

// What the driver does with pageable memory: a copy of its own, made at the call.
void stage(Copy copy, Operation& operation, std::size_t bytes) {
  auto staged = std::make_shared<std::vector<char>>(copy.from, copy.from + bytes);
  std::erase_if(operation.spans, [](const Span& span) { return !span.write; });
  operation.run = [copy, staged]() mutable {
    copy.from = staged->data();
    move_rows(copy);
  };
}

enum class Host { kMayWait, kMustNotWait };

cudaError_t queue_copy(State& all, Copy copy, cudaStream_t handle, Host host) {
  CUstream_st* stream = resolve(all, handle);
  if (stream == nullptr) return cudaErrorInvalidResourceHandle;
  const std::size_t to_bytes = reach(copy, copy.to_pitch), from_bytes = reach(copy, copy.from_pitch);
  cudaError_t error = check_direction(all, copy);
  if (error == cudaSuccess) error = check_range(all, copy.to, to_bytes, "A copy into");
  if (error == cudaSuccess) error = check_range(all, copy.from, from_bytes, "A copy out");
  if (error != cudaSuccess) return error;
  ++all.report.memcpys;
  Operation operation;
  operation.name = name_of(copy.kind);
  operation.type = cudaGraphNodeTypeMemcpy;
  operation.spans = {span_of(copy.from, from_bytes, false), span_of(copy.to, to_bytes, true)};
  operation.run = [copy] { move_rows(copy); };
  const auto pageable = [&](const void* begin, std::size_t bytes) {
    return bytes != 0 && !all.memory.in_region(begin) && !all.pinned.contains(begin, bytes);
  };
  const bool from_pageable = pageable(copy.from, from_bytes), to_pageable = pageable(copy.to, to_bytes);
  if (host == Host::kMustNotWait && (from_pageable || to_pageable)) ++all.report.pageable_async;
  if (from_pageable && stream->capture == nullptr) stage(copy, operation, from_bytes);
  enqueue(all, *stream, std::move(operation));
  const bool waits = to_pageable || (host == Host::kMayWait && copy.kind != cudaMemcpyDeviceToDevice);
  if (waits && stream->capture == nullptr) {
    run_until_empty(all, *stream);
    host_learns(all, stream->clock);
  }
  return cudaSuccess;
}

cudaError_t queue_fill(State& all, void* begin, int value, std::size_t bytes, cudaStream_t handle) {
  CUstream_st* stream = resolve(all, handle);
  if (stream == nullptr) return cudaErrorInvalidResourceHandle;
  if (!all.memory.in_region(begin) && bytes != 0) {
    find_fault(Fault::kMisuse, "cudaMemset was given a host pointer.");
    return cudaErrorInvalidValue;
  }
  if (const cudaError_t error = check_range(all, begin, bytes, "A fill"); error != cudaSuccess) return error;
  ++all.report.memsets;
  Operation operation;
  operation.name = "memset";
  operation.type = cudaGraphNodeTypeMemset;
  operation.spans = {span_of(begin, bytes, true)};
  operation.run = [=] { std::memset(begin, value, bytes); };
  enqueue(all, *stream, std::move(operation));
  return cudaSuccess;
}

Copy plain(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  return {static_cast<char*>(to), static_cast<const char*>(from), bytes, 1, bytes, bytes, kind};
}

}  // namespace
}  // namespace xrai::fake

using namespace xrai::fake;  // NOLINT(google-build-using-namespace): the functions below are NVIDIA's, of global scope

extern "C" {

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  return api("cudaMemcpyAsync",
             [&](State& all) { return queue_copy(all, plain(to, from, bytes, kind), stream, Host::kMustNotWait); });
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  return api("cudaMemcpy", [&](State& all) {
    if (const cudaError_t refused = refuse_while_capturing(all); refused != cudaSuccess) return refused;
    ++all.report.synchronisations["cudaMemcpy"];
    return queue_copy(all, plain(to, from, bytes, kind), nullptr, Host::kMayWait);
  });
}

cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width,
                              size_t height, cudaMemcpyKind kind, cudaStream_t stream) {
  return api("cudaMemcpy2DAsync", [&](State& all) {
    if (width > to_pitch || width > from_pitch) return cudaErrorInvalidPitchValue;
    Copy copy = plain(to, from, width, kind);
    copy.rows = height;
    copy.to_pitch = to_pitch;
    copy.from_pitch = from_pitch;
    return queue_copy(all, copy, stream, Host::kMustNotWait);
  });
}

cudaError_t cudaMemsetAsync(void* begin, int value, size_t bytes, cudaStream_t stream) {
  return api("cudaMemsetAsync", [&](State& all) { return queue_fill(all, begin, value, bytes, stream); });
}

cudaError_t cudaMemset(void* begin, int value, size_t bytes) {
  return api("cudaMemset", [&](State& all) {
    if (const cudaError_t refused = refuse_while_capturing(all); refused != cudaSuccess) return refused;
    return queue_fill(all, begin, value, bytes, nullptr);
  });
}

}  // extern "C"
