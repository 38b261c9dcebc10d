#include "runtime/nn/normalisation_layer.h"

#include <stdexcept>

namespace xrai {

NormalisationLayerPlan::NormalisationLayerPlan(Device& device, Parameters& parameters, const LayerRequest& r,
                                               const NormalisationNode& node, const Shape& in)
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

void NormalisationLayerPlan::forward(const LayerMemory& m, StepContext) {
  if (training_) device_.batch_statistics(statistics_arguments(m, false));
  normalise(m);
}

void NormalisationLayerPlan::forward_again(const LayerMemory& m, StepContext) {
  device_.batch_statistics(statistics_arguments(m, true));
  normalise(m);
}

void NormalisationLayerPlan::normalise(const LayerMemory& m) const {
  device_.batch_norm(ready_arguments(m));
}

kernels::BatchNormArguments NormalisationLayerPlan::ready_arguments(const LayerMemory& m) const {
  kernels::BatchNormArguments arguments = arguments_of(m);
  if (training_) return arguments;
  device_.inverse_deviation(running_variance_, node_.layer.epsilon, shape_.channels, inverse_deviation(m));
  arguments.mean = running_mean_;
  return arguments;
}

void NormalisationLayerPlan::backward(const LayerMemory& m, StepContext) {
  device_.batch_norm_backward(backward_arguments(m));
}

kernels::BatchStatisticsArguments NormalisationLayerPlan::statistics_arguments(const LayerMemory& m, bool again) const {
  return {m.inputs[0],
          shape_,
          node_.layer.epsilon,
          node_.layer.momentum,
          mean(m),
          inverse_deviation(m),
          again ? nullptr : running_mean_,
          again ? nullptr : running_variance_,
          static_cast<double*>(m.workspace)};
}

kernels::BatchNormBackwardArguments NormalisationLayerPlan::backward_arguments(const LayerMemory& m) const {
  return {arguments_of(m),
          m.output_gradient,
          m.input_gradients[0],
          m.input_gradients[1],
          scale_.gradient,
          shift_.gradient,
          static_cast<double*>(m.workspace)};
}

bool NormalisationLayerPlan::backward_reads_output() const {
  return node_.relu && (node_.residual || node_.pool || !device_.recomputes_outputs());
}

std::size_t NormalisationLayerPlan::saved_bytes() const {
  const std::size_t winners = node_.pool && training_ ? static_cast<std::size_t>(windows()) : 0;
  return 2 * statistics_bytes() + winners;
}
std::size_t NormalisationLayerPlan::workspace_bytes() const {
  return training_ ? static_cast<std::size_t>(kernels::batch_norm_workspace_doubles(shape_)) * sizeof(double) : 0;
}

std::size_t NormalisationLayerPlan::statistics_bytes() const {
  return (static_cast<std::size_t>(shape_.channels) * sizeof(float) + 63) / 64 * 64;
}
std::int64_t NormalisationLayerPlan::windows() const {
  return shape_.n * (shape_.height / 2) * (shape_.width / 2) * shape_.channels;
}
float* NormalisationLayerPlan::mean(const LayerMemory& m) const {
  return static_cast<float*>(m.saved);
}
float* NormalisationLayerPlan::inverse_deviation(const LayerMemory& m) const {
  return reinterpret_cast<float*>(static_cast<std::byte*>(m.saved) + statistics_bytes());
}

kernels::BatchNormArguments NormalisationLayerPlan::arguments_of(const LayerMemory& m) const {
  auto* winner = static_cast<std::uint8_t*>(m.saved) + 2 * statistics_bytes();
  return {m.inputs[0],  node_.residual ? m.inputs[1] : nullptr,
          scale_.value, shift_.value,
          mean(m),      inverse_deviation(m),
          m.output,     node_.pool && training_ ? winner : nullptr,
          shape_,       node_.relu,
          node_.pool};
}

namespace {

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

}  // namespace

std::unique_ptr<Layer> make_running_normalisation_layer(Device& device, Parameters& parameters,
                                                        const LayerRequest& request, const NormalisationNode& node,
                                                        const Shape& in) {
  return std::make_unique<RunningNormalisationLayerPlan>(device, parameters, request, node, in);
}

}  // namespace xrai
