// From the layers a person wrote to the nodes a device runs: what can be done in one walk over memory is joined
// (convolution + ReLU, batch normalisation + addition + ReLU + 2x2 max pooling, dense + ReLU), flatten disappears.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "runtime/nn/model_spec.h"
#include "runtime/nn/parameters.h"

namespace xrai {

struct ConvolutionNode {
  ConvolutionLayer layer;
  bool relu = false;
  int weight = -1, bias = -1;  // indices of parameters; -1: none
};
struct NormalisationNode {
  BatchNormLayer layer;
  bool relu = false, residual = false, pool = false;
  int scale = -1, shift = -1, statistics = -1;
};
/// The picture's 3x3 convolution with batch normalisation, ReLU and 2x2 max pooling behind it.
struct FirstBlockNode {
  ConvolutionNode convolution;
  NormalisationNode normalisation;
  bool bytes = false;  // the output, in steps of step_after(normalisation)
};
/// Another convolution with batch normalisation and what is joined to that behind it.
struct ConvolutionBlockNode {
  ConvolutionNode convolution;
  NormalisationNode normalisation;
};
/// The same for scoring in whole numbers: the input in bytes, the output in bytes or float. With ReLU, no residual.
struct ByteBlockNode {
  ConvolutionBlockNode block;
  NormalisationNode before;  // the normalisation of the input
  bool bytes = false;        // the output
};
struct PoolingNode {
  PoolingLayer layer;
};
struct DenseNode {
  std::int64_t units = 0;
  bool relu = false;
  int weight = -1, bias = -1;
};
struct ReluNode {};
struct DropoutNode {
  float probability = 0;
  std::uint32_t number = 0;  // keeps the random numbers of several dropouts apart
};
struct AddNode {};
struct GlobalAveragePoolNode {};

using NodeKind = std::variant<ConvolutionNode, NormalisationNode, FirstBlockNode, ConvolutionBlockNode, ByteBlockNode,
                              PoolingNode, DenseNode, ReluNode, DropoutNode, AddNode, GlobalAveragePoolNode>;

struct Node {
  std::string name;         // of the first layer joined into it, "norm1+relu1+pool1"
  std::vector<int> inputs;  // tensors; the second is a residual or the other summand
  int output = 0;           // tensor
  Shape input;              // of the first input for one picture, as this node sees it: a vector behind a flatten
  NodeKind kind;
};

/// Tensor 0 is the picture; the last node's output holds the logits.
struct Graph {
  std::vector<Node> nodes;
  std::vector<Shape> tensors;  // for one picture (n = 1)
  std::vector<ParameterSpec> parameters;
  std::vector<StatisticsSpec> statistics;
  std::vector<bool> bytes;  // of each tensor: whether it is in bytes; empty: none is
  [[nodiscard]] bool in_bytes(int tensor) const { return !bytes.empty() && bytes[static_cast<std::size_t>(tensor)]; }
};

/// kBlocks: kAll, and convolutions with the batch normalisation behind them as one node where they can be. kNone: a
/// node for every layer but flatten, so that every layer's output exists. The parameters are the same.
enum class Fusing { kAll, kBlocks, kNone };

/// Throws what infer_shapes throws.
Graph build_graph(const ModelSpec& spec, const Shape& picture, std::int64_t n_classes, Fusing fusing = Fusing::kAll);

}  // namespace xrai
