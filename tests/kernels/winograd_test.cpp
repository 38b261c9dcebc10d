// Winograd's convolution and its gradients against the naive loops in double, at shapes that tiles, registers and
// threads do not divide evenly.
#include "kernels/winograd.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "kernels/lanes.h"
#include "kernels/parallel.h"
#include "tests/support/compare.h"
#include "tests/support/reference.h"

namespace xrai {
namespace winograd_test {

using kernels::WinogradShape;
using testing::expect_near;
using testing::random_values;
using testing::Values;
using testing::widened;

// What direct convolutions are held to as well (tests/runtime/cpu/random_plans_test.cpp): the detour through another
// basis costs about one digit in base 2, fewer sums give it back.
constexpr double kFloatSums = 5e-6;

struct Passes {
  explicit Passes(const WinogradShape& s)
      : shape(s),
        x(random_values(s.n * s.height * s.width * s.inputs, 1)),
        weights(random_values(s.outputs * 9 * s.inputs, 2)),
        dy(random_values(s.n * s.height * s.width * s.outputs, 3)),
        y(dy.size(), NAN),
        dx(x.size(), NAN),
        dweights(weights.size(), NAN),
        workspace(static_cast<std::size_t>(kernels::winograd_workspace_floats(s, true)) + kGuard, kUntouched) {}

  void run() { run_in_parts(shape.n); }

  // So many pictures a call.
  void run_in_parts(std::int64_t images) {
    using namespace kernels::cpu;
    winograd_forward_weights(shape, weights.data(), workspace.data());
    const std::int64_t weight_floats = kernels::winograd_weight_floats(shape);
    for_parts(images, [&](const WinogradShape& part, std::size_t in, std::size_t out) {
      winograd_forward(part, x.data() + in, workspace.data(), y.data() + out, workspace.data() + weight_floats);
    });
    const bool take_turns = kernels::winograd_takes_turns(shape);
    if (!take_turns) winograd_backward_weights(shape, weights.data(), workspace.data());
    for_parts(images, [&](const WinogradShape& part, std::size_t in, std::size_t out) {
      winograd_add_weight_gradient(part, x.data() + in, dy.data() + out, in == 0, workspace.data());
      if (!take_turns) winograd_input_gradient(part, dy.data() + out, dx.data() + in, workspace.data());
    });
    winograd_weight_gradient(shape, dweights.data(), workspace.data());
    if (!take_turns) return;
    winograd_backward_weights(shape, weights.data(), workspace.data());
    for_parts(images, [&](const WinogradShape& part, std::size_t in, std::size_t out) {
      winograd_input_gradient(part, dy.data() + out, dx.data() + in, workspace.data());
    });
  }

  template <class Call>
  void for_parts(std::int64_t images, const Call& call) const {
    for (std::int64_t first = 0; first < shape.n; first += images) {
      WinogradShape part = shape;
      part.n = std::min(images, shape.n - first);
      const std::size_t positions = static_cast<std::size_t>(first * shape.height * shape.width);
      call(part, positions * static_cast<std::size_t>(shape.inputs),
           positions * static_cast<std::size_t>(shape.outputs));
    }
  }

  static constexpr std::size_t kGuard = 64;
  static constexpr float kUntouched = 12345;
  WinogradShape shape;
  Values x, weights, dy, y, dx, dweights, workspace;
};

void expect_naive(const WinogradShape& s) {
  SCOPED_TRACE(::testing::Message() << s.n << " x " << s.height << " x " << s.width << ", " << s.inputs << " to "
                                    << s.outputs << ", " << s.threads << " threads");
  Passes passes(s);
  passes.run();
  const ConvolutionSpec spec{{s.n, s.height, s.width, s.inputs}, s.outputs, {3, 3, 1, 1, 1, 1, 1, 1}};
  const auto reference =
      testing::convolution_reference(spec, widened(passes.x), widened(passes.weights), {}, widened(passes.dy));
  expect_near(passes.y, reference.y, kFloatSums, "y");
  expect_near(passes.dx, reference.dx, kFloatSums, "dx");
  expect_near(passes.dweights, reference.dweights, kFloatSums, "dweights");
  for (std::size_t i = passes.workspace.size() - Passes::kGuard; i < passes.workspace.size(); ++i)
    ASSERT_EQ(passes.workspace[i], Passes::kUntouched) << "written behind the workspace";
}

TEST(Winograd, IsTheNaiveConvolutionAtAnySize) {
  const WinogradShape shapes[] = {
      {1, 1, 1, 16, 16},    {1, 4, 4, 16, 16},    {2, 5, 3, 16, 48},      {3, 2, 9, 32, 16},
      {1, 14, 14, 128, 64}, {2, 13, 11, 48, 160}, {5, 28, 28, 16, 32, 3}, {1, 3, 40, 64, 96, 4},
  };
  for (const WinogradShape& shape : shapes) expect_naive(shape);
}

// y of the convolution with batch normalisation and what is joined to it, nothing of the convolution's output.
/// `convolved`: what the naive loops make of `p`, which takes longest.
void expect_naive_normalised(const Passes& p, const testing::Doubles& convolved, bool relu, bool with_residual,
                             bool pool) {
  const WinogradShape& s = p.shape;
  SCOPED_TRACE(::testing::Message() << s.n << " x " << s.height << " x " << s.width << ", " << s.inputs << " to "
                                    << s.outputs << ", relu " << relu << ", residual " << with_residual << ", pool "
                                    << pool);
  const Shape out{s.n, s.height, s.width, s.outputs};
  const Values residual = with_residual ? random_values(out.count(), 4) : Values();
  // Scales of both signs: the largest value of a window need not be the convolution's largest.
  const Values gamma = random_values(s.outputs, 5), beta = random_values(s.outputs, 6);
  const Values mean = random_values(s.outputs, 7), variance = random_values(s.outputs, 8, 0.5, 2);
  Values inverse(variance.size()), y(static_cast<std::size_t>(out.count() / (pool ? 4 : 1)) + Passes::kGuard, 12345);
  if (pool) y.resize(static_cast<std::size_t>(s.n * (s.height / 2) * (s.width / 2) * s.outputs) + Passes::kGuard);
  std::fill(y.begin(), y.end(), Passes::kUntouched);
  kernels::cpu::inverse_deviation(variance.data(), 1e-5f, s.outputs, inverse.data());
  Values transformed(static_cast<std::size_t>(kernels::winograd_weight_floats(s)));
  Values scratch(p.workspace.size() - transformed.size());
  kernels::cpu::winograd_forward_weights(s, p.weights.data(), transformed.data());
  kernels::BatchNormArguments norm{nullptr,
                                   residual.empty() ? nullptr : residual.data(),
                                   gamma.data(),
                                   beta.data(),
                                   mean.data(),
                                   inverse.data(),
                                   y.data(),
                                   nullptr,
                                   {s.n, s.height, s.width, s.outputs}};
  norm.relu = relu, norm.pool = pool;
  kernels::cpu::winograd_forward_normalised(s, p.x.data(), transformed.data(), norm, scratch.data());

  testing::NormalisationCall call{out};
  call.x = convolved;
  call.residual = widened(residual), call.gamma = widened(gamma), call.beta = widened(beta);
  call.mean = widened(mean), call.variance = widened(variance);
  call.relu = relu, call.pool = pool;
  for (std::size_t i = y.size() - Passes::kGuard; i < y.size(); ++i) ASSERT_EQ(y[i], Passes::kUntouched);
  y.resize(y.size() - Passes::kGuard);
  expect_near(y, testing::normalisation_reference(call, {}).y, kFloatSums, "y");
}

TEST(Winograd, NormalisedOnTheWayOutIsTheNaiveConvolutionNormalised) {
  // Maps that end inside of a tile and of a window, several blocks, and weights so large that threads work together.
  const WinogradShape shapes[] = {
      {1, 4, 4, 16, 16},       {2, 5, 3, 16, 48},      {3, 2, 9, 32, 16},
      {2, 11, 14, 48, 160, 2}, {5, 28, 29, 16, 32, 3}, {9, 7, 7, 256, 128, 3},
  };
  for (const WinogradShape& s : shapes) {
    const Passes p(s);
    const ConvolutionSpec spec{{s.n, s.height, s.width, s.inputs}, s.outputs, {3, 3, 1, 1, 1, 1, 1, 1}};
    const testing::Doubles convolved = testing::convolution_reference(spec, widened(p.x), widened(p.weights), {}, {}).y;
    for (const bool relu : {false, true}) {
      expect_naive_normalised(p, convolved, relu, false, false);
      expect_naive_normalised(p, convolved, relu, true, false);
      expect_naive_normalised(p, convolved, relu, false, true);
    }
  }
}

TEST(Winograd, SumsOverSeveralBlocksOfTilesAreTheNaiveOnes) {
  // 272 channels leave room for 128 tiles a block of the gradient: here 132 and 138.
  expect_naive({33, 5, 5, 256, 16});
  expect_naive({23, 5, 9, 16, 256, 2});
}

TEST(Winograd, LayersOfManyMegabytesOfWeightsAreTheNaiveOnes) {
  // So many channels are multiplied frequency by frequency, 128 tiles at once: here 128 and 2.
  expect_naive({130, 1, 2, 256, 128, 3});
}

TEST(Winograd, GradientsOfLargeWeightsAndOfSmallMapsTakeTurnsInOnePlace) {
  const WinogradShape turns{2, 3, 3, 48, 64}, beside{2, 4, 4, 48, 64};
  ASSERT_TRUE(kernels::winograd_takes_turns(turns));
  ASSERT_FALSE(kernels::winograd_takes_turns(beside));
  EXPECT_LT(kernels::winograd_workspace_floats(turns, true), kernels::winograd_workspace_floats(beside, true));
  expect_naive(turns);
  expect_naive(beside);
}

TEST(Winograd, ABatchInPartsHasTheSameMapsAndItsWeightsTheSameGradient) {
  Passes whole({5, 9, 14, 32, 48, 2}), parts({5, 9, 14, 32, 48, 2});
  whole.run();
  parts.run_in_parts(2);
  EXPECT_EQ(std::memcmp(parts.y.data(), whole.y.data(), whole.y.size() * sizeof(float)), 0);
  EXPECT_EQ(std::memcmp(parts.dx.data(), whole.dx.data(), whole.dx.size() * sizeof(float)), 0);
  expect_near(parts.dweights, widened(whole.dweights), kFloatSums, "dweights");
}

TEST(Winograd, BitsDoNotDependOnTheThreads) {
  const int before = kernels::thread_count();
  Passes one({3, 19, 22, 48, 32, 1});
  kernels::set_thread_count(1);
  one.run();
  for (const int threads : {2, 3, 5}) {
    Passes several({3, 19, 22, 48, 32, threads});
    kernels::set_thread_count(threads);
    several.run();
    EXPECT_EQ(std::memcmp(several.y.data(), one.y.data(), one.y.size() * sizeof(float)), 0);
    EXPECT_EQ(std::memcmp(several.dx.data(), one.dx.data(), one.dx.size() * sizeof(float)), 0);
    EXPECT_EQ(std::memcmp(several.dweights.data(), one.dweights.data(), one.dweights.size() * sizeof(float)), 0);
  }
  kernels::set_thread_count(before);
}

TEST(Winograd, APictureGetsTheSameBitsInABatchAndAlone) {
  Passes batch({4, 10, 12, 32, 16, 2}), alone({1, 10, 12, 32, 16, 2});
  const std::size_t values = alone.x.size(), results = alone.y.size();
  std::copy_n(batch.x.data() + 2 * values, values, alone.x.data());
  batch.run();
  alone.run();
  EXPECT_EQ(std::memcmp(alone.y.data(), batch.y.data() + 2 * results, results * sizeof(float)), 0);
}

TEST(Winograd, FitsOnlyWholeVectorsOfChannels) {
  EXPECT_TRUE(kernels::winograd_fits({1, 8, 8, 16, 32}));
  EXPECT_FALSE(kernels::winograd_fits({1, 8, 8, 17, 32}));
  EXPECT_FALSE(kernels::winograd_fits({1, 8, 8, 16, 24}));
}

TEST(Winograd, IsChosenForMapsOfEnoughTilesWhereProductsAreFused) {
#if defined(XRAI_MULTIVERSION)
  const bool fused = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  const bool fused = false;  // sanitizer builds have no AVX2
#endif
  EXPECT_EQ(kernels::winograd_pays({32, 32, 32, 16, 32}, true), fused);
  EXPECT_EQ(kernels::winograd_pays({1, 32, 32, 16, 32}, false), fused);
  EXPECT_EQ(kernels::winograd_pays({64, 4, 4, 128, 128}, true), fused && !kernels::sixteen_lanes());
  EXPECT_FALSE(kernels::winograd_pays({16, 4, 4, 128, 128}, true));
  EXPECT_FALSE(kernels::winograd_pays({64, 7, 7, 512, 512}, false));
}

}  // namespace winograd_test
}  // namespace xrai
