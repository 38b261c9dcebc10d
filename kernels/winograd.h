// Convolution by a 3x3 window with stride 1 and padding 1, and its gradients, with four times fewer products: tiles of
// 4x4 results are computed from 6x6 values in a basis in which convolution is a product (Lavin and Gray, "Fast
// algorithms for convolutional neural networks", CVPR 2016, F(4x4, 3x3); the gradients are the transposed maps).
// Channels last. There is no CUDA twin: cuDNN has such plans of its own.
#pragma once

#include <cstdint>

#include "kernels/batch_norm.h"

namespace xrai::kernels {

/// x (n, height, width, inputs) -> y (n, height, width, outputs); both channel counts multiples of 16.
struct WinogradShape {
  std::int64_t n = 0, height = 0, width = 0, inputs = 0, outputs = 0;
  std::int64_t threads = 1;  // for so many at once there is room in the workspace
  /// The same maps, seen from y: the gradient with respect to x is a convolution, too.
  [[nodiscard]] WinogradShape mirrored() const { return {n, height, width, outputs, inputs, threads}; }
};

/// Whether it can be computed this way.
bool winograd_fits(const WinogradShape& shape);
/// And whether it is the fastest way that this processor knows.
bool winograd_pays(const WinogradShape& shape, bool training);

/// Whether the weights are so much larger than maps that their gradients and the input's take turns in one place:
/// winograd_weight_gradient() must come before winograd_backward_weights() then.
bool winograd_takes_turns(const WinogradShape& shape);

/// Pictures whose maps, values and gradients, stay in the cache together: what to take at once where another pass
/// comes before or behind. Depends on one picture's shape only.
std::int64_t winograd_images_in_cache(const WinogradShape& shape);

/// Floats of the workspace that all calls of one pass share.
std::int64_t winograd_workspace_floats(const WinogradShape& shape, bool training);
/// Of them, those in front: what winograd_forward_weights() writes. It does not depend on n or on the threads.
std::int64_t winograd_weight_floats(const WinogradShape& shape);

namespace cpu {
// A pass begins with the weights and takes the batch in as many calls as one likes, whose shape is that of the whole
// batch but for n, and whose maps begin at the call's first picture. weights and dweights: (outputs, 3, 3, inputs).
// Results do not depend on the number of threads. Products are fused with their additions where the processor can, so
// machines without that get other last bits.
void winograd_forward_weights(const WinogradShape& shape, const float* weights, float* workspace);
/// `transformed`: what winograd_forward_weights() wrote, winograd_weight_floats(); `scratch`: the workspace's place
/// behind it. The two may lie apart.
void winograd_forward(const WinogradShape& shape, const float* x, const float* transformed, float* y, float* scratch);
/// The same with batch normalisation by known statistics, and what is joined to it, behind: the convolution's output is
/// never written. norm.x is not read, norm.winner not written.
void winograd_forward_normalised(const WinogradShape& shape, const float* x, const float* transformed,
                                 const BatchNormArguments& norm, float* scratch);

void winograd_backward_weights(const WinogradShape& shape, const float* weights, float* workspace);
void winograd_input_gradient(const WinogradShape& shape, const float* dy, float* dx, float* workspace);
/// Adds to the gradients of the weights in the workspace, or begins them; how the batch is parted shows in their bits.
void winograd_add_weight_gradient(const WinogradShape& shape, const float* x, const float* dy, bool begins,
                                  float* workspace);
void winograd_weight_gradient(const WinogradShape& shape, float* dweights, float* workspace);
}  // namespace cpu

}  // namespace xrai::kernels
