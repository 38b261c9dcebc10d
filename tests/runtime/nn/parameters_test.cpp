// The flat arenas: who lies where, what a new network starts from, the layout of files.
#include "runtime/nn/parameters.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include "runtime/cpu/cpu_device.h"
#include "runtime/nn/model.h"
#include "tests/support/random.h"

namespace xrai {
namespace parameters_test {

using testing::Values;

class ParametersTest : public ::testing::Test {
 protected:
  std::unique_ptr<Device> device_ = make_cpu_device(1);
  Model model_{*device_, architecture("resnet18"), {1, 32, 32, 1}, 2};
  Parameters& parameters_ = model_.parameters();

  Values values() const { return Values(parameters_.values(), parameters_.values() + parameters_.count()); }
};

TEST_F(ParametersTest, WeightsComeFirstAndNothingOverlaps) {
  std::vector<std::pair<std::int64_t, std::int64_t>> slices;
  for (const ParameterSpec& spec : parameters_.specs()) {
    EXPECT_EQ(spec.offset % 16, 0) << spec.name;
    EXPECT_EQ(spec.role == ParameterRole::kWeight, spec.offset < parameters_.n_decayed()) << spec.name;
    if (spec.role == ParameterRole::kWeight) {
      EXPECT_LE(spec.offset + spec.count(), parameters_.n_decayed());
    }
    slices.emplace_back(spec.offset, spec.offset + spec.count());
  }
  for (const StatisticsSpec& spec : parameters_.statistics_specs())
    EXPECT_LE(std::max(spec.mean_offset, spec.variance_offset) + spec.channels, parameters_.statistics_count());
  std::sort(slices.begin(), slices.end());
  for (std::size_t i = 1; i < slices.size(); ++i) EXPECT_LE(slices[i - 1].second, slices[i].first);
  EXPECT_LE(slices.back().second, parameters_.count());
}

TEST_F(ParametersTest, StartWithTheSpreadThatKeepsSignalsAlive) {
  parameters_.initialise(1);
  for (const ParameterSpec& spec : parameters_.specs()) {
    const float* first = parameters_.values() + spec.offset;
    if (spec.role != ParameterRole::kWeight) {
      const float expected = spec.role == ParameterRole::kNormScale ? 1.0f : 0.0f;
      EXPECT_TRUE(std::all_of(first, first + spec.count(), [&](float v) { return v == expected; })) << spec.name;
      continue;
    }
    const auto n = static_cast<double>(spec.count());
    const double expected = std::sqrt((spec.rectified ? 2.0 : 1.0) / static_cast<double>(spec.fan_in));
    double sum = 0, squares = 0;
    for (std::int64_t i = 0; i < spec.count(); ++i) sum += first[i], squares += std::pow(first[i], 2);
    // Five standard deviations of the mean and of the deviation of n normal numbers.
    EXPECT_NEAR(sum / n, 0.0, 5 * expected / std::sqrt(n)) << spec.name;
    EXPECT_NEAR(std::sqrt(squares / n), expected, 5 * expected / std::sqrt(2 * n)) << spec.name;
  }
  for (const StatisticsSpec& spec : parameters_.statistics_specs()) {
    EXPECT_EQ(parameters_.statistics()[spec.mean_offset], 0.0f);
    EXPECT_EQ(parameters_.statistics()[spec.variance_offset + spec.channels - 1], 1.0f);
  }
}

TEST_F(ParametersTest, TheStartIsAFunctionOfTheSeed) {
  parameters_.initialise(1);
  const Values first = values();
  parameters_.initialise(2);
  EXPECT_NE(first, values());
  parameters_.initialise(1);
  EXPECT_EQ(first, values());
}

// Logits of one picture, by a plan that scores.
Values logits_of(Model& model) {
  ModelPlan& plan = model.prepare(1, false);
  const Values picture = testing::random_values(plan.graph().tensors.front().count(), 3);
  std::copy(picture.begin(), picture.end(), static_cast<float*>(plan.input()));
  plan.forward({});
  const auto* logits = static_cast<const float*>(plan.logits());
  return Values(logits, logits + model.n_logits());
}

TEST_F(ParametersTest, APlanThatScoresFollowsThemWhereverTheyLie) {
  parameters_.initialise(1);
  const Values before = logits_of(model_);
  parameters_.initialise(2);
  Model other(*device_, architecture("resnet18"), {1, 32, 32, 1}, 2);
  other.parameters().initialise(2);
  EXPECT_EQ(logits_of(model_), logits_of(other));
  // Each single tensor and statistic counts.
  const Values second = logits_of(model_);
  EXPECT_NE(second, before);
  for (const ParameterSpec& spec : parameters_.specs()) {
    float* value = parameters_.values() + spec.offset;
    for (std::int64_t i = 0; i < spec.count(); ++i) value[i] += 0.25f;
    EXPECT_NE(logits_of(model_), second) << spec.name;
    std::copy_n(other.parameters().values() + spec.offset, spec.count(), value);
  }
  for (const StatisticsSpec& spec : parameters_.statistics_specs())
    for (const std::int64_t offset : {spec.mean_offset, spec.variance_offset}) {
      float* value = parameters_.statistics() + offset;
      for (std::int64_t c = 0; c < spec.channels; ++c) value[c] += 0.5f;
      EXPECT_NE(logits_of(model_), second) << spec.name;
      for (std::int64_t c = 0; c < spec.channels; ++c) value[c] -= 0.5f;
    }
  EXPECT_EQ(logits_of(model_), second);
}

TEST_F(ParametersTest, SettledOnesScoreTheSameAndCannotBeChanged) {
  parameters_.initialise(1);
  const Values before = logits_of(model_);
  EXPECT_EQ(model_.prepare(1, false).kept_bytes(), 0u);
  model_.forget_plans();
  parameters_.settle();
  EXPECT_EQ(logits_of(model_), before);
  EXPECT_EQ(logits_of(model_), before) << "by what was kept";
  EXPECT_GT(model_.prepare(1, false).kept_bytes(), parameters_.n_decayed() * sizeof(float) / 2);
  EXPECT_THROW(parameters_.initialise(2), std::logic_error);
  EXPECT_THROW(parameters_.narrow(), std::logic_error);
  EXPECT_THROW(model_.prepare(1, true), std::logic_error);
}

TEST_F(ParametersTest, NoTwoTensorsStartAlike) {
  parameters_.initialise(1);
  std::vector<float> firsts;
  for (const ParameterSpec& spec : parameters_.specs())
    if (spec.role == ParameterRole::kWeight)
      firsts.push_back(parameters_.values()[spec.offset] * std::sqrt(static_cast<float>(spec.fan_in)));
  std::sort(firsts.begin(), firsts.end());
  EXPECT_EQ(std::adjacent_find(firsts.begin(), firsts.end()), firsts.end());
}

TEST(CanonicalLayout, PutsInputsBeforePlacesAndComesBack) {
  ParameterSpec spec;
  spec.shape = {3, 2, 4, 5};  // (o, kh, kw, i)
  EXPECT_EQ(spec.count(), 120);
  EXPECT_EQ(canonical_shape(spec), (std::vector<std::int64_t>{3, 5, 2, 4}));
  Values stored(120);
  std::iota(stored.begin(), stored.end(), 0.0f);
  const Values canonical = to_canonical(spec, stored.data());
  for (int o = 0; o < 3; ++o)
    for (int i = 0; i < 5; ++i)
      for (int y = 0; y < 2; ++y)
        for (int x = 0; x < 4; ++x)
          EXPECT_EQ(canonical[static_cast<std::size_t>(((o * 5 + i) * 2 + y) * 4 + x)],
                    static_cast<float>(((o * 2 + y) * 4 + x) * 5 + i));
  EXPECT_EQ(from_canonical(spec, canonical.data()), stored);
}

TEST(CanonicalLayout, LeavesVectorsAndMatricesAlone) {
  for (const std::vector<std::int64_t>& shape : {std::vector<std::int64_t>{7}, {3, 5}}) {
    ParameterSpec spec;
    spec.shape = shape;
    const Values stored = testing::random_values(spec.count(), 1);
    EXPECT_EQ(canonical_shape(spec), shape);
    EXPECT_EQ(to_canonical(spec, stored.data()), stored);
    EXPECT_EQ(from_canonical(spec, stored.data()), stored);
  }
}

}  // namespace parameters_test
}  // namespace xrai
