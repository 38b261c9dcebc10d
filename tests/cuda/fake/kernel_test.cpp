// Kernels of the emulation on the fake's streams.
#include <gmock/gmock.h>

#include "fake_fixture.h"
#include "tests/cuda/emulation/emulation.h"
#include "tests/cuda/emulation/samples.h"

namespace xrai::fake {
namespace kernel_test {

using emulation::samples::axpy;
using ::testing::Each;

constexpr int kCount = 500;

class Kernels : public UnderEveryPolicy {};
XRAI_UNDER_EVERY_POLICY(Kernels);

TEST_P(Kernels, RunInTheOrderOfTheirStream) {
  const std::vector<float> ones(kCount, 1.0F);
  float *x = upload(ones), *y = upload(ones);
  cudaStream_t stream = new_stream();
  axpy(2, x, y, kCount, stream);  // y = 3
  axpy(1, y, x, kCount, stream);  // x = 4
  cudaStreamSynchronize(stream);
  EXPECT_THAT(download(x, kCount), Each(4.0F));
  EXPECT_EQ(report().launches, 2);
}

TEST_P(Kernels, AreCapturedWithTheirArguments) {
  const std::vector<float> ones(kCount, 1.0F);
  float *x = upload(ones), *y = upload(ones);
  cudaStream_t stream = new_stream();
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal);
  axpy(2, x, y, kCount, stream);
  ASSERT_EQ(cudaStreamEndCapture(stream, &graph), cudaSuccess);
  cudaGraphInstantiate(&executable, graph, 0);
  for (int i = 0; i < 3; ++i) cudaGraphLaunch(executable, stream);
  cudaStreamSynchronize(stream);
  EXPECT_THAT(download(y, kCount), Each(7.0F));
}

class KernelsOnLazyDevice : public OnLazyDevice {};

TEST_F(KernelsOnLazyDevice, FaultOfTheEmulationLosesTheContext) {
  cudaStream_t stream = new_stream();
  launch_wrong(emulation::samples::Bug::kBarrierInBranch, on_device(256), nullptr, stream);
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaErrorLaunchFailure);
  EXPECT_EQ(report().count(Fault::kKernel), 1);
}

TEST_F(KernelsOnLazyDevice, ConfigurationBeyondTheCardIsRefusedAtTheLaunch) {
  const auto body = [] {};
  EXPECT_EQ(emulation::enqueue(nullptr, {"wide", dim3(1), dim3(2048), 0, body}), cudaErrorInvalidConfiguration);
  EXPECT_EQ(emulation::enqueue(nullptr, {"empty", dim3(0), dim3(32), 0, body}), cudaErrorInvalidConfiguration);
  EXPECT_EQ(emulation::enqueue(nullptr, {"greedy", dim3(1), dim3(32), 1 << 20, body}), cudaErrorInvalidConfiguration);
  EXPECT_EQ(report().launches, 0);
}

}  // namespace kernel_test
}  // namespace xrai::fake
