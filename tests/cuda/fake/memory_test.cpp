// Memory of the fake device: what a card does not forgive is reported, and what it does by luck does not happen.
#include <gmock/gmock.h>

#include <cmath>
#include <cstdint>

#include "fake_fixture.h"

namespace xrai::fake {
namespace memory_test {

using ::testing::Each;
using ::testing::HasSubstr;

constexpr std::size_t kCount = 100, kBytes = kCount * sizeof(float);

class Memory : public OnLazyDevice {};

TEST_F(Memory, FreshDeviceMemoryIsNotANumber) {
  for (const float value : download(on_device(kCount), kCount)) EXPECT_TRUE(std::isnan(value));
}

TEST_F(Memory, AllocationsAreAlignedAsPromisedAndNoBetter) {
  for (int i = 0; i < 4; ++i) EXPECT_EQ(reinterpret_cast<std::uintptr_t>(on_device(kCount)) % 512, 256U);
}

TEST_F(Memory, FreedAddressesAreNotUsedAgain) {
  float* first = on_device(kCount);
  cudaFree(first);
  EXPECT_NE(on_device(kCount), first);
}

TEST_F(Memory, FullCardRefusesAndSaysSoOnce) {
  reset({.memory_bytes = 1 << 20});
  void* memory = nullptr;
  EXPECT_EQ(cudaMalloc(&memory, (1 << 20) + 1), cudaErrorMemoryAllocation);
  EXPECT_EQ(memory, nullptr);
  EXPECT_EQ(cudaGetLastError(), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
}

TEST_F(Memory, MemGetInfoFollowsAllocations) {
  reset({.memory_bytes = 1 << 20});
  std::size_t free_bytes = 0, total_bytes = 0;
  float* memory = on_device(1024);
  cudaMemGetInfo(&free_bytes, &total_bytes);
  EXPECT_EQ(total_bytes, std::size_t{1} << 20);
  EXPECT_EQ(free_bytes, total_bytes - 4096);
  cudaFree(memory);
  cudaMemGetInfo(&free_bytes, &total_bytes);
  EXPECT_EQ(free_bytes, total_bytes);
  EXPECT_EQ(report().peak_device_bytes, 4096U);
}

TEST_F(Memory, LeaksAreCounted) {
  on_device(kCount);
  pinned(kCount, 0.0F);
  const Report found = report();
  EXPECT_EQ(found.leaks.device_allocations, 1);
  EXPECT_EQ(found.leaks.pinned_allocations, 1);
  EXPECT_EQ(found.allocations, 2);
}

TEST_F(Memory, DoubleFreeIsReported) {
  float* memory = on_device(kCount);
  EXPECT_EQ(cudaFree(memory), cudaSuccess);
  EXPECT_EQ(cudaFree(memory), cudaErrorInvalidValue);
  EXPECT_EQ(report().count(Fault::kInvalidFree), 1);
}

TEST_F(Memory, DoubleFreeOfPinnedMemoryIsReported) {
  float* memory = pinned(kCount, 0.0F);
  EXPECT_EQ(cudaFreeHost(memory), cudaSuccess);
  EXPECT_EQ(cudaFreeHost(memory), cudaErrorInvalidValue);
  EXPECT_EQ(report().count(Fault::kInvalidFree), 1);
}

TEST_F(Memory, FreeOfTheMiddleIsReported) {
  EXPECT_EQ(cudaFree(on_device(kCount) + 1), cudaErrorInvalidValue);
  EXPECT_EQ(report().count(Fault::kInvalidFree), 1);
}

TEST_F(Memory, FreeOfNullIsFine) {
  EXPECT_EQ(cudaFree(nullptr), cudaSuccess);
  EXPECT_EQ(cudaFreeHost(nullptr), cudaSuccess);
  EXPECT_EQ(report().complaints(), "");
}

TEST_F(Memory, WrongDirectionIsReported) {
  float *memory = on_device(kCount), *host = pinned(kCount, 0.0F);
  EXPECT_EQ(cudaMemcpyAsync(memory, host, kBytes, cudaMemcpyDeviceToHost, nullptr), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(host, memory, kBytes, cudaMemcpyDeviceToDevice), cudaErrorInvalidValue);
  EXPECT_EQ(report().count(Fault::kWrongDirection), 2);
}

TEST_F(Memory, DefaultDirectionFollowsThePointers) {
  float *memory = on_device(kCount), *host = pinned(kCount, 2.0F);
  EXPECT_EQ(cudaMemcpy(memory, host, kBytes, cudaMemcpyDefault), cudaSuccess);
  EXPECT_THAT(download(memory, kCount), Each(2.0F));
}

TEST_F(Memory, CopyPastAnAllocationIsReportedWithItsSize) {
  float *memory = on_device(kCount), *host = pinned(2 * kCount, 0.0F);
  EXPECT_EQ(cudaMemcpyAsync(memory, host, kBytes + 4, cudaMemcpyHostToDevice, nullptr), cudaErrorInvalidValue);
  const Report found = report();
  ASSERT_EQ(found.count(Fault::kOutOfRange), 1);
  EXPECT_THAT(found.findings[0].text, HasSubstr("404 bytes from byte 0 of device allocation 1 (400 bytes)"));
}

TEST_F(Memory, CopyPastPinnedMemoryIsReported) {
  float *memory = on_device(2 * kCount), *host = pinned(kCount, 0.0F);
  EXPECT_EQ(cudaMemcpyAsync(memory, host, kBytes + 4, cudaMemcpyHostToDevice, nullptr), cudaErrorInvalidValue);
  EXPECT_EQ(report().count(Fault::kOutOfRange), 1);
}

TEST_F(Memory, FillPastAnAllocationIsReported) {
  EXPECT_EQ(cudaMemsetAsync(on_device(kCount) + 1, 0, kBytes, nullptr), cudaErrorInvalidValue);
  EXPECT_EQ(report().count(Fault::kOutOfRange), 1);
}

TEST_F(Memory, FillOfHostMemoryIsMisuse) {
  EXPECT_EQ(cudaMemset(pinned(kCount, 0.0F), 0, kBytes), cudaErrorInvalidValue);
  EXPECT_EQ(report().count(Fault::kMisuse), 1);
}

TEST_F(Memory, LibraryOperationOutsideItsAllocationIsReported) {
  float* memory = on_device(kCount);
  EXPECT_EQ(enqueue_operation(nullptr, "scale", {}, {{memory, kBytes + 4}}, [] {}), cudaErrorInvalidValue);
  EXPECT_EQ(report().count(Fault::kOutOfRange), 1);
}

TEST_F(Memory, LibraryOperationOnHostMemoryIsReported) {
  EXPECT_EQ(enqueue_operation(nullptr, "scale", {{pinned(kCount, 0.0F), kBytes}}, {}, [] {}), cudaErrorInvalidValue);
  EXPECT_EQ(report().count(Fault::kOutOfRange), 1);
}

// With AddressSanitizer such a write ends the program at once.
#if !defined(__SANITIZE_ADDRESS__)
TEST_F(Memory, WritePastAnAllocationIsFoundWhenItIsFreed) {
  float* memory = on_device(kCount);
  enqueue_operation(nullptr, "careless", {}, {{memory, kBytes}}, [=] { memory[kCount] = 1; });
  cudaFree(memory);
  EXPECT_EQ(report().count(Fault::kOutOfRange), 1);
}
#endif

TEST_F(Memory, FreeWaitsForWhatStillUsesTheMemory) {
  float *memory = on_device(kCount), *host = pinned(kCount, 1.0F);
  cudaMemcpyAsync(memory, host, kBytes, cudaMemcpyHostToDevice, new_stream());
  EXPECT_EQ(cudaFree(memory), cudaSuccess);
  EXPECT_EQ(report().count(Fault::kOutOfRange), 0);
  EXPECT_EQ(report().executed["memcpy host to device"], 1);
}

TEST_F(Memory, StreamOrderedFreeIsARaceWithOtherStreams) {
  void* memory = nullptr;
  cudaStream_t first = new_stream(), second = new_stream();
  ASSERT_EQ(cudaMallocAsync(&memory, kBytes, first), cudaSuccess);
  cudaMemsetAsync(memory, 0, kBytes, second);
  cudaStreamSynchronize(second);
  cudaMemsetAsync(memory, 0, kBytes, second);
  cudaFreeAsync(memory, first);
  cudaStreamSynchronize(second);
  cudaStreamSynchronize(first);
  EXPECT_EQ(report().count(Fault::kRace), 1);
  EXPECT_EQ(report().leaks.device_allocations, 0);
}

TEST_F(Memory, OperationAfterTheStreamOrderedFreeLosesTheContext) {
  float* memory = on_device(kCount);
  cudaStream_t stream = new_stream();
  cudaFreeAsync(memory, stream);
  cudaMemsetAsync(memory, 0, kBytes, stream);
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaErrorIllegalAddress);
  EXPECT_EQ(report().count(Fault::kOutOfRange), 1);
}

TEST_F(Memory, CopyOfRowsLeavesTheGapsAlone) {
  float* memory = on_device(12);
  std::vector<float> rows{1, 2, 3, 4, 5, 6};
  cudaMemset(memory, 0, 12 * sizeof(float));
  EXPECT_EQ(cudaMemcpy2DAsync(memory, 16, rows.data(), 8, 8, 3, cudaMemcpyHostToDevice, nullptr), cudaSuccess);
  EXPECT_THAT(download(memory, 12), ::testing::ElementsAre(1, 2, 0, 0, 3, 4, 0, 0, 5, 6, 0, 0));
}

TEST_F(Memory, PointerAttributesTellDeviceFromPinnedFromPageable) {
  float pageable = 0;
  cudaPointerAttributes attributes{};
  cudaPointerGetAttributes(&attributes, on_device(kCount) + 1);
  EXPECT_EQ(attributes.type, cudaMemoryTypeDevice);
  cudaPointerGetAttributes(&attributes, pinned(kCount, 0.0F));
  EXPECT_EQ(attributes.type, cudaMemoryTypeHost);
  cudaPointerGetAttributes(&attributes, &pageable);
  EXPECT_EQ(attributes.type, cudaMemoryTypeUnregistered);
}

TEST_F(Memory, RegisteredHostMemoryIsPinned) {
  std::vector<float> host(kCount, 1.0F);
  EXPECT_EQ(cudaHostRegister(host.data(), kBytes, cudaHostRegisterDefault), cudaSuccess);
  cudaMemcpyAsync(on_device(kCount), host.data(), kBytes, cudaMemcpyHostToDevice, nullptr);
  EXPECT_EQ(cudaHostUnregister(host.data()), cudaSuccess);
  EXPECT_EQ(cudaHostUnregister(host.data()), cudaErrorHostMemoryNotRegistered);
  EXPECT_EQ(report().pageable_async, 0);
}

using MemoryDeathTest = Memory;

TEST_F(MemoryDeathTest, HostThatDereferencesADevicePointerCrashes) {
  volatile float* memory = on_device(kCount);
  EXPECT_DEATH(memory[0] = 1, "");
}

}  // namespace memory_test
}  // namespace xrai::fake
