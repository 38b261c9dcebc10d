// Bytes that the kernels of batch normalisation move, counted by the race checker, against the least that can do: every
// launch reads and writes each byte once at most, no launch touches what it could do without, and partial sums and the
// channels' parameters cost next to nothing beside the maps.
#include <gtest/gtest.h>

#include <tuple>
#include <utility>

#include "batch_norm_pass.h"

namespace xrai {
namespace batch_norm_traffic_test {
std::uint64_t moved_bytes = 0;
}

namespace emulation {
// Instead of the emulation's own, which runs and does not count: a call of several launches is looked at as one.
cudaError_t enqueue(cudaStream_t, Launch launch) {
  run(launch);
  const Traffic traffic = last_traffic();
  batch_norm_traffic_test::moved_bytes += traffic.read_bytes + traffic.written_bytes;
  return cudaSuccess;
}
}  // namespace emulation

namespace batch_norm_traffic_test {

using testing::NormalisationCase;
using testing::NormalisationPass;

// The last maps of plain5 at 224 px and a batch of 32, which have fewest positions for each channel's sums, and a part
// of the first ones, with the tiles of the whole.
constexpr Shape kMaps[] = {{32, 14, 14, 128}, {1, 96, 96, 16}};

class CudaBatchNormTraffic : public ::testing::TestWithParam<std::tuple<DataType, Shape>> {
 protected:
  void SetUp() override { ASSERT_TRUE(emulation::checks_races()) << "only the race checker counts bytes"; }
  static DataType type() { return std::get<0>(GetParam()); }
  static const Shape& shape() { return std::get<1>(GetParam()); }
  static NormalisationCase call(bool relu, bool pool, bool residual) { return {shape(), relu, pool, residual, type()}; }
  // In units of x. A winner is a byte where an element of x is two or four, a window's where x has four.
  static double winners() { return 0.25 / static_cast<double>(size_of(type())); }
  template <class Work>
  static double moved(const Work& work) {
    moved_bytes = 0;
    work();
    return static_cast<double>(moved_bytes) / static_cast<double>(shape().count() * size_of(type()));
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
                         ::testing::Combine(::testing::Values(DataType::kFloat32, DataType::kBfloat16),
                                            ::testing::ValuesIn(kMaps)),
                         [](const auto& tested) {
                           return std::string(data_type_name(std::get<0>(tested.param))) + "_" +
                                  std::to_string(std::get<1>(tested.param).channels) + "_channels";
                         });

TEST(CudaRunningStatisticsTraffic, VariancesAreReadOnceToBeMadeReady) {
  constexpr std::int64_t kChannels = 1000;
  const testing::Array<float> variance(testing::Values(kChannels, 1.0f)), inverse(kChannels);
  moved_bytes = 0;
  kernels::cuda::inverse_deviation(variance.data(), 1e-5f, kChannels, inverse.data(), nullptr);
  EXPECT_EQ(moved_bytes, 2 * kChannels * sizeof(float));
}

}  // namespace batch_norm_traffic_test
}  // namespace xrai
