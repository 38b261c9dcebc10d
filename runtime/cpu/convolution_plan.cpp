// Convolution by oneDNN: activations channels last, weights reordered to what the primitive prefers.
#include <algorithm>

#include "kernels/elementwise.h"
#include "runtime/cpu/plans.h"
#include "runtime/cpu/weighted_pass.h"

namespace xrai::cpu {
namespace {

class OneDnnConvolution final : public ConvolutionPlan {
 public:
  OneDnnConvolution(OneDnn& onednn, const ConvolutionSpec& spec) : onednn_(onednn), spec_(spec) {
    const ConvolutionMemory m = convolution_memory(spec);
    const auto forward = convolution_forward(onednn.engine, spec, m);
    implementation_ = forward.impl_info_str();
    forward_ = WeightedPass::make(dnnl::convolution_forward(forward), forward, DNNL_ARG_WEIGHTS, forward.weights_desc(),
                                  m.weights_stored, onednn);
    forward_.bind(DNNL_ARG_SRC, m.x, onednn);
    forward_.bind(DNNL_ARG_BIAS, m.bias, onednn);
    forward_.bind(DNNL_ARG_DST, m.y, onednn);
    if (spec.training) plan_weight_gradient(m, forward);
    if (spec.training && spec.input_gradient) plan_input_gradient(m, forward);
  }

  [[nodiscard]] std::size_t workspace_bytes() const override {
    return std::max(
        {forward_.workspace_bytes(), weight_gradient_.workspace_bytes(), input_gradient_.workspace_bytes()});
  }
  [[nodiscard]] std::string implementation() const override { return implementation_; }

  void forward(const float* x, const float* weights, const float* bias, float* y, void* workspace) override {
    forward_.set(DNNL_ARG_SRC, x);
    forward_.set(DNNL_ARG_BIAS, bias);
    forward_.set(DNNL_ARG_DST, y);
    forward_.run(weights, workspace, onednn_);
  }

  void backward(const float* x, const float* weights, const float* y, float* dy, float* dx, float* dweights,
                float* dbias, void* workspace) override {
    if (spec_.relu) kernels::cpu::relu_backward(y, dy, dy, spec_.output().count());
    weight_gradient_.set(DNNL_ARG_SRC, x);
    weight_gradient_.set(DNNL_ARG_DIFF_DST, dy);
    weight_gradient_.set(DNNL_ARG_DIFF_BIAS, dbias);
    weight_gradient_.run(dweights, workspace, onednn_);
    if (dx == nullptr) return;
    input_gradient_.set(DNNL_ARG_DIFF_DST, dy);
    input_gradient_.set(DNNL_ARG_DIFF_SRC, dx);
    input_gradient_.run(weights, workspace, onednn_);
  }

 private:
  void plan_weight_gradient(const ConvolutionMemory& m, const dnnl::convolution_forward::primitive_desc& forward) {
    const auto desc = convolution_backward_weights(onednn_.engine, spec_, m, forward);
    weight_gradient_ = WeightedPass::make(dnnl::convolution_backward_weights(desc), desc, DNNL_ARG_DIFF_WEIGHTS,
                                          desc.diff_weights_desc(), m.weights_stored, onednn_);
    weight_gradient_.bind(DNNL_ARG_SRC, m.x, onednn_);
    weight_gradient_.bind(DNNL_ARG_DIFF_DST, m.y, onednn_);
    weight_gradient_.bind(DNNL_ARG_DIFF_BIAS, m.bias, onednn_);
  }

  void plan_input_gradient(const ConvolutionMemory& m, const dnnl::convolution_forward::primitive_desc& forward) {
    const auto desc = convolution_backward_data(onednn_.engine, spec_, m, forward);
    input_gradient_ = WeightedPass::make(dnnl::convolution_backward_data(desc), desc, DNNL_ARG_WEIGHTS,
                                         desc.weights_desc(), m.weights_stored, onednn_);
    input_gradient_.bind(DNNL_ARG_DIFF_DST, m.y, onednn_);
    input_gradient_.bind(DNNL_ARG_DIFF_SRC, m.x, onednn_);
  }

  OneDnn& onednn_;
  ConvolutionSpec spec_;
  std::string implementation_;
  WeightedPass forward_, weight_gradient_, input_gradient_;
};

}  // namespace

std::unique_ptr<ConvolutionPlan> make_convolution_plan(OneDnn& onednn, const ConvolutionSpec& spec) {
  return std::make_unique<OneDnnConvolution>(onednn, spec);
}

}  // namespace xrai::cpu
