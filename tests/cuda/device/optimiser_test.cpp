// The optimiser on the CUDA device: against the update in double, and the weights that the layers read are those it
// wrote.
#include <gtest/gtest.h>

#include "tests/cuda/device/doubled_card.h"
#include "tests/support/optimiser_steps.h"

namespace xrai {
namespace cuda_optimiser_test {

class OptimisersOnCuda : public ::testing::TestWithParam<std::tuple<OptimiserKind, std::string>> {};

TEST_P(OptimisersOnCuda, ClipDecayAndKeepTheirMomentsLikeTheReference) {
  const auto& [kind, precision] = GetParam();
  const auto device = testing::fresh_cuda(precision);
  const auto parameters = testing::expect_reference_steps(*device, testing::clipped(kind));
  const std::int64_t n = parameters->count();
  const testing::Values wide = testing::get_floats(*device, parameters->values(), n);
  testing::expect_near(testing::get(*device, parameters->narrow_values(0), n), testing::widened(wide),
                       testing::roundoff(device->activation_type()), "weights as layers read them");
  EXPECT_EQ(testing::findings(), "");
}

INSTANTIATE_TEST_SUITE_P(Kinds, OptimisersOnCuda,
                         ::testing::Combine(::testing::Values(OptimiserKind::kAdamW, OptimiserKind::kSgd),
                                            ::testing::Values("fp32", "bf16", "fp16")),
                         [](const auto& p) {
                           return (std::get<0>(p.param) == OptimiserKind::kAdamW ? "AdamW_" : "Sgd_") +
                                  std::get<1>(p.param);
                         });

}  // namespace cuda_optimiser_test
}  // namespace xrai
