// Convolution, pooling and dense plans of the CPU device against naive loops, at odd shapes chosen by hand and at many
// drawn by chance from a fixed seed.
#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "runtime/cpu/cpu_device.h"
#include "tests/support/compare.h"
#include "tests/support/reference.h"

namespace xrai {
namespace random_plans_test {

using testing::expect_near;
using testing::Random;
using testing::random_values;
using testing::Values;
using testing::widened;

// Sums of up to some thousand products in float32: a rounding of 6e-8 each, which add up like a random walk.
constexpr double kFloatSums = 5e-6;
constexpr std::size_t kNoBytes = 64;  // a buffer of nothing still has an address

class Plans : public ::testing::Test {
 protected:
  Buffer workspace(std::size_t bytes) { return device_->allocate(std::max(bytes, kNoBytes)); }

  void check(const ConvolutionSpec& spec) {
    SCOPED_TRACE(fmt::format("x {} filters {} groups {} kernel {}x{} stride {}x{} padding {} {} {} {} bias {} relu {}",
                             to_string(spec.input), spec.filters, spec.groups, spec.window.kernel_height,
                             spec.window.kernel_width, spec.window.stride_height, spec.window.stride_width,
                             spec.window.pad_top, spec.window.pad_bottom, spec.window.pad_left, spec.window.pad_right,
                             spec.bias, spec.relu));
    const Values x = random_values(spec.input.count(), 1), w = random_values(spec.weight_count(), 2);
    const Values b = spec.bias ? random_values(spec.filters, 3) : Values();
    Values dy = random_values(spec.output().count(), 4);
    const auto r = testing::convolution_reference(spec, widened(x), widened(w), widened(b), widened(dy));
    Values y(dy.size()), dx(x.size(), NAN), dw(w.size(), NAN), db(b.size(), NAN);
    const auto plan = device_->plan(spec);
    const Buffer space = workspace(plan->workspace_bytes());
    plan->forward(x.data(), w.data(), spec.bias ? b.data() : nullptr, y.data(), space.data());
    expect_near(y, r.y, kFloatSums, "y");
    if (!spec.training) return;
    plan->backward(x.data(), w.data(), y.data(), dy.data(), spec.input_gradient ? dx.data() : nullptr, dw.data(),
                   spec.bias ? db.data() : nullptr, space.data());
    expect_near(dw, r.dweights, kFloatSums, "dweights");
    if (spec.bias) expect_near(db, r.dbias, kFloatSums, "dbias");
    if (spec.input_gradient) expect_near(dx, r.dx, kFloatSums, "dx");
  }

  void check(const PoolingSpec& spec) {
    SCOPED_TRACE(fmt::format("{} x {} kernel {}x{} stride {}x{} padding {} {} {} {}",
                             spec.kind == PoolingKind::kMax ? "max" : "average", to_string(spec.input),
                             spec.window.kernel_height, spec.window.kernel_width, spec.window.stride_height,
                             spec.window.stride_width, spec.window.pad_top, spec.window.pad_bottom,
                             spec.window.pad_left, spec.window.pad_right));
    const Values x = random_values(spec.input.count(), 5), dy = random_values(spec.output().count(), 6);
    const auto r = testing::pooling_reference(spec, widened(x), widened(dy));
    Values y(dy.size()), dx(x.size(), NAN);
    const auto plan = device_->plan(spec);
    const Buffer saved = workspace(plan->saved_bytes());
    plan->forward(x.data(), y.data(), saved.data());
    expect_near(y, r.y, kFloatSums, "y");
    if (!spec.training) return;
    plan->backward(dy.data(), dx.data(), saved.data());
    expect_near(dx, r.dx, kFloatSums, "dx");
  }

  void check(const DenseSpec& spec) {
    SCOPED_TRACE(fmt::format("n {} inputs {} outputs {} bias {} relu {}", spec.n, spec.inputs, spec.outputs, spec.bias,
                             spec.relu));
    const Values x = random_values(spec.n * spec.inputs, 7), w = random_values(spec.outputs * spec.inputs, 8);
    const Values b = spec.bias ? random_values(spec.outputs, 9) : Values();
    Values dy = random_values(spec.n * spec.outputs, 10);
    const auto r = testing::dense_reference(spec, widened(x), widened(w), widened(b), widened(dy));
    Values y(dy.size()), dx(x.size(), NAN), dw(w.size(), NAN), db(b.size(), NAN);
    const auto plan = device_->plan(spec);
    const Buffer space = workspace(plan->workspace_bytes());
    plan->forward(x.data(), w.data(), spec.bias ? b.data() : nullptr, y.data(), space.data());
    expect_near(y, r.y, kFloatSums, "y");
    if (!spec.training) return;
    plan->backward(x.data(), w.data(), y.data(), dy.data(), spec.input_gradient ? dx.data() : nullptr, dw.data(),
                   spec.bias ? db.data() : nullptr, space.data());
    expect_near(dw, r.dweights, kFloatSums, "dweights");
    if (spec.bias) expect_near(db, r.dbias, kFloatSums, "dbias");
    if (spec.input_gradient) expect_near(dx, r.dx, kFloatSums, "dx");
  }

  std::unique_ptr<Device> device_ = make_cpu_device(2);
};

// Every value once asked for by someone: N=1, 1x1 maps, C=1, 17 channels, stride 3, asymmetric padding, groups.
TEST_F(Plans, ConvolutionsOfOddShapesAreTheNaiveLoops) {
  const ConvolutionSpec specs[] = {
      {{1, 1, 1, 1}, 1, {}, 1, true, false, true, true},
      {{1, 1, 1, 17}, 3, {3, 3, 1, 1, 1, 1, 1, 1}, 1, true, true, true, true},
      {{2, 9, 7, 1}, 16, {3, 3, 1, 1, 1, 1, 1, 1}, 1, false, false, true, false},
      {{2, 11, 13, 17}, 5, {3, 3, 3, 3, 1, 1, 1, 1}, 1, false, false, true, true},
      {{1, 10, 8, 3}, 17, {4, 4, 2, 2, 1, 2, 0, 3}, 1, true, true, true, true},
      {{3, 8, 8, 16}, 16, {3, 3, 1, 1, 0, 2, 2, 0}, 16, false, true, true, true},
      {{2, 7, 9, 12}, 8, {3, 3, 2, 1, 1, 1, 1, 1}, 4, true, false, true, true},
      {{2, 6, 6, 6}, 18, {3, 3, 1, 1, 1, 1, 1, 1}, 6, true, true, true, true},
      {{2, 12, 10, 17}, 33, {5, 5, 1, 1, 2, 2, 2, 2}, 1, true, true, true, true},
      {{2, 5, 12, 16}, 16, {1, 7, 1, 1, 0, 0, 3, 3}, 1, false, false, true, true},
      {{2, 12, 5, 16}, 16, {7, 1, 1, 2, 3, 3, 0, 0}, 1, false, true, true, true},
      {{1, 23, 19, 1}, 8, {7, 7, 2, 2, 3, 3, 3, 3}, 1, false, false, true, true},
      {{2, 8, 8, 32}, 64, {1, 1, 2, 2, 0, 0, 0, 0}, 1, false, false, true, true},
      {{2, 9, 9, 4}, 4, {3, 3, 1, 1, 1, 1, 1, 1}, 1, true, true, false, false},
      // Of the size from which on Winograd's way is taken, and of shapes that its tiles do not cover evenly.
      {{2, 14, 13, 48}, 32, {3, 3, 1, 1, 1, 1, 1, 1}, 1, false, false, true, true},
      {{1, 8, 8, 16}, 16, {3, 3, 1, 1, 1, 1, 1, 1}, 1, false, false, true, false},
      {{3, 7, 17, 16}, 80, {3, 3, 1, 1, 1, 1, 1, 1}, 1, false, false, false, false},
  };
  for (const ConvolutionSpec& spec : specs) check(spec);
}

TEST_F(Plans, ConvolutionsDrawnByChanceAreTheNaiveLoops) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Random random(100 + seed);
    ConvolutionSpec spec;
    spec.window = {random.whole(1, 5), random.whole(1, 5), random.whole(1, 3), random.whole(1, 3),
                   random.whole(0, 3), random.whole(0, 3), random.whole(0, 3), random.whole(0, 3)};
    spec.groups = random.coin() ? 1 : random.whole(1, 4);
    const std::int64_t channels = spec.groups * random.whole(1, spec.groups == 1 ? 20 : 5);
    spec.input = {random.whole(1, 3), random.whole(5, 12), random.whole(5, 12), channels};
    spec.filters = spec.groups * random.whole(1, spec.groups == 1 ? 20 : 5);
    spec.bias = random.coin(), spec.relu = random.coin();
    spec.training = random.whole(0, 3) != 0;
    spec.input_gradient = spec.training && random.whole(0, 3) != 0;
    check(spec);
  }
}

TEST_F(Plans, PoolingOfOddShapesIsTheNaiveLoop) {
  for (const PoolingKind kind : {PoolingKind::kMax, PoolingKind::kAverage}) {
    const PoolingSpec specs[] = {
        {{1, 1, 1, 1}, kind, {}, true},
        {{2, 7, 9, 17}, kind, {2, 2, 2, 2, 0, 0, 0, 0}, true},
        {{2, 7, 7, 3}, kind, {3, 3, 2, 2, 1, 1, 1, 1}, true},
        {{1, 11, 8, 40}, kind, {3, 2, 3, 3, 0, 2, 1, 0}, true},
        {{3, 6, 6, 1}, kind, {6, 6, 1, 1, 0, 0, 0, 0}, true},
        {{2, 9, 9, 16}, kind, {3, 3, 1, 1, 1, 1, 1, 1}, false},
    };
    for (const PoolingSpec& spec : specs) check(spec);
  }
}

TEST_F(Plans, PoolingDrawnByChanceIsTheNaiveLoop) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Random random(200 + seed);
    PoolingSpec spec;
    const std::int64_t kh = random.whole(1, 4), kw = random.whole(1, 4);
    spec.window = {kh,
                   kw,
                   random.whole(1, 3),
                   random.whole(1, 3),
                   random.whole(0, kh - 1),
                   random.whole(0, kh - 1),
                   random.whole(0, kw - 1),
                   random.whole(0, kw - 1)};
    spec.input = {random.whole(1, 3), random.whole(4, 12), random.whole(4, 12), random.whole(1, 20)};
    spec.kind = random.coin() ? PoolingKind::kMax : PoolingKind::kAverage;
    spec.training = random.whole(0, 3) != 0;
    check(spec);
  }
}

TEST_F(Plans, DenseLayersDrawnByChanceAreTheNaiveLoop) {
  check(DenseSpec{1, 1, 1, true, false, true, true});
  check(DenseSpec{1, 3000, 64, true, true, true, true});
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Random random(300 + seed);
    DenseSpec spec{random.whole(1, 9), random.whole(1, 130), random.whole(1, 40),
                   random.coin(),      random.coin(),        random.whole(0, 3) != 0};
    spec.input_gradient = spec.training && random.coin();
    check(spec);
  }
}

TEST_F(Plans, ARunLeavesNothingBehindForTheNext) {
  // The same plan on other data and back again: no state but what the caller passes.
  const ConvolutionSpec spec{{2, 8, 8, 5}, 17, {3, 3, 1, 1, 1, 1, 1, 1}, 1, true, true, true, true};
  const auto plan = device_->plan(spec);
  const Buffer space = workspace(plan->workspace_bytes());
  const auto run = [&](std::uint64_t stream) {
    const Values x = random_values(spec.input.count(), stream), w = random_values(spec.weight_count(), stream + 1);
    const Values b = random_values(spec.filters, stream + 2);
    Values y(static_cast<std::size_t>(spec.output().count()));
    plan->forward(x.data(), w.data(), b.data(), y.data(), space.data());
    return y;
  };
  const Values first = run(20);
  run(40);
  EXPECT_EQ(first, run(20));
}

TEST(ConvolutionReference, AgreesWithFiniteDifferences) {
  const ConvolutionSpec spec{{2, 5, 4, 4}, 6, {3, 2, 2, 1, 1, 0, 1, 1}, 2, true, true, true, true};
  const testing::Doubles x = widened(random_values(spec.input.count(), 1)), b = widened(random_values(spec.filters, 3));
  const testing::Doubles w = widened(random_values(spec.weight_count(), 2));
  const testing::Doubles dy = widened(random_values(spec.output().count(), 4));
  const auto objective = [&](const testing::Doubles& at_x, const testing::Doubles& at_w, const testing::Doubles& at_b) {
    const auto r = testing::convolution_reference(spec, at_x, at_w, at_b, {});
    double sum = 0;
    for (std::size_t i = 0; i < dy.size(); ++i) sum += r.y[i] * dy[i];
    return sum;
  };
  const auto r = testing::convolution_reference(spec, x, w, b, dy);
  const auto expect_all = [](const testing::Doubles& computed, const testing::Doubles& numerical) {
    for (std::size_t i = 0; i < computed.size(); ++i) ASSERT_NEAR(computed[i], numerical[i], 1e-7);
  };
  expect_all(r.dx, testing::numerical_gradient([&](const auto& v) { return objective(v, w, b); }, x));
  expect_all(r.dweights, testing::numerical_gradient([&](const auto& v) { return objective(x, v, b); }, w));
  expect_all(r.dbias, testing::numerical_gradient([&](const auto& v) { return objective(x, w, v); }, b));
}

}  // namespace random_plans_test
}  // namespace xrai
