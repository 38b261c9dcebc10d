// Convolution by cuDNN's graphs: activations channels last, weights as they lie in the arena.
#include <algorithm>
#include <optional>

#include "runtime/cuda/cudnn_plan.h"
#include "runtime/cuda/plans.h"
#include "runtime/cuda/weighted_backward.h"

namespace xrai::cuda {
namespace {

class CudnnConvolution final : public ConvolutionPlan {
 public:
  CudnnConvolution(Context& context, const ConvolutionSpec& spec)
      : context_(context),
        forward_(first_plan(convolution_forward(spec, context.precision, epilogue_of(spec), context.target))),
        backward_(context, spec.output().count() / spec.filters, spec.filters, spec.relu, spec.bias,
                  context.type() == DataType::kFloat32 ? 0 : spec.weight_count()) {
    if (!spec.training) return;
    filter_gradient_ = first_plan(convolution_filter_gradient(spec, context.precision, context.target));
    if (spec.input_gradient)
      data_gradient_ = first_plan(convolution_data_gradient(spec, context.precision, context.target));
  }

  [[nodiscard]] std::size_t workspace_bytes() const override {
    const std::size_t library =
        std::max({forward_.workspace_bytes(), filter_gradient_ ? filter_gradient_->workspace_bytes() : 0,
                  data_gradient_ ? data_gradient_->workspace_bytes() : 0});
    return aligned(library) + (filter_gradient_ ? backward_.workspace_bytes() : 0);
  }
  [[nodiscard]] std::string implementation() const override { return "cuDNN " + forward_.describe(); }

  void forward(const void* x, const void* weights, const void* bias, void* y, void* workspace) override {
    forward_.execute(
        context_.cudnn.get(),
        {bind(Operand::kX, x), bind(Operand::kWeights, weights), bind(Operand::kBias, bias), bind(Operand::kY, y)},
        library_part(workspace));
  }

  void backward(const void* x, const void* weights, const void* y, void* dy, void* dx, float* dweights, float* dbias,
                void* workspace) override {
    backward_.begin(y, dy, dbias, workspace);
    filter_gradient_->execute(context_.cudnn.get(),
                              {bind(Operand::kX, x), bind(Operand::kDy, dy),
                               bind(Operand::kDweights, backward_.weights_gradient(dweights, workspace))},
                              library_part(workspace));
    backward_.end(dweights, workspace);
    if (dx == nullptr) return;
    data_gradient_->execute(context_.cudnn.get(),
                            {bind(Operand::kDy, dy), bind(Operand::kWeights, weights), bind(Operand::kDx, dx)},
                            library_part(workspace));
  }

 private:
  [[nodiscard]] CudnnPlan first_plan(CudnnGraph graph) const {
    return CudnnPlanList(std::move(graph), context_.target, policy_for(context_.precision)).first();
  }
  // Our own kernels' part comes first: its size does not depend on which plans were taken.
  [[nodiscard]] void* library_part(void* workspace) const {
    return static_cast<std::byte*>(workspace) + (filter_gradient_ ? backward_.workspace_bytes() : 0);
  }

  Context& context_;
  CudnnPlan forward_;
  WeightedBackward backward_;
  std::optional<CudnnPlan> filter_gradient_, data_gradient_;
};

}  // namespace

std::unique_ptr<ConvolutionPlan> make_convolution_plan(Context& context, const ConvolutionSpec& spec) {
  return std::make_unique<CudnnConvolution>(context, spec);
}

}  // namespace xrai::cuda
