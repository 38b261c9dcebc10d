// The loss, its gradient and the probabilities against the textbook in double, at their limits against the CPU twin.
#include "kernels/loss.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernel_test.h"
#include "tests/support/reference.h"

namespace xrai {
namespace loss_test {

using testing::Activations;
using testing::Array;
using testing::Doubles;
using testing::expect_rounded;
using testing::Values;
using testing::widened;

using Labels = std::vector<std::int32_t>;

/// An exponential, a logarithm and a quotient in float32, each a few ulp off.
constexpr double kFloatFunctions = 5e-7;

struct Outcome {
  kernels::LossResult result;
  Values dlogits, probabilities;
};

/// What a batch is asked for beside its logits.
struct Question {
  Labels labels;
  Values weights;
  float smoothing = 0, scale = 1;
  Values log_priors{};
};

Outcome run_kernel(DataType type, const Values& logits, const Question& q, std::size_t offset = 0) {
  const auto n = static_cast<std::int64_t>(q.labels.size()), n_logits = static_cast<std::int64_t>(logits.size()) / n;
  const Activations on_device(type, logits, offset), dlogits(type, logits.size(), offset);
  const Array<std::int32_t> labels(q.labels);
  const Array<float> weights(q.weights), log_priors(q.log_priors);
  const Array<kernels::LossResult> result(1);
  const Array<kernels::LossScale> scale(std::vector{kernels::LossScale{q.scale}});
  const Array<float> probabilities(static_cast<std::size_t>(n * (n_logits == 1 ? 2 : n_logits)), offset);
  kernels::cuda::loss({on_device.data(), labels.data(), weights.data(), dlogits.data(), result.data(), n, n_logits,
                       q.smoothing, nullptr, scale.data(), q.log_priors.empty() ? nullptr : log_priors.data()},
                      type, nullptr);
  kernels::cuda::probabilities({on_device.data(), probabilities.data(), n, n_logits}, type, nullptr);
  return {*result.data(), dlogits.values(), probabilities.values()};
}

Outcome run_twin(const Values& logits, const Question& q) {
  const auto n = static_cast<std::int64_t>(q.labels.size()), n_logits = static_cast<std::int64_t>(logits.size()) / n;
  Outcome o{{}, Values(logits.size()), Values(static_cast<std::size_t>(n * (n_logits == 1 ? 2 : n_logits)))};
  const kernels::LossScale scale{q.scale};
  kernels::cpu::loss({logits.data(), q.labels.data(), q.weights.data(), o.dlogits.data(), &o.result, n, n_logits,
                      q.smoothing, nullptr, &scale, q.log_priors.empty() ? nullptr : q.log_priors.data()});
  kernels::cpu::probabilities({logits.data(), o.probabilities.data(), n, n_logits});
  return o;
}

struct Case {
  std::int64_t n, n_logits;
  float smoothing, scale;
  std::size_t offset;
  bool priors = false;
};
/// One logit, few (a thread a row) and many (a warp a row) classes, around both limits; fewer rows than threads and
/// more.
constexpr Case kCases[] = {{1, 1, 0, 1, 0},          {64, 1, 0.1f, 1024, 1},    {300, 1, 0, 1, 0},
                           {1, 3, 0, 1, 0},          {33, 5, 0.2f, 1, 1},       {270, 2, 0.1f, 64, 0},
                           {9, 15, 0, 1, 0},         {5, 16, 0.1f, 1, 0},       {11, 33, 0, 2048, 1},
                           {2, 100, 0.1f, 1, 0},     {64, 1, 0.1f, 8, 0, true}, {33, 5, 0, 1, 1, true},
                           {5, 40, 0.1f, 1, 0, true}};

Question question_of(const Case& c) {
  const std::int64_t n_classes = c.n_logits == 1 ? 2 : c.n_logits;
  Question q{{}, testing::random_values(n_classes, 2, 0.2, 3), c.smoothing, c.scale};
  if (c.priors) q.log_priors = testing::random_values(n_classes, 4, -6, 0);
  testing::Random random(3);
  for (std::int64_t i = 0; i < c.n; ++i) q.labels.push_back(static_cast<std::int32_t>(random.whole(0, n_classes - 1)));
  return q;
}

class Loss : public testing::KernelTest {};
XRAI_FOR_TYPES_AND_ORDERS(Loss);

TEST_P(Loss, LossAndGradientAreTheReferences) {
  for (const Case& c : kCases) {
    const Values logits = testing::rounded(type(), testing::random_values(c.n * c.n_logits, 1, -6, 6));
    const Question q = question_of(c);
    const Outcome o = run_kernel(type(), logits, q, c.offset);
    const auto f = [&](const Doubles& at) {
      return testing::loss_reference(at, q.labels, widened(q.weights), static_cast<double>(q.smoothing),
                                     widened(q.log_priors));
    };
    const std::string what = std::to_string(c.n) + " x " + std::to_string(c.n_logits);
    EXPECT_NEAR(o.result.loss_sum / static_cast<double>(c.n), f(widened(logits)), 1e-6) << what;
    Doubles gradient = testing::numerical_gradient(f, widened(logits));
    for (double& g : gradient) g *= c.scale;
    // Differences of probabilities, times the largest weight, 3. Finite differences are good to 1e-9.
    const double absolute = (3 * kFloatFunctions / static_cast<double>(c.n) + 1e-9) * c.scale;
    expect_rounded(type(), o.dlogits, gradient, 1e-6, absolute, what);
  }
}

TEST_P(Loss, ProbabilitiesAndCountsAreTheTwins) {
  for (const Case& c : kCases) {
    const Values logits = testing::rounded(type(), testing::random_values(c.n * c.n_logits, 1, -20, 20));
    const Question q = question_of(c);
    const Outcome o = run_kernel(type(), logits, q, c.offset), twin = run_twin(logits, q);
    expect_rounded(DataType::kFloat32, o.probabilities, widened(twin.probabilities), 5e-6, 1e-7,
                   std::to_string(c.n) + " x " + std::to_string(c.n_logits));
    EXPECT_EQ(o.result.n_correct, twin.result.n_correct);
  }
}

TEST_P(Loss, FiniteAtExtremeLogits) {
  const float largest = type() == DataType::kFloat16 ? 65504.0f : 3e38f;
  for (const float extreme : {30.0f, 1e4f, -1e4f, largest, -largest})
    for (const std::int32_t label : {0, 1}) {
      Values many(40, 0);
      many[1] = extreme, many[39] = -extreme;
      for (const Values& exact : {Values{extreme}, Values{extreme, 0, -extreme}, many}) {
        const Values logits = testing::rounded(type(), exact);
        Question q{{label}, Values(logits.size() + 1, 1), 0.1f};
        if (label == 1) q.log_priors = testing::random_values(std::ssize(logits) + 1, 5, -14, 0);
        const Outcome o = run_kernel(type(), logits, q), twin = run_twin(logits, q);
        EXPECT_NEAR(o.result.loss_sum, twin.result.loss_sum, 1e-6 * std::max(1.0, twin.result.loss_sum)) << extreme;
        expect_rounded(type(), o.dlogits, widened(twin.dlogits), 1e-6, kFloatFunctions, "dlogits");
        expect_rounded(DataType::kFloat32, o.probabilities, widened(twin.probabilities), 5e-6, 1e-7, "probabilities");
      }
    }
}

TEST_P(Loss, ANaNLogitIsANaNLoss) {
  Values many(20, 1);
  many[19] = NAN;
  for (const Values& logits : {Values{NAN}, Values{NAN, 0, 1}, Values{0, NAN, 1}, many}) {
    const Question q{{0}, Values(logits.size() + 1, 1)};
    const Outcome o = run_kernel(type(), logits, q), twin = run_twin(logits, q);
    EXPECT_TRUE(std::isnan(o.result.loss_sum));
    EXPECT_TRUE(std::isnan(o.dlogits[0]));
    EXPECT_EQ(o.result.n_correct, twin.result.n_correct);
  }
}

TEST_P(Loss, TheFirstOfEqualLogitsIsTheAnswer) {
  Values many(64, 0);
  many[7] = many[9] = many[40] = 2;
  EXPECT_EQ(run_kernel(type(), many, {{7}, Values(64, 1)}).result.n_correct, 1);
  EXPECT_EQ(run_kernel(type(), many, {{9}, Values(64, 1)}).result.n_correct, 0);
  EXPECT_EQ(run_kernel(type(), {3, 3, 1}, {{0}, {1, 1, 1}}).result.n_correct, 1);
  EXPECT_EQ(run_kernel(type(), {3, 3, 1}, {{1}, {1, 1, 1}}).result.n_correct, 0);
  EXPECT_EQ(run_kernel(type(), {0}, {{0}, {1, 1}}).result.n_correct, 1);
}

// What is counted as right is what the logits say without the priors.
TEST_P(Loss, PriorsDoNotDecide) {
  const Values log_priors{std::log(0.05f), std::log(0.95f)};
  const Question q{{0, 1, 0, 1}, {1, 1}, 0, 1, log_priors};
  EXPECT_EQ(run_kernel(type(), {-1, 1, 1, -1}, q).result.n_correct, 2);
  EXPECT_EQ(run_kernel(type(), {-1, 1, -2, 2}, q).result.n_correct, 4);
  EXPECT_EQ(run_kernel(type(), {1, 0, 0, 1, 0, 1, 1, 0}, q).result.n_correct, 2);
}

TEST_P(Loss, FillsTheStepsSlotAndNoOther) {
  const Activations logits(type(), {2, -1});
  const Array<std::int32_t> labels(Labels{1, 1});
  const Array<float> weights(Values{1, 1});
  const Array<kernels::LossResult> results(std::vector<kernels::LossResult>(4, {99, 99}));
  kernels::StepNumbers numbers;
  numbers.result_slot = 2;
  const Array<kernels::StepNumbers> on_device(std::vector{numbers});
  kernels::LossArguments arguments{logits.data(), labels.data(), weights.data(), nullptr, results.data(), 2, 1};
  arguments.numbers = on_device.data();
  kernels::cuda::loss(arguments, type(), nullptr);
  const auto after = results.values();
  for (const std::size_t other : {0u, 1u, 3u}) EXPECT_EQ(after[other].loss_sum, 99);
  EXPECT_NEAR(after[2].loss_sum, std::log1p(std::exp(-2.0)) + std::log1p(std::exp(1.0)), 1e-6);
  EXPECT_EQ(after[2].n_correct, 1);
}

TEST_P(Loss, AnEmptyBatchHasNoLoss) {
  const Array<kernels::LossResult> results(std::vector<kernels::LossResult>{{99, 99}});
  kernels::LossArguments arguments;
  arguments.results = results.data(), arguments.n_logits = 3;
  kernels::cuda::loss(arguments, type(), nullptr);
  EXPECT_EQ(results.data()->loss_sum, 0);
  EXPECT_EQ(results.data()->n_correct, 0);
  kernels::cuda::probabilities({nullptr, nullptr, 0, 3}, type(), nullptr);
}

// More rows than the largest grid takes at once: a thread a row or a warp a row comes round a second time.
TEST(LossSize, ProbabilitiesOfRowsPastTheGridAreWritten) {
  if (emulation::checks_races()) GTEST_SKIP() << "only the number of rows is new here, and the race checker is slow";
  constexpr std::int64_t kThreads = 2048 * 256;
  const auto expect_written = [](std::int64_t n, std::int64_t n_logits) {
    const Array<float> logits(static_cast<std::size_t>(n * n_logits));
    std::fill_n(logits.data(), n * n_logits, 0.0f);
    const std::int64_t classes = n_logits == 1 ? 2 : n_logits;
    const Array<float> probabilities(static_cast<std::size_t>(n * classes));
    kernels::cuda::probabilities({logits.data(), probabilities.data(), n, n_logits}, DataType::kFloat32, nullptr);
    const float equal = 1 / static_cast<float>(classes);
    const auto is_wrong = [&](float p) { return !(std::abs(p - equal) < 1e-6f); };
    EXPECT_EQ(std::count_if(probabilities.data(), probabilities.data() + n * classes, is_wrong), 0)
        << n << " x " << n_logits;
  };
  expect_written(kThreads + 3, 1);
  expect_written(kThreads / 32 + 3, 16);
}

}  // namespace loss_test
}  // namespace xrai
