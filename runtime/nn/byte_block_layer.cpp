#include "runtime/nn/byte_block_layer.h"

#include "runtime/nn/byte_steps.h"
#include "runtime/nn/normalisation_layer.h"

namespace xrai {
namespace {

// Weights are made ready at each call, or once where the parameters stay as they are.
class ByteBlockLayerPlan final : public Layer {
 public:
  ByteBlockLayerPlan(Device& device, Parameters& parameters, const LayerRequest& r, const ByteBlockNode& node,
                     const Shape& in)
      : Layer(r.node.name),
        device_(device),
        parameters_(parameters),
        node_(node),
        plan_(device.plan_bytes({in, layer().filters, layer().window, node.block.normalisation.pool, node.bytes})),
        normalisation_(device, parameters, r, node.block.normalisation,
                       shape_after(layer().window, in, layer().filters)),
        weights_(slice(parameters, node.block.convolution.weight, false).value) {}

  void forward(const LayerMemory& m, StepContext) override {
    if (!ready_)
      plan_->prepare(weights_, normalisation_.ready_arguments(m), step_after(device_, parameters_, node_.before),
                     node_.bytes ? step_after(device_, parameters_, node_.block.normalisation) : 1);
    ready_ = parameters_.settled();
    plan_->forward(static_cast<const std::uint8_t*>(m.inputs[0]), m.output, m.workspace);
  }
  void backward(const LayerMemory&, StepContext) override {
    throw std::logic_error("there is no backward pass in whole numbers");
  }

  [[nodiscard]] std::string implementation() const override { return plan_->implementation(); }
  [[nodiscard]] std::size_t saved_bytes() const override { return normalisation_.saved_bytes(); }
  [[nodiscard]] std::size_t workspace_bytes() const override { return plan_->workspace_bytes(); }

 private:
  [[nodiscard]] const ConvolutionLayer& layer() const { return node_.block.convolution.layer; }

  Device& device_;
  Parameters& parameters_;
  ByteBlockNode node_;
  std::unique_ptr<ByteConvolutionPlan> plan_;
  NormalisationLayerPlan normalisation_;
  const float* weights_;
  bool ready_ = false;
};

}  // namespace

std::unique_ptr<Layer> make_byte_block_layer(Device& device, Parameters& parameters, const LayerRequest& request,
                                             const ByteBlockNode& node, const Shape& in) {
  return std::make_unique<ByteBlockLayerPlan>(device, parameters, request, node, in);
}

}  // namespace xrai
