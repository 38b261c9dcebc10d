// A call of CUDA or its libraries that is refused: it becomes one sentence with the exit code that fits, and what was
// made before it is given back.
#include <cublasLt.h>
#include <cudnn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <thread>

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
  EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess);
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

// ---- every call is asked whether it worked --------------------------------------------------------------------------

struct WorkCase {
  const char* name;
  const char* call;
  void (*work)(Device&, const Buffer&, Marker&);
};
class EveryCall : public ::testing::TestWithParam<WorkCase> {};

TEST_P(EveryCall, ThatIsRefusedIsTold) {
  fake::reset();
  int before = 0;  // how often making the device and the buffer calls it
  {
    const auto device = cuda::make_cuda_device({0, "fp32"});
    const Buffer x = device->allocate(256);
    const auto marker = device->make_marker();
    before = fake::report().calls[GetParam().call];
  }
  const auto device = fresh_cuda("fp32", refusing(GetParam().call, cudaErrorInvalidValue, before + 1));
  const Buffer x = device->allocate(256);
  const auto marker = device->make_marker();
  EXPECT_THAT(refused(ExitCode::kFailure, [&] { GetParam().work(*device, x, *marker); }),
              HasSubstr("cudaErrorInvalidValue"));
  EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess) << "or the next launch would be blamed";
}

INSTANTIATE_TEST_SUITE_P(
    All, EveryCall,
    ::testing::Values(
        WorkCase{"Copy", "cudaMemcpyAsync",
                 [](Device& d, const Buffer& x, Marker&) { d.copy(x.data(), x.as<std::byte>() + 128, 128); }},
        WorkCase{"Upload", "cudaMemcpyAsync",
                 [](Device& d, const Buffer& x, Marker&) { d.upload(x.data(), "abcd", 4, Queue::kCompute); }},
        WorkCase{"Download", "cudaMemcpyAsync",
                 [](Device& d, const Buffer& x, Marker&) {
                   std::byte b[4];
                   d.download(b, x.data(), 4);
                 }},
        WorkCase{"DownloadLater", "cudaMemcpyAsync",
                 [](Device& d, const Buffer& x, Marker&) {
                   const Buffer to = d.allocate_staging(4);
                   d.download_later(to.data(), x.data(), 4);
                 }},
        WorkCase{"Clear", "cudaMemsetAsync", [](Device& d, const Buffer&, Marker&) { (void)d.allocate(4); }},
        WorkCase{"Mark", "cudaEventRecord", [](Device& d, const Buffer&, Marker& m) { d.mark(m, Queue::kCopy); }},
        WorkCase{"Wait", "cudaStreamWaitEvent",
                 [](Device& d, const Buffer&, Marker& m) { d.wait(Queue::kCompute, m); }},
        WorkCase{"WaitUntilReached", "cudaEventSynchronize",
                 [](Device& d, const Buffer&, Marker& m) { d.wait_until_reached(m); }},
        WorkCase{"Reached", "cudaEventQuery", [](Device& d, const Buffer&, Marker& m) { (void)d.reached(m); }},
        WorkCase{"Synchronize", "cudaStreamSynchronize", [](Device& d, const Buffer&, Marker&) { d.synchronize(); }},
        WorkCase{"Replay", "cudaGraphLaunch",
                 [](Device& d, const Buffer& x, Marker&) {
                   std::string remark;
                   const auto recording = d.record([&] { d.relu(x.data(), x.data(), 64); }, remark);
                   d.replay(*recording);
                 }},
        WorkCase{"StartProfile", "cudaProfilerStart", [](Device& d, const Buffer&, Marker&) { d.start_profile(); }},
        WorkCase{"StopProfile", "cudaProfilerStop", [](Device& d, const Buffer&, Marker&) { d.stop_profile(); }}),
    [](const auto& tested) { return tested.param.name; });

// ---- plans of cuDNN -------------------------------------------------------------------------------------------------

const ConvolutionSpec kConvolution{{2, 7, 9, 16}, 24, {3, 3, 1, 1, 1, 1, 1, 1}, 1, true, true, true, true};

/// A convolution and its memory; each step may have a workspace of its own.
struct Convolution {
  explicit Convolution(Device& card)
      : device(card),
        plan(card.plan(kConvolution)),
        x(testing::put(card, testing::Values(static_cast<std::size_t>(kConvolution.input.count()), 1))),
        weights(testing::put(card, testing::Values(static_cast<std::size_t>(kConvolution.weight_count()), 1))),
        bias(testing::put(card, testing::Values(24, 1))),
        dx(card.allocate(x.size_bytes())),
        dweights(card.allocate(static_cast<std::size_t>(kConvolution.weight_count()) * 4)),
        dbias(card.allocate(24 * 4)) {}
  [[nodiscard]] std::int64_t outputs() const { return kConvolution.output().count(); }
  [[nodiscard]] Buffer fresh_y() const {
    return testing::put(device, testing::Values(static_cast<std::size_t>(outputs()), NAN));
  }
  void step(const Buffer& y, const Buffer& dy, const Buffer& workspace) const {
    plan->forward(x.data(), weights.data(), bias.data(), y.data(), workspace.data());
    plan->backward(x.data(), weights.data(), y.data(), dy.data(), dx.data(), dweights.as<float>(), dbias.as<float>(),
                   workspace.data());
  }
  Device& device;
  std::unique_ptr<ConvolutionPlan> plan;
  Buffer x, weights, bias, dx, dweights, dbias;
};

TEST(CudnnPlans, AnExecutionThatIsRefusedIsTold) {
  const auto device = fresh_cuda("fp32", refusing("cudnnBackendExecute", CUDNN_STATUS_EXECUTION_FAILED));
  const Convolution convolution(*device);
  const Buffer y = convolution.fresh_y(), workspace = device->allocate(convolution.plan->workspace_bytes());
  EXPECT_THAT(refused(ExitCode::kFailure, [&] { convolution.step(y, y, workspace); }), HasSubstr("cuDNN"));
}

// Addresses are kept from one execution to the next, and only while they are those of the call.
TEST(CudnnPlans, AWorkspaceThatHasMovedIsUsedWhereItIs) {
  const auto device = fresh_cuda();
  const Convolution convolution(*device);
  const std::size_t bytes = convolution.plan->workspace_bytes();
  const Buffer y = convolution.fresh_y(), dy = convolution.fresh_y();
  {
    const Buffer before = device->allocate(bytes);
    convolution.step(y, dy, before);
    device->synchronize();
  }
  const Buffer between = device->allocate(bytes), after = device->allocate(bytes);
  convolution.step(y, dy, after);
  device->synchronize();
  EXPECT_EQ(testing::findings(), "");
}

TEST(CudnnPlans, EveryOneOfManyPlacesIsWritten) {
  const auto device = fresh_cuda();
  const Convolution convolution(*device);
  const Buffer workspace = device->allocate(convolution.plan->workspace_bytes());
  std::vector<Buffer> results;
  for (int i = 0; i < 40; ++i) {
    results.push_back(convolution.fresh_y());
    convolution.plan->forward(convolution.x.data(), convolution.weights.data(), convolution.bias.data(),
                              results.back().data(), workspace.data());
  }
  const testing::Values first = testing::get(*device, results.front().data(), convolution.outputs());
  for (const Buffer& y : results) EXPECT_EQ(testing::get(*device, y.data(), convolution.outputs()), first);
}

// The trainer must see it.
TEST(CudnnPlans, MaximaKeepANaN) {
  const auto device = fresh_cuda();
  const auto plan = device->plan(PoolingSpec{{1, 2, 2, 8}, PoolingKind::kMax, {2, 2, 2, 2}});
  testing::Values values(32, 1);
  values[11] = NAN;
  const Buffer x = testing::put(*device, values), y = device->allocate(32),
               saved = device->allocate(plan->saved_bytes());
  plan->forward(x.data(), y.data(), saved.data());
  const testing::Values maxima = testing::get(*device, y.data(), 8);
  for (std::size_t c = 0; c < 8; ++c) EXPECT_EQ(std::isnan(maxima[c]), c == 3) << c;
}

TEST(CudnnPlans, MorePlacesThanOurKernelsCountAreRefused) {
  const auto device = fresh_cuda();
  ConvolutionSpec spec = kConvolution;
  spec.input = {40'000, 256, 256, 16};
  EXPECT_THAT(refused(ExitCode::kUsage, [&] { (void)device->plan(spec); }), HasSubstr("smaller --batch-size"));
}

// ---- the device -----------------------------------------------------------------------------------------------------

// cudaEventQuery's "not ready" is an error to the runtime, and would be found by whoever asks for the last one.
TEST(CudaDevice, AMarkerThatIsNotReachedLeavesNoError) {
  const auto device = fresh_cuda();
  const Buffer x = device->allocate(64);
  const auto marker = device->make_marker();
  device->relu(x.data(), x.data(), 16);
  device->mark(*marker, Queue::kCompute);
  EXPECT_FALSE(device->reached(*marker));
  EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess);
  device->wait_until_reached(*marker);
  EXPECT_TRUE(device->reached(*marker));
}

// The loader pins memory while a step is recorded.
TEST(CudaDevice, OtherThreadsMayAllocateWhileWorkIsRecorded) {
  const auto device = fresh_cuda();
  const Buffer x = device->allocate(64);
  std::string remark;
  const auto recording = device->record(
      [&] {
        std::thread([&] { EXPECT_NO_THROW((void)device->allocate_staging(64)); }).join();
        device->relu(x.data(), x.data(), 16);
      },
      remark);
  EXPECT_NE(recording, nullptr) << remark;
}

// What cuBLAS may do with a long sum is up to the caller: parts in a fixed order are the same bits in every run. In
// fp32 no factor loses a bit on its way.
TEST(CudaDevice, ProductsAreSummedInAFixedOrderAndInFloat32WithAllBits) {
  const auto device = fresh_cuda();
  const int before = fake::report().leaks.library_handles;
  {
    const auto plan = device->plan(kDense);
    const Buffer x = testing::put(*device, testing::Values(4 * 8, 1 + 0x1p-12f)),
                 weights = testing::put(*device, testing::Values(8 * 8, 1)),
                 bias = testing::put(*device, testing::Values(8, 0)), y = device->allocate(4 * 4 * 8),
                 workspace = device->allocate(plan->workspace_bytes());
    plan->forward(x.data(), weights.data(), bias.data(), y.data(), workspace.data());
    EXPECT_EQ(testing::get(*device, y.data(), 4 * 8), testing::Values(4 * 8, 8 + 0x1p-9f));
    auto executed = fake::report().executed;
    EXPECT_EQ(executed["cublasLtMatmul"], 1);
    EXPECT_EQ(executed["cublasLtMatmul, sums in any order"], 0);
  }
  EXPECT_EQ(fake::report().leaks.library_handles, before);
}

// More rows than are summed at once: partial sums lie in front of what the library works in.
TEST(CudaDevice, ADenseLayersWorkspaceHasRoomForTheSumsOfItsBias) {
  const auto device = fresh_cuda();
  const auto bytes = [&](bool bias) {
    return device->plan(DenseSpec{.n = 1100, .inputs = 8, .outputs = 512, .bias = bias, .training = true})
        ->workspace_bytes();
  };
  EXPECT_GE(bytes(true), bytes(false) + 2 * 512 * sizeof(float));
}

// The double knows one card, and says so when another is chosen.
TEST(CudaDevice, MakesItsCardTheCurrentOne) {
  fake::reset({.devices = 2});
  const auto device = cuda::make_cuda_device({1, "fp32"});
  EXPECT_EQ(device->name(), "cuda:1");
  EXPECT_THAT(testing::findings(), HasSubstr("cudaSetDevice chose another device"));
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
  for (const auto& [call, part] :
       {std::pair{"cudnnGraphVersionCheck", "libcudnn_graph"}, std::pair{"cudnnOpsVersionCheck", "libcudnn_ops"},
        std::pair{"cudnnCnnVersionCheck", "libcudnn_cnn"}}) {
    fake::reset(refusing(call, CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH));
    EXPECT_THAT(cuda::diagnose().reason, AllOf(HasSubstr(part), HasSubstr("LD_LIBRARY_PATH")));
  }
}

TEST(CudaDevice, DescribesItself) {
  const auto device = fresh_cuda("bf16", {.gpu = "H100"});
  EXPECT_EQ(device->name(), "cuda:0");
  EXPECT_THAT(device->description(),
              AllOf(HasSubstr("H100"), HasSubstr("9.0"), HasSubstr("bf16"), HasSubstr("cuDNN 9")));
}

}  // namespace refused_calls_test
}  // namespace xrai
