// A convolution that takes the batch normalisation behind it along, some pictures at a time, against the two one after
// the other.
#include <gtest/gtest.h>

#include <cmath>

#include "runtime/core/buffer.h"
#include "runtime/core/error.h"
#include "runtime/cpu/cpu_device.h"
#include "runtime/cpu/winograd_plan.h"
#include "tests/support/compare.h"
#include "tests/support/reference.h"

namespace xrai {
namespace convolution_block_test {

using testing::Doubles;
using testing::expect_near;
using testing::random_values;
using testing::Values;
using testing::widened;

// As in tests/runtime/cpu/random_plans_test.cpp.
constexpr double kFloatSums = 5e-6;

// Two of these five pictures fill what is taken for the cache.
constexpr Shape kLargeMaps{5, 80, 80, 32};
// Maps so small beside the weights that the gradients of both take turns.
constexpr Shape kSmallMaps{40, 6, 6, 144};

/// One batch forward and back.
struct Block {
  Block(const Shape& input, bool pooled)
      : spec{input, 48, {3, 3, 1, 1, 1, 1, 1, 1}, 1, false, false, true, true},
        pool(pooled),
        x(random_values(spec.input.count(), 1)),
        weights(random_values(spec.weight_count(), 2)),
        residual(random_values(spec.output().count(), 3)),
        gamma(random_values(spec.filters, 4, 0.5, 1.5)),
        beta(random_values(spec.filters, 5)),
        between(residual.size(), NAN),
        dx(x.size(), NAN),
        dresidual(residual.size(), NAN),
        dweights(weights.size(), NAN) {
    y.assign(pool ? residual.size() / 4 : residual.size(), NAN);
    dy = random_values(static_cast<std::int64_t>(y.size()), 6);
    winner.resize(y.size());
    for (Values* v : {&mean, &inverse, &running_mean, &running_variance, &dgamma, &dbeta})
      v->assign(gamma.size(), 0.5f);
    norm_workspace.assign(static_cast<std::size_t>(kernels::batch_norm_workspace_doubles(shape)), NAN);
    workspace = device->allocate(plan->workspace_bytes());
  }

  [[nodiscard]] kernels::BatchStatisticsArguments statistics() {
    return {between.data(),
            shape,
            1e-5f,
            0.1f,
            mean.data(),
            inverse.data(),
            running_mean.data(),
            running_variance.data(),
            norm_workspace.data()};
  }
  [[nodiscard]] kernels::BatchNormArguments normalisation() {
    return {between.data(), pool ? nullptr : residual.data(), gamma.data(), beta.data(), mean.data(), inverse.data(),
            y.data(),       pool ? winner.data() : nullptr,   shape,        true,        pool};
  }
  [[nodiscard]] kernels::BatchNormBackwardArguments gradients() {
    return {normalisation(), dy.data(),    between.data(),       pool ? nullptr : dresidual.data(),
            dgamma.data(),   dbeta.data(), norm_workspace.data()};
  }

  void run_joined() {
    plan->forward_with_statistics(x.data(), weights.data(), between.data(), statistics(), workspace.data());
    device->batch_norm(normalisation());
    plan->backward_with_batch_norm(x.data(), weights.data(), gradients(), dx.data(), dweights.data(), workspace.data());
  }
  void run_apart() {
    plan->forward(x.data(), weights.data(), nullptr, between.data(), workspace.data());
    device->batch_statistics(statistics());
    device->batch_norm(normalisation());
    device->batch_norm_backward(gradients());
    plan->backward(x.data(), weights.data(), nullptr, between.data(), dx.data(), dweights.data(), nullptr,
                   workspace.data());
  }

  ConvolutionSpec spec;
  kernels::BatchNormShape shape{spec.input.n, spec.input.height, spec.input.width, spec.filters};
  bool pool;
  std::unique_ptr<Device> device = make_cpu_device(2);
  // Where it does not pay, too: sanitizer builds and processors without AVX2 would see nothing of it.
  std::unique_ptr<ConvolutionPlan> plan = cpu::make_winograd_plan_that_fits(spec);
  Values x, weights, residual, gamma, beta, between, dx, dresidual, dweights;
  Values y, dy, mean, inverse, running_mean, running_variance, dgamma, dbeta;
  std::vector<std::uint8_t> winner;
  Doubles norm_workspace;
  Buffer workspace;
};

void expect_the_same(const Shape& input, bool pool) {
  Block joined(input, pool), apart(input, pool);
  ASSERT_TRUE(joined.plan->joins_batch_norm());
  joined.run_joined();
  apart.run_apart();
  EXPECT_EQ(joined.mean, apart.mean);
  EXPECT_EQ(joined.inverse, apart.inverse);
  EXPECT_EQ(joined.running_variance, apart.running_variance);
  EXPECT_EQ(joined.y, apart.y);
  EXPECT_EQ(joined.dgamma, apart.dgamma);
  EXPECT_EQ(joined.dbeta, apart.dbeta);
  EXPECT_EQ(joined.dx, apart.dx);
  if (!pool) {
    EXPECT_EQ(joined.dresidual, apart.dresidual);
  }
  expect_near(joined.dweights, widened(apart.dweights), kFloatSums, "dweights");
}

TEST(ConvolutionBlock, WithReluAndPoolingHasTheBitsOfItsPartsOneAfterTheOther) {
  expect_the_same(kLargeMaps, true);
}

TEST(ConvolutionBlock, WithAResidualToo) {
  expect_the_same(kLargeMaps, false);
}

TEST(ConvolutionBlock, OfSmallMapsAndLargeWeightsToo) {
  expect_the_same(kSmallMaps, true);
  expect_the_same(kSmallMaps, false);
}

/// A block that scores: its parameters, and what the plan and the naive loops make of them.
struct Scoring {
  explicit Scoring(const ConvolutionSpec& wanted) : spec(wanted) { draw(2); }

  void draw(std::uint64_t seed) {
    weights = random_values(spec.weight_count(), seed);
    gamma = random_values(spec.filters, seed + 1), beta = random_values(spec.filters, seed + 2);
    mean = random_values(spec.filters, seed + 3), variance = random_values(spec.filters, seed + 4, 0.5, 2);
  }

  Values run() {
    const NormalisedSpec& behind = spec.normalised.value();
    const Shape out = spec.output();
    const kernels::BatchNormShape shape{out.n, out.height, out.width, out.channels};
    Values inverse(variance.size());
    Values y(behind.pool ? static_cast<std::size_t>(out.n * (out.height / 2) * (out.width / 2) * out.channels)
                         : static_cast<std::size_t>(out.count()),
             NAN);
    device->inverse_deviation(variance.data(), 1e-5f, spec.filters, inverse.data());
    const Buffer workspace = device->allocate(plan->workspace_bytes());
    plan->forward_normalised(x.data(), weights.data(),
                             {nullptr, behind.residual ? residual.data() : nullptr, gamma.data(), beta.data(),
                              mean.data(), inverse.data(), y.data(), nullptr, shape, behind.relu, behind.pool},
                             workspace.data());
    return y;
  }

  [[nodiscard]] Doubles naive() const {
    testing::NormalisationCall call{spec.output()};
    call.x = testing::convolution_reference(spec, widened(x), widened(weights), {}, Doubles(residual.size())).y;
    if (spec.normalised->residual) call.residual = widened(residual);
    call.gamma = widened(gamma), call.beta = widened(beta), call.mean = widened(mean);
    call.variance = widened(variance);
    call.relu = spec.normalised->relu, call.pool = spec.normalised->pool;
    return testing::normalisation_reference(call, {}).y;
  }

  ConvolutionSpec spec;
  std::unique_ptr<Device> device = make_cpu_device(2);
  std::unique_ptr<ConvolutionPlan> plan = device->plan(spec);
  Values x = random_values(spec.input.count(), 1), residual = random_values(spec.output().count(), 9);
  Values weights, gamma, beta, mean, variance;
};

ConvolutionSpec scoring_spec(const Shape& input, std::int64_t filters, const Window& window, std::int64_t groups,
                             const NormalisedSpec& behind, bool constant) {
  ConvolutionSpec spec{input, filters, window, groups};
  spec.normalised = behind;
  spec.constant = constant;
  return spec;
}

constexpr Window kSame3{3, 3, 1, 1, 1, 1, 1, 1}, kStem{7, 7, 2, 2, 3, 3, 3, 3}, kShortcut{1, 1, 2, 2};

TEST(ConvolutionBlock, FoldedOrNormalisedOnTheWayOutItIsTheNaiveLoops) {
  for (const bool constant : {false, true})
    for (const bool relu : {false, true}) {
      const NormalisedSpec plain{relu, false, false};
      for (const ConvolutionSpec& spec : {scoring_spec({2, 23, 19, 1}, 16, kStem, 1, plain, constant),
                                          scoring_spec({2, 9, 8, 32}, 48, kShortcut, 1, plain, constant),
                                          scoring_spec({2, 5, 6, 17}, 5, kSame3, 1, plain, constant),
                                          scoring_spec({1, 7, 7, 12}, 8, {3, 3, 2, 1, 1, 1, 1, 1}, 4, plain, constant),
                                          scoring_spec({3, 14, 13, 32}, 16, kSame3, 1, plain, constant)}) {
        SCOPED_TRACE(fmt::format("x {} kernel {}, relu {}, constant {}", to_string(spec.input),
                                 spec.window.kernel_height, relu, constant));
        Scoring scoring(spec);
        ASSERT_TRUE(scoring.plan->normalises());
        expect_near(scoring.run(), scoring.naive(), kFloatSums, "y");
      }
    }
}

TEST(ConvolutionBlock, WinogradsTakesResidualsAndPoolingAlongWhenScoring) {
  for (const bool constant : {false, true})
    for (const NormalisedSpec& behind : {NormalisedSpec{true, true, false}, NormalisedSpec{true, false, true}}) {
      Scoring scoring(scoring_spec({3, 15, 13, 32}, 16, kSame3, 1, behind, constant));
      scoring.plan = cpu::make_winograd_plan_that_fits(scoring.spec);
      ASSERT_TRUE(scoring.plan->normalises());
      expect_near(scoring.run(), scoring.naive(), kFloatSums, "y");
    }
}

TEST(ConvolutionBlock, FollowsItsParametersUnlessTheyWereSaidToStay) {
  for (const Shape& input : {Shape{2, 12, 12, 32}, Shape{2, 5, 5, 17}}) {
    Scoring changing(scoring_spec(input, 16, kSame3, 1, {true, false, false}, false));
    Scoring constant(scoring_spec(input, 16, kSame3, 1, {true, false, false}, true));
    // The first by Winograd's plan, the second, of 17 channels, by oneDNN's.
    for (Scoring* scoring : {&changing, &constant})
      if (auto plan = cpu::make_winograd_plan_that_fits(scoring->spec)) scoring->plan = std::move(plan);
    const Values before = changing.run();
    EXPECT_EQ(before, constant.run()) << "what is kept is what is made";
    changing.draw(20);
    expect_near(changing.run(), changing.naive(), kFloatSums, "y of new parameters");
    std::fill(constant.weights.begin(), constant.weights.end(), NAN);
    EXPECT_EQ(before, constant.run()) << "the weights are read once";
  }
}

TEST(ConvolutionBlock, AnOfferToNormaliseIsForScoringOnly) {
  const auto device = make_cpu_device(1);
  ConvolutionSpec spec = scoring_spec({1, 8, 8, 3}, 5, kSame3, 1, {true, false, true}, false);
  // Pooling would read what the convolution writes anyway.
  EXPECT_FALSE(device->plan(spec)->normalises());
  EXPECT_THROW(device->plan(spec)->forward_normalised(nullptr, nullptr, {}, nullptr), std::logic_error);
  spec.training = true;
  EXPECT_THROW(device->plan(spec), Error);
}

TEST(ConvolutionBlock, AConvolutionThatTakesNoNormalisationAlongSaysSo) {
  const auto device = make_cpu_device(1);
  const auto plan = device->plan(ConvolutionSpec{{1, 8, 8, 3}, 5, {3, 3, 1, 1, 1, 1, 1, 1}, 1, false, false, true});
  EXPECT_FALSE(plan->joins_batch_norm());
  EXPECT_THROW(plan->forward_with_statistics(nullptr, nullptr, nullptr, {}, nullptr), std::logic_error);
  EXPECT_THROW(plan->backward_with_batch_norm(nullptr, nullptr, {}, nullptr, nullptr, nullptr), std::logic_error);
}

}  // namespace convolution_block_test
}  // namespace xrai
