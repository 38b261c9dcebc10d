#include "runtime/nn/byte_graph.h"

#include <algorithm>

#include "runtime/core/error.h"

namespace xrai {
namespace {

bool convolves(const Node& node) {
  return std::holds_alternative<ConvolutionNode>(node.kind) || std::holds_alternative<ConvolutionBlockNode>(node.kind);
}

[[noreturn]] void refuse(const std::string& model, const Node& node, const std::string& why) {
  throw Error(ExitCode::kUsage, fmt::format("--precision int8 cannot compute {} of the model {}: {}; take --precision "
                                            "fp32",
                                            node.name, model, why));
}

/// Of node i, which a block of bytes is to be made of; its input is the output of the node before it.
const ConvolutionBlockNode& checked_block(const Graph& graph, std::size_t i, const std::string& model) {
  const Node& node = graph.nodes[i];
  const auto* block = std::get_if<ConvolutionBlockNode>(&node.kind);
  if (block == nullptr)
    refuse(model, node,
           "it is no convolution that is computed together with the batch normalisation behind it (docs/int8.md)");
  if (block->convolution.layer.groups != 1) refuse(model, node, "it convolves in groups");
  if (block->normalisation.residual) refuse(model, node, "it adds the output of another layer");
  if (!block->normalisation.relu) refuse(model, node, "no ReLU follows its batch normalisation");
  if (node.inputs[0] != graph.nodes[i - 1].output)
    refuse(model, node, fmt::format("its input is not the output of {}", graph.nodes[i - 1].name));
  return *block;
}

/// Index of the last node with a convolution.
std::size_t last_convolution(const Graph& graph, const std::string& model) {
  const auto last = std::find_if(graph.nodes.rbegin(), graph.nodes.rend(), convolves);
  if (last == graph.nodes.rend())
    refuse(model, graph.nodes.front(), "no convolution follows the one that sees the picture");
  return static_cast<std::size_t>(graph.nodes.rend() - last) - 1;
}

}  // namespace

Graph byte_graph(const Graph& graph, const std::string& model) {
  auto* const first = std::get_if<FirstBlockNode>(&graph.nodes.front().kind);
  if (first == nullptr)
    refuse(model, graph.nodes.front(),
           "the network has to begin with a convolution of 3x3, its number of filters a multiple of 16, batch "
           "normalisation, ReLU and 2x2 max pooling");
  Graph bytes = graph;
  bytes.bytes.assign(graph.tensors.size(), false);
  const std::size_t last = last_convolution(graph, model);
  std::get<FirstBlockNode>(bytes.nodes.front().kind).bytes = true;
  NormalisationNode before = first->normalisation;
  for (std::size_t i = 1; i <= last; ++i) {
    const ConvolutionBlockNode& block = checked_block(graph, i, model);
    bytes.bytes[static_cast<std::size_t>(graph.nodes[i - 1].output)] = true;
    bytes.nodes[i].kind = ByteBlockNode{block, before, i < last};
    before = block.normalisation;
  }
  for (std::size_t i = last + 1; i < graph.nodes.size(); ++i)
    for (const int input : graph.nodes[i].inputs)
      if (bytes.in_bytes(input)) refuse(model, graph.nodes[i], "it reads what another layer reads in bytes");
  return bytes;
}

}  // namespace xrai
