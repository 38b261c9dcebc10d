// Elementwise kernels are the CPU twins, rounded to the type: to the last bit, wherever the arrays begin and end.
#include "kernels/elementwise.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernel_test.h"

namespace xrai {
namespace elementwise_test {

using testing::Activations;
using testing::Array;
using testing::expect_same;
using testing::rounded;
using testing::Values;

constexpr float kInf = std::numeric_limits<float>::infinity();

/// Lengths around those of a group of 4 and 8, of a warp and of a block's share, and offsets in elements at which
/// arrays begin: all on 16 bytes, all equally beside it, and never together on it.
constexpr std::int64_t kLengths[] = {0, 1, 3, 5, 8, 31, 2048, 2053};
struct Offsets {
  std::size_t a, b, out;
};
constexpr Offsets kOffsets[] = {{0, 0, 0}, {1, 1, 1}, {3, 3, 3}, {1, 0, 0}, {0, 1, 0}, {0, 0, 1}};

/// Values of both signs, with zeros, the limits of float16, infinities and NaN among them. Two streams have them at
/// different places: a zero meets a value that isn't.
Values awkward_values(std::int64_t n, std::uint64_t stream) {
  Values values = testing::random_values(n, stream, -100, 100);
  const float awkward[] = {0, -0.0f, kInf, -kInf, NAN, 65504, -65504, 1e-7f, 3e38f};
  for (std::size_t i = stream % 5; i < values.size(); i += 5) values[i] = awkward[i / 5 % std::size(awkward)];
  return values;
}

class Elementwise : public testing::KernelTest {
 protected:
  using Binary = void (*)(const void*, const void*, void*, std::int64_t);
  using BinaryKernel = void (*)(const void*, const void*, void*, std::int64_t, DataType, kernels::Stream);

  static void expect_twin(Binary twin, BinaryKernel kernel) {
    for (const std::int64_t n : kLengths)
      for (const Offsets& at : kOffsets) {
        const Activations a(type(), awkward_values(n, 1), at.a), b(type(), awkward_values(n + 1, 2), at.b);
        const Activations out(type(), static_cast<std::size_t>(n), at.out);
        const Values wide_a = a.values(), wide_b = b.values();
        Values expected(static_cast<std::size_t>(n));
        twin(wide_a.data(), wide_b.data(), expected.data(), n);
        kernel(a.data(), b.data(), out.data(), n, type(), nullptr);
        expect_same(out.values(), rounded(type(), expected), "n " + std::to_string(n));
      }
  }
};
XRAI_FOR_TYPES_AND_ORDERS(Elementwise);

TEST_P(Elementwise, AdditionIsTheTwins) {
  expect_twin(kernels::cpu::add, kernels::cuda::add);
}

TEST_P(Elementwise, ReluBackwardIsTheTwins) {
  expect_twin(kernels::cpu::relu_backward, kernels::cuda::relu_backward);
}

TEST_P(Elementwise, ReluIsTheTwins) {
  for (const std::int64_t n : kLengths)
    for (const Offsets& at : kOffsets) {
      const Activations x(type(), awkward_values(n, 3), at.a), y(type(), static_cast<std::size_t>(n), at.out);
      Values expected = x.values();
      kernels::cpu::relu(expected.data(), expected.data(), n);
      kernels::cuda::relu(x.data(), y.data(), n, type(), nullptr);
      expect_same(y.values(), expected, "n " + std::to_string(n));
    }
}

TEST_P(Elementwise, TheResultMayLieOverTheInput) {
  const Values a = awkward_values(100, 4), b = awkward_values(100, 5);
  const Activations separate(type(), a.size()), x(type(), a), y(type(), b), over_a(type(), a), over_b(type(), b);
  kernels::cuda::add(x.data(), y.data(), separate.data(), 100, type(), nullptr);
  kernels::cuda::add(over_a.data(), y.data(), over_a.data(), 100, type(), nullptr);
  kernels::cuda::add(x.data(), over_b.data(), over_b.data(), 100, type(), nullptr);
  expect_same(over_a.values(), separate.values(), "over a");
  expect_same(over_b.values(), separate.values(), "over b");
}

TEST_P(Elementwise, NarrowingRoundsToTheNearest) {
  for (const std::int64_t n : kLengths)
    for (const Offsets& at : kOffsets) {
      const Array<float> from(awkward_values(n, 6), at.a);
      const Activations to(type(), static_cast<std::size_t>(n), at.out);
      kernels::cuda::narrow(from.data(), to.data(), n, type(), nullptr);
      expect_same(to.values(), rounded(type(), from.values()), "n " + std::to_string(n));
    }
}

TEST_P(Elementwise, WideningLosesNothing) {
  for (const std::int64_t n : kLengths)
    for (const Offsets& at : kOffsets) {
      const Activations from(type(), awkward_values(n, 7), at.a);
      const Array<float> to(static_cast<std::size_t>(n), at.out);
      kernels::cuda::widen(from.data(), to.data(), n, type(), nullptr);
      expect_same(to.values(), from.values(), "n " + std::to_string(n));
    }
}

// ---- dropout --------------------------------------------------------------------------------------------------------

/// The twin on the same inputs.
Values dropout_twin(const Activations& x, kernels::DropoutArguments arguments, const kernels::StepNumbers* numbers) {
  const Values wide = x.values();
  Values expected(wide.size());
  arguments.x = wide.data(), arguments.y = expected.data(), arguments.numbers = numbers;
  kernels::cpu::dropout(arguments);
  return expected;
}

TEST_P(Elementwise, DropoutIsTheTwins) {
  const kernels::StepNumbers numbers{0x123456789abcull, 2, (1ull << 33) + 7};
  const Array<kernels::StepNumbers> on_device(std::vector{numbers});
  for (const std::int64_t n : kLengths)
    for (const Offsets& at : kOffsets) {
      const Activations x(type(), awkward_values(n, 8), at.a), y(type(), static_cast<std::size_t>(n), at.out);
      kernels::DropoutArguments arguments{x.data(), y.data(), n, 0.4f, on_device.data(), 3};
      kernels::cuda::dropout(arguments, type(), nullptr);
      expect_same(y.values(), rounded(type(), dropout_twin(x, arguments, &numbers)), "n " + std::to_string(n));
    }
}

TEST_P(Elementwise, DropoutWithoutNumbersDrawsFromZero) {
  const Activations x(type(), testing::random_values(50, 9)), y(type(), 50);
  kernels::DropoutArguments arguments{x.data(), y.data(), 50, 0.5f, nullptr, 0};
  kernels::cuda::dropout(arguments, type(), nullptr);
  expect_same(y.values(), rounded(type(), dropout_twin(x, arguments, nullptr)), "y");
}

TEST_P(Elementwise, DropoutOverItsInputIsTheSame) {
  const Activations x(type(), testing::random_values(77, 10)), y(type(), 77);
  kernels::DropoutArguments arguments{x.data(), y.data(), 77, 0.3f, nullptr, 1};
  kernels::cuda::dropout(arguments, type(), nullptr);
  arguments.y = x.data();
  kernels::cuda::dropout(arguments, type(), nullptr);
  expect_same(x.values(), y.values(), "y");
}

// More elements than the largest grid takes at once, so that threads come round a second time.
TEST(ElementwiseSize, ThreadsComeRoundAgainWhereTheGridEnds) {
  if (emulation::checks_races()) GTEST_SKIP() << "only the length is new here, and the race checker is slow";
  constexpr std::int64_t kN = 2048 * 256 * 4 + 4 * 300 + 3;
  const Values values = testing::random_values(kN, 11);
  const Array<float> x(values), y(static_cast<std::size_t>(kN));
  kernels::cuda::relu(x.data(), y.data(), kN, DataType::kFloat32, nullptr);
  Values expected = values;
  kernels::cpu::relu(expected.data(), expected.data(), kN);
  expect_same(y.values(), expected, "y");
  kernels::DropoutArguments arguments{x.data(), y.data(), kN, 0.5f, nullptr, 1};
  kernels::cuda::dropout(arguments, DataType::kFloat32, nullptr);
  arguments.x = values.data(), arguments.y = expected.data();
  kernels::cpu::dropout(arguments);
  expect_same(y.values(), expected, "dropout");
}

}  // namespace elementwise_test
}  // namespace xrai
