// Dense layers by oneDNN's inner product.
#include <algorithm>

#include "kernels/elementwise.h"
#include "runtime/cpu/plans.h"
#include "runtime/cpu/weighted_pass.h"

namespace xrai::cpu {
namespace {

class OneDnnDense final : public DensePlan {
 public:
  OneDnnDense(OneDnn& onednn, const DenseSpec& spec) : onednn_(onednn), spec_(spec) {
    const dnnl::memory::desc stored({spec.outputs, spec.inputs}, dnnl::memory::data_type::f32,
                                    dnnl::memory::format_tag::oi);
    const auto forward = dense_forward(onednn.engine, spec);
    forward_ = WeightedPass::make(dnnl::inner_product_forward(forward), forward, DNNL_ARG_WEIGHTS,
                                  forward.weights_desc(), stored, onednn);
    forward_.bind(DNNL_ARG_SRC, forward.src_desc(), onednn);
    forward_.bind(DNNL_ARG_BIAS, forward.bias_desc(), onednn);
    forward_.bind(DNNL_ARG_DST, forward.dst_desc(), onednn);
    if (!spec.training) return;
    const auto weights = dense_backward_weights(onednn.engine, spec, forward);
    weight_gradient_ = WeightedPass::make(dnnl::inner_product_backward_weights(weights), weights, DNNL_ARG_DIFF_WEIGHTS,
                                          weights.diff_weights_desc(), stored, onednn);
    weight_gradient_.bind(DNNL_ARG_SRC, weights.src_desc(), onednn);
    weight_gradient_.bind(DNNL_ARG_DIFF_DST, weights.diff_dst_desc(), onednn);
    weight_gradient_.bind(DNNL_ARG_DIFF_BIAS, weights.diff_bias_desc(), onednn);
    if (!spec.input_gradient) return;
    const auto data = dense_backward_data(onednn.engine, spec, forward);
    input_gradient_ = WeightedPass::make(dnnl::inner_product_backward_data(data), data, DNNL_ARG_WEIGHTS,
                                         data.weights_desc(), stored, onednn);
    input_gradient_.bind(DNNL_ARG_DIFF_DST, data.diff_dst_desc(), onednn);
    input_gradient_.bind(DNNL_ARG_DIFF_SRC, data.diff_src_desc(), onednn);
  }

  [[nodiscard]] std::size_t workspace_bytes() const override {
    return std::max(
        {forward_.workspace_bytes(), weight_gradient_.workspace_bytes(), input_gradient_.workspace_bytes()});
  }

  void forward(const float* x, const float* weights, const float* bias, float* y, void* workspace) override {
    forward_.set(DNNL_ARG_SRC, x);
    forward_.set(DNNL_ARG_BIAS, bias);
    forward_.set(DNNL_ARG_DST, y);
    forward_.run(weights, workspace, onednn_);
  }

  void backward(const float* x, const float* weights, const float* y, float* dy, float* dx, float* dweights,
                float* dbias, void* workspace) override {
    if (spec_.relu) kernels::cpu::relu_backward(y, dy, dy, spec_.n * spec_.outputs);
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
  OneDnn& onednn_;
  DenseSpec spec_;
  WeightedPass forward_, weight_gradient_, input_gradient_;
};

}  // namespace

std::unique_ptr<DensePlan> make_dense_plan(OneDnn& onednn, const DenseSpec& spec) {
  return std::make_unique<OneDnnDense>(onednn, spec);
}

}  // namespace xrai::cpu
