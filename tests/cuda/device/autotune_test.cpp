// --autotune: the fastest of the library's plans is taken, what was chosen is kept and taken again, and what cannot be
// timed or is not offered does not end the run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cuda/device/doubled_card.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/toy_training.h"

namespace xrai {
namespace autotune_test {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

const ConvolutionSpec kSpec{.input = {2, 8, 8, 8}, .filters = 8, .window = {3, 3, 1, 1, 1, 1, 1, 1}};

/// A card on which the library's executions take longer the earlier their plan stands in the list, or the later.
fake::Settings card(bool last_is_fastest) {
  auto executions = std::make_shared<int>(0);
  return {.duration_ms = [=](const std::string& operation) {
    if (operation.find("onvolution") == std::string::npos) return 0.001f;
    const int plan = (*executions)++ / 6;  // each runs once to warm up and five times by the clock
    return last_is_fastest ? 1000.0f - static_cast<float>(plan) : 1.0f + static_cast<float>(plan);
  }};
}

std::string only_choice(const Device& device) {
  const PlanChoices choices = device.plan_choices();
  return choices.size() == 1 ? choices.begin()->second : "";
}

TEST(Autotune, TakesThePlanThatTheClockSaysIsFastest) {
  const auto first = testing::fresh_cuda("bf16", card(false));
  const auto untimed = first->plan(kSpec)->implementation();
  first->time_plans({});
  EXPECT_EQ(first->plan(kSpec)->implementation(), untimed) << "the first of the list was the fastest";
  const std::string settings = only_choice(*first);
  const auto last = testing::fresh_cuda("bf16", card(true));
  last->time_plans({});
  (void)last->plan(kSpec);
  EXPECT_NE(only_choice(*last), "");
  EXPECT_NE(only_choice(*last), settings);
  EXPECT_THAT(last->take_choice_remark(), AllOf(HasSubstr("1 operations timed"), HasSubstr("(1 had a faster one)")));
  EXPECT_EQ(last->take_choice_remark(), "") << "said once";
  EXPECT_EQ(testing::findings(), "");
}

TEST(Autotune, TimesAnOperationOnceAndTakesWhatTheCheckpointSays) {
  auto device = testing::fresh_cuda("bf16", card(true));
  device->time_plans({});
  (void)device->plan(kSpec);
  const int executions = fake::report().calls["cudnnBackendExecute"];
  (void)device->plan(kSpec);
  EXPECT_EQ(fake::report().calls["cudnnBackendExecute"], executions);
  const PlanChoices choices = device->plan_choices();
  device.reset();
  EXPECT_EQ(fake::report().complaints(), "");
  const auto later = testing::fresh_cuda("bf16", card(false));
  later->time_plans(choices);
  (void)later->plan(kSpec);
  EXPECT_EQ(fake::report().calls["cudnnBackendExecute"], 0);
  EXPECT_EQ(later->plan_choices(), choices);
  EXPECT_THAT(later->take_choice_remark(), HasSubstr("1 as the checkpoint says"));
}

TEST(Autotune, AChoiceThatIsNotOfferedIsTimedAgainAndSaid) {
  auto device = testing::fresh_cuda("bf16", card(true));
  device->time_plans({});
  (void)device->plan(kSpec);
  PlanChoices choices = device->plan_choices();
  device.reset();
  choices.begin()->second = "9999 1=1";
  const auto later = testing::fresh_cuda("bf16", card(false));
  later->time_plans(choices);
  (void)later->plan(kSpec);
  EXPECT_THAT(only_choice(*later), AllOf(Not(""), Not("9999 1=1")));
  EXPECT_THAT(later->take_choice_remark(), HasSubstr("1 of the checkpoint's choices are not offered"));
}

TEST(Autotune, WithoutMemoryForItTheFirstPlanIsTaken) {
  const auto device = testing::fresh_cuda("bf16", {.memory_bytes = 1 << 12});
  device->time_plans({});
  EXPECT_NO_THROW((void)device->plan(kSpec));
  EXPECT_THAT(device->plan_choices(), IsEmpty());
  EXPECT_THAT(device->take_choice_remark(), HasSubstr("for want of memory"));
}

TEST(Autotune, WithoutItNothingIsTimed) {
  const auto device = testing::fresh_cuda("bf16");
  (void)device->plan(kSpec);
  EXPECT_EQ(fake::report().calls["cudnnBackendExecute"], 0);
  EXPECT_THAT(device->plan_choices(), IsEmpty());
  EXPECT_EQ(device->take_choice_remark(), "");
}

/// Executions whose bits may differ from run to run, in a forward and a backward pass.
int in_any_order(const std::string& precision, const std::string& gpu, const ConvolutionSpec& spec) {
  const auto device = testing::fresh_cuda(precision, {.gpu = gpu});
  const auto plan = device->plan(spec);
  const auto floats = [&](std::int64_t count) { return device->allocate(static_cast<std::size_t>(count) * 4); };
  const Buffer x = floats(spec.input.count()), weights = floats(spec.weight_count()), y = floats(spec.output().count()),
               dy = floats(spec.output().count()), dx = floats(spec.input.count()),
               dweights = floats(spec.weight_count()), workspace = device->allocate(plan->workspace_bytes());
  plan->forward(x.data(), weights.data(), nullptr, y.data(), workspace.data());
  plan->backward(x.data(), weights.data(), y.data(), dy.data(), dx.data(), dweights.as<float>(), nullptr,
                 workspace.data());
  device->synchronize();
  int executions = 0;
  for (const auto& [operation, count] : fake::report().executed)
    if (operation.find("in any order") != std::string::npos) executions += count;
  return executions;
}

// On all of these cards the library's lists begin with an engine that adds up in any order.
TEST(Autotune, WithoutItSumsAreInAFixedOrder) {
  const ConvolutionSpec spec{{2, 16, 16, 64}, 64, {3, 3, 1, 1, 1, 1, 1, 1}, 1, false, false, true, true};
  for (const char* gpu : {"A100", "RTX 4090", "B200"}) EXPECT_EQ(in_any_order("tf32", gpu, spec), 0) << gpu;
}

TEST(Autotune, ATrainingKeepsItsChoicesInTheCheckpoint) {
  const testing::TemporaryFolder folder;
  TrainSettings settings = testing::toy_settings();
  settings.epochs = 1;
  settings.input.image_size = 8;
  testing::ToyRun run(folder.path(), settings, 8, testing::fresh_cuda("bf16", card(true)));
  run.device->time_plans({});
  run.run();
  // Two convolutions forward and back to their filters, one to its input; and forward for the validation's batches.
  const PlanChoices kept = read_checkpoint(run.last()).facts.plan_choices;
  EXPECT_THAT(kept, SizeIs(7));
  EXPECT_EQ(kept, run.device->plan_choices());
  EXPECT_EQ(testing::findings(), "");
}

}  // namespace autotune_test
}  // namespace xrai
