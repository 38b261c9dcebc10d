// Sums over rows: global average pooling both ways, and the gradient of a bias.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernel_test.h"
#include "kernels/elementwise.h"

namespace xrai {
namespace row_sums_test {

using testing::Activations;
using testing::Array;
using testing::Doubles;
using testing::expect_rounded;
using testing::Values;

struct Matrix {
  std::int64_t n, positions, channels;
  std::size_t offset;
};
/// Channels that fill groups of 16 bytes and that do not, fewer than a warp's and more; positions fewer and more than a
/// block's rows; arrays that begin beside 16 bytes.
constexpr Matrix kMatrices[] = {{1, 1, 1, 0},   {3, 49, 64, 0}, {2, 5, 7, 0},   {2, 1, 512, 0}, {4, 9, 24, 1},
                                {1, 300, 8, 0}, {2, 65, 40, 0}, {3, 4, 300, 0}, {2, 37, 1, 3},  {0, 4, 8, 0}};

/// Sums of a matrix's columns in double, and of their absolute values, which bound the error of any order of summing.
struct Sums {
  Doubles sums, absolute;
};
Sums sums_of(const Values& x, std::int64_t rows, std::int64_t channels) {
  Sums s{Doubles(static_cast<std::size_t>(channels)), Doubles(static_cast<std::size_t>(channels))};
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t c = 0; c < channels; ++c) {
      const double value = x[static_cast<std::size_t>(row * channels + c)];
      s.sums[static_cast<std::size_t>(c)] += value;
      s.absolute[static_cast<std::size_t>(c)] += std::abs(value);
    }
  return s;
}

/// Additions that one number takes part in: rows of a thread, then halvings of the block. Each costs half an ulp.
double summing_error(std::int64_t rows) {
  return (static_cast<double>(rows) / 8 + 12) * 0x1p-24;
}

class RowSums : public testing::KernelTest {};
XRAI_FOR_TYPES_AND_ORDERS(RowSums);

TEST_P(RowSums, GlobalAveragePoolingIsTheMeanOfEachChannel) {
  for (const auto& [n, positions, channels, offset] : kMatrices) {
    const auto outputs = static_cast<std::size_t>(n * channels);
    const Activations x(type(), testing::random_values(n * positions * channels, 1), offset);
    const Activations y(type(), outputs, offset);
    kernels::cuda::global_average_pool(x.data(), y.data(), n, positions, channels, type(), nullptr);
    const Values wide = x.values(), means = y.values();
    for (std::int64_t i = 0; i < n; ++i) {
      const auto first = wide.begin() + i * positions * channels;
      Sums s = sums_of({first, first + positions * channels}, positions, channels);
      double largest = 0;
      for (double& sum : s.sums) sum /= static_cast<double>(positions);
      for (const double sum : s.absolute) largest = std::max(largest, sum / static_cast<double>(positions));
      expect_rounded(type(), {means.begin() + i * channels, means.begin() + (i + 1) * channels}, s.sums, 0x1p-22,
                     summing_error(positions) * largest, "image " + std::to_string(i));
    }
  }
}

TEST_P(RowSums, GlobalAveragePoolingBackwardSharesTheGradientOut) {
  for (const auto& [n, positions, channels, offset] : kMatrices) {
    const auto outputs = static_cast<std::size_t>(n * positions * channels);
    const Activations dy(type(), testing::random_values(n * channels, 2), offset);
    const Activations dx(type(), outputs, offset);
    kernels::cuda::global_average_pool_backward(dy.data(), dx.data(), n, positions, channels, type(), nullptr);
    const Values wide = dy.values();
    Values expected(outputs);
    kernels::cpu::global_average_pool_backward(wide.data(), expected.data(), n, positions, channels);
    testing::expect_same(dx.values(), testing::rounded(type(), expected), "dx");
  }
}

struct Rows {
  std::int64_t rows, channels;
  std::size_t offset;
};
/// From 1,025 rows on the sums are made in two passes.
constexpr Rows kRows[] = {{0, 4, 0},   {1, 1, 0},     {64, 2, 0},   {256, 1, 0},   {333, 64, 0},
                          {70, 40, 1}, {1024, 16, 0}, {1025, 8, 0}, {2500, 24, 0}, {3000, 5, 1}};

TEST_P(RowSums, ColumnSumsAreThoseOfEachChannel) {
  for (const auto& [rows, channels, offset] : kRows) {
    const Activations x(type(), testing::random_values(rows * channels, 3), offset);
    const Array<float> sums(static_cast<std::size_t>(channels), offset);
    const Array<float> workspace(static_cast<std::size_t>(kernels::cuda::column_sums_workspace_floats(rows, channels)));
    kernels::cuda::column_sums(x.data(), sums.data(), rows, channels, workspace.data(), type(), nullptr);
    const Sums s = sums_of(x.values(), rows, channels);
    const double largest = *std::max_element(s.absolute.begin(), s.absolute.end());
    expect_rounded(DataType::kFloat32, sums.values(), s.sums, 0, summing_error(rows) * largest,
                   std::to_string(rows) + " x " + std::to_string(channels));
  }
}

TEST_P(RowSums, AnInfinityOrANaNStaysInItsChannel) {
  Values values(20 * 16, 1);
  values[3 * 16 + 2] = std::numeric_limits<float>::infinity();
  values[17 * 16 + 9] = NAN;
  const Activations x(type(), values), y(type(), 16);
  kernels::cuda::global_average_pool(x.data(), y.data(), 1, 20, 16, type(), nullptr);
  Values expected(16, 1);
  expected[2] = std::numeric_limits<float>::infinity(), expected[9] = NAN;
  // A twentieth of 20 ones: 1 / 20 is rounded once in float32.
  expect_rounded(type(), y.values(), testing::widened(expected), 0x1p-23, 0, "y");
}

}  // namespace row_sums_test
}  // namespace xrai
