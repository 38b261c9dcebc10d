// Bytes that the kernels of batch normalisation move, counted by the race checker, against the least that can do: every
// launch reads and writes each byte once at most, and no launch touches what it could do without. The second launch of
// a sum is left out: the partial sums that it reads were just written, and still lie in the second-level cache.
#include <gtest/gtest.h>

#include <utility>

#include "batch_norm_pass.h"

namespace xrai::emulation {
namespace {
std::uint64_t moved_bytes = 0;
}
// Instead of the emulation's own, which runs and does not count: a call of several launches is looked at as one.
cudaError_t enqueue(cudaStream_t, Launch launch) {
  run(launch);
  const Traffic traffic = last_traffic();
  if (launch.kernel.find("merge_") == std::string::npos) moved_bytes += traffic.read_bytes + traffic.written_bytes;
  return cudaSuccess;
}
}  // namespace xrai::emulation

namespace xrai {
namespace {

using testing::NormalisationCase;
using testing::NormalisationPass;

// Small beside a real batch (64 maps of 224 x 224), where partial sums and parameters cost still less.
constexpr Shape kShape{4, 64, 64, 32};

class CudaBatchNormTraffic : public ::testing::TestWithParam<DataType> {
 protected:
  void SetUp() override { ASSERT_TRUE(emulation::checks_races()) << "only the race checker counts bytes"; }
  NormalisationCase call(bool relu, bool pool, bool residual) const {
    return {kShape, relu, pool, residual, GetParam()};
  }
  // In units of x. A winner is a byte where an element of x is two or four, a window's where x has four.
  double winners() const { return 0.25 / static_cast<double>(size_of(GetParam())); }
  template <class Work>
  static double moved(const Work& work) {
    emulation::moved_bytes = 0;
    work();
    return static_cast<double>(emulation::moved_bytes) / static_cast<double>(kShape.count() * size_of(GetParam()));
  }
  static void expect_within_five_hundredths(double moved, double least) {
    EXPECT_GE(moved, least) << "something was not read, or not counted";
    EXPECT_LE(moved, 1.05 * least);
  }
};

TEST_P(CudaBatchNormTraffic, StatisticsReadXOnce) {
  NormalisationPass pass(call(false, false, false));
  expect_within_five_hundredths(moved([&] { pass.statistics(); }), 1);
}

TEST_P(CudaBatchNormTraffic, ForwardReadsXAndTheResidualAndWritesY) {
  NormalisationPass plain(call(true, false, false)), added(call(true, false, true));
  expect_within_five_hundredths(moved([&] { plain.forward(); }), 2);
  expect_within_five_hundredths(moved([&] { added.forward(); }), 3);
}

TEST_P(CudaBatchNormTraffic, PooledForwardReadsXOnceAndWritesAQuarterAndTheWinners) {
  NormalisationPass pass(call(true, true, false));
  expect_within_five_hundredths(moved([&] { pass.forward(); }), 1 + 0.25 + winners());
}

TEST_P(CudaBatchNormTraffic, BackwardReadsXAndDyTwiceAndWritesDx) {
  NormalisationPass pass(call(false, false, false));
  pass.statistics(), pass.forward();
  expect_within_five_hundredths(moved([&] { pass.backward(); }), 2 * 2 + 1);
}

TEST_P(CudaBatchNormTraffic, ReluCostsYTwiceAndAResidualItsGradient) {
  NormalisationPass pass(call(true, false, true));
  pass.statistics(), pass.forward();
  expect_within_five_hundredths(moved([&] { pass.backward(); }), 2 * 3 + 2);
}

TEST_P(CudaBatchNormTraffic, PooledBackwardReadsXTwiceAndAQuarterOfTheRest) {
  NormalisationPass pass(call(true, true, false));
  pass.statistics(), pass.forward();
  expect_within_five_hundredths(moved([&] { pass.backward(); }), 2 * (1 + 0.25 + 0.25 + winners()) + 1);
}

INSTANTIATE_TEST_SUITE_P(Types, CudaBatchNormTraffic,
                         ::testing::Values(DataType::kFloat32, DataType::kBfloat16, DataType::kFloat16),
                         [](const auto& tested) { return std::string(data_type_name(tested.param)); });

}  // namespace
}  // namespace xrai
