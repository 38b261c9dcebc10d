// A call of CUDA or its libraries that is refused: it becomes one sentence with the exit code that fits, and what was
// made before it is given back.
#include <cublasLt.h>
#include <cudnn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/cuda/diagnosis.h"
#include "tests/cuda/device/doubled_card.h"
#include "tests/support/errors.h"

namespace xrai {
namespace refused_calls_test {

using ::testing::AllOf;
using testing::fresh_cuda;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::refused;

fake::Settings refusing(const std::string& call, int error, int nth = 1) {
  return {.injected_errors = {{call, nth, error}}};
}

const DenseSpec kDense{.n = 4, .inputs = 8, .outputs = 8, .bias = true, .relu = true};

TEST(RefusedCalls, ALaunchNamesTheKernel) {
  const auto device = fresh_cuda("fp32", refusing("cudaLaunchKernel", cudaErrorLaunchOutOfResources));
  const Buffer x = device->allocate(64);
  try {
    device->relu(x.data(), x.data(), 16);
    FAIL() << "nothing was refused";
  } catch (const kernels::LaunchError& error) {
    EXPECT_THAT(error.kernel(), HasSubstr("map_kernel"));
    EXPECT_EQ(error.code(), cudaErrorLaunchOutOfResources);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("launching the kernel"), Not(HasSubstr("--resume"))));
  }
}

TEST(RefusedCalls, ALaunchOnALostCardSaysHowToGoOn) {
  const auto device = fresh_cuda("fp32", refusing("cudaLaunchKernel", cudaErrorIllegalAddress));
  const Buffer x = device->allocate(64);
  try {
    device->relu(x.data(), x.data(), 16);
    FAIL() << "nothing was refused";
  } catch (const kernels::LaunchError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("map_kernel"), HasSubstr("--resume auto")));
  }
}

TEST(RefusedCalls, WorkThatFailsWhileItIsRecordedLeavesNoGraphAndSaysWhy) {
  const auto device = fresh_cuda();
  const Buffer x = device->allocate(64);
  std::string remark;
  const auto recording = device->record(
      [&] {
        device->relu(x.data(), x.data(), 16);
        throw Error(ExitCode::kFailure, "the work was broken off");
      },
      remark);
  EXPECT_EQ(recording, nullptr);
  EXPECT_EQ(remark, "off, because the work was broken off");
  EXPECT_EQ(fake::report().leaks.graphs, 0);
  device->relu(x.data(), x.data(), 16);
  device->synchronize();
  EXPECT_EQ(testing::findings(), "");
}

TEST(RefusedCalls, AGraphThatCannotBeMadeReadyIsGivenBack) {
  const auto device = fresh_cuda("fp32", refusing("cudaGraphInstantiate", cudaErrorNotSupported));
  const Buffer x = device->allocate(64);
  std::string remark;
  EXPECT_EQ(device->record([&] { device->relu(x.data(), x.data(), 16); }, remark), nullptr);
  EXPECT_THAT(remark, HasSubstr("cudaErrorNotSupported"));
  EXPECT_EQ(fake::report().leaks.graphs, 0);
}

TEST(RefusedCalls, PinnedMemoryThatCannotBeHadNamesTheLimit) {
  const auto device = fresh_cuda("fp32", refusing("cudaHostAlloc", cudaErrorMemoryAllocation, 2));
  EXPECT_THAT(refused(ExitCode::kOutOfMemory, [&] { device->allocate_staging(1 << 20); }),
              AllOf(HasSubstr("1.0 MiB could not be pinned"), HasSubstr("ulimit -l")));
}

TEST(RefusedCalls, CublasWithoutMemoryIsOutOfMemory) {
  fake::reset(refusing("cublasLtCreate", CUBLAS_STATUS_ALLOC_FAILED));
  EXPECT_THAT(refused(ExitCode::kOutOfMemory, [] { cuda::make_cuda_device({0, "fp32"}); }), HasSubstr("cuBLAS"));
  EXPECT_EQ(fake::report().complaints(), "");
}

TEST(RefusedCalls, AProductHalfDescribedIsGivenBack) {
  const auto device = fresh_cuda("fp32", refusing("cublasLtMatrixLayoutCreate", CUBLAS_STATUS_INTERNAL_ERROR, 2));
  const int before = fake::report().leaks.library_handles;
  EXPECT_THAT(refused(ExitCode::kFailure, [&] { device->plan(kDense); }), HasSubstr("cuBLAS reported"));
  EXPECT_EQ(fake::report().leaks.library_handles, before);
}

struct DriverCase {
  const char* name;
  cudaError_t status;
  const char* sentence;
};
class DriverStates : public ::testing::TestWithParam<DriverCase> {};

TEST_P(DriverStates, AreTold) {
  fake::Settings settings = refusing("cudaGetDeviceCount", GetParam().status);
  settings.driver_version = 0;
  fake::reset(settings);
  const CudaStatus status = cuda::diagnose();
  EXPECT_FALSE(status.usable);
  EXPECT_THAT(status.reason, HasSubstr(GetParam().sentence));
  EXPECT_EQ(status.details.front(), "driver: none");
}

INSTANTIATE_TEST_SUITE_P(All, DriverStates,
                         ::testing::Values(DriverCase{"Missing", cudaErrorInsufficientDriver, "does not answer"},
                                           DriverCase{"Stub", cudaErrorStubLibrary, "the toolkit's stub"},
                                           DriverCase{"Mismatched", cudaErrorSystemDriverMismatch,
                                                      "the NVIDIA driver reports"}),
                         [](const auto& tested) { return tested.param.name; });

TEST(RefusedCalls, PartsOfTwoCudnnInstallationsAreNamed) {
  fake::reset(refusing("cudnnOpsVersionCheck", CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH));
  EXPECT_THAT(cuda::diagnose().reason, AllOf(HasSubstr("libcudnn_ops"), HasSubstr("LD_LIBRARY_PATH")));
}

TEST(CudaDevice, DescribesItself) {
  const auto device = fresh_cuda("bf16", {.gpu = "H100"});
  EXPECT_EQ(device->name(), "cuda:0");
  EXPECT_THAT(device->description(),
              AllOf(HasSubstr("H100"), HasSubstr("9.0"), HasSubstr("bf16"), HasSubstr("cuDNN 9")));
}

}  // namespace refused_calls_test
}  // namespace xrai
