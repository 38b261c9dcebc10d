// The steps of xrai_explain filter on the CUDA device against the CPU device's: the same numbers, since every sum of
// the filters here is a whole number that float32 holds.
#include <utility>

#include "apps/explain/filter_steps.h"
#include "tests/cuda/device/device_pair.h"

namespace xrai {
namespace cuda_explain_test {

TEST(ExplainOnCuda, ConvolvesAndPoolsLikeTheCpu) {
  GreyImage picture{19, 14, {}};
  for (int i = 0; i < 14 * 19; ++i) picture.pixels.push_back(static_cast<std::uint8_t>(i * i * 31 % 251));
  const auto cuda = testing::new_cuda("fp32");
  const auto cpu = make_cpu_device(1);
  for (const auto& [filter, pooling] :
       {std::pair{"edge", PoolingKind::kMax}, std::pair{"1,0,2,0;0,-3,0,1", PoolingKind::kAverage}}) {
    const FilterKernel kernel = find_filter_kernel(filter);
    const FilterSteps expected = apply_filter(*cpu, picture, kernel, pooling);
    const FilterSteps steps = apply_filter(*cuda, picture, kernel, pooling);
    EXPECT_EQ(steps.convolved.values, expected.convolved.values) << filter;
    EXPECT_EQ(steps.pooled.values, expected.pooled.values) << filter;
  }
  EXPECT_EQ(testing::findings(), "");
}

}  // namespace cuda_explain_test
}  // namespace xrai
