// Dense layers by cuBLASLt, bias and ReLU in the product's epilogue; as convolutions of maps of one place where it has
// no algorithm.
#include <algorithm>
#include <optional>

#include "runtime/cuda/cublas.h"
#include "runtime/cuda/plans.h"
#include "runtime/cuda/weighted_backward.h"

namespace xrai::cuda {
namespace {

MatmulEpilogue epilogue_of(const DenseSpec& spec) {
  if (spec.bias) return spec.relu ? MatmulEpilogue::kBiasRelu : MatmulEpilogue::kBias;
  return spec.relu ? MatmulEpilogue::kRelu : MatmulEpilogue::kNone;
}

// y (n, outputs) = x (n, inputs) * weights (outputs, inputs)^T. To the library each of our arrays is its own transpose.
class CublasDense final : public DensePlan {
 public:
  CublasDense(Context& context, const DenseSpec& spec)
      : forward_(context,
                 {spec.outputs, spec.n, spec.inputs, true, false, context.type(), context.type(), epilogue_of(spec)}),
        backward_(context, spec.n, spec.outputs, spec.relu, spec.bias, 0) {
    if (!spec.training) return;
    // dweights^T = x^T * dy, left as float whatever the factors are.
    filter_gradient_.emplace(context, MatmulSpec{spec.inputs, spec.outputs, spec.n, false, true, context.type()});
    // dx^T = weights^T * dy^T
    if (spec.input_gradient)
      data_gradient_.emplace(
          context, MatmulSpec{spec.inputs, spec.n, spec.outputs, false, false, context.type(), context.type()});
  }

  [[nodiscard]] std::size_t workspace_bytes() const override {
    return own_bytes() +
           aligned(std::max({forward_.workspace_bytes(), filter_gradient_ ? filter_gradient_->workspace_bytes() : 0,
                             data_gradient_ ? data_gradient_->workspace_bytes() : 0}));
  }

  void forward(const void* x, const void* weights, const void* bias, void* y, void* workspace) override {
    forward_.run(weights, x, bias, y, library_part(workspace));
  }

  void backward(const void* x, const void* weights, const void* y, void* dy, void* dx, float* dweights, float* dbias,
                void* workspace) override {
    backward_.begin(y, dy, dbias, workspace);
    filter_gradient_->run(x, dy, nullptr, dweights, library_part(workspace));
    if (dx != nullptr) data_gradient_->run(weights, dy, nullptr, dx, library_part(workspace));
  }

 private:
  [[nodiscard]] std::size_t own_bytes() const { return filter_gradient_ ? backward_.workspace_bytes() : 0; }
  [[nodiscard]] void* library_part(void* workspace) const { return static_cast<std::byte*>(workspace) + own_bytes(); }

  Matmul forward_;
  WeightedBackward backward_;
  std::optional<Matmul> filter_gradient_, data_gradient_;
};

class DenseAsConvolution final : public DensePlan {
 public:
  DenseAsConvolution(Context& context, const DenseSpec& spec)
      : convolution_(make_convolution_plan(context, {.input = {spec.n, 1, 1, spec.inputs},
                                                     .filters = spec.outputs,
                                                     .window = {},
                                                     .groups = 1,
                                                     .bias = spec.bias,
                                                     .relu = spec.relu,
                                                     .training = spec.training,
                                                     .input_gradient = spec.input_gradient})) {}

  [[nodiscard]] std::size_t workspace_bytes() const override { return convolution_->workspace_bytes(); }
  void forward(const void* x, const void* weights, const void* bias, void* y, void* workspace) override {
    convolution_->forward(x, weights, bias, y, workspace);
  }
  void backward(const void* x, const void* weights, const void* y, void* dy, void* dx, float* dweights, float* dbias,
                void* workspace) override {
    convolution_->backward(x, weights, y, dy, dx, dweights, dbias, workspace);
  }

 private:
  std::unique_ptr<ConvolutionPlan> convolution_;
};

}  // namespace

std::unique_ptr<DensePlan> make_dense_plan(Context& context, const DenseSpec& spec) {
  try {
    return std::make_unique<CublasDense>(context, spec);
  } catch (const NotSupported&) {
    return std::make_unique<DenseAsConvolution>(context, spec);
  }
}

}  // namespace xrai::cuda
