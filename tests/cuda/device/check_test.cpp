// xrai_check's comparison on the doubles: a right device passes in every precision, and a wrong one does not.
#include <gtest/gtest.h>

#include <cmath>

#include "runtime/train/device_check.h"
#include "tests/cuda/device/doubled_card.h"

namespace xrai {
namespace check_test {

CheckSettings small() {
  return {architecture("plain5"), 32, 4, 2, 3};
}

class Precisions : public ::testing::TestWithParam<Precision> {};

TEST_P(Precisions, ARightDevicePasses) {
  const auto cuda = testing::fresh_cuda(std::string(precision_name(GetParam())));
  const auto cpu = make_cpu_device(1);
  const DeviceCheck check = check_device(*cuda, *cpu, small(), check_bounds(GetParam()));
  for (const CheckedTensor& tensor : check.tensors)
    EXPECT_TRUE(tensor.holds()) << tensor.what << " is off by " << tensor.distance << ", bound " << tensor.bound;
  EXPECT_EQ(check.tensors.size(), 3 + Model(*cpu, small().model, {1, 32, 32, 1}, 2).parameters().specs().size());
  EXPECT_EQ(check.losses.size(), 2u);
}

INSTANTIATE_TEST_SUITE_P(All, Precisions,
                         ::testing::Values(Precision::kFloat32, Precision::kTf32, Precision::kBfloat16,
                                           Precision::kFloat16),
                         [](const auto& p) { return std::string(precision_name(p.param)); });

// The first copy, which brings the first weights, never happens.
TEST(DeviceCheck, ADeviceThatLeavesSomethingOutFails) {
  const auto cuda = testing::fresh_cuda("fp32", {.injected_errors = {{"cudaMemcpyAsync", 1, cudaSuccess}}});
  const auto cpu = make_cpu_device(1);
  EXPECT_FALSE(check_device(*cuda, *cpu, small(), check_bounds(Precision::kFloat32)).holds());
}

TEST(DeviceCheck, ADeviceAgreesWithItselfExactly) {
  const auto cpu = make_cpu_device(1);
  for (const CheckedTensor& tensor : check_device(*cpu, *cpu, small(), check_bounds(Precision::kFloat32)).tensors)
    EXPECT_EQ(tensor.distance, 0) << tensor.what;
}

TEST(DeviceCheck, NotANumberIsTooFar) {
  EXPECT_FALSE((CheckedTensor{"x", 0, 0, 0, NAN, 1}.holds()));
}

}  // namespace check_test
}  // namespace xrai
