// How plans use the fake cuDNN: the memory of each call, and the misuse that must be reported.
#include <optional>

#include "tests/cuda/fake/fake_cudnn_fixture.h"

namespace xrai::fake {
namespace fake_cudnn_use_test {

using ::testing::HasSubstr;

/// A convolution that wants a workspace, and its memory, to be used and misused.
class UsedCudnn : public FakeCudnn {
 protected:
  void SetUp() override {
    FakeCudnn::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    plan_.emplace(
        plan([&](const CudnnTarget& gpu) { return cuda::convolution_data_gradient(kSpec, Precision::kTf32, gpu); },
             Precision::kTf32));
    ASSERT_GT(plan_->workspace_bytes(), 0u) << "the case is too easy";
    dy_ = upload(random_values(kSpec.output().count(), 1));
    weights_ = upload(random_values(kSpec.weight_count(), 2));
    dx_ = on_device(static_cast<std::size_t>(kSpec.input.count()));
    workspace_ = on_device<std::byte>(plan_->workspace_bytes());
  }
  /// What it says of one call.
  std::string complaint(const float* dy, const float* weights, float* dx, void* workspace) {
    try {
      plan_->execute(handle_, {bind(Operand::kDy, dy), bind(Operand::kWeights, weights), bind(Operand::kDx, dx)},
                     workspace);
      (void)cudaStreamSynchronize(stream_);
    } catch (const Error&) {
    }
    return findings();
  }

  static inline const ConvolutionSpec kSpec{.input = {4, 16, 16, 1}, .filters = 16, .window = {3, 3, 1, 1, 1, 1, 1, 1}};
  std::optional<CudnnPlan> plan_;
  float *dy_ = nullptr, *weights_ = nullptr, *dx_ = nullptr;
  std::byte* workspace_ = nullptr;
};

TEST_F(UsedCudnn, SaysNothingOfRightUse) {
  EXPECT_EQ(complaint(dy_, weights_, dx_, workspace_), "");
}
TEST_F(UsedCudnn, FollowsTheMemoryOfEachCall) {
  ASSERT_EQ(complaint(dy_, weights_, dx_, workspace_), "");
  const auto count = static_cast<std::size_t>(kSpec.input.count());
  const Values expected = download(dx_, count);
  std::vector<float*> results;  // more than a plan remembers
  for (int i = 0; i < 10; ++i) results.push_back(on_device(count));
  for (int round = 0; round < 2; ++round) {
    for (float* dx : results) {
      ASSERT_EQ(cudaMemsetAsync(dx, 0xFF, count * sizeof(float), stream_), cudaSuccess);
      ASSERT_EQ(complaint(dy_, weights_, dx, on_device<std::byte>(plan_->workspace_bytes())), "");
      ASSERT_EQ(download(dx, count), expected);
    }
  }
}
TEST_F(UsedCudnn, UsesTheWorkspaceOfEachCall) {
  ASSERT_EQ(complaint(dy_, weights_, dx_, workspace_), "");
  ASSERT_EQ(cudaFree(workspace_), cudaSuccess);
  EXPECT_EQ(complaint(dy_, weights_, dx_, on_device<std::byte>(plan_->workspace_bytes() + 256)), "");
}
TEST_F(UsedCudnn, ReportsATensorThatIsTooSmall) {
  EXPECT_THAT(complaint(dy_, weights_, on_device(static_cast<std::size_t>(kSpec.input.count()) - 1), workspace_),
              HasSubstr("outside one allocation"));
}
TEST_F(UsedCudnn, ReportsHostMemory) {
  const Values host = random_values(kSpec.output().count(), 1);
  EXPECT_THAT(complaint(host.data(), weights_, dx_, workspace_), HasSubstr("tensor 7"));
}
TEST_F(UsedCudnn, ReportsAMisalignedTensor) {
  float* wide = on_device(static_cast<std::size_t>(kSpec.input.count()) + 1);
  EXPECT_THAT(complaint(dy_, weights_, wide + 1, workspace_), HasSubstr("less aligned"));
}
TEST_F(UsedCudnn, ReportsAWorkspaceThatIsTooSmall) {
  EXPECT_THAT(complaint(dy_, weights_, dx_, on_device<std::byte>(plan_->workspace_bytes() - 1)),
              HasSubstr("a workspace of"));
}
TEST_F(UsedCudnn, ReportsAWorkspaceOverATensor) {
  auto* both = on_device<std::byte>(plan_->workspace_bytes() + static_cast<std::size_t>(kSpec.input.count()) * 4);
  EXPECT_THAT(complaint(dy_, weights_, reinterpret_cast<float*>(both), both), HasSubstr("over the workspace"));
}
TEST_F(UsedCudnn, ReportsAResultOverAnOperand) {
  EXPECT_THAT(complaint(dy_, weights_, dy_, workspace_), HasSubstr("over tensor"));
}
TEST_F(UsedCudnn, ReportsAResultReadOnAnotherStreamWithoutAnEvent) {
  ASSERT_EQ(complaint(dy_, weights_, dx_, workspace_), "");
  plan_->execute(handle_, {bind(Operand::kDy, dy_), bind(Operand::kWeights, weights_), bind(Operand::kDx, dx_)},
                 workspace_);
  queue_increment(new_stream(), dx_, on_device(8), 8);
  ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  EXPECT_EQ(report().count(Fault::kRace), 1) << report().complaints();
}
TEST_F(UsedCudnn, ReportsAHandleThatWasDestroyed) {
  ASSERT_EQ(cudnnDestroy(handle_), CUDNN_STATUS_SUCCESS);
  EXPECT_THAT(complaint(dy_, weights_, dx_, workspace_), HasSubstr("not alive"));
  handle_ = nullptr;
}
TEST_F(UsedCudnn, CountsAHandleAndDescriptorsThatWereNotDestroyed) {
  EXPECT_GT(report().leaks.library_handles, 1);
  plan_.reset();
  EXPECT_EQ(report().leaks.library_handles, 1) << "the handle";
}

TEST_F(FakeCudnn, ReportsPlacesThatNoForwardPassWrote) {
  const PoolingSpec spec{{2, 6, 7, 8}, PoolingKind::kMax, {2, 2, 2, 2}, true};
  CudnnPlan backward = plan(
      [&](const CudnnTarget& gpu) { return cuda::pooling_backward(spec, DataType::kFloat32, gpu); }, Precision::kTf32);
  const auto count = static_cast<std::size_t>(spec.output().count());
  run(backward, {bind(Operand::kDy, on_device(count)), bind(Operand::kPlaces, on_device<std::int8_t>(count)),
                 bind(Operand::kDx, on_device(static_cast<std::size_t>(spec.input.count())))});
  EXPECT_THAT(findings(), HasSubstr("places that no forward pass"));
}

TEST_F(FakeCudnn, FailsWhereAFailureIsPlanted) {
  Settings settings;
  settings.injected_errors.push_back({.call = "cudnnCreate", .nth = 1, .error = CUDNN_STATUS_NOT_INITIALIZED});
  reset(settings);
  cudnnHandle_t other = nullptr;
  EXPECT_EQ(cudnnCreate(&other), CUDNN_STATUS_NOT_INITIALIZED);
}

}  // namespace fake_cudnn_use_test
}  // namespace xrai::fake
