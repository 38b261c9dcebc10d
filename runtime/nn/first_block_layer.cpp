#include "runtime/nn/first_block_layer.h"

#include <optional>

#include "runtime/nn/byte_steps.h"
#include "runtime/nn/slice.h"

namespace xrai {
namespace {

// Saved: the batch's mean and inverse deviation, its moments, and one byte a window and filter.
class FirstBlockLayerPlan final : public Layer {
 public:
  FirstBlockLayerPlan(Device& device, Parameters& parameters, const LayerRequest& r, const FirstBlockNode& node)
      : Layer(r.node.name),
        device_(device),
        norm_(node.normalisation.layer),
        step_of_(node.bytes ? std::optional(node.normalisation) : std::nullopt),
        parameters_(parameters),
        shape_{r.n, r.node.input.height, r.node.input.width, node.convolution.layer.filters},
        training_(r.training),
        weight_(slice(parameters, node.convolution.weight, r.training)),
        scale_(slice(parameters, node.normalisation.scale, r.training)),
        shift_(slice(parameters, node.normalisation.shift, r.training)) {
    const auto& statistics = parameters.statistics_specs()[static_cast<std::size_t>(node.normalisation.statistics)];
    running_mean_ = parameters.statistics() + statistics.mean_offset;
    running_variance_ = parameters.statistics() + statistics.variance_offset;
  }

  void forward(const LayerMemory& m, StepContext) override { run_forward(m, running_mean_, running_variance_); }
  void forward_again(const LayerMemory& m, StepContext) override { run_forward(m, nullptr, nullptr); }

  void backward(const LayerMemory& m, StepContext) override {
    device_.first_block_backward({arguments_of(m), saved_in(m).moments, static_cast<const float*>(m.output_gradient),
                                  weight_.gradient, scale_.gradient, shift_.gradient,
                                  static_cast<double*>(m.workspace)});
  }

  [[nodiscard]] std::size_t saved_bytes() const override {
    return 2 * statistics_bytes() + (training_ ? moments_bytes() + windows() : 0);
  }
  [[nodiscard]] std::size_t workspace_bytes() const override {
    return training_ ? static_cast<std::size_t>(kernels::first_block_workspace_doubles(shape_)) * sizeof(double) : 0;
  }
  [[nodiscard]] bool backward_reads_input() const override { return true; }

 private:
  // running_mean, running_variance: statistics that training feeds; null: they have seen this batch already.
  void run_forward(const LayerMemory& m, float* running_mean, float* running_variance) {
    const Saved saved = saved_in(m);
    if (training_)
      device_.first_block_statistics({picture(m), weight_.value, shape_, norm_.epsilon, norm_.momentum, saved.moments,
                                      saved.mean, saved.inverse_deviation, running_mean, running_variance,
                                      static_cast<double*>(m.workspace)});
    else
      device_.inverse_deviation(running_variance_, norm_.epsilon, shape_.filters, saved.inverse_deviation);
    kernels::FirstBlockArguments arguments = arguments_of(m);
    if (step_of_) {
      arguments.bytes = static_cast<std::uint8_t*>(m.output);
      arguments.step = step();
    }
    device_.first_block(arguments);
  }

  struct Saved {
    float *mean, *inverse_deviation;
    double* moments;
    std::uint8_t* winner;
  };

  // The first layer of a network in bytes looks at the weights of all.
  float step() {
    if (step_known_) return step_;
    require_finite(device_, parameters_);
    step_ = step_after(device_, parameters_, *step_of_);
    step_known_ = parameters_.settled();
    return step_;
  }

  static std::size_t lines(std::size_t bytes) { return (bytes + 63) / 64 * 64; }
  [[nodiscard]] std::size_t statistics_bytes() const {
    return lines(static_cast<std::size_t>(shape_.filters) * sizeof(float));
  }
  static std::size_t moments_bytes() { return lines(kernels::kFirstBlockMoments * sizeof(double)); }
  [[nodiscard]] std::size_t windows() const {
    return static_cast<std::size_t>(shape_.n * (shape_.height / 2) * (shape_.width / 2) * shape_.filters);
  }
  [[nodiscard]] Saved saved_in(const LayerMemory& m) const {
    auto* bytes = static_cast<std::byte*>(m.saved);
    std::byte* moments = bytes + 2 * statistics_bytes();
    return {reinterpret_cast<float*>(bytes), reinterpret_cast<float*>(bytes + statistics_bytes()),
            reinterpret_cast<double*>(moments), reinterpret_cast<std::uint8_t*>(moments + moments_bytes())};
  }
  static const float* picture(const LayerMemory& m) { return static_cast<const float*>(m.inputs[0]); }
  [[nodiscard]] kernels::FirstBlockArguments arguments_of(const LayerMemory& m) const {
    const Saved saved = saved_in(m);
    return {picture(m),
            weight_.value,
            scale_.value,
            shift_.value,
            training_ ? saved.mean : running_mean_,
            saved.inverse_deviation,
            static_cast<float*>(m.output),
            training_ ? saved.winner : nullptr,
            shape_};
  }

  Device& device_;
  BatchNormLayer norm_;
  std::optional<NormalisationNode> step_of_;  // the output is in bytes, in steps of this
  float step_ = 1;
  bool step_known_ = false;
  Parameters& parameters_;
  kernels::FirstBlockShape shape_;
  bool training_;
  Slice weight_, scale_, shift_;
  float* running_mean_ = nullptr;
  float* running_variance_ = nullptr;
};

}  // namespace

std::unique_ptr<Layer> make_first_block_layer(Device& device, Parameters& parameters, const LayerRequest& request,
                                              const FirstBlockNode& node) {
  return std::make_unique<FirstBlockLayerPlan>(device, parameters, request, node);
}

}  // namespace xrai
