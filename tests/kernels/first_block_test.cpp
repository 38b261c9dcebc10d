// The first block against the four textbook layers in double, one behind the other.
#include "kernels/first_block.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/parallel.h"
#include "tests/support/compare.h"
#include "tests/support/reference.h"

namespace xrai {
namespace first_block_test {

using kernels::FirstBlockShape;
using testing::Doubles;
using testing::expect_near;
using testing::NormalisationCall;
using testing::random_values;
using testing::Values;
using testing::widened;

// A few roundings of float32 (6e-8 each) of the largest value: nine products, then the normalisation.
constexpr double kFewRoundings = 2e-6;
// Sums of some thousand products in float32 a row of windows, in double from there on.
constexpr double kFloatSums = 5e-6;

struct Passes {
  explicit Passes(const FirstBlockShape& s, double centre = 0, double spread = 1)
      : shape(s),
        x(random_values(s.n * s.height * s.width, 1, centre - spread, centre + spread)),
        weights(random_values(s.filters * 9, 2)),
        gamma(random_values(s.filters, 3, -1.5, 1.5)),
        beta(random_values(s.filters, 4)),
        dy(random_values(s.n * (s.height / 2) * (s.width / 2) * s.filters, 5)),
        y(dy.size(), NAN),
        winner(dy.size(), 77),
        moments(kernels::kFirstBlockMoments, NAN),
        workspace(static_cast<std::size_t>(kernels::first_block_workspace_doubles(s)), NAN),
        dweights(weights.size(), NAN) {
    for (Values* v : {&mean, &inverse, &dgamma, &dbeta}) v->assign(gamma.size(), NAN);
    running_mean = random_values(s.filters, 6);
    running_variance = random_values(s.filters, 7, 0.5, 2);
  }

  [[nodiscard]] kernels::FirstBlockArguments forward() {
    return {x.data(),       weights.data(), gamma.data(),  beta.data(), mean.data(),
            inverse.data(), y.data(),       winner.data(), shape};
  }
  void run() {
    kernels::cpu::first_block_statistics({x.data(), weights.data(), shape, 1e-5f, 0.1f, moments.data(), mean.data(),
                                          inverse.data(), running_mean.data(), running_variance.data(),
                                          workspace.data()});
    kernels::cpu::first_block(forward());
    kernels::cpu::first_block_backward(
        {forward(), moments.data(), dy.data(), dweights.data(), dgamma.data(), dbeta.data(), workspace.data()});
  }

  FirstBlockShape shape;
  Values x, weights, gamma, beta, dy, y;
  std::vector<std::uint8_t> winner;
  Doubles moments, workspace;
  Values mean, inverse, running_mean, running_variance, dweights, dgamma, dbeta;
};

struct Expected {
  testing::NormalisationReference norm;
  Doubles dweights;
};

Expected textbook(const Passes& p) {
  const FirstBlockShape& s = p.shape;
  const ConvolutionSpec spec{{s.n, s.height, s.width, 1}, s.filters, {3, 3, 1, 1, 1, 1, 1, 1}};
  const Doubles none(static_cast<std::size_t>(spec.output().count()), 0.0);
  const Doubles c = testing::convolution_reference(spec, widened(p.x), widened(p.weights), {}, none).y;
  const NormalisationCall call{spec.output(), c, {}, widened(p.gamma), widened(p.beta), 1e-5f, true, true};
  Expected expected;
  expected.norm = testing::normalisation_reference(call, widened(p.dy));
  expected.dweights =
      testing::convolution_reference(spec, widened(p.x), widened(p.weights), {}, expected.norm.dx).dweights;
  return expected;
}

void expect_textbook(Passes& p, double tolerance, double sums_tolerance) {
  SCOPED_TRACE(::testing::Message() << p.shape.n << " x " << p.shape.height << " x " << p.shape.width << ", "
                                    << p.shape.filters << " filters");
  const Values mean_before = p.running_mean, variance_before = p.running_variance;
  p.run();
  const Expected expected = textbook(p);
  expect_near(p.mean, expected.norm.mean, tolerance, "mean");
  expect_near(p.y, expected.norm.y, tolerance, "y");
  expect_near(p.dbeta, expected.norm.dbeta, sums_tolerance, "dbeta");
  expect_near(p.dgamma, expected.norm.dgamma, sums_tolerance, "dgamma");
  expect_near(p.dweights, expected.dweights, sums_tolerance, "dweights");
  const double count = static_cast<double>(p.shape.n * p.shape.height * p.shape.width);
  Doubles inverse, running_mean, running_variance;
  for (std::size_t f = 0; f < p.mean.size(); ++f) {
    const double variance = expected.norm.variance[f];
    inverse.push_back(1 / std::sqrt(variance + 1e-5));
    running_mean.push_back(0.9 * mean_before[f] + 0.1 * expected.norm.mean[f]);
    running_variance.push_back(0.9 * variance_before[f] + 0.1 * variance * count / (count - 1));
  }
  expect_near(p.inverse, inverse, tolerance, "inverse deviation");
  expect_near(p.running_mean, running_mean, tolerance, "running mean");
  expect_near(p.running_variance, running_variance, tolerance, "running variance");
}

TEST(FirstBlock, IsTheFourLayersAtAnySize) {
  for (const FirstBlockShape& shape :
       {FirstBlockShape{1, 2, 2, 16}, FirstBlockShape{3, 8, 8, 16}, FirstBlockShape{2, 7, 9, 48},
        FirstBlockShape{5, 17, 30, 16}, FirstBlockShape{2, 33, 3, 32}, FirstBlockShape{4, 40, 41, 16}}) {
    Passes passes(shape);
    expect_textbook(passes, kFewRoundings, kFloatSums);
  }
}

TEST(FirstBlock, ASmallDeviationFarFromZeroIsNotLost) {
  // Where the grey levels lie a hundred deviations away from zero, only the zeros around the picture and these small
  // deviations tell places apart; float32 itself leaves two digits less.
  Passes passes({2, 24, 26, 16}, 5, 0.05);
  expect_textbook(passes, 100 * kFewRoundings, 100 * kFloatSums);
}

TEST(FirstBlock, EqualPicturesOfZerosStayFinite) {
  Passes passes({2, 8, 8, 16}, 0, 0);
  passes.run();
  for (std::size_t f = 0; f < passes.mean.size(); ++f) {
    EXPECT_EQ(passes.mean[f], 0);
    EXPECT_FLOAT_EQ(passes.inverse[f], 1 / std::sqrt(1e-5f));
    EXPECT_EQ(passes.dgamma[f], 0);
  }
  for (const float value : passes.y) ASSERT_TRUE(std::isfinite(value));
}

TEST(FirstBlock, WinnersAreTheFirstOfEqualsAndNobodyAtZero) {
  Passes passes({1, 4, 4, 16}, 0, 0);  // every place of a window has the value beta
  passes.run();
  for (std::size_t i = 0; i < passes.winner.size(); ++i) {
    const float beta = passes.beta[i % 16];
    ASSERT_EQ(passes.winner[i], beta > 0 ? 0 : 4);
    ASSERT_EQ(passes.y[i], beta > 0 ? beta : 0);
  }
}

TEST(FirstBlock, ANotANumberComesThrough) {
  Passes passes({1, 6, 6, 16});
  passes.weights[9 * 3] = NAN;
  passes.run();
  for (std::size_t i = 0; i < passes.y.size(); ++i) ASSERT_EQ(std::isnan(passes.y[i]), i % 16 == 3);
  EXPECT_TRUE(std::isnan(passes.dweights[9 * 3]));
}

TEST(FirstBlock, WithoutWinnersTheResultIsTheSame) {
  Passes passes({2, 10, 12, 32});
  passes.run();
  const Values with = passes.y;
  kernels::FirstBlockArguments arguments = passes.forward();
  arguments.winner = nullptr;
  passes.y.assign(with.size(), NAN);
  kernels::cpu::first_block(arguments);
  EXPECT_EQ(passes.y, with);
}

TEST(FirstBlock, BitsDoNotDependOnTheThreads) {
  const int before = kernels::thread_count();
  kernels::set_thread_count(1);
  Passes one({5, 13, 16, 16});
  one.run();
  for (const int threads : {2, 3, 7}) {
    kernels::set_thread_count(threads);
    Passes several({5, 13, 16, 16});
    several.run();
    EXPECT_EQ(several.y, one.y);
    EXPECT_EQ(several.mean, one.mean);
    EXPECT_EQ(several.inverse, one.inverse);
    EXPECT_EQ(several.dweights, one.dweights);
    EXPECT_EQ(several.dgamma, one.dgamma);
  }
  kernels::set_thread_count(before);
}

// What lies so near to the middle between two steps that float's own rounding decides may go either way.
TEST(FirstBlock, InBytesIsTheSameRoundedToStepsAndCutOff) {
  for (const FirstBlockShape& shape : {FirstBlockShape{3, 8, 8, 16}, FirstBlockShape{2, 7, 9, 48}}) {
    Passes passes(shape);
    passes.run();
    kernels::FirstBlockArguments arguments = passes.forward();
    std::vector<std::uint8_t> bytes(passes.y.size(), 77);
    arguments.y = nullptr, arguments.winner = nullptr, arguments.bytes = bytes.data();
    arguments.step = *std::max_element(passes.y.begin(), passes.y.end()) / 400;
    kernels::cpu::first_block(arguments);
    int cut_off = 0, between = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const float steps = passes.y[i] / arguments.step;
      EXPECT_NEAR(bytes[i], std::min(steps, 255.0f), 0.5001) << i;
      cut_off += steps > 255 ? 1 : 0, between += steps > 1 && steps < 254 ? 1 : 0;
    }
    EXPECT_GT(cut_off, 0);
    EXPECT_GT(between, 100);
  }
}

}  // namespace first_block_test
}  // namespace xrai
