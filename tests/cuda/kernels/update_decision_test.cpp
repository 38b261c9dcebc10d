// What a step may do: norms, clipping, the loss scale and its bookkeeping, the corrections of AdamW.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <optional>

#include "kernel_test.h"
#include "kernels/optimiser.h"

namespace xrai {
namespace update_decision_test {

using emulation::Order;
using kernels::LossScale;
using kernels::UpdateDecision;
using testing::Array;
using testing::Values;

constexpr float kInf = std::numeric_limits<float>::infinity();

/// These kernels know no activations: only orders differ.
class UpdateDecisions : public testing::KernelTest {};
INSTANTIATE_TEST_SUITE_P(Orders, UpdateDecisions,
                         ::testing::Combine(::testing::Values(DataType::kFloat32),
                                            ::testing::Values(Order::kForward, Order::kReverse, Order::kRandom)),
                         testing::type_and_order);

double sum_of_squares(const Array<float>& x, std::int64_t n) {
  const Array<double> workspace(static_cast<std::size_t>(kernels::sum_of_squares_workspace_doubles(n))), result(1);
  kernels::cuda::sum_of_squares(x.data(), n, workspace.data(), result.data(), nullptr);
  return *result.data();
}

TEST_P(UpdateDecisions, SumsOfSquaresAreThoseInDouble) {
  for (const std::int64_t n : {0, 1, 3, 4, 5, 1023, 2048, 4097, 20011})
    for (const std::size_t offset : {0, 1}) {
      const Values values = testing::random_values(n, 1, -3, 3);
      long double exact = 0;  // ten bits more than what is tested
      for (const float x : values) exact += static_cast<long double>(x) * x;
      const auto expected = static_cast<double>(exact);
      const Array<float> on_device(values, offset);
      EXPECT_NEAR(sum_of_squares(on_device, n), expected, 1e-14 * expected) << n;
    }
}

TEST_P(UpdateDecisions, SquaresBeyondFloat32AreFinite) {
  const Array<float> x(Values(2049, 1e30f));
  EXPECT_NEAR(sum_of_squares(x, 2049), 2049e60, 1e-6 * 2049e60);
}

TEST(SumOfSquares, HasTheSameBitsInEveryOrder) {
  const Array<float> x(testing::random_values(9001, 2));
  emulation::set_order(Order::kForward);
  const double forward = sum_of_squares(x, 9001);
  for (const Order order : {Order::kReverse, Order::kRandom}) {
    emulation::set_order(order, 3);
    EXPECT_EQ(sum_of_squares(x, 9001), forward);
  }
  emulation::set_order(Order::kForward);
}

// From two million on there are as many partial sums as the workspace is promised to hold, and no more.
TEST(SumOfSquares, LargeArenasStayWithinTheWorkspace) {
  if (emulation::checks_races()) GTEST_SKIP() << "only the length is new here, and the race checker is slow";
  constexpr std::int64_t kN = 3'000'001;
  const Array<float> x(Values(kN, 0.5f));
  EXPECT_EQ(sum_of_squares(x, kN), 0.25 * kN);
}

/// One call of decide_update, on the device and by the twin.
struct Decided {
  UpdateDecision decision;
  std::optional<LossScale> scale{};
};
struct Request {
  Values gradients;
  float clip = 0;
  std::optional<LossScale> scale{};
  std::uint64_t step = 0;
  float beta1 = 0.9f, beta2 = 0.999f;
};

kernels::DecideUpdateArguments arguments_of(const Request& r) {
  kernels::DecideUpdateArguments arguments;
  arguments.n = static_cast<std::int64_t>(r.gradients.size());
  arguments.max_gradient_norm = r.clip, arguments.beta1 = r.beta1, arguments.beta2 = r.beta2;
  arguments.growth_interval = 5, arguments.smallest_scale = 2, arguments.largest_scale = 1024;
  return arguments;
}
kernels::StepNumbers numbers_of(const Request& r) {
  return {1, 2, r.step, 0, 0.25f};
}
std::size_t workspace_of(const Request& r) {
  return static_cast<std::size_t>(
      kernels::sum_of_squares_workspace_doubles(static_cast<std::int64_t>(r.gradients.size())));
}

Decided by_kernel(const Request& r) {
  const Array<float> gradients(r.gradients);
  const Array<kernels::StepNumbers> numbers(std::vector{numbers_of(r)});
  const Array<LossScale> scale(std::vector{r.scale.value_or(LossScale{})});
  const Array<double> workspace(workspace_of(r));
  const Array<UpdateDecision> decision(1);
  kernels::DecideUpdateArguments arguments = arguments_of(r);
  arguments.gradients = gradients.data(), arguments.numbers = numbers.data();
  arguments.scale = r.scale ? scale.data() : nullptr;
  arguments.workspace = workspace.data(), arguments.decision = decision.data();
  kernels::cuda::decide_update(arguments, nullptr);
  return {*decision.data(), r.scale ? std::optional(*scale.data()) : std::nullopt};
}

Decided by_twin(const Request& r) {
  Decided d{{}, r.scale};
  const kernels::StepNumbers numbers = numbers_of(r);
  std::vector<double> workspace(workspace_of(r));
  kernels::DecideUpdateArguments arguments = arguments_of(r);
  arguments.gradients = r.gradients.data(), arguments.numbers = &numbers;
  arguments.scale = d.scale ? &*d.scale : nullptr;
  arguments.workspace = workspace.data(), arguments.decision = &d.decision;
  kernels::cpu::decide_update(arguments);
  return d;
}

void expect_equal(const Request& r, const std::string& what) {
  const Decided kernel = by_kernel(r), twin = by_twin(r);
  EXPECT_EQ(kernel.decision.skip, twin.decision.skip) << what;
  if (twin.decision.skip == 0) {
    // Sums of squares in another order differ in the last bits of a double, rounded to float32.
    EXPECT_FLOAT_EQ(kernel.decision.gradient_factor, twin.decision.gradient_factor) << what;
  }
  EXPECT_EQ(kernel.decision.learning_rate, twin.decision.learning_rate) << what;
  EXPECT_EQ(kernel.decision.step_size, twin.decision.step_size) << what;
  EXPECT_EQ(kernel.decision.inverse_root_correction, twin.decision.inverse_root_correction) << what;
  ASSERT_EQ(kernel.scale.has_value(), twin.scale.has_value()) << what;
  if (!kernel.scale) return;
  EXPECT_EQ(kernel.scale->scale, twin.scale->scale) << what;
  EXPECT_EQ(kernel.scale->good_steps, twin.scale->good_steps) << what;
  EXPECT_EQ(kernel.scale->skipped_in_a_row, twin.scale->skipped_in_a_row) << what;
  EXPECT_EQ(kernel.scale->skipped, twin.scale->skipped) << what;
}

TEST_P(UpdateDecisions, AreTheTwins) {
  const Values gradients = testing::random_values(5003, 4, -2, 2);
  expect_equal({gradients}, "neither clip nor scale");
  expect_equal({gradients, 1000}, "a clip that is not reached");
  expect_equal({gradients, 0.5f}, "a clip that is");
  expect_equal({gradients, 0, LossScale{512, 3, 2, 7}, 20}, "a good step");
  expect_equal({gradients, 0.5f, LossScale{512, 4, 0, 7}, 20}, "the scale grows, and a clip");
  expect_equal({gradients, 0.5f, LossScale{1024, 4}, 20}, "the scale is the largest");
  expect_equal({gradients, 0, std::nullopt, 9, 0, 0}, "SGD");
  expect_equal({{}, 1}, "an empty arena");
}

TEST_P(UpdateDecisions, AGradientThatIsNotFiniteHalvesTheScaleAndSkips) {
  for (const float bad : {kInf, -kInf, NAN})
    for (const std::size_t at : {0u, 2500u, 5002u}) {
      Values gradients = testing::random_values(5003, 5);
      gradients[at] = bad;
      expect_equal({gradients, 1, LossScale{512, 4, 1, 2}, 20}, "halved");
      expect_equal({gradients, 1, LossScale{2, 4, 1, 2}, 20}, "the smallest scale");
      EXPECT_EQ(by_kernel({gradients, 0, LossScale{512}}).decision.skip, 1u);
    }
}

TEST_P(UpdateDecisions, WithoutClipOrScaleTheGradientsAreNotRead) {
  kernels::StepNumbers numbers;
  numbers.step = 2, numbers.learning_rate = 0.5f;
  const Array<kernels::StepNumbers> on_device(std::vector{numbers});
  const Array<UpdateDecision> decision(1);
  kernels::DecideUpdateArguments arguments;
  arguments.n = 1000, arguments.beta1 = 0.5f, arguments.beta2 = 0.75f;
  arguments.numbers = on_device.data(), arguments.decision = decision.data();
  kernels::cuda::decide_update(arguments, nullptr);
  EXPECT_EQ(decision.data()->gradient_factor, 1.0f);
  EXPECT_EQ(decision.data()->skip, 0u);
  EXPECT_FLOAT_EQ(decision.data()->step_size, 0.5f / (1 - 0.125f));
  EXPECT_FLOAT_EQ(decision.data()->inverse_root_correction, 1 / std::sqrt(1 - 0.421875f));
}

}  // namespace update_decision_test
}  // namespace xrai
