// Comparison of computed float32 with a reference in double, whole tensors at a time.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "tests/support/random.h"

namespace xrai::testing {

/// Every value within `tolerance` times the largest of the reference (at least `floor`): a small value may be the
/// difference of large ones.
inline void expect_near(const Values& computed, const Doubles& reference, double tolerance, const std::string& what,
                        double floor = 1e-3) {
  ASSERT_EQ(computed.size(), reference.size()) << what;
  double largest = floor;
  for (const double value : reference) largest = std::max(largest, std::abs(value));
  for (std::size_t i = 0; i < reference.size(); ++i)
    ASSERT_TRUE(std::abs(computed[i] - reference[i]) <= tolerance * largest)
        << what << '[' << i << "] is " << computed[i] << ", the reference says " << reference[i] << " (largest "
        << largest << ")";
}

}  // namespace xrai::testing
