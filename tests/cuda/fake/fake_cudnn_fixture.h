// What the tests of the fake cuDNN share: a handle on a described GPU, plans for it, and memory in any type.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "runtime/cuda/cudnn_operations.h"
#include "tests/cuda/fake/fake_cudnn.h"
#include "tests/cuda/fake/fake_fixture.h"
#include "tests/support/compare.h"
#include "tests/support/reference.h"

namespace xrai::fake {

using cuda::bind;
using cuda::CudnnPlan;
using cuda::CudnnPlanList;
using cuda::CudnnTarget;
using cuda::Operand;
using testing::random_values;
using testing::Values;

/// Values as they lie in memory in a type, and back.
inline std::vector<std::byte> encoded(const Values& values, DataType type) {
  std::vector<std::byte> bytes(values.size() * size_of(type));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (type == DataType::kFloat32) reinterpret_cast<float*>(bytes.data())[i] = values[i];
    if (type == DataType::kFloat16) reinterpret_cast<__half*>(bytes.data())[i] = __float2half(values[i]);
    if (type == DataType::kBfloat16) reinterpret_cast<__nv_bfloat16*>(bytes.data())[i] = __float2bfloat16(values[i]);
  }
  return bytes;
}
inline Values decoded(const std::vector<std::byte>& bytes, DataType type) {
  Values values(bytes.size() / size_of(type));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (type == DataType::kFloat32) values[i] = reinterpret_cast<const float*>(bytes.data())[i];
    if (type == DataType::kFloat16) values[i] = __half2float(reinterpret_cast<const __half*>(bytes.data())[i]);
    if (type == DataType::kBfloat16)
      values[i] = __bfloat162float(reinterpret_cast<const __nv_bfloat16*>(bytes.data())[i]);
  }
  return values;
}
class FakeCudnn : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string reason = why_no_real_cudnn(); !reason.empty()) GTEST_SKIP() << reason;
    reset({.gpu = "H100"});
    ASSERT_EQ(cudnnCreate(&handle_), CUDNN_STATUS_SUCCESS);
    stream_ = new_stream();
    ASSERT_EQ(cudnnSetStream(handle_, stream_), CUDNN_STATUS_SUCCESS);
  }
  void TearDown() override {
    if (handle_ != nullptr) (void)cudnnDestroy(handle_);
  }

  [[nodiscard]] CudnnTarget target() const { return CudnnTarget::live(handle_, "H100"); }
  template <class Make>
  CudnnPlan plan(Make make, Precision mode) {
    const CudnnTarget gpu = target();
    return CudnnPlanList(make(gpu), gpu, cuda::policy_for(mode)).first();
  }
  void run(CudnnPlan& plan, std::initializer_list<cuda::CudnnBinding> bindings) {
    void* workspace = plan.workspace_bytes() == 0 ? nullptr : on_device<std::byte>(plan.workspace_bytes());
    plan.execute(handle_, bindings, workspace);
    ASSERT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
  }
  static Values read(const std::byte* memory, std::int64_t count, DataType type) {
    return decoded(download(memory, static_cast<std::size_t>(count) * xrai::size_of(type)), type);
  }
  static std::string findings() {
    std::string text;
    for (const Finding& finding : report().findings) text += finding.text + "\n";
    return text;
  }

  cudnnHandle_t handle_ = nullptr;
  cudaStream_t stream_ = nullptr;
};

}  // namespace xrai::fake
