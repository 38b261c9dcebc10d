// Convolution by cuDNN's graphs, and by kernels of ours for the passes that cuDNN has no plan for. Activations channels
// last, weights as they lie in the arena.
#include <algorithm>
#include <optional>

#include "kernels/convolution.h"
#include "runtime/cuda/cudnn_plan.h"
#include "runtime/cuda/plans.h"
#include "runtime/cuda/weighted_backward.h"
#include "runtime/cuda/window_sizes.h"

namespace xrai::cuda {
namespace {

kernels::ConvolutionSizes sizes_of(const ConvolutionSpec& spec) {
  const auto number = [](std::int64_t value) { return static_cast<std::int32_t>(value); };
  return {window_sizes(spec.window, spec.input, spec.output()), number(spec.input.channels), number(spec.filters),
          number(spec.groups)};
}

std::size_t workspace_of(const std::optional<CudnnPlan>& plan) {
  return plan ? plan->workspace_bytes() : 0;
}

class CudaConvolution final : public ConvolutionPlan {
 public:
  CudaConvolution(Context& context, const ConvolutionSpec& spec)
      : context_(context), spec_(spec), sizes_(sizes_of(spec)) {
    forward_ =
        plan_if_any([&] { return convolution_forward(spec, context.precision, epilogue_of(spec), context.target); });
    if (!spec.training) return;
    filter_gradient_ =
        plan_if_any([&] { return convolution_filter_gradient(spec, context.precision, context.target); });
    // cuDNN leaves the gradient in the activations' type, our kernel as float.
    const bool widens = filter_gradient_ && context.type() != DataType::kFloat32;
    backward_.emplace(context, spec.output().count() / spec.filters, spec.filters, spec.relu, spec.bias,
                      widens ? spec.weight_count() : 0);
    if (spec.input_gradient)
      data_gradient_ = plan_if_any([&] { return convolution_data_gradient(spec, context.precision, context.target); });
  }

  [[nodiscard]] std::size_t workspace_bytes() const override {
    std::size_t bytes =
        std::max({workspace_of(forward_), workspace_of(filter_gradient_), workspace_of(data_gradient_)});
    if (spec_.training && !filter_gradient_)
      bytes = std::max(bytes,
                       static_cast<std::size_t>(kernels::cuda::convolution_filter_gradient_workspace_floats(sizes_)) *
                           sizeof(float));
    return aligned(bytes) + own_bytes();
  }
  [[nodiscard]] std::string implementation() const override {
    return forward_ ? "cuDNN " + forward_->describe() : "a kernel of xrai";
  }

  void forward(const void* x, const void* weights, const void* bias, void* y, void* workspace) override {
    if (forward_)
      forward_->execute(
          context_.cudnn.get(),
          {bind(Operand::kX, x), bind(Operand::kWeights, weights), bind(Operand::kBias, bias), bind(Operand::kY, y)},
          library_part(workspace));
    else
      kernels::cuda::convolution(sizes_, x, weights, spec_.bias ? bias : nullptr, spec_.relu, y, context_.type(),
                                 context_.compute.get());
  }

  void backward(const void* x, const void* weights, const void* y, void* dy, void* dx, float* dweights, float* dbias,
                void* workspace) override {
    backward_->begin(y, dy, dbias, workspace);
    gradient_of_filters(x, dy, dweights, workspace);
    if (dx == nullptr) return;
    if (data_gradient_)
      data_gradient_->execute(context_.cudnn.get(),
                              {bind(Operand::kDy, dy), bind(Operand::kWeights, weights), bind(Operand::kDx, dx)},
                              library_part(workspace));
    else
      kernels::cuda::convolution_data_gradient(sizes_, dy, weights, dx, context_.type(), context_.compute.get());
  }

 private:
  template <class MakeGraph>
  [[nodiscard]] std::optional<CudnnPlan> plan_if_any(const MakeGraph& make_graph) const {
    try {
      CudnnPolicy policy = policy_for(context_.precision);
      policy.deterministic = !context_.tuner;
      const CudnnPlanList list(make_graph(), context_.target, policy);
      return context_.tuner ? context_.tuner->choose(list, context_.cudnn.get(), context_.compute.get()) : list.first();
    } catch (const NotSupported&) {
      return std::nullopt;
    }
  }
  void gradient_of_filters(const void* x, void* dy, float* dweights, void* workspace) {
    if (filter_gradient_)
      filter_gradient_->execute(context_.cudnn.get(),
                                {bind(Operand::kX, x), bind(Operand::kDy, dy),
                                 bind(Operand::kDweights, backward_->weights_gradient(dweights, workspace))},
                                library_part(workspace));
    else
      kernels::cuda::convolution_filter_gradient(sizes_, x, dy, dweights, static_cast<float*>(library_part(workspace)),
                                                 context_.type(), context_.compute.get());
    backward_->end(dweights, workspace);
  }
  // What the passes share comes first: its size does not depend on which plans were taken.
  [[nodiscard]] std::size_t own_bytes() const { return backward_ ? backward_->workspace_bytes() : 0; }
  [[nodiscard]] void* library_part(void* workspace) const { return static_cast<std::byte*>(workspace) + own_bytes(); }

  Context& context_;
  ConvolutionSpec spec_;
  kernels::ConvolutionSizes sizes_;
  std::optional<WeightedBackward> backward_;                            // training only
  std::optional<CudnnPlan> forward_, filter_gradient_, data_gradient_;  // empty: our kernel
};

}  // namespace

std::unique_ptr<ConvolutionPlan> make_convolution_plan(Context& context, const ConvolutionSpec& spec) {
  return std::make_unique<CudaConvolution>(context, spec);
}

}  // namespace xrai::cuda
