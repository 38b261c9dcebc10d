// 3x3 convolutions by our own kernel, which makes do with a quarter of the products (kernels/winograd.h). oneDNN 2.6
// has one, too, but for a layout other than channels last, and 3.x has none.
#include "runtime/cpu/winograd_plan.h"

#include <algorithm>

#include "kernels/batch_norm.h"
#include "kernels/parallel.h"
#include "kernels/winograd.h"
#include "runtime/cpu/kept_floats.h"

namespace xrai::cpu {
namespace {

const float* floats(const void* p) {
  return static_cast<const float*>(p);
}
float* floats(void* p) {
  return static_cast<float*>(p);
}

class WinogradConvolution final : public ConvolutionPlan {
 public:
  WinogradConvolution(const kernels::WinogradShape& shape, const ConvolutionSpec& spec)
      : shape_(shape),
        normalises_(spec.normalised.has_value()),
        constant_(spec.constant && !spec.training),
        takes_turns_(spec.training && kernels::winograd_takes_turns(shape)),
        group_(takes_turns_ ? shape.n : std::min(shape.n, kernels::winograd_images_in_cache(shape))),
        workspace_floats_(kernels::winograd_workspace_floats(shape, spec.training) -
                          (constant_ ? kernels::winograd_weight_floats(shape) : 0)),
        gradient_floats_(spec.training ? group_ * outputs() : 0) {}

  [[nodiscard]] std::size_t workspace_bytes() const override {
    return static_cast<std::size_t>(workspace_floats_ + gradient_floats_) * sizeof(float);
  }
  [[nodiscard]] std::string implementation() const override { return "xrai, Winograd 4x4"; }
  [[nodiscard]] std::size_t kept_bytes() const override {
    return constant_ ? static_cast<std::size_t>(kernels::winograd_weight_floats(shape_)) * sizeof(float) : 0;
  }

  void forward(const void* x, const void* weights, const void*, void* y, void* workspace) override {
    const float* transformed = transformed_weights(weights, workspace);
    kernels::cpu::winograd_forward(shape_, floats(x), transformed, floats(y), scratch_of(workspace));
  }

  void backward(const void* x, const void* weights, const void*, void* dy, void* dx, float* dweights, float*,
                void* workspace) override {
    backward_in_groups(floats(x), floats(weights), floats(dx), dweights, floats(workspace),
                       [&](std::int64_t first, std::int64_t) { return floats(dy) + first * outputs(); });
  }

  [[nodiscard]] bool normalises() const override { return normalises_; }

  void forward_normalised(const void* x, const void* weights, const kernels::BatchNormArguments& norm,
                          void* workspace) override {
    const float* transformed = transformed_weights(weights, workspace);
    kernels::cpu::winograd_forward_normalised(shape_, floats(x), transformed, norm, scratch_of(workspace));
  }

  [[nodiscard]] bool joins_batch_norm() const override { return !normalises_; }

  void forward_with_statistics(const void* x, const void* weights, void* y,
                               const kernels::BatchStatisticsArguments& statistics, void* workspace) override {
    const float* transformed = transformed_weights(weights, workspace);
    const std::int64_t positions = shape_.height * shape_.width;
    for_groups([&](const kernels::WinogradShape& group, std::int64_t first) {
      kernels::cpu::winograd_forward(group, floats(x) + first * inputs(), transformed, floats(y) + first * outputs(),
                                     scratch_of(workspace));
      kernels::cpu::batch_moments(statistics, first * positions, (first + group.n) * positions);
    });
    kernels::cpu::finish_batch_statistics(statistics);
  }

  void backward_with_batch_norm(const void* x, const void* weights, const kernels::BatchNormBackwardArguments& norm,
                                void* dx, float* dweights, void* workspace) override {
    kernels::cpu::batch_norm_parameter_gradients(norm);
    kernels::BatchNormBackwardArguments in_groups = norm;
    float* gradients = floats(workspace) + workspace_floats_;
    in_groups.dx = gradients;
    backward_in_groups(floats(x), floats(weights), floats(dx), dweights, floats(workspace),
                       [&](std::int64_t first, std::int64_t count) {
                         kernels::cpu::batch_norm_input_gradients(in_groups, first, count);
                         return gradients;
                       });
  }

 private:
  // Floats of one picture's maps.
  [[nodiscard]] std::int64_t inputs() const { return shape_.height * shape_.width * shape_.inputs; }
  [[nodiscard]] std::int64_t outputs() const { return shape_.height * shape_.width * shape_.outputs; }

  // The weights lie in front of the rest of the workspace, or elsewhere if they are kept.
  const float* transformed_weights(const void* weights, void* workspace) {
    if (transformed_.data() != nullptr) return transformed_.data();
    if (constant_) transformed_ = KeptFloats(kernels::winograd_weight_floats(shape_));
    float* transformed = constant_ ? transformed_.data() : floats(workspace);
    kernels::cpu::winograd_forward_weights(shape_, floats(weights), transformed);
    return transformed;
  }
  [[nodiscard]] float* scratch_of(void* workspace) const {
    return floats(workspace) + (constant_ ? 0 : kernels::winograd_weight_floats(shape_));
  }

  template <class Call>
  void for_groups(const Call& call) const {
    for (std::int64_t first = 0; first < shape_.n; first += group_) {
      kernels::WinogradShape group = shape_;
      group.n = std::min(group_, shape_.n - first);
      call(group, first);
    }
  }

  // gradients_of(first, count): where the gradients of the output of some pictures are.
  template <class GradientsOf>
  void backward_in_groups(const float* x, const float* weights, float* dx, float* dweights, float* workspace,
                          const GradientsOf& gradients_of) const {
    const bool together = dx != nullptr && !takes_turns_;
    const float* dy = nullptr;
    if (together) kernels::cpu::winograd_backward_weights(shape_, weights, workspace);
    for_groups([&](const kernels::WinogradShape& group, std::int64_t first) {
      dy = gradients_of(first, group.n);
      kernels::cpu::winograd_add_weight_gradient(group, x + first * inputs(), dy, first == 0, workspace);
      if (together) kernels::cpu::winograd_input_gradient(group, dy, dx + first * inputs(), workspace);
    });
    kernels::cpu::winograd_weight_gradient(shape_, dweights, workspace);
    if (dx == nullptr || together) return;
    kernels::cpu::winograd_backward_weights(shape_, weights, workspace);
    kernels::cpu::winograd_input_gradient(shape_, dy, dx, workspace);  // the one group was the whole batch
  }

  kernels::WinogradShape shape_;
  bool normalises_, constant_;
  bool takes_turns_;    // the weights' gradients and the input's, in the workspace
  std::int64_t group_;  // pictures at a time
  std::int64_t workspace_floats_, gradient_floats_;
  KeptFloats transformed_;  // weights that stay as they are
};

kernels::WinogradShape shape_of(const ConvolutionSpec& spec) {
  const Shape& in = spec.input;
  return {in.n, in.height, in.width, in.channels, spec.filters, kernels::thread_count()};
}

}  // namespace

std::unique_ptr<ConvolutionPlan> make_winograd_plan(const ConvolutionSpec& spec) {
  return kernels::winograd_pays(shape_of(spec), spec.training) ? make_winograd_plan_that_fits(spec) : nullptr;
}

std::unique_ptr<ConvolutionPlan> make_winograd_plan_that_fits(const ConvolutionSpec& spec) {
  // Bias and ReLU are left to oneDNN, which fuses them.
  const bool possible = spec.window == Window{3, 3, 1, 1, 1, 1, 1, 1} && spec.groups == 1 && !spec.bias && !spec.relu;
  if (!possible || !kernels::winograd_fits(shape_of(spec))) return nullptr;
  return std::make_unique<WinogradConvolution>(shape_of(spec), spec);
}

}  // namespace xrai::cpu
