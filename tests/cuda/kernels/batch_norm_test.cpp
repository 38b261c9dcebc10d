// The CUDA kernels of batch normalisation on the emulation, against the textbook in double and the CPU twin, at shapes
// where vectors, windows, tiles and blocks do not come out even, in every type of activations.
#include "kernels/batch_norm.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "batch_norm_pass.h"
#include "tests/support/compare.h"

namespace xrai {
namespace batch_norm_test {

using emulation::Order;
using testing::expect_near;
using testing::kFewRoundings;
using testing::NormalisationCase;
using testing::NormalisationPass;
using testing::NormalisationReference;
using testing::storage_tolerance;
using testing::Values;
using testing::widened;
using testing::x_of;
using Axes = std::array<std::int64_t, 4>;

constexpr DataType kTypes[] = {DataType::kFloat32, DataType::kBfloat16, DataType::kFloat16};

// {relu, pool, residual}
constexpr bool kChains[][3] = {{false, false, false}, {true, false, false}, {false, true, false},
                               {true, true, false},   {false, false, true}, {true, false, true}};

std::vector<NormalisationCase> cases() {
  // Single elements: 1, 3, 17, 33 channels (and 20 in narrow types); vectors in one tile: 4 to 32; in several: 36
  // (float) and 72, whose last tile is not full, and 512.
  const Axes shapes[] = {{2, 7, 5, 1},  {1, 4, 6, 3},   {2, 7, 5, 17},  {3, 2, 9, 33},   {5, 9, 2, 16}, {2, 5, 7, 20},
                         {1, 6, 6, 36}, {2, 11, 3, 72}, {1, 3, 3, 512}, {2, 37, 35, 16}, {9, 1, 1, 17}};
  std::vector<NormalisationCase> all;
  for (const DataType type : kTypes)
    for (const Axes& s : shapes)
      for (const auto& [relu, pool, residual] : kChains)
        if (!pool || s[1] > 1) all.push_back({{s[0], s[1], s[2], s[3]}, relu, pool, residual, type});
  for (const DataType type : kTypes)
    for (const auto& [relu, pool, residual] : kChains) all.push_back({{2, 5, 7, 16}, relu, pool, residual, type, 1});
  return all;
}

// Single elements, and vectors with more than one block's positions.
std::vector<NormalisationCase> few_cases() {
  std::vector<NormalisationCase> few = cases();
  std::erase_if(few, [](const NormalisationCase& c) { return c.shape.channels != 17 && c.shape.height != 37; });
  return few;
}

class CudaBatchNorm : public ::testing::TestWithParam<NormalisationCase> {};
class CudaBatchNormGradients : public ::testing::TestWithParam<NormalisationCase> {};

TEST_P(CudaBatchNorm, ForwardAndGradientsAreTheTextbooks) {
  NormalisationPass pass(GetParam());
  pass.run();
  const NormalisationReference r = pass.reference();
  const double stored = storage_tolerance(GetParam().type);
  expect_near(pass.mean.values(), r.mean, kFewRoundings, "mean");
  expect_near(pass.y.values(), r.y, stored, "y");
  expect_near(pass.dbeta.values(), r.dbeta, kFewRoundings, "dbeta");
  expect_near(pass.dgamma.values(), r.dgamma, kFewRoundings, "dgamma");
  expect_near(pass.dx.values(), r.dx, stored, "dx");
  // dy where the ReLU let through: nothing is rounded.
  if (GetParam().residual) expect_near(pass.dresidual.values(), r.dresidual, 0, "dresidual");
}

TEST_P(CudaBatchNorm, TheOrderOfBlocksAndThreadsChangesNoBit) {
  NormalisationPass forward(GetParam());
  forward.run();
  for (const Order order : {Order::kReverse, Order::kRandom}) {
    emulation::set_order(order, 3);
    NormalisationPass other(GetParam());
    other.run();
    EXPECT_EQ(forward.mean.values(), other.mean.values());
    EXPECT_EQ(forward.inverse.values(), other.inverse.values());
    EXPECT_EQ(forward.y.values(), other.y.values());
    EXPECT_EQ(forward.winner.values(), other.winner.values());
    EXPECT_EQ(forward.dgamma.values(), other.dgamma.values());
    EXPECT_EQ(forward.dbeta.values(), other.dbeta.values());
    EXPECT_EQ(forward.dx.values(), other.dx.values());
  }
  emulation::set_order(Order::kForward);
}

TEST_P(CudaBatchNormGradients, MayOverwriteWhatTheyReplace) {
  NormalisationPass apart(GetParam()), over(GetParam());
  apart.run();
  over.statistics();
  over.forward();
  kernels::BatchNormBackwardArguments call = over.backward_call();
  call.dx = over.x.data();
  if (GetParam().residual) call.dresidual = over.dy.data();
  kernels::cuda::batch_norm_backward(call, GetParam().type, nullptr);
  EXPECT_EQ(apart.dx.values(), over.x.values());
  if (GetParam().residual) {
    EXPECT_EQ(apart.dresidual.values(), over.dy.values());
  }
}

TEST_P(CudaBatchNormGradients, LeaveOutADxThatNobodyWants) {
  NormalisationPass whole(GetParam()), without(GetParam());
  whole.run();
  without.statistics();
  without.forward();
  kernels::BatchNormBackwardArguments call = without.backward_call();
  call.dx = nullptr;
  kernels::cuda::batch_norm_backward(call, GetParam().type, nullptr);
  EXPECT_EQ(whole.dgamma.values(), without.dgamma.values());
  EXPECT_EQ(whole.dbeta.values(), without.dbeta.values());
  EXPECT_EQ(whole.dresidual.values(), without.dresidual.values());
}

INSTANTIATE_TEST_SUITE_P(Shapes, CudaBatchNorm, ::testing::ValuesIn(cases()),
                         [](const auto& tested) { return testing::name_of(tested.param); });
INSTANTIATE_TEST_SUITE_P(Shapes, CudaBatchNormGradients, ::testing::ValuesIn(few_cases()),
                         [](const auto& tested) { return testing::name_of(tested.param); });

// ---- against the CPU twin -------------------------------------------------------------------------------------------

// The same call on both devices: all arrays are host memory on the emulation.
struct Twins {
  explicit Twins(const NormalisationCase& c) : Twins(c, x_of(c)) {}
  Twins(const NormalisationCase& c, const Values& x) : cpu(c, x), cuda(c, x) {}
  void forward() {
    cuda.statistics(), cuda.forward();
    kernels::cpu::batch_statistics(cpu.statistics_call());
    kernels::cpu::batch_norm(cpu.forward_call());
  }
  NormalisationPass cpu, cuda;
};

TEST(CudaBatchNormTwins, AgreeOnRunningStatistics) {
  for (const std::int64_t channels : {1, 17, 64}) {
    Twins twins(NormalisationCase{{2, 3, 5, channels}});
    twins.forward();
    expect_near(twins.cuda.running_mean.values(), widened(twins.cpu.running_mean.values()), 2e-7, "running mean");
    expect_near(twins.cuda.running_variance.values(), widened(twins.cpu.running_variance.values()), 2e-7,
                "running variance");
  }
}

TEST(CudaBatchNormTwins, AgreeOnEveryWinnerWhereGreyLevelsRepeat) {
  for (const std::int64_t channels : {17, 64}) {
    const NormalisationCase c{{2, 9, 11, channels}, false, true};
    Values x = x_of(c);
    for (float& value : x) value = std::round(value);
    Twins twins(c, x);
    twins.forward();
    EXPECT_EQ(twins.cuda.winner.values(), twins.cpu.winner.values());
  }
}

TEST(CudaBatchNormTwins, AgreeOnWhatNaNReaches) {
  for (const bool pool : {false, true}) {
    const NormalisationCase c{{1, 4, 4, 20}, true, pool};
    Values x = x_of(c);
    // Top left of its window in channel 5, bottom right in channel 7; the statistics are given.
    for (const std::size_t at : {5, (4 + 1) * 20 + 7}) x[at] = NAN;
    Twins twins(c, x);
    for (NormalisationPass* pass : {&twins.cpu, &twins.cuda}) {
      std::fill_n(pass->mean.data(), 20, 0.25f);
      std::fill_n(pass->inverse.data(), 20, 1.5f);
    }
    twins.cuda.forward();
    kernels::cpu::batch_norm(twins.cpu.forward_call());
    const Values cuda = twins.cuda.y.values(), cpu = twins.cpu.y.values();
    for (std::size_t i = 0; i < cpu.size(); ++i) EXPECT_EQ(std::isnan(cuda[i]), std::isnan(cpu[i])) << i;
    EXPECT_TRUE(std::isnan(cuda[5]));
    EXPECT_EQ(twins.cuda.winner.values(), twins.cpu.winner.values());
  }
}

TEST(CudaBatchNormTwins, AgreeThatNaNInOneChannelStaysThere) {
  const NormalisationCase c{{2, 5, 3, 17}, true};
  Values x = x_of(c);
  x[17 * 11 + 4] = NAN;
  Twins twins(c, x);
  twins.forward();
  twins.cuda.backward();
  kernels::cpu::batch_norm_backward(twins.cpu.backward_call());
  for (std::size_t channel = 0; channel < 17; ++channel) {
    EXPECT_EQ(std::isnan(twins.cuda.mean.values()[channel]), channel == 4);
    EXPECT_EQ(std::isnan(twins.cuda.inverse.values()[channel]), channel == 4);
    EXPECT_EQ(std::isnan(twins.cuda.dgamma.values()[channel]), std::isnan(twins.cpu.dgamma.values()[channel]));
  }
}

TEST(CudaBatchNormTwins, AgreeOnTheInverseDeviation) {
  // One block and a bit of the 256 threads each.
  const Values variance = testing::random_values(300, 1, 1e-6, 4);
  testing::Array<float> given(variance), inverse(300);
  Values expected(300);
  kernels::cuda::inverse_deviation(given.data(), 1e-5f, 300, inverse.data(), nullptr);
  kernels::cpu::inverse_deviation(variance.data(), 1e-5f, 300, expected.data());
  EXPECT_EQ(inverse.values(), expected);
}

// ---- statistics -----------------------------------------------------------------------------------------------------

TEST(CudaBatchNormStatistics, SurviveAMeanTenThousandTimesTheDeviation) {
  // Squares minus the squared mean would leave nothing of the variance in float32: 1e6 against 0.01.
  for (const std::int64_t channels : {1, 17, 64}) {
    NormalisationPass pass({{4, 40, 40, channels}, false, false, false, DataType::kFloat32, 0, 1000, 0.1});
    pass.run();
    const NormalisationReference r = pass.reference();
    for (std::size_t c = 0; c < r.mean.size(); ++c) {
      EXPECT_NEAR(pass.mean.values()[c], r.mean[c], 6.2e-5);  // one float32 step at 1000
      EXPECT_NEAR(pass.inverse.values()[c] * std::sqrt(r.variance[c] + 1e-5), 1.0, 1e-6) << "channel " << c;
    }
    // x itself is rounded to 6e-5, which is 6e-4 deviations.
    expect_near(pass.y.values(), r.y, 2e-3, "y");
  }
}

TEST(CudaBatchNormStatistics, SurviveABorderFarFromTheRest) {
  // The first value of a tile is what others are measured from; here it is the one that lies far away.
  for (const std::int64_t channels : {1, 16}) {
    const NormalisationCase given{{1, 60, 60, channels}, false, false, false, DataType::kFloat32, 0, 1000, 0.1};
    Values x = x_of(given);
    std::fill_n(x.begin(), channels, 0.0f);
    NormalisationPass pass(given, x);
    pass.statistics();
    const NormalisationReference r = pass.reference();
    for (std::size_t c = 0; c < r.mean.size(); ++c)
      EXPECT_NEAR(pass.inverse.values()[c] * std::sqrt(r.variance[c] + 1e-5), 1.0, 1e-5) << "channel " << c;
  }
}

TEST(CudaBatchNormStatistics, AndGradientsCountEveryOneOfManyBlocks) {
  // 67 blocks of positions are more than the threads that finish a channel: some add two partial sums.
  NormalisationPass pass({{1, 130, 131, 32}, true});
  pass.run();
  const NormalisationReference r = pass.reference();
  expect_near(pass.mean.values(), r.mean, kFewRoundings, "mean");
  for (std::size_t c = 0; c < r.mean.size(); ++c)
    EXPECT_NEAR(pass.inverse.values()[c] * std::sqrt(r.variance[c] + 1e-5), 1.0, 1e-6) << "channel " << c;
  expect_near(pass.dbeta.values(), r.dbeta, kFewRoundings, "dbeta");
  expect_near(pass.dgamma.values(), r.dgamma, kFewRoundings, "dgamma");
}

TEST(CudaBatchNormStatistics, ASinglePositionLeavesTheRunningValuesAloneAndGivesBeta) {
  NormalisationPass pass({{1, 1, 1, 17}, false, false, false, DataType::kFloat32, 0, 5, 1});
  pass.run();
  EXPECT_EQ(pass.running_mean.values(), Values(17, 0.0f));
  EXPECT_EQ(pass.running_variance.values(), Values(17, 1.0f));
  expect_near(pass.y.values(), widened(pass.beta.values()), 1e-3, "y");  // 1 / sqrt(epsilon) magnifies a rounding
}

TEST(CudaBatchNormStatistics, NeedNoRunningValues) {
  NormalisationPass pass(NormalisationCase{{2, 3, 5, 16}});
  kernels::BatchStatisticsArguments call = pass.statistics_call();
  call.running_mean = call.running_variance = nullptr;
  kernels::cuda::batch_statistics(call, DataType::kFloat32, nullptr);
  expect_near(pass.mean.values(), pass.reference().mean, kFewRoundings, "mean");
}

TEST(CudaBatchNormStatistics, AConstantChannelHasNoVarianceAndNoInfinity) {
  NormalisationPass pass({{2, 4, 4, 20}, true, true}, Values(2 * 4 * 4 * 20, 0.7f));
  pass.run();
  for (const float v : pass.inverse.values()) EXPECT_NEAR(v, 1 / std::sqrt(1e-5), 0.5);
  for (const float v : pass.dx.values()) EXPECT_TRUE(std::isfinite(v));
}

}  // namespace batch_norm_test
}  // namespace xrai
