#include "runtime/nn/layer.h"

#include <algorithm>
#include <stdexcept>

#include "runtime/nn/first_block_layer.h"
#include "runtime/nn/slice.h"

namespace xrai {
namespace {

class ConvolutionLayerPlan final : public Layer {
 public:
  ConvolutionLayerPlan(Device& device, Parameters& parameters, const LayerRequest& r, const ConvolutionNode& node,
                       const Shape& in)
      : Layer(r.node.name),
        plan_(device.plan(ConvolutionSpec{in, node.layer.filters, node.layer.window, node.layer.groups, node.layer.bias,
                                          node.relu, r.has_backward(), r.input_gradient})),
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

// Saved: the batch's mean and inverse deviation, and with pooling one byte a window and channel.
class NormalisationLayerPlan final : public Layer {
 public:
  NormalisationLayerPlan(Device& device, Parameters& parameters, const LayerRequest& r, const NormalisationNode& node,
                         const Shape& in)
      : Layer(r.node.name),
        device_(device),
        node_(node),
        shape_{in.n, in.height, in.width, in.channels},
        training_(r.training),
        scale_(slice(parameters, node.scale, r.training)),
        shift_(slice(parameters, node.shift, r.training)) {
    const StatisticsSpec& statistics = parameters.statistics_specs()[static_cast<std::size_t>(node.statistics)];
    running_mean_ = parameters.statistics() + statistics.mean_offset;
    running_variance_ = parameters.statistics() + statistics.variance_offset;
  }

  void forward(const LayerMemory& m, StepContext) override {
    kernels::BatchNormArguments arguments = arguments_of(m);
    if (training_) {
      device_.batch_statistics({m.inputs[0], shape_, node_.layer.epsilon, node_.layer.momentum, mean(m),
                                inverse_deviation(m), running_mean_, running_variance_,
                                static_cast<double*>(m.workspace)});
    } else {
      device_.inverse_deviation(running_variance_, node_.layer.epsilon, shape_.channels, inverse_deviation(m));
      arguments.mean = running_mean_;
    }
    device_.batch_norm(arguments);
  }

  void backward(const LayerMemory& m, StepContext) override {
    device_.batch_norm_backward({arguments_of(m), m.output_gradient, m.input_gradients[0], m.input_gradients[1],
                                 scale_.gradient, shift_.gradient, static_cast<double*>(m.workspace)});
  }

  [[nodiscard]] std::size_t saved_bytes() const override {
    const std::size_t winners = node_.pool && training_ ? static_cast<std::size_t>(windows()) : 0;
    return 2 * statistics_bytes() + winners;
  }
  [[nodiscard]] std::size_t workspace_bytes() const override {
    return training_ ? static_cast<std::size_t>(kernels::batch_norm_workspace_doubles(shape_)) * sizeof(double) : 0;
  }
  [[nodiscard]] bool backward_reads_input() const override { return true; }
  [[nodiscard]] bool backward_reads_output() const override { return node_.relu; }
  [[nodiscard]] bool gradient_may_replace_input() const override { return true; }

 private:
  [[nodiscard]] std::size_t statistics_bytes() const {
    return (static_cast<std::size_t>(shape_.channels) * sizeof(float) + 63) / 64 * 64;
  }
  [[nodiscard]] std::int64_t windows() const {
    return shape_.n * (shape_.height / 2) * (shape_.width / 2) * shape_.channels;
  }
  [[nodiscard]] float* mean(const LayerMemory& m) const { return static_cast<float*>(m.saved); }
  [[nodiscard]] float* inverse_deviation(const LayerMemory& m) const {
    return reinterpret_cast<float*>(static_cast<std::byte*>(m.saved) + statistics_bytes());
  }
  [[nodiscard]] kernels::BatchNormArguments arguments_of(const LayerMemory& m) const {
    auto* winner = static_cast<std::uint8_t*>(m.saved) + 2 * statistics_bytes();
    return {m.inputs[0],  node_.residual ? m.inputs[1] : nullptr,
            scale_.value, shift_.value,
            mean(m),      inverse_deviation(m),
            m.output,     node_.pool && training_ ? winner : nullptr,
            shape_,       node_.relu,
            node_.pool};
  }

  Device& device_;
  NormalisationNode node_;
  kernels::BatchNormShape shape_;
  bool training_;
  Slice scale_, shift_;
  float* running_mean_ = nullptr;
  float* running_variance_ = nullptr;
};

// Batch normalisation by itself with running statistics: y = x * scale / deviation + rest, whose derivative is that of
// a line. The backward pass is the forward kernel with mean and shift 0.
class RunningNormalisationLayerPlan final : public Layer {
 public:
  RunningNormalisationLayerPlan(Device& device, Parameters& parameters, const LayerRequest& r,
                                const NormalisationNode& node, const Shape& in)
      : Layer(r.node.name),
        device_(device),
        epsilon_(node.layer.epsilon),
        shape_{in.n, in.height, in.width, in.channels},
        scale_(slice(parameters, node.scale, false).value),
        shift_(slice(parameters, node.shift, false).value),
        zeros_(device.allocate(channel_bytes())) {
    if (node.relu || node.residual || node.pool) throw std::logic_error("a joined normalisation cannot be explained");
    const StatisticsSpec& statistics = parameters.statistics_specs()[static_cast<std::size_t>(node.statistics)];
    mean_ = parameters.statistics() + statistics.mean_offset;
    variance_ = parameters.statistics() + statistics.variance_offset;
  }

  void forward(const LayerMemory& m, StepContext) override {
    auto* inverse = static_cast<float*>(m.saved);
    device_.inverse_deviation(variance_, epsilon_, shape_.channels, inverse);
    device_.batch_norm({m.inputs[0], nullptr, scale_, shift_, mean_, inverse, m.output, nullptr, shape_});
  }
  void backward(const LayerMemory& m, StepContext) override {
    if (m.input_gradients[0] == nullptr) return;
    const auto* zeros = zeros_.as<float>();
    device_.batch_norm({m.output_gradient, nullptr, scale_, zeros, zeros, static_cast<const float*>(m.saved),
                        m.input_gradients[0], nullptr, shape_});
  }
  [[nodiscard]] std::size_t saved_bytes() const override { return channel_bytes(); }

 private:
  [[nodiscard]] std::size_t channel_bytes() const { return static_cast<std::size_t>(shape_.channels) * sizeof(float); }

  Device& device_;
  float epsilon_;
  kernels::BatchNormShape shape_;
  const float *scale_, *shift_, *mean_ = nullptr, *variance_ = nullptr;
  Buffer zeros_;
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
    if (r.explaining) return std::make_unique<RunningNormalisationLayerPlan>(device, parameters, r, node, in);
    return std::make_unique<NormalisationLayerPlan>(device, parameters, r, node, in);
  }
  std::unique_ptr<Layer> operator()(const FirstBlockNode& node) const {
    return make_first_block_layer(device, parameters, r, node);
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
