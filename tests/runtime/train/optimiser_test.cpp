// The optimiser hands its settings and its arenas to the device's kernels as they are meant: against the update in
// double.
#include <gtest/gtest.h>

#include "runtime/cpu/cpu_device.h"
#include "tests/support/optimiser_steps.h"

namespace xrai {
namespace optimiser_test {

class Optimisers : public ::testing::TestWithParam<OptimiserKind> {};

TEST_P(Optimisers, ClipDecayAndKeepTheirMomentsLikeTheReference) {
  const auto device = make_cpu_device(1);
  (void)testing::expect_reference_steps(*device, testing::clipped(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Kinds, Optimisers, ::testing::Values(OptimiserKind::kAdamW, OptimiserKind::kSgd),
                         [](const auto& p) { return p.param == OptimiserKind::kAdamW ? "AdamW" : "Sgd"; });

}  // namespace optimiser_test
}  // namespace xrai
