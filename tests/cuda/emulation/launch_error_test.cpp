// What launch() makes of an error that the runtime answers with. The definition of enqueue() here is the strong one
// that replaces the emulation's, as the test double of the CUDA runtime does it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "emulation.h"
#include "samples.h"

namespace xrai::emulation {
namespace launch_error_test {

cudaError_t next_answer = cudaSuccess;
std::vector<Launch> launches;
std::vector<cudaStream_t> streams;

}  // namespace launch_error_test

cudaError_t enqueue(cudaStream_t stream, Launch launch) {
  launch_error_test::streams.push_back(stream);
  launch_error_test::launches.push_back(std::move(launch));
  return std::exchange(launch_error_test::next_answer, cudaSuccess);
}

namespace launch_error_test {

class LaunchErrors : public ::testing::Test {
 protected:
  void SetUp() override {
    launches.clear();
    streams.clear();
  }
};

TEST_F(LaunchErrors, NameKernelAndCode) {
  next_answer = cudaErrorIllegalAddress;
  float memory[256] = {};
  try {
    samples::sum_blocks(memory, memory, 1);
    FAIL() << "nothing was thrown";
  } catch (const kernels::LaunchError& error) {
    EXPECT_EQ(error.kernel(), "sum_blocks_kernel");
    EXPECT_EQ(error.code(), cudaErrorIllegalAddress);
    EXPECT_THAT(error.what(), ::testing::HasSubstr("launching the kernel sum_blocks_kernel failed: "));
  }
}

TEST_F(LaunchErrors, QueuedLaunchKeepsItsArgumentsAndRunsLater) {
  std::vector<float> y(64, 2.0f);
  const auto stream = reinterpret_cast<cudaStream_t>(&y);
  {
    samples::Scale scale{};
    scale.factors[0] = 5.0f;
    scale.count = 1;
    samples::scale_by_struct(scale, y.data(), stream);
    scale.factors[0] = 0.0f;
  }
  ASSERT_EQ(launches.size(), 1u);
  EXPECT_EQ(streams.front(), stream);
  EXPECT_EQ(y[0], 2.0f);
  run(launches.front());
  EXPECT_EQ(y[0], 11.0f);
}

}  // namespace launch_error_test
}  // namespace xrai::emulation
