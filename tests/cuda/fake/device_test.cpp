// Devices that are there or not, cards, versions, errors on request, times and counters.
#include <cuda_profiler_api.h>
#include <gmock/gmock.h>

#include "fake_fixture.h"

namespace xrai::fake {
namespace device_test {

class Devices : public OnLazyDevice {};

TEST_F(Devices, EveryCardTellsItsNameAndCapability) {
  for (const std::string& name : gpu_names()) {
    reset({.gpu = name});
    cudaDeviceProp properties{};
    ASSERT_EQ(cudaGetDeviceProperties(&properties, 0), cudaSuccess);
    EXPECT_THAT(properties.name, ::testing::HasSubstr(name));
    int major = 0;
    cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0);
    EXPECT_EQ(major, properties.major) << name;
    EXPECT_EQ(properties.totalGlobalMem, gpu(name).memory_bytes) << name;
  }
}

TEST_F(Devices, UnknownCardIsRefused) {
  EXPECT_THROW(gpu("RTX 9999"), std::invalid_argument);
}

TEST_F(Devices, MachineWithoutCardAnswersNoDevice) {
  reset({.devices = 0});
  int count = 1;
  void* memory = nullptr;
  EXPECT_EQ(cudaGetDeviceCount(&count), cudaErrorNoDevice);
  EXPECT_EQ(cudaMalloc(&memory, 4), cudaErrorNoDevice);
}

TEST_F(Devices, OldDriverIsInsufficientAndStillTellsItsVersion) {
  reset({.driver_version = 11080});
  int count = 0, version = 0;
  EXPECT_EQ(cudaGetDeviceCount(&count), cudaErrorInsufficientDriver);
  EXPECT_EQ(cudaDriverGetVersion(&version), cudaSuccess);
  EXPECT_EQ(version, 11080);
}

TEST_F(Devices, DeviceThatIsNotThereIsRefused) {
  cudaDeviceProp properties{};
  EXPECT_EQ(cudaSetDevice(1), cudaErrorInvalidDevice);
  EXPECT_EQ(cudaGetDeviceProperties(&properties, 1), cudaErrorInvalidDevice);
}

TEST_F(Devices, NthCallFailsAsAskedAndTheNextDoesNot) {
  reset({.injected_errors = {{"cudaMalloc", 2, cudaErrorMemoryAllocation}}});
  void* memory = nullptr;
  EXPECT_EQ(cudaMalloc(&memory, 4), cudaSuccess);
  EXPECT_EQ(cudaMalloc(&memory, 4), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaMalloc(&memory, 4), cudaSuccess);
  EXPECT_EQ(report().calls["cudaMalloc"], 3);
}

TEST_F(Devices, LostContextFailsEveryLaterCall) {
  reset({.sticky_error = {2, cudaErrorIllegalAddress}});
  float* memory = on_device(8);
  cudaStream_t stream = new_stream();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(cudaMemsetAsync(memory, 0, 32, stream), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaErrorIllegalAddress);
  EXPECT_EQ(cudaGetLastError(), cudaErrorIllegalAddress);
  EXPECT_EQ(cudaMemsetAsync(memory, 0, 32, stream), cudaErrorIllegalAddress);
  EXPECT_EQ(report().executed["memset"], 2);
}

TEST_F(Devices, LostContextStillFrees) {
  reset({.sticky_error = {1, cudaErrorLaunchFailure}});
  float* memory = on_device(8);
  cudaStream_t stream = new_stream();
  cudaMemsetAsync(memory, 0, 32, stream);
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaErrorLaunchFailure);
  EXPECT_EQ(cudaFree(memory), cudaErrorLaunchFailure);
  EXPECT_EQ(cudaStreamDestroy(stream), cudaErrorLaunchFailure);
  EXPECT_EQ(report().complaints(), "");
}

TEST_F(Devices, EventTimesAreThoseOfTheOperationsBetween) {
  reset({.duration_ms = [](const std::string& name) { return name == "slow" ? 5.0F : 0.5F; }});
  float* memory = on_device(8);
  cudaStream_t stream = new_stream();
  cudaEvent_t start = new_event(cudaEventDefault), end = new_event(cudaEventDefault);
  cudaEventRecord(start, stream);
  queue_increment(stream, memory, memory, 8, "slow");
  queue_increment(stream, memory, memory, 8, "fast");
  cudaEventRecord(end, stream);
  float milliseconds = 0;
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, start, end), cudaErrorNotReady);
  cudaEventSynchronize(end);
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, start, end), cudaSuccess);
  EXPECT_FLOAT_EQ(milliseconds, 5.5F);
}

TEST_F(Devices, EventsWithoutTimingTellNone) {
  cudaEvent_t event = new_event();
  cudaEventRecord(event, nullptr);
  cudaEventSynchronize(event);
  float milliseconds = 0;
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, event, event), cudaErrorInvalidResourceHandle);
}

TEST_F(Devices, ProfilerRangesAreCounted) {
  cudaProfilerStart();
  cudaProfilerStop();
  EXPECT_EQ(report().profiler_starts, 1);
  EXPECT_EQ(report().profiler_stops, 1);
}

TEST_F(Devices, ErrorsHaveNamesAndTexts) {
  EXPECT_STREQ(cudaGetErrorName(cudaErrorStreamCaptureUnjoined), "cudaErrorStreamCaptureUnjoined");
  EXPECT_STREQ(cudaGetErrorString(cudaErrorMemoryAllocation), "out of memory");
}

TEST_F(Devices, SharedMemoryLimitsOccupancy) {
  int blocks = 0;
  const auto* kernel = reinterpret_cast<const void*>(&cudaProfilerStart);  // any function
  cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, kernel, 256, 0);
  EXPECT_EQ(blocks, 8);
  cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, kernel, 256, 80 << 10);
  EXPECT_EQ(blocks, 2);
}

}  // namespace device_test
}  // namespace xrai::fake
