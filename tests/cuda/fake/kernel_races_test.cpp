// Kernels compiled for the race checker: what they really touch takes part in the order between streams.
#include <gmock/gmock.h>

#include "fake_fixture.h"
#include "tests/cuda/emulation/samples.h"

namespace xrai::fake {
namespace kernel_races_test {

using emulation::samples::axpy;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;

constexpr int kCount = 1000;
constexpr std::size_t kBytes = kCount * sizeof(float);

class KernelRaces : public UnderEveryPolicy {};
XRAI_UNDER_EVERY_POLICY(KernelRaces);

TEST_P(KernelRaces, KernelThatDoesNotWaitForItsInputIsReported) {
  float *x = on_device(kCount), *y = upload(std::vector<float>(kCount, 1.0F)), *host = pinned(kCount, 2.0F);
  cudaStream_t copies = new_stream(), work = new_stream();
  cudaMemcpyAsync(x, host, kBytes, cudaMemcpyHostToDevice, copies);
  axpy(3, x, y, kCount, work);
  cudaDeviceSynchronize();
  const Report found = report();
  ASSERT_EQ(found.count(Fault::kRace), 1);
  EXPECT_THAT(found.findings[0].text, AllOf(HasSubstr("axpy"), HasSubstr("'memcpy host to device' on stream 1")));
}

TEST_P(KernelRaces, KernelThatWaitsIsNot) {
  float *x = on_device(kCount), *y = upload(std::vector<float>(kCount, 1.0F)), *host = pinned(kCount, 2.0F);
  cudaStream_t copies = new_stream(), work = new_stream();
  cudaEvent_t arrived = new_event();
  cudaMemcpyAsync(x, host, kBytes, cudaMemcpyHostToDevice, copies);
  cudaEventRecord(arrived, copies);
  cudaStreamWaitEvent(work, arrived, 0);
  axpy(3, x, y, kCount, work);
  cudaStreamSynchronize(work);
  EXPECT_TRUE(report().findings.empty()) << report().complaints();
  EXPECT_THAT(download(y, kCount), Each(7.0F));
}

TEST_P(KernelRaces, KernelsOnDisjointHalvesNeedNoOrder) {
  float *x = upload(std::vector<float>(kCount, 1.0F)), *y = upload(std::vector<float>(kCount, 1.0F));
  axpy(1, x, y, kCount / 2, new_stream());
  axpy(1, x + kCount / 2, y + kCount / 2, kCount / 2, new_stream());
  cudaDeviceSynchronize();
  EXPECT_TRUE(report().findings.empty()) << report().complaints();
}

using KernelsOnLazyDevice = OnLazyDevice;

TEST_F(KernelsOnLazyDevice, ReadingPageableMemoryIsAFault) {
  std::vector<float> host(kCount, 1.0F);
  axpy(1, host.data(), upload(host), kCount, new_stream());
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorLaunchFailure);
  EXPECT_EQ(report().count(Fault::kKernel), 1);
}

}  // namespace kernel_races_test
}  // namespace xrai::fake
