// Convolution by oneDNN: activations channels last, weights reordered to what the primitive prefers.
#include "runtime/cpu/plans.h"
#include "runtime/cpu/weighted_pass.h"

namespace xrai::cpu {
namespace {

class OneDnnConvolution final : public ConvolutionPlan {
 public:
  OneDnnConvolution(OneDnn& onednn, const ConvolutionSpec& spec, const ConvolutionMemory& m)
      : passes_(onednn, m.weights_stored, spec.relu ? spec.output().count() : 0) {
    const auto forward = convolution_forward(onednn.engine, spec, m);
    implementation_ = forward.impl_info_str();
    passes_.plan_forward(dnnl::convolution_forward(forward), forward);
    if (!spec.training) return;
    const auto weights = convolution_backward_weights(onednn.engine, spec, m, forward);
    passes_.plan_weight_gradient(dnnl::convolution_backward_weights(weights), weights);
    if (!spec.input_gradient) return;
    const auto data = convolution_backward_data(onednn.engine, spec, m, forward);
    passes_.plan_input_gradient(dnnl::convolution_backward_data(data), data);
  }

  [[nodiscard]] std::size_t workspace_bytes() const override { return passes_.workspace_bytes(); }
  [[nodiscard]] std::string implementation() const override { return implementation_; }

  void forward(const void* x, const void* weights, const void* bias, void* y, void* workspace) override {
    passes_.forward(x, weights, bias, y, workspace);
  }
  void backward(const void* x, const void* weights, const void* y, void* dy, void* dx, float* dweights, float* dbias,
                void* workspace) override {
    passes_.backward(x, weights, y, dy, dx, dweights, dbias, workspace);
  }

 private:
  std::string implementation_;
  WeightedPasses passes_;
};

}  // namespace

std::unique_ptr<ConvolutionPlan> make_convolution_plan(OneDnn& onednn, const ConvolutionSpec& spec) {
  if (auto plan = make_winograd_plan(spec)) return plan;
  return std::make_unique<OneDnnConvolution>(onednn, spec, convolution_memory(spec));
}

}  // namespace xrai::cpu
