// The intervals of what the stress suite measures.
#include "apps/stress/stress_suite.h"

#include <gtest/gtest.h>

#include "tests/apps/stress_fixture.h"

namespace xrai {
namespace stress_suite_test {

using testing::not_told;
using testing::of;
class StressSuite : public testing::StressFixture {};

TEST_F(StressSuite, EveryFigureHasItsInterval) {
  const StressResult result = stress();
  const auto expect_around = [](const JudgedFigures& f, std::string_view what) {
    for (std::size_t i = 0; i < kStressFigures.size(); ++i) {
      ASSERT_TRUE(f.ci95[i]) << what << " " << i;
      EXPECT_LE(f.ci95[i]->low, *(f.*kStressFigures[i]) + 1e-12) << what << " " << i;
      EXPECT_GE(f.ci95[i]->high, *(f.*kStressFigures[i]) - 1e-12) << what << " " << i;
    }
  };
  expect_around(result.stressed, "stressed");
  expect_around(result.mean, "mean");
  expect_around(result.clean, "clean");
  for (const CorruptionResult& c : result.corruptions) {
    expect_around(c.mean, c.corruption.name);
    for (const JudgedFigures& f : c.by_severity) expect_around(f, c.corruption.name);
  }
  // Of one variant they are those of an evaluation.
  const Evaluation alone = evaluate(clean, {.threshold = 0.5, .n_resamples = 0});
  EXPECT_EQ(result.clean.ci95[0]->low, alone.metric("auroc").ci95->low);
  EXPECT_EQ(result.clean.ci95[1]->low, alone.metric("accuracy").ci95->low);
  EXPECT_EQ(result.clean.ci95[3]->low, alone.metric("sensitivity").ci95->low);
  EXPECT_EQ(result.clean.ci95[4]->low, alone.metric("specificity").ci95->low);
}

/// Says the same of picture i whatever was done to it; wrong about every fifth.
Predict by_place(const std::vector<std::int32_t>& labels) {
  return [labels, next = std::size_t{0}](const std::uint8_t*, std::int64_t n, std::int64_t, std::int64_t) mutable {
    std::vector<float> probabilities;
    for (std::int64_t i = 0; i < n; ++i) {
      const std::size_t place = next++ % labels.size();
      const bool positive = (labels[place] == 1) != (place % 5 == 0);
      const float p = (positive ? 0.7f : 0.2f) + 0.01f * static_cast<float>(place % 7);
      probabilities.insert(probabilities.end(), {1.0f - p, p});
    }
    return probabilities;
  };
}

// Patients that are drawn once are drawn for every variant: means over equal variants are as uncertain as one of them,
// and not by the root of their number less.
TEST_F(StressSuite, MeansOfVariantsAreResampledTogether) {
  const Predict predict = by_place(data.labels("val"));
  const Predictions same = score_split(data, "val", {}, data.names, "best.h5", predict);
  const StressResult result = measure_stress(data, "val", same, 0.5, 1, predict, not_told);
  ASSERT_TRUE(result.clean.ci95[2]);
  EXPECT_LT(result.clean.ci95[2]->low, result.clean.ci95[2]->high);
  for (const JudgedFigures& mean : {result.stressed, result.mean, result.by_severity[3], result.corruptions[7].mean}) {
    EXPECT_NEAR(mean.ci95[2]->low, result.clean.ci95[2]->low, 1e-12);
    EXPECT_NEAR(mean.ci95[2]->high, result.clean.ci95[2]->high, 1e-12);
  }
}

TEST_F(StressSuite, APerfectNetworkIsNotPerfectlyKnown) {
  const StressResult result = stress();
  const auto& blur = of(result, CorruptionKind::kBlur);
  ASSERT_EQ(blur.mean.sensitivity, 1.0);
  for (std::size_t i = 0; i < kStressFigures.size(); ++i) {
    ASSERT_TRUE(blur.mean.ci95[i]) << i;
    EXPECT_LT(blur.mean.ci95[i]->low, 0.97) << i;
    EXPECT_NEAR(blur.mean.ci95[i]->high, 1.0, 1e-12) << i;
  }
}

}  // namespace stress_suite_test
}  // namespace xrai
