// Batch normalisation, alone and with ReLU and 2x2 max pooling behind it, against values recorded from PyTorch.
#include <gtest/gtest.h>

#include "kernels/batch_norm.h"
#include "tests/support/golden.h"

namespace xrai {
namespace batch_norm_goldens_test {

using testing::expect_near_golden;
using testing::golden_cases;
using testing::GoldenCase;
using Values = std::vector<float>;

// PyTorch's own float32 differs from the recorded double by 4e-7 at most.
constexpr double kFloat32 = 1e-6;
// A mean 64 times the deviation costs six bits of y; PyTorch's float32 loses 7e-7 there.
constexpr double kFarFromZero = 4e-6;

// One batch on its way through statistics, normalisation and back.
struct Pass {
  explicit Pass(const GoldenCase& golden) : x(golden.values("x")), gamma(golden.values("gamma")) {
    const Shape axes = golden.map_shape("x");
    shape = {axes.n, axes.height, axes.width, axes.channels};
    beta = golden.values("beta");
    const auto n_channels = static_cast<std::size_t>(axes.channels);
    for (Values* channels : {&mean, &inverse_deviation, &dgamma, &dbeta}) channels->resize(n_channels);
    running_mean = golden.has("running_mean") ? golden.values("running_mean") : Values(n_channels);
    running_variance = golden.has("running_variance") ? golden.values("running_variance") : Values(n_channels);
    dy = golden.values("dy");
    y.resize(dy.size());
    dx.resize(x.size());
    winner.resize(dy.size());
    workspace.resize(static_cast<std::size_t>(kernels::batch_norm_workspace_doubles(shape)));
  }

  void statistics() {
    kernels::BatchStatisticsArguments arguments;
    arguments.x = x.data(), arguments.shape = shape;
    arguments.mean = mean.data(), arguments.inverse_deviation = inverse_deviation.data();
    arguments.running_mean = running_mean.data(), arguments.running_variance = running_variance.data();
    arguments.workspace = workspace.data();
    kernels::cpu::batch_statistics(arguments);
  }
  void forward(bool relu, bool pool) {
    call.x = x.data(), call.gamma = gamma.data(), call.beta = beta.data();
    call.mean = mean.data(), call.inverse_deviation = inverse_deviation.data();
    call.y = y.data(), call.winner = pool ? winner.data() : nullptr;
    call.shape = shape, call.relu = relu, call.pool = pool;
    kernels::cpu::batch_norm(call);
  }
  void backward() {
    kernels::BatchNormBackwardArguments back;
    back.forward = call, back.dy = dy.data(), back.dx = dx.data();
    back.dgamma = dgamma.data(), back.dbeta = dbeta.data(), back.workspace = workspace.data();
    kernels::cpu::batch_norm_backward(back);
  }

  kernels::BatchNormShape shape;
  Values x, gamma, beta, mean, inverse_deviation, running_mean, running_variance, y, dy, dx, dgamma, dbeta;
  std::vector<std::uint8_t> winner;
  std::vector<double> workspace;
  kernels::BatchNormArguments call;
};

void expect_gradients(const Pass& pass, const GoldenCase& golden, double tolerance) {
  expect_near_golden(pass.dx, golden, "dx", tolerance);
  expect_near_golden(pass.dgamma, golden, "dgamma", tolerance);
  expect_near_golden(pass.dbeta, golden, "dbeta", tolerance);
}

class BatchNormGoldens : public ::testing::TestWithParam<GoldenCase> {};

TEST_P(BatchNormGoldens, TrainingUsesTheBatchAndFeedsTheRunningStatistics) {
  const GoldenCase& golden = GetParam();
  const double tolerance = golden.name == "mean_far_from_zero" ? kFarFromZero : kFloat32;
  Pass pass(golden);
  pass.statistics();
  pass.forward(false, false);
  pass.backward();
  expect_near_golden(pass.y, golden, "y", tolerance);
  expect_gradients(pass, golden, tolerance);
  expect_near_golden(pass.running_mean, golden, "running_mean_after", tolerance);
  expect_near_golden(pass.running_variance, golden, "running_variance_after", tolerance);
}

INSTANTIATE_TEST_SUITE_P(Recorded, BatchNormGoldens, ::testing::ValuesIn(golden_cases("batch_norm_training")),
                         testing::golden_name);

class BatchNormEvaluationGoldens : public ::testing::TestWithParam<GoldenCase> {};

TEST_P(BatchNormEvaluationGoldens, EvaluationUsesTheRunningStatistics) {
  const GoldenCase& golden = GetParam();
  Pass pass(golden);
  pass.mean = pass.running_mean;
  kernels::cpu::inverse_deviation(pass.running_variance.data(), golden.attributes.at("epsilon"), pass.shape.channels,
                                  pass.inverse_deviation.data());
  pass.forward(false, false);
  expect_near_golden(pass.y, golden, "y", kFloat32);
}

INSTANTIATE_TEST_SUITE_P(Recorded, BatchNormEvaluationGoldens,
                         ::testing::ValuesIn(golden_cases("batch_norm_evaluation")), testing::golden_name);

class FusedChainGoldens : public ::testing::TestWithParam<GoldenCase> {};

TEST_P(FusedChainGoldens, NormReluPoolInOnePassIsTheThreeInARow) {
  const GoldenCase& golden = GetParam();
  Pass pass(golden);
  pass.statistics();
  pass.forward(true, true);
  pass.backward();
  expect_near_golden(pass.y, golden, "y", kFloat32);
  expect_gradients(pass, golden, kFloat32);
}

INSTANTIATE_TEST_SUITE_P(Recorded, FusedChainGoldens, ::testing::ValuesIn(golden_cases("batch_norm_relu_max_pool")),
                         testing::golden_name);

}  // namespace batch_norm_goldens_test
}  // namespace xrai
