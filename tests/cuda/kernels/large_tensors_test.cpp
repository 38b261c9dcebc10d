// Elements beyond the 2^32nd: where offsets are counted in 32 bits, a kernel reads and writes in the wrong place. The
// arrays are reserved and not filled, and of every launch only the last block runs; it ends at the last element.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cmath>
#include <new>

#include "emulation.h"
#include "kernels/batch_norm.h"
#include "kernels/convolution.h"
#include "kernels/elementwise.h"

namespace xrai {
namespace large_tensors_test {

constexpr std::int64_t kPositions = 4100, kChannels = std::int64_t{1} << 20;
static_assert((kPositions - 3) * kChannels > std::int64_t{1} << 32);
/// Of the last block of a launch.
constexpr std::int64_t kSeen = 16;

/// Zeros that cost memory only where they are touched.
template <class T>
class Reserved {
 public:
  explicit Reserved(std::int64_t n) : bytes_(static_cast<std::size_t>(n) * sizeof(T)) {
    void* const memory =
        ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    data_ = static_cast<T*>(memory);
  }
  Reserved(const Reserved&) = delete;
  Reserved& operator=(const Reserved&) = delete;
  ~Reserved() { ::munmap(data_, bytes_); }
  [[nodiscard]] T* data() const { return data_; }
  T& operator[](std::int64_t i) const { return data_[i]; }

 private:
  std::size_t bytes_;
  T* data_ = nullptr;
};
using Floats = Reserved<float>;

/// Whole numbers, so that sums are exact in float; other ones for each of the last channels.
float value_at(std::int64_t position, std::int64_t from_the_end) {
  return static_cast<float>((position * 5 + from_the_end * 3) % 7 - 3);
}
std::int64_t place_of(std::int64_t position, std::int64_t from_the_end) {
  return position * kChannels + kChannels - 1 - from_the_end;
}
/// (kPositions, kChannels), of which the last kSeen channels are filled.
void fill(const Floats& array, std::int64_t shift = 0) {
  for (std::int64_t p = 0; p < kPositions; ++p)
    for (std::int64_t c = 0; c < kSeen; ++c) array[place_of(p, c)] = value_at(p + shift, c);
}

class BeyondTwoToThe32 : public ::testing::Test {
 protected:
  BeyondTwoToThe32() { emulation::run_last_block_only(true); }
  ~BeyondTwoToThe32() override { emulation::run_last_block_only(false); }
};

TEST_F(BeyondTwoToThe32, BatchNormalisationFindsItsElements) {
  const Floats x(kPositions * kChannels), y(kPositions * kChannels), dy(kPositions * kChannels), mean(kChannels),
      inverse(kChannels), gamma(kChannels), beta(kChannels), dgamma(kChannels), dbeta(kChannels);
  const kernels::BatchNormShape shape{1, 1, kPositions, kChannels};
  const Reserved<double> workspace(kernels::batch_norm_workspace_doubles(shape));
  fill(x), fill(dy, 1);
  for (std::int64_t c = 0; c < kSeen; ++c) gamma[kChannels - 1 - c] = 2, beta[kChannels - 1 - c] = 1;
  kernels::cuda::batch_statistics(
      {x.data(), shape, 0, 0.1f, mean.data(), inverse.data(), nullptr, nullptr, workspace.data()}, DataType::kFloat32,
      nullptr);
  kernels::BatchNormArguments forward{x.data(),       nullptr,  gamma.data(), beta.data(), mean.data(),
                                      inverse.data(), y.data(), nullptr,      shape};
  kernels::cuda::batch_norm(forward, DataType::kFloat32, nullptr);
  // A block finishes the sums of eight channels.
  for (std::int64_t c = 0; c < 8; ++c) {
    double sum = 0, squares = 0;
    for (std::int64_t p = 0; p < kPositions; ++p) sum += value_at(p, c), squares += value_at(p, c) * value_at(p, c);
    const double expected_mean = sum / kPositions,
                 expected_inverse = 1 / std::sqrt(squares / kPositions - expected_mean * expected_mean);
    ASSERT_NEAR(mean[kChannels - 1 - c], expected_mean, 1e-5);
    ASSERT_NEAR(inverse[kChannels - 1 - c], expected_inverse, 1e-5);
    for (const std::int64_t p : {std::int64_t{3}, kPositions - 1})
      ASSERT_NEAR(y[place_of(p, c)], 2 * (value_at(p, c) - expected_mean) * expected_inverse + 1, 1e-4) << p;
  }
  forward.x = x.data();
  kernels::cuda::batch_norm_backward(
      {forward, dy.data(), y.data(), nullptr, dgamma.data(), dbeta.data(), workspace.data()}, DataType::kFloat32,
      nullptr);
  for (std::int64_t c = 0; c < 8; ++c) {
    const std::int64_t channel = kChannels - 1 - c;
    double sum = 0, sum_x = 0;
    for (std::int64_t p = 0; p < kPositions; ++p)
      sum += value_at(p + 1, c), sum_x += value_at(p + 1, c) * (value_at(p, c) - mean[channel]) * inverse[channel];
    ASSERT_NEAR(dbeta[channel], sum, 1e-3);
    ASSERT_NEAR(dgamma[channel], sum_x, 1e-2);
    for (const std::int64_t p : {std::int64_t{3}, kPositions - 1}) {
      const double normalised = (value_at(p, c) - mean[channel]) * inverse[channel];
      ASSERT_NEAR(y[place_of(p, c)],
                  2 * inverse[channel] * (value_at(p + 1, c) - sum / kPositions - normalised * sum_x / kPositions),
                  1e-4)
          << p;
    }
  }
}

TEST_F(BeyondTwoToThe32, ColumnSumsFindTheirElements) {
  const Floats x(kPositions * kChannels), sums(kChannels),
      workspace(kernels::cuda::column_sums_workspace_floats(kPositions, kChannels));
  fill(x);
  kernels::cuda::column_sums(x.data(), sums.data(), kPositions, kChannels, workspace.data(), DataType::kFloat32,
                             nullptr);
  for (std::int64_t c = 0; c < kSeen; ++c) {
    float expected = 0;  // the last block has the last part of the rows: those from 4 * 1024 on
    for (std::int64_t p = 4096; p < kPositions; ++p) expected += value_at(p, c);
    EXPECT_EQ(sums[kChannels - 1 - c], expected);
  }
}

TEST_F(BeyondTwoToThe32, ConvolutionFindsItsElements) {
  constexpr std::int64_t kGroup = kSeen, kGroups = kChannels / kGroup;
  const Floats x(kPositions * kChannels), y(kPositions * kChannels), weights(kChannels * kGroup),
      dweights(kChannels * kGroup);
  fill(x);
  // (filters, channels / groups): the last group's filter and channel, counted from their ends.
  const auto weight_at = [](std::int64_t filter, std::int64_t channel) {
    return (kChannels - 1 - filter) * kGroup + kGroup - 1 - channel;
  };
  for (std::int64_t f = 0; f < kGroup; ++f)
    for (std::int64_t c = 0; c < kGroup; ++c) weights[weight_at(f, c)] = value_at(f, c);
  kernels::ConvolutionSizes sizes;
  sizes.window.n = sizes.window.height = sizes.window.out_height = 1;
  sizes.window.width = sizes.window.out_width = kPositions;
  sizes.channels = sizes.filters = kChannels;
  sizes.groups = kGroups;

  kernels::cuda::convolution(sizes, x.data(), weights.data(), nullptr, false, y.data(), DataType::kFloat32, nullptr);
  for (std::int64_t p = 4096; p < kPositions; ++p)
    for (std::int64_t f = 0; f < kGroup; ++f) {
      float expected = 0;
      for (std::int64_t c = 0; c < kGroup; ++c) expected += value_at(p, c) * value_at(f, c);
      ASSERT_EQ(y[place_of(p, f)], expected) << p;
    }
  // x in the place of dy.
  kernels::cuda::convolution_data_gradient(sizes, x.data(), weights.data(), y.data(), DataType::kFloat32, nullptr);
  for (std::int64_t p = 4096; p < kPositions; ++p)
    for (std::int64_t c = 0; c < kGroup; ++c) {
      float expected = 0;
      for (std::int64_t f = 0; f < kGroup; ++f) expected += value_at(p, f) * value_at(f, c);
      ASSERT_EQ(y[place_of(p, c)], expected) << p;
    }
  ASSERT_EQ(kernels::cuda::convolution_filter_gradient_workspace_floats(sizes), 0);
  kernels::cuda::convolution_filter_gradient(sizes, x.data(), x.data(), dweights.data(), nullptr, DataType::kFloat32,
                                             nullptr);
  for (std::int64_t f = 0; f < kGroup; ++f)
    for (std::int64_t c = 0; c < kGroup; ++c) {
      float expected = 0;
      for (std::int64_t p = 0; p < kPositions; ++p) expected += value_at(p, f) * value_at(p, c);
      ASSERT_EQ(dweights[weight_at(f, c)], expected);
    }
}

}  // namespace large_tensors_test
}  // namespace xrai
