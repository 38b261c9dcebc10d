// Our shapes against cuDNN's own, over random windows: its output-dimension functions (which know equal padding on both
// sides only) and what its graphs accept.
#include <cudnn.h>
#include <gtest/gtest.h>

#include <array>

#include "runtime/core/error.h"
#include "runtime/core/specs.h"
#include "runtime/cuda/cudnn_operations.h"
#include "tests/cuda/cudnn/described_gpus.h"
#include "tests/support/random.h"

namespace xrai::cuda {
namespace shape_test {

constexpr int kWindows = 2000;

class RandomWindows {
 public:
  std::int64_t between(std::int64_t low, std::int64_t high) { return random_.whole(low, high); }
  /// Padding less than the kernel, as pooling demands; the same on both sides where asked.
  Window window(bool symmetric) {
    Window w{.kernel_height = between(1, 7), .kernel_width = between(1, 7)};
    w.stride_height = between(1, 4);
    w.stride_width = between(1, 4);
    w.pad_top = between(0, w.kernel_height - 1);
    w.pad_left = between(0, w.kernel_width - 1);
    w.pad_bottom = symmetric ? w.pad_top : between(0, w.kernel_height - 1);
    w.pad_right = symmetric ? w.pad_left : between(0, w.kernel_width - 1);
    return w;
  }
  Shape input() { return {between(1, 5), between(1, 40), between(1, 40), between(1, 6)}; }

 private:
  testing::Random random_{77};
};

/// Ours, or a shape of zeros where we say that the window does not fit.
Shape ours(const Window& window, const Shape& input, std::int64_t channels) {
  try {
    return shape_after(window, input, channels);
  } catch (const Error&) {
    return {};
  }
}

Shape zeros_unless(cudnnStatus_t status, const std::array<int, 4>& nchw) {
  const bool fits = status == CUDNN_STATUS_SUCCESS && nchw[2] > 0 && nchw[3] > 0;
  return fits ? Shape{nchw[0], nchw[2], nchw[3], nchw[1]} : Shape{};
}

class LegacyDescriptors {
 public:
  LegacyDescriptors() {
    check(cudnnCreateTensorDescriptor(&tensor_));
    check(cudnnCreateFilterDescriptor(&filter_));
    check(cudnnCreateConvolutionDescriptor(&convolution_));
    check(cudnnCreatePoolingDescriptor(&pooling_));
  }
  LegacyDescriptors(const LegacyDescriptors&) = delete;
  LegacyDescriptors& operator=(const LegacyDescriptors&) = delete;
  ~LegacyDescriptors() {
    (void)cudnnDestroyPoolingDescriptor(pooling_);
    (void)cudnnDestroyConvolutionDescriptor(convolution_);
    (void)cudnnDestroyFilterDescriptor(filter_);
    (void)cudnnDestroyTensorDescriptor(tensor_);
  }

  Shape after_convolution(const Window& window, const Shape& input, std::int64_t filters) {
    set_tensor(input);
    const std::array<int, 4> weights = ints<4>({filters, input.channels, window.kernel_height, window.kernel_width});
    check(cudnnSetFilterNdDescriptor(filter_, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NCHW, 4, weights.data()));
    const auto pads = ints<2>({window.pad_top, window.pad_left});
    const auto strides = ints<2>({window.stride_height, window.stride_width});
    const std::array<int, 2> ones{1, 1};
    check(cudnnSetConvolutionNdDescriptor(convolution_, 2, pads.data(), strides.data(), ones.data(),
                                          CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT));
    std::array<int, 4> nchw{};
    const auto status = cudnnGetConvolutionNdForwardOutputDim(convolution_, tensor_, filter_, 4, nchw.data());
    return zeros_unless(status, nchw);
  }

  Shape after_pooling(const Window& window, const Shape& input) {
    set_tensor(input);
    const auto kernel = ints<2>({window.kernel_height, window.kernel_width});
    const auto pads = ints<2>({window.pad_top, window.pad_left});
    const auto strides = ints<2>({window.stride_height, window.stride_width});
    check(cudnnSetPoolingNdDescriptor(pooling_, CUDNN_POOLING_MAX, CUDNN_PROPAGATE_NAN, 2, kernel.data(), pads.data(),
                                      strides.data()));
    std::array<int, 4> nchw{};
    const auto status = cudnnGetPoolingNdForwardOutputDim(pooling_, tensor_, 4, nchw.data());
    return zeros_unless(status, nchw);
  }

 private:
  template <std::size_t kCount>
  static std::array<int, kCount> ints(const std::array<std::int64_t, kCount>& numbers) {
    std::array<int, kCount> narrow{};
    for (std::size_t i = 0; i < kCount; ++i) narrow[i] = static_cast<int>(numbers[i]);
    return narrow;
  }
  void set_tensor(const Shape& shape) {
    const auto sizes = ints<4>({shape.n, shape.channels, shape.height, shape.width});
    check(cudnnSetTensorNdDescriptorEx(tensor_, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, 4, sizes.data()));
  }

  cudnnTensorDescriptor_t tensor_ = nullptr;
  cudnnFilterDescriptor_t filter_ = nullptr;
  cudnnConvolutionDescriptor_t convolution_ = nullptr;
  cudnnPoolingDescriptor_t pooling_ = nullptr;
};

TEST(ShapeAfter, AgreesWithCudnnForConvolutions) {
  RandomWindows random;
  LegacyDescriptors cudnn;
  for (int i = 0; i < kWindows; ++i) {
    const Shape input = random.input();
    const std::int64_t filters = random.between(1, 9);
    const Window window = random.window(true);
    ASSERT_EQ(to_string(ours(window, input, filters)), to_string(cudnn.after_convolution(window, input, filters)))
        << to_words(ConvolutionSpec{.input = input, .filters = filters, .window = window});
  }
}

TEST(ShapeAfter, AgreesWithCudnnForPooling) {
  RandomWindows random;
  LegacyDescriptors cudnn;
  for (int i = 0; i < kWindows; ++i) {
    const Shape input = random.input();
    const Window window = random.window(true);
    ASSERT_EQ(to_string(ours(window, input, input.channels)), to_string(cudnn.after_pooling(window, input)))
        << to_words(PoolingSpec{.input = input, .window = window});
  }
}

TEST(ShapeAfter, IsAcceptedByConvolutionGraphsWithUnequalPadding) {
  RandomWindows random;
  const testing::DescribedGpu gpu = testing::described_gpu("A100");
  const CudnnTarget target = CudnnTarget::described(gpu.properties, gpu.name);
  int graphs = 0;
  for (int i = 0; i < kWindows / 10; ++i) {
    const ConvolutionSpec spec{
        .input = random.input(), .filters = random.between(1, 9), .window = random.window(false)};
    if (ours(spec.window, spec.input, spec.filters).n == 0) continue;
    ASSERT_NO_THROW((void)convolution_forward(spec, Precision::kFloat32, Epilogue::kNone, target)) << to_words(spec);
    ++graphs;
  }
  EXPECT_GT(graphs, kWindows / 20);
}

}  // namespace shape_test
}  // namespace xrai::cuda
