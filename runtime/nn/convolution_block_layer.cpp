#include "runtime/nn/convolution_block_layer.h"

#include "runtime/nn/normalisation_layer.h"

namespace xrai {
namespace {

// Saved: the convolution's output, where it is written at all, then what the normalisation saves. Where the device's
// convolution does not take the normalisation along, the two are called one after the other.
class ConvolutionBlockLayerPlan final : public Layer {
 public:
  ConvolutionBlockLayerPlan(Device& device, Parameters& parameters, const LayerRequest& r,
                            const ConvolutionBlockNode& node, const Shape& in)
      : Layer(r.node.name),
        convolution_(device.plan(spec_of(parameters, r, node, in))),
        between_(shape_after(node.convolution.layer.window, in, node.convolution.layer.filters)),
        between_bytes_(r.training || (node.normalisation.pool && !convolution_->normalises())
                           ? lines(static_cast<std::size_t>(between_.count()) * size_of(device.activation_type()))
                           : 0),
        normalisation_(device, parameters, r, node.normalisation, between_),
        training_(r.training),
        weight_(slice(parameters, node.convolution.weight, r.training)) {}

  void forward(const LayerMemory& m, StepContext) override { run_forward(m, false); }
  void forward_again(const LayerMemory& m, StepContext) override { run_forward(m, true); }
  void output_again(const LayerMemory& m) override { normalisation_.normalise(normalisation_memory(m)); }

  void backward(const LayerMemory& m, StepContext context) override {
    const LayerMemory behind = normalisation_memory(m);
    if (convolution_->joins_batch_norm())
      return convolution_->backward_with_batch_norm(m.inputs[0], weight_.narrow,
                                                    normalisation_.backward_arguments(behind), m.input_gradients[0],
                                                    weight_.gradient, m.workspace);
    normalisation_.backward(behind, context);
    convolution_->backward(m.inputs[0], weight_.narrow, nullptr, m.saved, m.input_gradients[0], weight_.gradient,
                           nullptr, m.workspace);
  }

  [[nodiscard]] std::string implementation() const override { return convolution_->implementation(); }
  [[nodiscard]] std::size_t kept_bytes() const override { return convolution_->kept_bytes(); }
  [[nodiscard]] std::size_t saved_bytes() const override { return between_bytes_ + normalisation_.saved_bytes(); }
  [[nodiscard]] bool repeats_output() const override { return normalisation_.repeats_output(); }
  [[nodiscard]] bool repeat_reads_input() const override { return false; }
  [[nodiscard]] std::size_t workspace_bytes() const override {
    return lines(convolution_->workspace_bytes()) + normalisation_.workspace_bytes();
  }
  [[nodiscard]] bool backward_reads_input() const override { return true; }
  [[nodiscard]] bool backward_reads_output() const override { return normalisation_.backward_reads_output(); }

 private:
  static std::size_t lines(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

  static ConvolutionSpec spec_of(const Parameters& parameters, const LayerRequest& r, const ConvolutionBlockNode& node,
                                 const Shape& in) {
    const ConvolutionLayer& layer = node.convolution.layer;
    const NormalisationNode& norm = node.normalisation;
    ConvolutionSpec spec{in, layer.filters, layer.window, layer.groups};
    spec.training = r.training;
    spec.input_gradient = r.input_gradient;
    if (!r.training) spec.normalised = {norm.relu, norm.residual, norm.pool};
    spec.constant = parameters.settled();
    return spec;
  }

  void run_forward(const LayerMemory& m, bool again) {
    const LayerMemory behind = normalisation_memory(m);
    void* between = between_of(m);
    if (convolution_->normalises())
      return convolution_->forward_normalised(m.inputs[0], weight_.narrow, normalisation_.ready_arguments(behind),
                                              m.workspace);
    if (training_ && convolution_->joins_batch_norm()) {
      convolution_->forward_with_statistics(m.inputs[0], weight_.narrow, between,
                                            normalisation_.statistics_arguments(behind, again), m.workspace);
      return normalisation_.normalise(behind);
    }
    convolution_->forward(m.inputs[0], weight_.narrow, nullptr, between, m.workspace);
    again ? normalisation_.forward_again(behind, {}) : normalisation_.forward(behind, {});
  }

  // Where nothing remembers it and nothing is pooled, the convolution writes where the normalisation will.
  [[nodiscard]] void* between_of(const LayerMemory& m) const { return between_bytes_ > 0 ? m.saved : m.output; }

  // What the normalisation sees: the gradient of its input goes over the input.
  [[nodiscard]] LayerMemory normalisation_memory(const LayerMemory& m) const {
    LayerMemory behind = m;
    behind.inputs[0] = between_of(m);
    behind.input_gradients[0] = m.saved;
    behind.saved = static_cast<std::byte*>(m.saved) + between_bytes_;
    behind.workspace = static_cast<std::byte*>(m.workspace) + lines(convolution_->workspace_bytes());
    return behind;
  }

  std::unique_ptr<ConvolutionPlan> convolution_;
  Shape between_;
  std::size_t between_bytes_;
  NormalisationLayerPlan normalisation_;
  bool training_;
  Slice weight_;
};

}  // namespace

std::unique_ptr<Layer> make_convolution_block_layer(Device& device, Parameters& parameters, const LayerRequest& request,
                                                    const ConvolutionBlockNode& node, const Shape& in) {
  return std::make_unique<ConvolutionBlockLayerPlan>(device, parameters, request, node, in);
}

}  // namespace xrai
