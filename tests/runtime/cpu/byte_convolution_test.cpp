// Convolutions of bytes: to the bit what loops over integers give where all steps are powers of two, and within the
// rounding of weights and results of what float gives.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "runtime/core/buffer.h"
#include "tests/support/compare.h"
#include "tests/support/int8.h"
#include "tests/support/reference.h"

namespace xrai {
namespace byte_convolution_test {

using testing::Doubles;
using testing::Random;
using testing::random_values;
using testing::Values;

constexpr Window kSame{3, 3, 1, 1, 1, 1, 1, 1};

using Bytes = std::vector<std::uint8_t>;

Bytes random_bytes(std::int64_t n, std::uint64_t stream) {
  Random random(stream);
  Bytes bytes(static_cast<std::size_t>(n));
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random.whole(0, 255));
  return bytes;
}

std::int64_t outputs(const ByteConvolutionSpec& spec) {
  const Shape y = spec.convolution().output();
  return spec.pool ? y.n * (y.height / 2) * (y.width / 2) * y.channels : y.count();
}

struct ByteConstants {
  std::vector<float> weights, shift;  // (filters, kernel_height, kernel_width, channels), (filters)
  float input_step = 1, output_step = 1;
  std::vector<float> scale = {};  // (filters): what the normalisation makes of the weights; empty: nothing
};

/// The results as float, whatever the device writes.
Values computed(Device& device, const ByteConvolutionSpec& spec, const ByteConstants& constants, const Bytes& x) {
  const auto plan = device.plan_bytes(spec);
  const Values ones(static_cast<std::size_t>(spec.filters), 1), zeros(ones.size(), 0);
  kernels::BatchNormArguments norm;
  norm.gamma = constants.scale.empty() ? ones.data() : constants.scale.data();
  norm.beta = constants.shift.data();
  norm.mean = zeros.data();
  norm.inverse_deviation = ones.data();
  norm.shape = {1, 1, 1, spec.filters};
  plan->prepare(constants.weights.data(), norm, constants.input_step, constants.output_step);
  Buffer workspace = device.allocate(plan->workspace_bytes());
  const auto n = static_cast<std::size_t>(outputs(spec));
  Bytes bytes(n, 77);
  Values floats(n, NAN);
  plan->forward(x.data(), spec.bytes_out ? static_cast<void*>(bytes.data()) : floats.data(), workspace.data());
  return spec.bytes_out ? Values(bytes.begin(), bytes.end()) : floats;
}

/// Weights near integers, of which each filter's largest is 127, times a power of two a filter.
ByteConstants exact_constants(const ByteConvolutionSpec& spec) {
  Random random(3);
  ByteConstants constants;
  constants.input_step = 1.0f / 16;
  constants.output_step = spec.convolution().weight_count() / spec.filters > 64 ? 4 : 1;
  const std::int64_t per_filter = spec.convolution().weight_count() / spec.filters;
  for (std::int64_t f = 0; f < spec.filters; ++f) {
    const float step = std::ldexp(1.0f, static_cast<int>(-4 - f % 3));
    for (std::int64_t i = 0; i < per_filter; ++i)
      constants.weights.push_back(
          (i == f % per_filter
               ? 127
               : static_cast<float>(static_cast<double>(random.whole(-126, 126)) + random.real(-0.4, 0.4))) *
          step);
    constants.shift.push_back(static_cast<float>(random.whole(-20, 20)) * 16);
  }
  return constants;
}

// Of one place and filter: integers, and one rounding at the end, half to even.
double one_value(const ByteConvolutionSpec& spec, const ByteConstants& constants, const Bytes& x, std::int64_t image,
                 std::int64_t row, std::int64_t column, std::int64_t filter) {
  const Shape& in = spec.input;
  const Window& w = spec.window;
  const double weight_step = std::ldexp(1.0, static_cast<int>(-4 - filter % 3));
  std::int64_t sum = 0;
  std::size_t at = static_cast<std::size_t>(filter * w.kernel_height * w.kernel_width * in.channels);
  for (std::int64_t dy = 0; dy < w.kernel_height; ++dy)
    for (std::int64_t dx = 0; dx < w.kernel_width; ++dx)
      for (std::int64_t c = 0; c < in.channels; ++c, ++at) {
        const std::int64_t y = row * w.stride_height + dy - w.pad_top, z = column * w.stride_width + dx - w.pad_left;
        if (y < 0 || y >= in.height || z < 0 || z >= in.width) continue;
        const auto pixel = x[static_cast<std::size_t>(((image * in.height + y) * in.width + z) * in.channels + c)];
        sum += std::llround(constants.weights[at] / weight_step) * pixel;
      }
  const double value =
      static_cast<double>(sum) * weight_step * constants.input_step + constants.shift[static_cast<std::size_t>(filter)];
  const double positive = std::max(0.0, value);
  return spec.bytes_out ? std::min(255.0, std::nearbyint(positive / constants.output_step)) : positive;
}

Values by_loops(const ByteConvolutionSpec& spec, const ByteConstants& constants, const Bytes& x) {
  const Shape whole = spec.convolution().output();
  const std::int64_t side = spec.pool ? 2 : 1;
  Values values;
  for (std::int64_t image = 0; image < whole.n; ++image)
    for (std::int64_t row = 0; row + side <= whole.height; row += side)
      for (std::int64_t column = 0; column + side <= whole.width; column += side)
        for (std::int64_t f = 0; f < spec.filters; ++f) {
          double largest = 0;
          for (std::int64_t k = 0; k < side * side; ++k)
            largest = std::max(largest, one_value(spec, constants, x, image, row + k / side, column + k % side, f));
          values.push_back(static_cast<float>(largest));
        }
  return values;
}

const ByteConvolutionSpec kSpecs[] = {
    {{1, 1, 1, 1}, 1, {1, 1, 1, 1}},
    {{2, 8, 8, 16}, 32, kSame, true, true},
    {{3, 7, 9, 32}, 48, kSame, true, false},
    {{1, 14, 14, 128}, 128, kSame, true, true},
    {{2, 5, 6, 16}, 16, kSame, false, true},
    {{2, 6, 5, 3}, 5, kSame, false, false},
    {{2, 9, 9, 16}, 24, {1, 1, 2, 2}},
    {{5, 11, 8, 20}, 17, {5, 5, 2, 2, 2, 2, 2, 2}, true, true},
    {{9, 128, 128, 1}, 16, kSame, true, true},  // in groups, of which the last overlaps the one before
    {{9, 128, 128, 1}, 16, kSame, true, false},
};

TEST(ByteConvolution, IsALoopOverIntegersRoundedOnce) {
  const auto device = testing::make_int8_device();
  if (!device) GTEST_SKIP() << testing::kNoInt8;
  for (const ByteConvolutionSpec& spec : kSpecs) {
    SCOPED_TRACE(::testing::Message() << spec.input.n << " x " << spec.input.height << " x " << spec.input.width << ", "
                                      << spec.input.channels << " to " << spec.filters);
    const ByteConstants constants = exact_constants(spec);
    const Bytes x = random_bytes(spec.input.count(), 4);
    const Values expected = by_loops(spec, constants, x);
    EXPECT_EQ(computed(*device, spec, constants, x), expected);
    if (expected.size() > 100 && spec.bytes_out) {
      EXPECT_EQ(*std::max_element(expected.begin(), expected.end()), 255) << "nothing was cut off: not much of a test";
      EXPECT_GT(std::count_if(expected.begin(), expected.end(), [](float v) { return v > 0 && v < 255; }), 10);
    }
  }
}

TEST(ByteConvolution, TakesTheNormalisationsScaleIntoTheWeights) {
  const auto device = testing::make_int8_device();
  if (!device) GTEST_SKIP() << testing::kNoInt8;
  const ByteConvolutionSpec& spec = kSpecs[1];
  const ByteConstants whole = exact_constants(spec);
  ByteConstants apart = whole;
  for (std::int64_t f = 0; f < spec.filters; ++f)
    apart.scale.push_back(std::ldexp(f % 2 == 0 ? -1.0f : 1.0f, static_cast<int>(f % 5)));
  const auto per_filter = apart.weights.size() / apart.scale.size();
  for (std::size_t i = 0; i < apart.weights.size(); ++i) apart.weights[i] /= apart.scale[i / per_filter];
  const Bytes x = random_bytes(spec.input.count(), 4);
  EXPECT_EQ(computed(*device, spec, apart, x), computed(*device, spec, whole, x));
}

TEST(ByteConvolution, DependsNotOnTheNumberOfThreads) {
  const ByteConvolutionSpec spec = kSpecs[1];
  const Bytes x = random_bytes(spec.input.count(), 4);
  Values before;
  for (const int threads : {1, 2, 3}) {
    const auto device = testing::make_int8_device(threads);
    if (!device) GTEST_SKIP() << testing::kNoInt8;
    const Values now = computed(*device, spec, exact_constants(spec), x);
    EXPECT_EQ(now, before.empty() ? now : before);
    before = now;
  }
}

// Of float convolution differs, at most: half a step of the result, and for each input half a step of its weight.
TEST(ByteConvolution, IsTheFloatOneButForTheRoundingOfWeightsAndResults) {
  const auto device = testing::make_int8_device();
  if (!device) GTEST_SKIP() << testing::kNoInt8;
  const ByteConvolutionSpec spec{{2, 10, 12, 32}, 48, kSame, false, true};
  ByteConstants constants{random_values(spec.convolution().weight_count(), 5, -0.3, 0.3),
                          random_values(spec.filters, 6), 0.011f, 0.037f};
  for (std::size_t i = 0; i < 288; ++i) constants.weights[i] = 0;  // a filter of zeros
  const Bytes x = random_bytes(spec.input.count(), 7);
  Doubles input(x.begin(), x.end());
  for (double& value : input) value *= constants.input_step;
  const Doubles none(static_cast<std::size_t>(spec.convolution().output().count()), 0.0);
  const Doubles sums =
      testing::convolution_reference(spec.convolution(), input, testing::widened(constants.weights), {}, none).y;
  const Doubles ones(static_cast<std::size_t>(spec.convolution().weight_count()), 1.0);
  const Doubles inputs = testing::convolution_reference(spec.convolution(), input, ones, {}, none).y;  // all >= 0
  const Values y = computed(*device, spec, constants, x);
  double largest = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double exact = sums[i] + constants.shift[i % 48];
    const double expected = std::clamp(exact, 0.0, 255.0 * constants.output_step);
    const double bound = 0.501 * constants.output_step + inputs[i] * 0.501 * 0.3 / 127;
    const double difference = std::abs(y[i] * constants.output_step - expected);
    ASSERT_LE(difference, bound) << i;
    largest = std::max(largest, difference / constants.output_step);
  }
  EXPECT_GT(largest, 0.4) << "results are rounded: a difference of half a step has to occur";
}

TEST(ByteConvolution, AFloatDeviceHasNone) {
  EXPECT_THROW((void)make_cpu_device(1)->Device::plan_bytes(kSpecs[0]), std::logic_error);
}

}  // namespace byte_convolution_test
}  // namespace xrai
