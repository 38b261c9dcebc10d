// Kernels that are bound by memory move no byte twice: what they load and store is within 5 % of what there is to read
// and to write.
#include <gtest/gtest.h>

#include "kernel_test.h"
#include "kernels/augment.h"
#include "kernels/convolution.h"
#include "kernels/elementwise.h"
#include "kernels/loss.h"
#include "kernels/optimiser.h"
#include "kernels/pooling.h"

namespace xrai {
namespace traffic_test {

using testing::Activations;
using testing::Array;
using testing::Values;

constexpr std::int64_t kN = 20003;

class Traffic : public testing::KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    ASSERT_TRUE(emulation::checks_races()) << "only the race checker counts bytes";
  }
  /// Of the last launch, in bytes.
  static void expect_moved(double read, double written) {
    const emulation::Traffic moved = emulation::last_traffic();
    EXPECT_GE(static_cast<double>(moved.read_bytes), read);
    EXPECT_LE(static_cast<double>(moved.load_bytes), 1.05 * read);
    EXPECT_EQ(static_cast<double>(moved.written_bytes), written);
    EXPECT_EQ(static_cast<double>(moved.store_bytes), written);
  }
  static double size() { return static_cast<double>(size_of(type())); }
};
/// The order changes no count.
INSTANTIATE_TEST_SUITE_P(Types, Traffic,
                         ::testing::Combine(::testing::Values(DataType::kFloat32, DataType::kBfloat16,
                                                              DataType::kFloat16),
                                            ::testing::Values(emulation::Order::kForward)),
                         testing::type_and_order);

TEST_P(Traffic, ElementwiseKernelsReadAndWriteOnce) {
  const auto n = static_cast<double>(kN);
  const Activations a(type(), kN), b(type(), kN), out(type(), kN);
  kernels::cuda::add(a.data(), b.data(), out.data(), kN, type(), nullptr);
  expect_moved(2 * n * size(), n * size());
  kernels::cuda::relu(a.data(), out.data(), kN, type(), nullptr);
  expect_moved(n * size(), n * size());
  kernels::cuda::relu_backward(a.data(), b.data(), out.data(), kN, type(), nullptr);
  expect_moved(2 * n * size(), n * size());
  const Array<float> wide(kN);
  kernels::cuda::widen(a.data(), wide.data(), kN, type(), nullptr);
  expect_moved(n * size(), n * 4);
  kernels::cuda::narrow(wide.data(), out.data(), kN, type(), nullptr);
  expect_moved(n * 4, n * size());
}

TEST_P(Traffic, DropoutDrawsItsMaskAgainInsteadOfReadingIt) {
  const Activations x(type(), kN), y(type(), kN);
  // Dropped elements need not be read one by one, but groups of them are.
  kernels::cuda::dropout({x.data(), y.data(), kN, 0.5f, nullptr, 1}, type(), nullptr);
  const emulation::Traffic moved = emulation::last_traffic();
  EXPECT_LE(static_cast<double>(moved.load_bytes), static_cast<double>(kN) * size());
  EXPECT_EQ(static_cast<double>(moved.store_bytes), static_cast<double>(kN) * size());
}

TEST_P(Traffic, PoolingReadsOnceWhatItAverages) {
  constexpr std::int64_t kImages = 4, kPositions = 49, kChannels = 96;
  constexpr double kSmall = kImages * kChannels, kLarge = kSmall * kPositions;
  const Activations x(type(), kImages * kPositions * kChannels), y(type(), kImages * kChannels);
  kernels::cuda::global_average_pool(x.data(), y.data(), kImages, kPositions, kChannels, type(), nullptr);
  expect_moved(kLarge * size(), kSmall * size());
  kernels::cuda::global_average_pool_backward(y.data(), x.data(), kImages, kPositions, kChannels, type(), nullptr);
  // The small gradient comes from the cache for every position but the first.
  EXPECT_EQ(static_cast<double>(emulation::last_traffic().read_bytes), kSmall * size());
  EXPECT_EQ(static_cast<double>(emulation::last_traffic().store_bytes), kLarge * size());
}

TEST_P(Traffic, LossesReadLogitsAndLabelsOnceAndWriteGradients) {
  constexpr std::int64_t kImages = 1000;
  const Array<std::int32_t> labels(std::vector<std::int32_t>(kImages, 1));
  const Array<kernels::LossResult> result(std::vector<kernels::LossResult>(1));
  const Array<kernels::LossScale> scale(std::vector<kernels::LossScale>(1));
  for (const std::int64_t logits : {1, 5, 40}) {
    const auto count = static_cast<std::size_t>(kImages * logits);
    const Activations x(type(), Values(count, 0.5f)), dx(type(), count);
    const Array<float> weights(Values(static_cast<std::size_t>(std::max<std::int64_t>(logits, 2)), 1.0f));
    kernels::cuda::loss({x.data(), labels.data(), weights.data(), dx.data(), result.data(), kImages, logits, 0.1f,
                         nullptr, scale.data()},
                        type(), nullptr);
    const emulation::Traffic moved = emulation::last_traffic();
    // Distinct bytes: a row's logits are looked at three times, and come from the cache twice. One class weight and the
    // scale stand for the rest.
    const double least = static_cast<double>(count) * size() + kImages * 4.0;
    EXPECT_GE(static_cast<double>(moved.read_bytes), least) << logits;
    EXPECT_LE(static_cast<double>(moved.read_bytes), 1.05 * least) << logits;
    EXPECT_EQ(static_cast<double>(moved.written_bytes),
              static_cast<double>(count) * size() + sizeof(kernels::LossResult))
        << logits;
  }
}

TEST_P(Traffic, ProbabilitiesAreWrittenOnce) {
  constexpr std::int64_t kImages = 1000;
  for (const std::int64_t logits : {1, 5, 40}) {
    const auto count = static_cast<std::size_t>(kImages * logits);
    const Activations x(type(), Values(count, 0.5f));
    const std::size_t n_probabilities = logits == 1 ? 2 * count : count;
    const Array<float> probabilities(n_probabilities);
    kernels::cuda::probabilities({x.data(), probabilities.data(), kImages, logits}, type(), nullptr);
    EXPECT_EQ(static_cast<double>(emulation::last_traffic().read_bytes), static_cast<double>(count) * size());
    EXPECT_EQ(emulation::last_traffic().store_bytes, n_probabilities * sizeof(float));
  }
}

TEST_P(Traffic, ColumnSumsReadOnce) {
  constexpr std::int64_t kRows = 1024, kChannels = 40;
  const Activations x(type(), kRows * kChannels);
  const Array<float> sums(kChannels), workspace(kChannels);
  kernels::cuda::column_sums(x.data(), sums.data(), kRows, kChannels, workspace.data(), type(), nullptr);
  expect_moved(kRows * kChannels * size(), kChannels * 4);
}

// What the second launch reads is a thousandth of what the first has read.
TEST_P(Traffic, ColumnSumsInPartsJoinTheirPartsOnly) {
  constexpr std::int64_t kRows = 4096, kChannels = 40, kParts = 4;
  const Activations x(type(), kRows * kChannels);
  const Array<float> sums(kChannels), workspace(kParts * kChannels);
  ASSERT_EQ(kernels::cuda::column_sums_workspace_floats(kRows, kChannels), kParts * kChannels);
  kernels::cuda::column_sums(x.data(), sums.data(), kRows, kChannels, workspace.data(), type(), nullptr);
  expect_moved(kParts * kChannels * 4, kChannels * 4);
}

TEST_P(Traffic, NormsReadTheArenaOnceAndDecideFromItsPartialSums) {
  // A multiple of what a block takes, so that the last launch, which is looked at, has as many partials as said.
  constexpr std::int64_t kCount = 40 * 2048, kPartials = 40;
  const Array<float> gradients(Values(kCount, 1e-3f));
  const Array<double> workspace(static_cast<std::size_t>(kernels::sum_of_squares_workspace_doubles(kCount))), norm(1);
  kernels::cuda::sum_of_squares(gradients.data(), kCount, workspace.data(), norm.data(), nullptr);
  expect_moved(kPartials * 8, 8);
  const Array<kernels::StepNumbers> numbers(std::vector<kernels::StepNumbers>(1));
  const Array<kernels::UpdateDecision> decision(std::vector<kernels::UpdateDecision>(1));
  kernels::DecideUpdateArguments arguments{gradients.data(), kCount, 1.0f, 0.9f, 0.999f, numbers.data()};
  arguments.workspace = workspace.data(), arguments.decision = decision.data();
  kernels::cuda::decide_update(arguments, nullptr);
  EXPECT_LE(emulation::last_traffic().read_bytes, kPartials * 8 + sizeof(kernels::StepNumbers));
  EXPECT_EQ(emulation::last_traffic().store_bytes, sizeof(kernels::UpdateDecision));
}

TEST_P(Traffic, AStepThatCountsIsNotUndoneAndMovesNothing) {
  const Array<float> before(kN), values(kN);
  for (const std::uint32_t skip : {0u, 1u}) {
    const Array<kernels::UpdateDecision> decision(
        std::vector<kernels::UpdateDecision>(1, kernels::UpdateDecision{1, 0, 0, 1, skip}));
    kernels::cuda::undo_if_skipped(decision.data(), before.data(), values.data(), kN, nullptr);
    EXPECT_EQ(emulation::last_traffic().read_bytes, skip * kN * 4 + 4);
    EXPECT_EQ(emulation::last_traffic().store_bytes, skip * kN * 4);
  }
}

TEST_P(Traffic, TheOptimisersPassOnceOverTheArenas) {
  const auto n = static_cast<double>(kN);
  const Array<float> w(kN), g(kN), m(kN), v(kN);
  const Activations narrow(type(), kN);
  const Array<kernels::UpdateDecision> decision(std::vector<kernels::UpdateDecision>(1));
  kernels::AdamWArguments adamw{w.data(), g.data(), m.data(), v.data(), narrow.data(), kN, kN / 2};
  adamw.decision = decision.data();
  kernels::cuda::adamw(adamw, type(), nullptr);
  // Every thread reads the decision, 20 bytes, from the cache.
  const emulation::Traffic moved = emulation::last_traffic();
  EXPECT_EQ(static_cast<double>(moved.read_bytes), 4 * 4 * n + sizeof(kernels::UpdateDecision));
  EXPECT_EQ(static_cast<double>(moved.store_bytes), 3 * 4 * n + n * size());
  kernels::SgdArguments sgd{w.data(), g.data(), m.data(), narrow.data(), kN, kN / 2};
  sgd.decision = decision.data();
  kernels::cuda::sgd(sgd, type(), nullptr);
  EXPECT_GE(static_cast<double>(emulation::last_traffic().read_bytes), 3 * 4 * n);  // and what it needs of the decision
  EXPECT_LE(static_cast<double>(emulation::last_traffic().read_bytes), 3 * 4 * n + sizeof(kernels::UpdateDecision));
  EXPECT_EQ(static_cast<double>(emulation::last_traffic().store_bytes), 2 * 4 * n + n * size());
}

TEST_P(Traffic, AugmentationReadsBytesAndWritesEachPixelOnce) {
  constexpr std::int64_t kPictures = 3, kSide = 64;
  const Array<std::uint8_t> pixels(std::vector<std::uint8_t>(kPictures * kSide * kSide, 100));
  const Array<std::int64_t> ids(std::vector<std::int64_t>(kPictures, 0));
  const Activations out(type(), kPictures * kSide * kSide);
  kernels::AugmentArguments a{pixels.data(), nullptr, ids.data(), out.data(), kPictures, kSide,
                              kSide,         kSide,   kSide,      {},         {},        nullptr};
  for (const float contrast : {0.0f, 0.2f}) {
    a.ranges.contrast = contrast;
    kernels::cuda::augment(a, type(), nullptr);
    const emulation::Traffic moved = emulation::last_traffic();
    EXPECT_EQ(static_cast<double>(moved.read_bytes), kPictures * (kSide * kSide + 8));
    EXPECT_EQ(static_cast<double>(moved.store_bytes), kPictures * kSide * kSide * size());
  }
}

constexpr kernels::WindowSizes kHalved{2, 16, 16, 8, 8, 2, 2, 2, 2, 0, 0};

TEST_P(Traffic, PoolingOfOurOwnReadsAndWritesOnce) {
  constexpr std::int64_t kChannels = 24, kIn = 2 * 16 * 16 * kChannels, kOut = kIn / 4;
  const double in = kIn * size(), out = kOut * size(), places = kOut * 4.0;
  const Activations x(type(), Values(kIn, 0.5f)), y(type(), Values(kOut, 0.5f));
  const Array<std::int32_t> winners(std::vector<std::int32_t>(kOut, 0));
  kernels::cuda::max_pool(kHalved, kChannels, x.data(), y.data(), winners.data(), type(), nullptr);
  expect_moved(in, out + places);
  kernels::cuda::average_pool(kHalved, kChannels, x.data(), y.data(), type(), nullptr);
  expect_moved(in, out);
  // Each window's gradient is wanted in four places, and comes from the cache for three.
  kernels::cuda::max_pool_backward(kHalved, kChannels, y.data(), winners.data(), x.data(), type(), nullptr);
  EXPECT_LE(static_cast<double>(emulation::last_traffic().read_bytes), out + places);
  EXPECT_EQ(static_cast<double>(emulation::last_traffic().store_bytes), in);
  kernels::cuda::average_pool_backward(kHalved, kChannels, y.data(), x.data(), type(), nullptr);
  EXPECT_EQ(static_cast<double>(emulation::last_traffic().read_bytes), out);
  EXPECT_EQ(static_cast<double>(emulation::last_traffic().store_bytes), in);
}

// How often the tiles of a product come back to the same bytes is left to the caches.
TEST_P(Traffic, ConvolutionOfOurOwnTouchesItsOperandsOnly) {
  constexpr std::int64_t kChannels = 8, kFilters = 12, kMaps = 2 * 10 * 10;
  const kernels::ConvolutionSizes sizes{{2, 10, 10, 10, 10, 3, 3, 1, 1, 1, 1}, kChannels, kFilters, 1};
  constexpr std::int64_t kX = kMaps * kChannels, kY = kMaps * kFilters, kWeights = kFilters * 9 * kChannels;
  const Activations x(type(), Values(kX, 0.5f)), y(type(), Values(kY, 0.5f)), w(type(), Values(kWeights, 0.5f));
  const auto expect_touched = [](double read, double written) {
    EXPECT_EQ(static_cast<double>(emulation::last_traffic().read_bytes), read);
    EXPECT_EQ(static_cast<double>(emulation::last_traffic().store_bytes), written);
  };
  kernels::cuda::convolution(sizes, x.data(), w.data(), nullptr, false, y.data(), type(), nullptr);
  expect_touched((kX + kWeights) * size(), kY * size());
  kernels::cuda::convolution_data_gradient(sizes, y.data(), w.data(), x.data(), type(), nullptr);
  expect_touched((kY + kWeights) * size(), kX * size());
  const Array<float> dw(kWeights);
  ASSERT_EQ(kernels::cuda::convolution_filter_gradient_workspace_floats(sizes), 0) << "one launch, which is looked at";
  kernels::cuda::convolution_filter_gradient(sizes, x.data(), y.data(), dw.data(), nullptr, type(), nullptr);
  expect_touched((kX + kY) * size(), kWeights * 4);
}

}  // namespace traffic_test
}  // namespace xrai
