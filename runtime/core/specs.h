// What is wanted of a device, as plain validated data: no vendor words, no pointers.
#pragma once

#include <cstdint>
#include <optional>

#include "runtime/core/shape.h"

namespace xrai {

/// Sizes of a window over height and width.
struct Window {
  std::int64_t kernel_height = 1, kernel_width = 1;
  std::int64_t stride_height = 1, stride_width = 1;
  std::int64_t pad_top = 0, pad_bottom = 0, pad_left = 0, pad_right = 0;
  friend bool operator==(const Window&, const Window&) = default;
};

/// Shape after a window; throws Error(kUsage) naming the sizes when the window does not fit or a number is senseless.
Shape shape_after(const Window& window, const Shape& input, std::int64_t output_channels);

/// Batch normalisation by running statistics that comes behind a convolution when scoring, with what is joined to it.
struct NormalisedSpec {
  bool relu = false, residual = false, pool = false;  // pool: of 2x2
};

struct ConvolutionSpec {
  Shape input;
  std::int64_t filters = 0;
  Window window;
  std::int64_t groups = 1;
  bool bias = false;
  bool relu = false;            // fused behind the bias
  bool training = false;        // backward will be called
  bool input_gradient = false;  // ... and wants dx
  // An offer, which a plan need not take (ConvolutionPlan::normalises). Without bias, relu and training.
  std::optional<NormalisedSpec> normalised = {};
  // Weights and normalisation stay as they are at the first call: what is made of them may be kept. Not of use when
  // training.
  bool constant = false;

  [[nodiscard]] Shape output() const { return shape_after(window, input, filters); }
  [[nodiscard]] std::int64_t channels_per_group() const { return input.channels / groups; }
  /// Elements of the weights (filters, kernel_height, kernel_width, channels / groups).
  [[nodiscard]] std::int64_t weight_count() const {
    return filters * window.kernel_height * window.kernel_width * channels_per_group();
  }
};

/// A convolution without bias that scores in whole numbers (Precision::kInt8), and what is joined to it: ReLU, and 2x2
/// max pooling if `pool`.
struct ByteConvolutionSpec {
  Shape input;
  std::int64_t filters = 0;
  Window window;
  bool pool = false;
  bool bytes_out = true;  // else y is float

  [[nodiscard]] ConvolutionSpec convolution() const { return {input, filters, window}; }
};

enum class PoolingKind { kMax, kAverage };  // average counts places inside the picture only

struct PoolingSpec {
  Shape input;
  PoolingKind kind = PoolingKind::kMax;
  Window window;
  bool training = false;
  [[nodiscard]] Shape output() const { return shape_after(window, input, input.channels); }
};

struct DenseSpec {
  std::int64_t n = 0, inputs = 0, outputs = 0;
  bool bias = true;
  bool relu = false;
  bool training = false;
  bool input_gradient = false;
};

/// Throw Error(kUsage) in one sentence when the numbers make no sense.
void validate(const ConvolutionSpec& spec);
void validate(const PoolingSpec& spec);
void validate(const DenseSpec& spec);

}  // namespace xrai
