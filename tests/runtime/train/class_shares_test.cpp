// Claims about class weights and priors, from labels alone.
#include "runtime/train/class_shares.h"

#include <gtest/gtest.h>

#include <cmath>

namespace xrai {
namespace class_shares_test {

TEST(BalancedClassWeights, MakeClassesCountAlikeAndAverageToOne) {
  const std::vector<std::int32_t> labels{0, 0, 0, 1, 0, 0, 0, 1};
  const std::vector<float> weights = balanced_class_weights(labels, 2);
  EXPECT_NEAR(6 * weights[0], 2 * weights[1], 1e-6);
  double sum = 0;
  for (const std::int32_t label : labels) sum += weights[static_cast<std::size_t>(label)];
  EXPECT_NEAR(sum / 8, 1.0, 1e-6);
}

TEST(BalancedClassWeights, AClassWithoutPicturesWeighsNothing) {
  EXPECT_EQ(balanced_class_weights({0, 0}, 2), (std::vector<float>{0.5f, 0.0f}));
}

TEST(LogClassShares, AreThoseOfTheLabels) {
  const std::vector<float> logs = log_class_shares({1, 1, 0, 1, 2, 1, 1, 1}, 3);
  ASSERT_EQ(logs.size(), 3u);
  EXPECT_NEAR(logs[0], std::log(0.125), 1e-6);
  EXPECT_NEAR(logs[1], std::log(0.75), 1e-6);
  EXPECT_NEAR(logs[2], std::log(0.125), 1e-6);
}

}  // namespace class_shares_test
}  // namespace xrai
