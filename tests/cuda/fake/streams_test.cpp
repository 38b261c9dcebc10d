// Order between streams and with the host: what is right stays silent under every policy, what is wrong is named.
#include <gmock/gmock.h>

#include <algorithm>

#include "fake_fixture.h"

namespace xrai::fake {
namespace streams_test {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;

constexpr std::size_t kCount = 64, kBytes = kCount * sizeof(float);

/// A trainer's two streams: one copies batches in, the other computes.
struct TwoStreams {
  cudaStream_t copies = new_stream(), work = new_stream();
  cudaEvent_t arrived = new_event(), consumed = new_event();
  float *host = pinned(kCount, 1.0F), *result = pinned(kCount, 0.0F);
  float *input = on_device(kCount), *output = on_device(kCount);

  TwoStreams() = default;
  TwoStreams(const TwoStreams&) = delete;
  TwoStreams& operator=(const TwoStreams&) = delete;
  ~TwoStreams() {
    for (float* memory : {input, output}) cudaFree(memory);
    for (float* memory : {host, result}) cudaFreeHost(memory);
    for (cudaEvent_t event : {arrived, consumed}) cudaEventDestroy(event);
    for (cudaStream_t stream : {copies, work}) cudaStreamDestroy(stream);
  }

  void copy_in() {
    EXPECT_EQ(cudaMemcpyAsync(input, host, kBytes, cudaMemcpyHostToDevice, copies), cudaSuccess);
    EXPECT_EQ(cudaEventRecord(arrived, copies), cudaSuccess);
  }
  void compute() {
    queue_increment(work, input, output, kCount);
    EXPECT_EQ(cudaEventRecord(consumed, work), cudaSuccess);
  }
  void copy_out() { EXPECT_EQ(cudaMemcpyAsync(result, output, kBytes, cudaMemcpyDeviceToHost, work), cudaSuccess); }
};

class Streams : public UnderEveryPolicy {};
XRAI_UNDER_EVERY_POLICY(Streams);

TEST_P(Streams, RightProgramGivesRightResultAndNoComplaint) {
  {
    TwoStreams device;
    for (int step = 0; step < 5; ++step) {
      if (step > 0) {
        EXPECT_EQ(cudaEventSynchronize(device.arrived), cudaSuccess);  // the host may refill its buffer now
        EXPECT_EQ(cudaStreamWaitEvent(device.copies, device.consumed, 0), cudaSuccess);
      }
      std::fill_n(device.host, kCount, static_cast<float>(step));
      device.copy_in();
      EXPECT_EQ(cudaStreamWaitEvent(device.work, device.arrived, 0), cudaSuccess);
      device.compute();
      device.copy_out();
      EXPECT_EQ(cudaStreamSynchronize(device.work), cudaSuccess);
      EXPECT_THAT(std::vector<float>(device.result, device.result + kCount), Each(static_cast<float>(step) + 1));
    }
  }
  EXPECT_EQ(report().complaints(), "");
}

TEST_P(Streams, MissingWaitForTheCopyIsARaceThatNamesBothOperations) {
  TwoStreams device;
  device.copy_in();
  device.compute();
  cudaDeviceSynchronize();
  const Report found = report();
  ASSERT_EQ(found.count(Fault::kRace), 1);
  EXPECT_THAT(found.findings[0].text, AllOf(HasSubstr("'memcpy host to device' on stream 1"),
                                            HasSubstr("'increment' on stream 2"), HasSubstr("nothing orders")));
}

TEST_P(Streams, MissingWaitForTheConsumerIsARace) {
  TwoStreams device;
  device.copy_in();
  cudaStreamWaitEvent(device.work, device.arrived, 0);
  device.compute();
  device.copy_in();  // over what may still be read
  cudaDeviceSynchronize();
  EXPECT_EQ(report().count(Fault::kRace), 1);
}

TEST_P(Streams, WaitForAnEventRecordedTooEarlyIsARace) {
  TwoStreams device;
  cudaEventRecord(device.arrived, device.copies);
  cudaMemcpyAsync(device.input, device.host, kBytes, cudaMemcpyHostToDevice, device.copies);
  cudaStreamWaitEvent(device.work, device.arrived, 0);
  device.compute();
  cudaDeviceSynchronize();
  EXPECT_EQ(report().count(Fault::kRace), 1);
}

TEST_P(Streams, OperationsOnDisjointBytesNeedNoOrder) {
  TwoStreams device;
  cudaMemsetAsync(device.input, 0, kBytes / 2, device.copies);
  cudaMemsetAsync(device.input + kCount / 2, 0, kBytes / 2, device.work);
  cudaDeviceSynchronize();
  EXPECT_EQ(report().count(Fault::kRace), 0);
}

TEST_P(Streams, TwoReadersNeedNoOrder) {
  TwoStreams device;
  device.copy_in();
  cudaStreamWaitEvent(device.work, device.arrived, 0);
  device.compute();
  cudaMemcpyAsync(device.host, device.input, kBytes, cudaMemcpyDeviceToHost, device.copies);
  cudaDeviceSynchronize();
  EXPECT_EQ(report().count(Fault::kRace), 0);
}

TEST_P(Streams, HostSynchronisationOrdersStreams) {
  TwoStreams device;
  device.copy_in();
  cudaStreamSynchronize(device.copies);
  device.compute();
  cudaDeviceSynchronize();
  EXPECT_EQ(report().count(Fault::kRace), 0);
}

TEST_P(Streams, BlockingStreamsAreOrderedByTheDefaultStream) {
  float* memory = on_device(kCount);
  cudaStream_t blocking = new_stream(cudaStreamDefault);
  cudaMemsetAsync(memory, 0, kBytes, blocking);
  queue_increment(nullptr, memory, memory, kCount);
  queue_increment(blocking, memory, memory, kCount);
  cudaStreamSynchronize(blocking);
  EXPECT_EQ(report().count(Fault::kRace), 0);
  EXPECT_THAT(download(memory, kCount), Each(2.0F));
}

TEST_P(Streams, NonBlockingStreamsAreNotOrderedByTheDefaultStream) {
  float* memory = on_device(kCount);
  cudaMemsetAsync(memory, 0, kBytes, new_stream());
  queue_increment(nullptr, memory, memory, kCount);
  cudaDeviceSynchronize();
  EXPECT_EQ(report().count(Fault::kRace), 1);
}

TEST_P(Streams, HostBufferRefilledBeforeTheCopyIsOverIsReported) {
  TwoStreams device;
  device.copy_in();
  device.host[kCount - 1] = 5;
  cudaDeviceSynchronize();
  const Report found = report();
  ASSERT_EQ(found.count(Fault::kHostRace), 1);
  EXPECT_THAT(found.findings[0].text, HasSubstr("'memcpy host to device' on stream 1"));
}

TEST_P(Streams, HostBufferRefilledByTheDeviceAfterTheCopyIsNot) {
  TwoStreams device;
  device.copy_in();
  cudaMemsetAsync(device.input, 0, kBytes, device.copies);
  cudaMemcpyAsync(device.host, device.input, kBytes, cudaMemcpyDeviceToHost, device.copies);
  cudaDeviceSynchronize();
  EXPECT_EQ(report().count(Fault::kHostRace), 0);
}

TEST_P(Streams, HostMayRefillItsBufferFromAHostFunction) {
  TwoStreams device;
  device.copy_in();
  cudaLaunchHostFunc(
      device.copies, [](void* host) { std::fill_n(static_cast<float*>(host), kCount, 9.0F); }, device.host);
  cudaDeviceSynchronize();
  EXPECT_EQ(report().count(Fault::kHostRace), 0);
  EXPECT_THAT(download(device.input, kCount), Each(1.0F));
}

TEST_P(Streams, PollingComesToAnEnd) {
  TwoStreams device;
  device.copy_in();
  int polls = 0;
  while (cudaEventQuery(device.arrived) == cudaErrorNotReady) ASSERT_LT(++polls, 10);
  while (cudaStreamQuery(device.copies) == cudaErrorNotReady) ASSERT_LT(++polls, 10);
  std::fill_n(device.host, kCount, 3.0F);  // the copy is known to be over
  cudaDeviceSynchronize();
  EXPECT_EQ(report().count(Fault::kHostRace), 0);
}

TEST_P(Streams, PageableCopiesAreCountedAndStagedAtTheCall) {
  float* memory = on_device(kCount);
  std::vector<float> pageable(kCount, 4.0F);
  cudaStream_t stream = new_stream();
  cudaMemcpyAsync(memory, pageable.data(), kBytes, cudaMemcpyHostToDevice, stream);
  std::fill(pageable.begin(), pageable.end(), 0.0F);
  cudaMemcpyAsync(pageable.data(), memory, kBytes, cudaMemcpyDeviceToHost, stream);
  EXPECT_THAT(pageable, Each(4.0F));
  EXPECT_EQ(report().pageable_async, 2);
}

class LazyStreams : public OnLazyDevice {};

TEST_F(LazyStreams, NothingRunsBeforeItIsNeeded) {
  TwoStreams device;
  device.copy_in();
  EXPECT_TRUE(report().executed.empty());
  cudaStreamSynchronize(device.work);
  EXPECT_TRUE(report().executed.empty());
  cudaStreamSynchronize(device.copies);
  EXPECT_EQ(report().executed["memcpy host to device"], 1);
}

TEST_F(LazyStreams, ResultReadBeforeTheCopyIsNotANumber) {
  TwoStreams device;
  cudaMemsetAsync(device.output, 0, kBytes, device.work);
  device.copy_out();
  EXPECT_NE(device.result[0], device.result[0]);
}

TEST_F(LazyStreams, SynchronisationsAreCountedByCall) {
  TwoStreams device;
  cudaStreamSynchronize(device.work);
  cudaStreamSynchronize(device.copies);
  cudaDeviceSynchronize();
  const Report counted = report();
  EXPECT_EQ(counted.synchronisations.at("cudaStreamSynchronize"), 2);
  EXPECT_EQ(counted.synchronisations.at("cudaDeviceSynchronize"), 1);
  EXPECT_EQ(counted.synchronisations.count("cudaEventSynchronize"), 0U);
}

TEST_F(LazyStreams, StaleStreamIsAFinding) {
  cudaStream_t stream = new_stream();
  cudaStreamDestroy(stream);
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(report().count(Fault::kInvalidHandle), 1);
}

TEST_F(LazyStreams, EventDestroyedTwiceIsAFinding) {
  cudaEvent_t event = new_event();
  EXPECT_EQ(cudaEventDestroy(event), cudaSuccess);
  EXPECT_EQ(cudaEventDestroy(event), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(report().count(Fault::kInvalidHandle), 1);
}

TEST_F(LazyStreams, DestroyedEventStillOrdersWhoWaitsForIt) {
  TwoStreams device;
  cudaEvent_t event = new_event();
  cudaMemsetAsync(device.input, 0, kBytes, device.copies);
  cudaEventRecord(event, device.copies);
  cudaStreamWaitEvent(device.work, event, 0);
  cudaEventDestroy(event);
  device.compute();
  cudaStreamSynchronize(device.work);
  EXPECT_EQ(report().count(Fault::kRace), 0);
  EXPECT_THAT(download(device.output, kCount), Each(1.0F));
}

TEST_F(LazyStreams, CudaCallInAHostFunctionIsMisuse) {
  cudaStream_t stream = new_stream();
  cudaLaunchHostFunc(
      stream, [](void*) { cudaDeviceSynchronize(); }, nullptr);
  cudaStreamSynchronize(stream);
  EXPECT_EQ(report().count(Fault::kMisuse), 1);
}

TEST_F(LazyStreams, LeakedStreamsAndEventsAreCounted) {
  new_stream();
  new_event();
  new_event();
  const Report found = report();
  EXPECT_EQ(found.leaks.streams, 1);
  EXPECT_EQ(found.leaks.events, 2);
  EXPECT_THAT(found.complaints(), AllOf(HasSubstr("1 stream is alive"), HasSubstr("2 events are alive")));
}

}  // namespace streams_test
}  // namespace xrai::fake
