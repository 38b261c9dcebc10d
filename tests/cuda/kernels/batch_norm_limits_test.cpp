// The ends of what the CUDA kernels of batch normalisation are asked for: nothing at all, too much, parts unwanted.
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "batch_norm_pass.h"
#include "tests/support/compare.h"

namespace xrai {
namespace batch_norm_limits_test {

using testing::NormalisationPass;
using testing::Values;

TEST(CudaBatchNormLimits, AnEmptyBatchLaunchesNothing) {
  NormalisationPass pass({{0, 4, 4, 16}, true, true});
  pass.run();
  EXPECT_TRUE(std::isnan(pass.mean.values()[0]));
  EXPECT_TRUE(std::isnan(pass.dbeta.values()[0]));
}

TEST(CudaBatchNormLimits, MapsOfOneRowHaveNoWindowAndGradientsOfZero) {
  NormalisationPass pass({{2, 1, 5, 16}, true, true});
  pass.run();
  EXPECT_EQ(pass.dbeta.values(), Values(16, 0.0f));
  for (const float v : pass.dx.values()) EXPECT_EQ(v, 0.0f);
}

TEST(CudaBatchNormLimits, MorePositionsThanTheKernelsCanCountAreRefused) {
  kernels::BatchNormArguments call;
  call.shape = {std::int64_t{1} << 20, 1 << 6, 1 << 6, 1};
  EXPECT_THROW(kernels::cuda::batch_norm(call, DataType::kFloat32, nullptr), std::length_error);
}

// The sanitizers report an access that does not suit its address; on the GPU it would end the run.
TEST(CudaBatchNormLimits, AnySingleArrayMayLieWhereNoVectorSuits) {
  NormalisationPass pass({{2, 5, 7, 16}, true, false, true});
  pass.run();
  const testing::Activations x(DataType::kFloat32, pass.x.values(), 1), dy(DataType::kFloat32, pass.dy.values(), 1),
      out(DataType::kFloat32, pass.dx.values().size(), 1);
  const auto expect_same_dx = [&](const kernels::BatchNormBackwardArguments& call, const testing::Activations& dx) {
    kernels::cuda::batch_norm_backward(call, DataType::kFloat32, nullptr);
    testing::expect_near(dx.values(), pass.reference().dx, testing::kFewRoundings, "dx");
  };
  kernels::BatchNormBackwardArguments call = pass.backward_call();
  call.forward.x = x.data();
  expect_same_dx(call, pass.dx);
  call = pass.backward_call(), call.dy = dy.data();
  expect_same_dx(call, pass.dx);
  call = pass.backward_call(), call.dx = out.data();
  expect_same_dx(call, out);
  call = pass.backward_call(), call.dresidual = out.data();
  expect_same_dx(call, pass.dx);
}

TEST(CudaBatchNormLimits, WinnersMayLieWhereNoVectorSuits) {
  NormalisationPass pass({{2, 4, 6, 16}, true, true});
  pass.run();
  const testing::Array<std::uint8_t> shifted(pass.winner.values().size(), 1);
  kernels::BatchNormBackwardArguments call = pass.backward_call();
  call.forward.winner = shifted.data();
  kernels::cuda::batch_norm(call.forward, DataType::kFloat32, nullptr);
  EXPECT_EQ(shifted.values(), pass.winner.values());
  kernels::cuda::batch_norm_backward(call, DataType::kFloat32, nullptr);
  testing::expect_near(pass.dx.values(), pass.reference().dx, testing::kFewRoundings, "dx");
}

TEST(CudaBatchNormPool, WinnersThatNobodyWantsAreLeftOut) {
  NormalisationPass with({{2, 6, 6, 17}, true, true}), without({{2, 6, 6, 17}, true, true});
  with.statistics(), with.forward();
  without.statistics();
  kernels::BatchNormArguments call = without.forward_call();
  call.winner = nullptr;
  kernels::cuda::batch_norm(call, DataType::kFloat32, nullptr);
  EXPECT_EQ(with.y.values(), without.y.values());
}

}  // namespace batch_norm_limits_test
}  // namespace xrai
