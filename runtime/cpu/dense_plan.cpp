// Dense layers by oneDNN's inner product.
#include "runtime/cpu/plans.h"
#include "runtime/cpu/weighted_pass.h"

namespace xrai::cpu {
namespace {

class OneDnnDense final : public DensePlan {
 public:
  OneDnnDense(OneDnn& onednn, const DenseSpec& spec)
      : passes_(onednn, {{spec.outputs, spec.inputs}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::oi},
                spec.relu ? spec.n * spec.outputs : 0) {
    const auto forward = dense_forward(onednn.engine, spec);
    passes_.plan_forward(dnnl::inner_product_forward(forward), forward);
    if (!spec.training) return;
    const auto weights = dense_backward_weights(onednn.engine, spec, forward);
    passes_.plan_weight_gradient(dnnl::inner_product_backward_weights(weights), weights);
    if (!spec.input_gradient) return;
    const auto data = dense_backward_data(onednn.engine, spec, forward);
    passes_.plan_input_gradient(dnnl::inner_product_backward_data(data), data);
  }

  [[nodiscard]] std::size_t workspace_bytes() const override { return passes_.workspace_bytes(); }

  void forward(const void* x, const void* weights, const void* bias, void* y, void* workspace) override {
    passes_.forward(x, weights, bias, y, workspace);
  }
  void backward(const void* x, const void* weights, const void* y, void* dy, void* dx, float* dweights, float* dbias,
                void* workspace) override {
    passes_.backward(x, weights, y, dy, dx, dweights, dbias, workspace);
  }

 private:
  WeightedPasses passes_;
};

}  // namespace

std::unique_ptr<DensePlan> make_dense_plan(OneDnn& onednn, const DenseSpec& spec) {
  return std::make_unique<OneDnnDense>(onednn, spec);
}

}  // namespace xrai::cpu
