// 3x3 convolutions by our own kernel, which makes do with a quarter of the products (kernels/winograd.h). oneDNN 2.6
// has one, too, but for a layout other than channels last, and 3.x has none.
#include "kernels/parallel.h"
#include "kernels/winograd.h"
#include "runtime/cpu/plans.h"

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
  WinogradConvolution(const kernels::WinogradShape& shape, bool training)
      : shape_(shape),
        workspace_bytes_(static_cast<std::size_t>(kernels::winograd_workspace_floats(shape, training)) *
                         sizeof(float)) {}

  [[nodiscard]] std::size_t workspace_bytes() const override { return workspace_bytes_; }
  [[nodiscard]] std::string implementation() const override { return "xrai, Winograd 4x4"; }

  void forward(const void* x, const void* weights, const void*, void* y, void* workspace) override {
    kernels::cpu::winograd_forward(shape_, floats(x), floats(weights), floats(y), floats(workspace));
  }
  void backward(const void* x, const void* weights, const void*, void* dy, void* dx, float* dweights, float*,
                void* workspace) override {
    kernels::cpu::winograd_weight_gradient(shape_, floats(x), floats(dy), dweights, floats(workspace));
    if (dx != nullptr)
      kernels::cpu::winograd_input_gradient(shape_, floats(dy), floats(weights), floats(dx), floats(workspace));
  }

 private:
  kernels::WinogradShape shape_;
  std::size_t workspace_bytes_;
};

}  // namespace

std::unique_ptr<ConvolutionPlan> make_winograd_plan(const ConvolutionSpec& spec) {
  const Shape& in = spec.input;
  const kernels::WinogradShape shape{in.n, in.height, in.width, in.channels, spec.filters, kernels::thread_count()};
  // Bias and ReLU are left to oneDNN, which fuses them.
  const bool possible = spec.window == Window{3, 3, 1, 1, 1, 1, 1, 1} && spec.groups == 1 && !spec.bias && !spec.relu;
  if (!possible || !kernels::winograd_pays(shape)) return nullptr;
  return std::make_unique<WinogradConvolution>(shape, spec.training);
}

}  // namespace xrai::cpu
