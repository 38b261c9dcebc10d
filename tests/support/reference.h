// Textbook loops in double, one index at a time: the truth that kernels and plans are held against. Layouts are those
// of the kernels: activations (n, height, width, channels), weights (filters, kh, kw, channels / groups). Nothing here
// is fast and nothing here is shared with what it checks.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "kernels/augment.h"
#include "runtime/core/specs.h"
#include "tests/support/random.h"

namespace xrai::testing {

/// y, and the gradients for a given dy.
struct ConvolutionReference {
  Doubles y, dx, dweights, dbias;
};
/// bias may be empty. With spec.relu, dy counts where y is positive.
ConvolutionReference convolution_reference(const ConvolutionSpec& spec, const Doubles& x, const Doubles& weights,
                                           const Doubles& bias, const Doubles& dy);

struct PoolingReference {
  Doubles y, dx;
};
/// The first of equal maxima, row by row, gets the gradient.
PoolingReference pooling_reference(const PoolingSpec& spec, const Doubles& x, const Doubles& dy);

/// A dense layer as a 1x1 convolution of 1x1 maps.
ConvolutionReference dense_reference(const DenseSpec& spec, const Doubles& x, const Doubles& weights,
                                     const Doubles& bias, const Doubles& dy);

struct NormalisationCall {
  Shape shape;
  Doubles x{}, residual{}, gamma{}, beta{};  // residual may be empty
  double epsilon = 1e-5;
  bool relu = false, pool = false;
  Doubles mean{}, variance{};  // empty: of the batch
};
struct NormalisationReference {
  Doubles mean, variance;  // biased, of the batch
  Doubles y, dx, dresidual, dgamma, dbeta;
};
/// dy may be empty: forward only.
NormalisationReference normalisation_reference(const NormalisationCall& call, const Doubles& dy);

Doubles global_average_reference(const Shape& shape, const Doubles& x);

/// Mean over the batch of w[label] * cross-entropy against smoothed targets. One logit: sigmoid and two classes.
/// log_priors: added to the logits, one a class, or none.
double loss_reference(const Doubles& logits, const std::vector<std::int32_t>& labels, const Doubles& class_weights,
                      double label_smoothing, const Doubles& log_priors = {});

/// One picture seen through a View: bilinear, border replicated, `samples` x `samples` places averaged per pixel.
Doubles view_reference(const std::uint8_t* pixels, const kernels::AugmentArguments& sizes, const kernels::View& view,
                       int samples);

/// d f / d x[i] by central differences.
Doubles numerical_gradient(const std::function<double(const Doubles&)>& f, Doubles x, double step = 1e-5);

}  // namespace xrai::testing
