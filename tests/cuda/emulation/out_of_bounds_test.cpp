// Built under the address and undefined-behaviour sanitizers only, which end the program: hence death tests.
#include <gtest/gtest.h>

#include <vector>

#include "emulation.h"
#include "samples.h"

namespace xrai::emulation {
namespace out_of_bounds_test {

using samples::Bug;

void launch_on_256_floats(Bug bug) {
  std::vector<float> memory(256, 1.0f);
  samples::launch_wrong(bug, memory.data(), nullptr);
}

TEST(SanitizedKernelDeathTest, ReadPastTheEnd) {
  EXPECT_DEATH(launch_on_256_floats(Bug::kReadsPastTheEnd), "heap-buffer-overflow");
}

TEST(SanitizedKernelDeathTest, WritePastTheEnd) {
  EXPECT_DEATH(launch_on_256_floats(Bug::kWritesPastTheEnd), "heap-buffer-overflow");
}

TEST(SanitizedKernelDeathTest, VectorTailPastTheEnd) {
  EXPECT_DEATH(launch_on_256_floats(Bug::kVectorTailPastTheEnd), "heap-buffer-overflow");
}

TEST(SanitizedKernelDeathTest, SharedIndexPastTheEnd) {
  EXPECT_DEATH(launch_on_256_floats(Bug::kSharedIndexPastTheEnd), "index 256 out of bounds");
}

TEST(SanitizedKernelDeathTest, DynamicSharedPastTheEnd) {
  EXPECT_DEATH(launch_on_256_floats(Bug::kDynamicSharedPastTheEnd), "heap-buffer-overflow");
}

TEST(SanitizedKernelDeathTest, MisalignedVector) {
  EXPECT_DEATH(launch_on_256_floats(Bug::kMisalignedVector), "misaligned address");
}

}  // namespace out_of_bounds_test
}  // namespace xrai::emulation
