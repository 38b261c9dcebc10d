#include "runtime/cuda/memory.h"

#include <algorithm>
#include <cstring>

namespace xrai::cuda {
namespace {

constexpr std::size_t kBounceBytes = std::size_t{4} << 20;

void free_device(void* bytes, std::size_t) noexcept {
  cudaFree(bytes);
}
void free_pinned(void* bytes, std::size_t) noexcept {
  cudaFreeHost(bytes);
}

double mebibytes(std::size_t bytes) {
  return static_cast<double>(bytes) / (1 << 20);
}

bool is_pinned(const void* host) {
  cudaPointerAttributes attributes{};
  check(cudaPointerGetAttributes(&attributes, host));
  return attributes.type == cudaMemoryTypeHost;
}

}  // namespace

Buffer allocate_device(std::size_t bytes) {
  const std::size_t size = std::max<std::size_t>(bytes, 1);
  void* memory = nullptr;
  const cudaError_t status = cudaMalloc(&memory, size);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    std::size_t free = 0, total = 0;
    check(cudaMemGetInfo(&free, &total));
    throw Error(ExitCode::kOutOfMemory,
                fmt::format("out of GPU memory: {:.1f} MiB more are needed, {:.1f} of {:.1f} MiB are "
                            "free; try a smaller --batch-size or --image-size",
                            mebibytes(size), mebibytes(free), mebibytes(total)));
  }
  check(status);
  return {memory, size, free_device};
}

std::uint64_t free_device_bytes() {
  std::size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total));
  return free;
}

Buffer allocate_pinned(std::size_t bytes) {
  const std::size_t size = std::max<std::size_t>(bytes, 1);
  void* memory = nullptr;
  const cudaError_t status = cudaHostAlloc(&memory, size, cudaHostAllocDefault);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    throw Error(ExitCode::kOutOfMemory,
                fmt::format("out of memory: {:.1f} MiB could not be pinned for the GPU; try a "
                            "smaller --batch-size, or raise the limit on locked memory (ulimit -l)",
                            mebibytes(size)));
  }
  check(status);
  return {memory, size, free_pinned};
}

HostCopies::HostCopies() : bounce_(allocate_pinned(kBounceBytes)) {}

void HostCopies::upload(void* to, const void* from, std::size_t bytes, cudaStream_t stream) {
  if (bytes == 0) return;
  if (is_pinned(from)) return check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream));
  for (std::size_t done = 0; done < bytes; done += kBounceBytes) {
    const std::size_t part = std::min(kBounceBytes, bytes - done);
    std::memcpy(bounce_.data(), static_cast<const std::byte*>(from) + done, part);
    check(cudaMemcpyAsync(static_cast<std::byte*>(to) + done, bounce_.data(), part, cudaMemcpyHostToDevice, stream));
    check(cudaStreamSynchronize(stream));
  }
}

void HostCopies::download(void* to, const void* from, std::size_t bytes, cudaStream_t stream) {
  for (std::size_t done = 0; done < bytes; done += kBounceBytes) {
    const std::size_t part = std::min(kBounceBytes, bytes - done);
    check(cudaMemcpyAsync(bounce_.data(), static_cast<const std::byte*>(from) + done, part, cudaMemcpyDeviceToHost,
                          stream));
    check(cudaStreamSynchronize(stream));
    std::memcpy(static_cast<std::byte*>(to) + done, bounce_.data(), part);
  }
}

}  // namespace xrai::cuda
