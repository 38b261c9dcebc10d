// The marks that a step is held against. How fast a machine is cannot be tested; that the marks are numbers, and that
// they cover the passes that were asked for, can.
#include "runtime/cpu/machine_limits.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/errors.h"

namespace xrai {
namespace machine_limits_test {

TEST(MachineLimits, ConvolutionsOfEveryKindAreTimed) {
  const Window same{3, 3, 1, 1, 1, 1, 1, 1};
  for (const ConvolutionSpec& spec : {ConvolutionSpec{{2, 12, 12, 1}, 16, same, 1, false, false, true, false},
                                      ConvolutionSpec{{2, 12, 12, 16}, 32, same, 1, true, true, true, true},
                                      ConvolutionSpec{{1, 9, 9, 6}, 4, same, 2, true, false, false, false}}) {
    const double ms = cpu::direct_convolution_ms(spec, 1);
    EXPECT_TRUE(std::isfinite(ms));
    EXPECT_GT(ms, 0);
  }
}

TEST(MachineLimits, SenselessConvolutionsAreRefused) {
  const ConvolutionSpec none{{2, 12, 12, 1}, 0, {}};
  EXPECT_FALSE(testing::refused(ExitCode::kUsage, [&] { (void)cpu::direct_convolution_ms(none); }).empty());
}

TEST(MachineLimits, CoresAndMemoryHaveARate) {
  EXPECT_GT(cpu::convolution_gflops(), 0.01);
  EXPECT_GT(cpu::copy_gb_per_second(), 0.01);
}

}  // namespace machine_limits_test
}  // namespace xrai
