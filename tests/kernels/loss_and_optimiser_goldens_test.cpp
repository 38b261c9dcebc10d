// Loss, optimisers and gradient clipping against values recorded from PyTorch.
#include <gtest/gtest.h>

#include "kernels/loss.h"
#include "kernels/optimiser.h"
#include "tests/support/golden.h"
#include "tests/support/update.h"

namespace xrai {
namespace loss_and_optimiser_goldens_test {

using testing::expect_near_golden;
using testing::golden_cases;
using testing::GoldenCase;
using Values = std::vector<float>;

// One float32 result rounds by 6e-8; five optimiser steps, or exp and log of float32, stay within a few of them.
constexpr double kFewRoundings = 5e-7;

std::vector<GoldenCase> all_losses() {
  std::vector<GoldenCase> cases = golden_cases("sigmoid_binary_cross_entropy");
  for (GoldenCase& golden : cases) golden.name = "sigmoid_" + golden.name;
  for (GoldenCase& golden : golden_cases("softmax_cross_entropy")) {
    golden.name = "softmax_" + golden.name;
    cases.push_back(golden);
  }
  return cases;
}

class LossGoldens : public ::testing::TestWithParam<GoldenCase> {};

TEST_P(LossGoldens, LossGradientAndProbabilitiesAgree) {
  const GoldenCase& golden = GetParam();
  const Values logits = golden.values("logits"), weights = golden.values("class_weights");
  const auto labels = golden.values<std::int32_t>("labels");
  const auto n = static_cast<std::int64_t>(labels.size()), n_logits = static_cast<std::int64_t>(logits.size()) / n;
  Values dlogits(logits.size());
  kernels::LossResult result;
  kernels::LossArguments loss;
  loss.logits = logits.data(), loss.labels = labels.data(), loss.class_weights = weights.data();
  loss.dlogits = dlogits.data(), loss.results = &result;
  const Values log_priors = golden.has("log_priors") ? golden.values("log_priors") : Values{};
  if (!log_priors.empty()) loss.log_priors = log_priors.data();
  loss.n = n, loss.n_logits = n_logits, loss.label_smoothing = golden.attributes.at("label_smoothing");
  kernels::cpu::loss(loss);
  expect_near_golden({static_cast<float>(result.loss_sum / static_cast<double>(n))}, golden, "loss", kFewRoundings);
  expect_near_golden(dlogits, golden, "dlogits", kFewRoundings);

  const std::int64_t n_classes = n_logits == 1 ? 2 : n_logits;
  Values rows(static_cast<std::size_t>(n * n_classes)), recorded_ones;
  kernels::cpu::probabilities({logits.data(), rows.data(), n, n_logits});
  for (std::size_t i = n_logits == 1 ? 1 : 0; i < rows.size(); i += n_logits == 1 ? 2 : 1)
    recorded_ones.push_back(rows[i]);
  expect_near_golden(recorded_ones, golden, "probabilities", kFewRoundings);
}

INSTANTIATE_TEST_SUITE_P(Recorded, LossGoldens, ::testing::ValuesIn(all_losses()), testing::golden_name);

class AdamWGoldens : public ::testing::TestWithParam<GoldenCase> {};

TEST_P(AdamWGoldens, FiveStepsFollowTheRecordedPath) {
  const GoldenCase& golden = GetParam();
  Values weights = golden.values("parameters"), path;
  const Values gradients = golden.values("gradients"), rates = golden.values("learning_rates");
  Values first(weights.size()), second(weights.size());
  kernels::AdamWArguments step;
  step.weights = weights.data(), step.first_moment = first.data(), step.second_moment = second.data();
  step.n = step.n_decayed = static_cast<std::int64_t>(weights.size());
  step.beta1 = golden.attributes.at("beta1"), step.beta2 = golden.attributes.at("beta2");
  step.epsilon = golden.attributes.at("epsilon"), step.weight_decay = golden.attributes.at("weight_decay");
  for (std::size_t i = 0; i < rates.size(); ++i) {
    step.gradients = gradients.data() + i * weights.size();
    const auto decision = testing::decide(static_cast<std::int64_t>(i) + 1, {rates[i], step.beta1, step.beta2});
    step.decision = &decision;
    kernels::cpu::adamw(step);
    path.insert(path.end(), weights.begin(), weights.end());
  }
  expect_near_golden(path, golden, "after", kFewRoundings);
}

INSTANTIATE_TEST_SUITE_P(Recorded, AdamWGoldens, ::testing::ValuesIn(golden_cases("adamw")), testing::golden_name);

// The kernel has Nesterov momentum only; without momentum the two forms are one.
std::vector<GoldenCase> sgd_cases() {
  std::vector<GoldenCase> cases = golden_cases("sgd");
  std::erase_if(cases, [](const GoldenCase& golden) {
    return !golden.attributes.at("nesterov") && golden.attributes.at("momentum") != 0.0;
  });
  return cases;
}

class SgdGoldens : public ::testing::TestWithParam<GoldenCase> {};

TEST_P(SgdGoldens, FiveStepsFollowTheRecordedPath) {
  const GoldenCase& golden = GetParam();
  Values weights = golden.values("parameters"), path;
  const Values gradients = golden.values("gradients"), rates = golden.values("learning_rates");
  Values velocity(weights.size());
  kernels::SgdArguments step;
  step.weights = weights.data(), step.velocity = velocity.data();
  step.n = step.n_decayed = static_cast<std::int64_t>(weights.size());
  step.momentum = golden.attributes.at("momentum"), step.weight_decay = golden.attributes.at("weight_decay");
  for (std::size_t i = 0; i < rates.size(); ++i) {
    step.gradients = gradients.data() + i * weights.size();
    const auto decision = testing::decide(1, {rates[i]});
    step.decision = &decision;
    kernels::cpu::sgd(step);
    path.insert(path.end(), weights.begin(), weights.end());
  }
  expect_near_golden(path, golden, "after", kFewRoundings);
}

INSTANTIATE_TEST_SUITE_P(Recorded, SgdGoldens, ::testing::ValuesIn(sgd_cases()), testing::golden_name);

class ClippingGoldens : public ::testing::TestWithParam<GoldenCase> {};

// A step of plain SGD with rate 1 from zero leaves minus the clipped gradient in the weights.
TEST_P(ClippingGoldens, TheNormIsTakenOverAllGradientsTogether) {
  const GoldenCase& golden = GetParam();
  Values gradients = golden.values("gradient_a");
  const std::size_t n_a = gradients.size();
  const Values other = golden.values("gradient_b");
  gradients.insert(gradients.end(), other.begin(), other.end());
  Values weights(gradients.size()), velocity(gradients.size());
  expect_near_golden({static_cast<float>(std::sqrt(testing::sum_of_squares(gradients)))}, golden, "norm",
                     kFewRoundings);
  kernels::SgdArguments step;
  step.weights = weights.data(), step.gradients = gradients.data(), step.velocity = velocity.data();
  step.n = static_cast<std::int64_t>(weights.size());
  step.momentum = 0;
  const auto decision = testing::decide(1, {1, 0, 0, golden.attributes.at("max_norm")}, gradients);
  step.decision = &decision;
  kernels::cpu::sgd(step);
  for (float& weight : weights) weight = -weight;
  const auto middle = weights.begin() + static_cast<std::ptrdiff_t>(n_a);
  expect_near_golden(Values(weights.begin(), middle), golden, "clipped_a", kFewRoundings);
  expect_near_golden(Values(middle, weights.end()), golden, "clipped_b", kFewRoundings);
}

INSTANTIATE_TEST_SUITE_P(Recorded, ClippingGoldens, ::testing::ValuesIn(golden_cases("gradient_norm_clipping")),
                         testing::golden_name);

}  // namespace loss_and_optimiser_goldens_test
}  // namespace xrai
