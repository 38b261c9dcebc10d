// Batch normalisation with everything that may follow it, against the textbook in double, at shapes where vectors,
// windows and threads do not come out even.
#include "kernels/batch_norm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "kernels/parallel.h"
#include "tests/support/compare.h"
#include "tests/support/reference.h"

namespace xrai {
namespace batch_norm_test {

using testing::Doubles;
using testing::expect_near;
using testing::NormalisationCall;
using testing::NormalisationReference;
using testing::random_values;
using testing::Values;
using testing::widened;

// A few roundings of float32 (6e-8 each) of the largest value; sums over positions are kept in double.
constexpr double kFewRoundings = 2e-6;

struct Case {
  Shape shape;
  bool relu, pool, residual;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << to_string(c.shape) << (c.relu ? " relu" : "") << (c.pool ? " pool" : "") << (c.residual ? " residual" : "");
}

/// One batch through statistics, normalisation and back.
struct Pass {
  Pass(const Case& c, double mean_of_x, double deviation_of_x)
      : shape{c.shape.n, c.shape.height, c.shape.width, c.shape.channels},
        x(random_values(c.shape.count(), 1, mean_of_x - 1.7 * deviation_of_x, mean_of_x + 1.7 * deviation_of_x)),
        residual(c.residual ? random_values(c.shape.count(), 2) : Values()),
        gamma(random_values(c.shape.channels, 3, -1.5, 1.5)),
        beta(random_values(c.shape.channels, 4)) {
    const auto channels = static_cast<std::size_t>(c.shape.channels);
    for (Values* v : {&mean, &inverse, &running_mean, &dgamma, &dbeta}) v->assign(channels, 0.0f);
    running_variance.assign(channels, 1.0f);
    const std::int64_t n_out =
        c.pool ? c.shape.n * (c.shape.height / 2) * (c.shape.width / 2) * c.shape.channels : c.shape.count();
    y.resize(static_cast<std::size_t>(n_out));
    dy = random_values(n_out, 5);
    winner.resize(y.size());
    dx.assign(x.size(), NAN);
    dresidual.assign(residual.size(), NAN);
    workspace.assign(static_cast<std::size_t>(kernels::batch_norm_workspace_doubles(shape)), NAN);
    forward = {x.data(), c.residual ? residual.data() : nullptr, gamma.data(), beta.data(), mean.data(), inverse.data(),
               y.data(), c.pool ? winner.data() : nullptr,       shape,        c.relu,      c.pool};
  }

  void run() {
    kernels::cpu::batch_statistics({x.data(), shape, 1e-5f, 0.1f, mean.data(), inverse.data(), running_mean.data(),
                                    running_variance.data(), workspace.data()});
    kernels::cpu::batch_norm(forward);
    kernels::cpu::batch_norm_backward({forward, dy.data(), dx.data(), residual.empty() ? nullptr : dresidual.data(),
                                       dgamma.data(), dbeta.data(), workspace.data()});
  }
  [[nodiscard]] NormalisationReference reference() const {
    const Shape s{shape.n, shape.height, shape.width, shape.channels};
    const NormalisationCall call{s,     widened(x),   widened(residual), widened(gamma), widened(beta),
                                 1e-5f, forward.relu, forward.pool};
    return testing::normalisation_reference(call, widened(dy));
  }

  kernels::BatchNormShape shape;
  Values x, residual, gamma, beta, mean, inverse, running_mean, running_variance, y, dy, dx, dresidual, dgamma, dbeta;
  std::vector<std::uint8_t> winner;
  Doubles workspace;
  kernels::BatchNormArguments forward;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const std::int64_t channels : {1, 3, 16, 17, 40})
    for (const auto& [n, height, width] : {std::array<std::int64_t, 3>{2, 7, 5}, {1, 4, 6}, {3, 2, 9}, {5, 9, 2}})
      for (const bool relu : {false, true}) {
        all.push_back({{n, height, width, channels}, relu, false, false});
        all.push_back({{n, height, width, channels}, relu, true, false});
        all.push_back({{n, height, width, channels}, relu, false, true});
      }
  all.push_back({{6, 1, 1, 17}, true, false, true});
  all.push_back({{3, 70, 61, 3}, true, true, false});  // more positions than one block holds
  return all;
}

class BatchNorm : public ::testing::TestWithParam<Case> {};

TEST_P(BatchNorm, ForwardAndGradientsAreTheTextbooks) {
  Pass pass(GetParam(), 0.3, 1.0);
  pass.run();
  const NormalisationReference r = pass.reference();
  expect_near(pass.mean, r.mean, kFewRoundings, "mean");
  expect_near(pass.y, r.y, kFewRoundings, "y");
  expect_near(pass.dbeta, r.dbeta, kFewRoundings, "dbeta");
  expect_near(pass.dgamma, r.dgamma, kFewRoundings, "dgamma");
  expect_near(pass.dx, r.dx, kFewRoundings, "dx");
  if (GetParam().residual) expect_near(pass.dresidual, r.dresidual, kFewRoundings, "dresidual");
}

TEST_P(BatchNorm, GradientsMayOverwriteWhatTheyReplace) {
  Pass apart(GetParam(), 0.3, 1.0), over(GetParam(), 0.3, 1.0);
  apart.run();
  kernels::cpu::batch_statistics({over.x.data(), over.shape, 1e-5f, 0.1f, over.mean.data(), over.inverse.data(),
                                  over.running_mean.data(), over.running_variance.data(), over.workspace.data()});
  kernels::cpu::batch_norm(over.forward);
  kernels::cpu::batch_norm_backward({over.forward, over.dy.data(), over.x.data(),
                                     over.residual.empty() ? nullptr : over.dy.data(), over.dgamma.data(),
                                     over.dbeta.data(), over.workspace.data()});
  EXPECT_EQ(apart.dx, over.x);
  if (GetParam().residual) {
    EXPECT_EQ(apart.dresidual, over.dy);
  }
}

TEST_P(BatchNorm, TheBitsDoNotDependOnTheNumberOfThreads) {
  const int before = kernels::thread_count();
  kernels::set_thread_count(1);
  Pass one(GetParam(), 0.3, 1.0);
  one.run();
  for (const int threads : {2, 3, 5}) {
    kernels::set_thread_count(threads);
    Pass several(GetParam(), 0.3, 1.0);
    several.run();
    EXPECT_EQ(one.mean, several.mean) << threads << " threads";
    EXPECT_EQ(one.inverse, several.inverse) << threads << " threads";
    EXPECT_EQ(one.y, several.y) << threads << " threads";
    EXPECT_EQ(one.winner, several.winner) << threads << " threads";
    EXPECT_EQ(one.dgamma, several.dgamma) << threads << " threads";
    EXPECT_EQ(one.dbeta, several.dbeta) << threads << " threads";
    EXPECT_EQ(one.dx, several.dx) << threads << " threads";
  }
  kernels::set_thread_count(before);
}

INSTANTIATE_TEST_SUITE_P(Shapes, BatchNorm, ::testing::ValuesIn(cases()));

TEST(BatchNormStatistics, SurviveAMeanTenThousandTimesTheDeviation) {
  // Squares minus the squared mean would leave nothing of the variance in float32: 1e6 against 0.01.
  for (const std::int64_t channels : {1, 17, 64}) {
    Pass pass({{4, 40, 40, channels}, false, false, false}, 1000, 0.1);
    pass.run();
    const NormalisationReference r = pass.reference();
    for (std::size_t c = 0; c < r.mean.size(); ++c) {
      EXPECT_NEAR(pass.mean[c], r.mean[c], 6.2e-5);  // one float32 step at 1000
      EXPECT_NEAR(pass.inverse[c] * std::sqrt(r.variance[c] + 1e-5), 1.0, 1e-5) << "channel " << c;
    }
    // x itself is rounded to 6e-5, which is 6e-4 deviations.
    expect_near(pass.y, r.y, 2e-3, "y");
  }
}

TEST(BatchNormStatistics, RunningValuesTakeTheUnbiasedVariance) {
  Pass pass({{2, 3, 5, 17}, false, false, false}, 2.0, 0.5);
  pass.run();
  const NormalisationReference r = pass.reference();
  for (std::size_t c = 0; c < r.mean.size(); ++c) {
    EXPECT_NEAR(pass.running_mean[c], 0.1 * r.mean[c], 1e-6);
    EXPECT_NEAR(pass.running_variance[c], 0.9 + 0.1 * r.variance[c] * 30.0 / 29.0, 1e-6);
  }
}

TEST(BatchNormStatistics, ASinglePositionLeavesTheRunningValuesAloneAndGivesBeta) {
  Pass pass({{1, 1, 1, 17}, false, false, false}, 5, 1);
  pass.run();
  EXPECT_EQ(pass.running_mean, Values(17, 0.0f));
  EXPECT_EQ(pass.running_variance, Values(17, 1.0f));
  expect_near(pass.y, widened(pass.beta), 1e-3, "y");  // 1 / sqrt(epsilon) magnifies the rounding of x - mean
}

TEST(BatchNormStatistics, AConstantChannelHasNoVarianceAndNoInfinity) {
  Pass pass({{2, 4, 4, 3}, true, true, false}, 0, 1);
  pass.x.assign(pass.x.size(), 0.7f);
  pass.forward.x = pass.x.data();
  pass.run();
  for (const float v : pass.inverse) EXPECT_NEAR(v, 1 / std::sqrt(1e-5), 0.5);
  for (const float v : pass.y) EXPECT_TRUE(std::isfinite(v));
  for (const float v : pass.dx) EXPECT_TRUE(std::isfinite(v));
}

TEST(BatchNormPool, TheFirstOfEqualMaximaWins) {
  // Grey levels of a radiograph repeat; 17 channels run the vector body and its tail.
  Pass pass({{1, 4, 4, 17}, false, true, false}, 0, 1);
  for (float& value : pass.x) value = std::round(value);
  pass.gamma.assign(17, 1.0f);
  pass.forward.gamma = pass.gamma.data();
  pass.run();
  const NormalisationReference r = pass.reference();
  expect_near(pass.dx, r.dx, kFewRoundings, "dx");
}

TEST(BatchNormNaN, OfXReachesYThroughRelu) {
  Pass pass({{1, 4, 4, 17}, true, false, false}, 0, 1);
  pass.x[5] = NAN;
  pass.run();
  EXPECT_TRUE(std::isnan(pass.y[5]));
}

TEST(BatchNormReference, AgreesWithFiniteDifferences) {
  const Case c{{2, 5, 4, 3}, true, true, false};
  const Pass pass(c, 0.3, 1.0);
  const NormalisationReference r = pass.reference();
  NormalisationCall call{c.shape, widened(pass.x), {}, widened(pass.gamma), widened(pass.beta), 1e-5f, true, true};
  const auto objective = [&](const NormalisationCall& at) {
    const Doubles y = testing::normalisation_reference(at, {}).y;
    double sum = 0;
    for (std::size_t i = 0; i < y.size(); ++i) sum += y[i] * pass.dy[i];
    return sum;
  };
  const auto expect_gradient = [&](Doubles NormalisationCall::*member, const Doubles& computed) {
    const auto f = [&](const Doubles& values) {
      NormalisationCall moved = call;
      moved.*member = values;
      return objective(moved);
    };
    const Doubles numerical = testing::numerical_gradient(f, call.*member);
    for (std::size_t i = 0; i < numerical.size(); ++i) EXPECT_NEAR(computed[i], numerical[i], 1e-7);
  };
  expect_gradient(&NormalisationCall::x, r.dx);
  expect_gradient(&NormalisationCall::gamma, r.dgamma);
  expect_gradient(&NormalisationCall::beta, r.dbeta);
}

}  // namespace batch_norm_test
}  // namespace xrai
