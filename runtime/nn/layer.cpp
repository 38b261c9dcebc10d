#include "runtime/nn/layer.h"

#include "runtime/nn/byte_block_layer.h"
#include "runtime/nn/convolution_block_layer.h"
#include "runtime/nn/first_block_layer.h"
#include "runtime/nn/normalisation_layer.h"
#include "runtime/nn/slice.h"

namespace xrai {
namespace {

class ConvolutionLayerPlan final : public Layer {
 public:
  ConvolutionLayerPlan(Device& device, Parameters& parameters, const LayerRequest& r, const ConvolutionNode& node,
                       const Shape& in)
      : Layer(r.node.name),
        plan_(device.plan(ConvolutionSpec{in,
                                          node.layer.filters,
                                          node.layer.window,
                                          node.layer.groups,
                                          node.layer.bias,
                                          node.relu,
                                          r.has_backward(),
                                          r.input_gradient,
                                          {},
                                          parameters.settled()})),
        relu_(node.relu),
        weight_(slice(parameters, node.weight, r.has_backward())),
        bias_(slice(parameters, node.bias, r.has_backward())) {}

  void forward(const LayerMemory& m, StepContext) override {
    plan_->forward(m.inputs[0], weight_.narrow, bias_.narrow, m.output, m.workspace);
  }
  void backward(const LayerMemory& m, StepContext) override {
    plan_->backward(m.inputs[0], weight_.narrow, m.output, m.output_gradient, m.input_gradients[0], weight_.gradient,
                    bias_.gradient, m.workspace);
  }
  [[nodiscard]] std::string implementation() const override { return plan_->implementation(); }
  [[nodiscard]] std::size_t kept_bytes() const override { return plan_->kept_bytes(); }
  [[nodiscard]] std::size_t workspace_bytes() const override { return plan_->workspace_bytes(); }
  [[nodiscard]] bool backward_reads_input() const override { return true; }
  [[nodiscard]] bool backward_reads_output() const override { return relu_; }

 private:
  std::unique_ptr<ConvolutionPlan> plan_;
  bool relu_;
  Slice weight_, bias_;
};

class DenseLayerPlan final : public Layer {
 public:
  DenseLayerPlan(Device& device, Parameters& parameters, const LayerRequest& r, const DenseNode& node, const Shape& in)
      : Layer(r.node.name),
        plan_(device.plan(DenseSpec{in.n, in.per_image(), node.units, node.bias >= 0, node.relu, r.has_backward(),
                                    r.input_gradient})),
        relu_(node.relu),
        weight_(slice(parameters, node.weight, r.has_backward())),
        bias_(slice(parameters, node.bias, r.has_backward())) {}

  void forward(const LayerMemory& m, StepContext) override {
    plan_->forward(m.inputs[0], weight_.narrow, bias_.narrow, m.output, m.workspace);
  }
  void backward(const LayerMemory& m, StepContext) override {
    plan_->backward(m.inputs[0], weight_.narrow, m.output, m.output_gradient, m.input_gradients[0], weight_.gradient,
                    bias_.gradient, m.workspace);
  }
  [[nodiscard]] std::size_t workspace_bytes() const override { return plan_->workspace_bytes(); }
  [[nodiscard]] bool backward_reads_input() const override { return true; }
  [[nodiscard]] bool backward_reads_output() const override { return relu_; }

 private:
  std::unique_ptr<DensePlan> plan_;
  bool relu_;
  Slice weight_, bias_;
};

class PoolingLayerPlan final : public Layer {
 public:
  PoolingLayerPlan(Device& device, const LayerRequest& r, const PoolingNode& node, const Shape& in)
      : Layer(r.node.name), plan_(device.plan(PoolingSpec{in, node.layer.kind, node.layer.window, r.has_backward()})) {}

  void forward(const LayerMemory& m, StepContext) override { plan_->forward(m.inputs[0], m.output, m.saved); }
  void backward(const LayerMemory& m, StepContext) override {
    if (m.input_gradients[0] != nullptr) plan_->backward(m.output_gradient, m.input_gradients[0], m.saved);
  }
  [[nodiscard]] std::size_t saved_bytes() const override { return plan_->saved_bytes(); }

 private:
  std::unique_ptr<PoolingPlan> plan_;
};

class ReluLayerPlan final : public Layer {
 public:
  ReluLayerPlan(Device& device, const LayerRequest& r, const Shape& in)
      : Layer(r.node.name), device_(device), count_(in.count()) {}
  void forward(const LayerMemory& m, StepContext) override { device_.relu(m.inputs[0], m.output, count_); }
  void backward(const LayerMemory& m, StepContext) override {
    if (m.input_gradients[0] != nullptr)
      device_.relu_backward(m.output, m.output_gradient, m.input_gradients[0], count_);
  }
  [[nodiscard]] bool backward_reads_output() const override { return true; }
  [[nodiscard]] bool output_may_replace_input() const override { return true; }

 private:
  Device& device_;
  std::int64_t count_;
};

class DropoutLayerPlan final : public Layer {
 public:
  DropoutLayerPlan(Device& device, const LayerRequest& r, const DropoutNode& node, const Shape& in)
      : Layer(r.node.name), device_(device), node_(node), count_(in.count()), training_(r.training) {}
  void forward(const LayerMemory& m, StepContext context) override { drop(m.inputs[0], m.output, context); }
  void backward(const LayerMemory& m, StepContext context) override {
    if (m.input_gradients[0] != nullptr) drop(m.output_gradient, m.input_gradients[0], context);
  }
  [[nodiscard]] bool output_may_replace_input() const override { return true; }

 private:
  void drop(const void* x, void* y, StepContext context) {
    device_.dropout({x, y, count_, training_ ? node_.probability : 0.0f, context, node_.number});
  }
  Device& device_;
  DropoutNode node_;
  std::int64_t count_;
  bool training_;
};

class AddLayerPlan final : public Layer {
 public:
  AddLayerPlan(Device& device, const LayerRequest& r, const Shape& in)
      : Layer(r.node.name),
        device_(device),
        count_(in.count()),
        bytes_(static_cast<std::size_t>(count_) * size_of(device.activation_type())) {}
  void forward(const LayerMemory& m, StepContext) override { device_.add(m.inputs[0], m.inputs[1], m.output, count_); }
  void backward(const LayerMemory& m, StepContext) override {
    for (void* gradient : m.input_gradients)
      if (gradient != nullptr) device_.copy(gradient, m.output_gradient, bytes_);
  }

 private:
  Device& device_;
  std::int64_t count_;
  std::size_t bytes_;
};

class GlobalAveragePoolLayerPlan final : public Layer {
 public:
  GlobalAveragePoolLayerPlan(Device& device, const LayerRequest& r, const Shape& in)
      : Layer(r.node.name), device_(device), in_(in) {}
  void forward(const LayerMemory& m, StepContext) override {
    device_.global_average_pool(m.inputs[0], m.output, in_.n, in_.height * in_.width, in_.channels);
  }
  void backward(const LayerMemory& m, StepContext) override {
    if (m.input_gradients[0] != nullptr)
      device_.global_average_pool_backward(m.output_gradient, m.input_gradients[0], in_.n, in_.height * in_.width,
                                           in_.channels);
  }

 private:
  Device& device_;
  Shape in_;
};

struct LayerMaker {
  Device& device;
  Parameters& parameters;
  const LayerRequest& r;
  Shape in;

  std::unique_ptr<Layer> operator()(const ConvolutionNode& node) const {
    return std::make_unique<ConvolutionLayerPlan>(device, parameters, r, node, in);
  }
  std::unique_ptr<Layer> operator()(const NormalisationNode& node) const {
    if (r.explaining) return make_running_normalisation_layer(device, parameters, r, node, in);
    return std::make_unique<NormalisationLayerPlan>(device, parameters, r, node, in);
  }
  std::unique_ptr<Layer> operator()(const FirstBlockNode& node) const {
    return make_first_block_layer(device, parameters, r, node);
  }
  std::unique_ptr<Layer> operator()(const ConvolutionBlockNode& node) const {
    return make_convolution_block_layer(device, parameters, r, node, in);
  }
  std::unique_ptr<Layer> operator()(const ByteBlockNode& node) const {
    return make_byte_block_layer(device, parameters, r, node, in);
  }
  std::unique_ptr<Layer> operator()(const PoolingNode& node) const {
    return std::make_unique<PoolingLayerPlan>(device, r, node, in);
  }
  std::unique_ptr<Layer> operator()(const DenseNode& node) const {
    return std::make_unique<DenseLayerPlan>(device, parameters, r, node, in);
  }
  std::unique_ptr<Layer> operator()(const ReluNode&) const { return std::make_unique<ReluLayerPlan>(device, r, in); }
  std::unique_ptr<Layer> operator()(const DropoutNode& node) const {
    return std::make_unique<DropoutLayerPlan>(device, r, node, in);
  }
  std::unique_ptr<Layer> operator()(const AddNode&) const { return std::make_unique<AddLayerPlan>(device, r, in); }
  std::unique_ptr<Layer> operator()(const GlobalAveragePoolNode&) const {
    return std::make_unique<GlobalAveragePoolLayerPlan>(device, r, in);
  }
};

}  // namespace

std::unique_ptr<Layer> make_layer(Device& device, Parameters& parameters, const LayerRequest& request) {
  const Shape in = request.node.input.with_batch(request.n);
  return std::visit(LayerMaker{device, parameters, request, in}, request.node.kind);
}

}  // namespace xrai
