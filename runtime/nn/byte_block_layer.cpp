#include "runtime/nn/byte_block_layer.h"

#include "runtime/nn/byte_steps.h"

namespace xrai {
namespace {

// The normalisation is folded into weights and shift, once where the parameters stay as they are.
class ByteBlockLayerPlan final : public Layer {
 public:
  ByteBlockLayerPlan(Device& device, Parameters& parameters, const LayerRequest& r, const ByteBlockNode& node,
                     const Shape& in)
      : Layer(r.node.name),
        device_(device),
        parameters_(parameters),
        node_(node),
        plan_(device.plan_bytes({in, node.block.convolution.layer.filters, node.block.convolution.layer.window,
                                 node.block.normalisation.pool, node.bytes})) {}

  void forward(const LayerMemory& m, StepContext) override {
    if (!ready_) plan_->set_constants(constants());
    ready_ = parameters_.settled();
    plan_->forward(static_cast<const std::uint8_t*>(m.inputs[0]), m.output, m.workspace);
  }
  void backward(const LayerMemory&, StepContext) override {
    throw std::logic_error("there is no backward pass in whole numbers");
  }

  [[nodiscard]] std::string implementation() const override { return plan_->implementation(); }
  [[nodiscard]] std::size_t workspace_bytes() const override { return plan_->workspace_bytes(); }

 private:
  [[nodiscard]] ByteConstants constants() const {
    const NormalisationNode& behind = node_.block.normalisation;
    const ParameterSpec& spec = parameters_.specs()[static_cast<std::size_t>(node_.block.convolution.weight)];
    const FoldedNormalisation norm = folded(device_, parameters_, behind);
    ByteConstants constants{std::vector<float>(static_cast<std::size_t>(spec.count())), norm.shift,
                            step_after(device_, parameters_, node_.before), 1};
    if (node_.bytes) constants.output_step = step_after(device_, parameters_, behind);
    device_.download(constants.weights.data(), parameters_.values() + spec.offset,
                     constants.weights.size() * sizeof(float));
    const std::size_t per_filter = constants.weights.size() / norm.scale.size();
    for (std::size_t i = 0; i < constants.weights.size(); ++i) constants.weights[i] *= norm.scale[i / per_filter];
    return constants;
  }

  Device& device_;
  Parameters& parameters_;
  ByteBlockNode node_;
  std::unique_ptr<ByteConvolutionPlan> plan_;
  bool ready_ = false;
};

}  // namespace

std::unique_ptr<Layer> make_byte_block_layer(Device& device, Parameters& parameters, const LayerRequest& request,
                                             const ByteBlockNode& node, const Shape& in) {
  return std::make_unique<ByteBlockLayerPlan>(device, parameters, request, node, in);
}

}  // namespace xrai
