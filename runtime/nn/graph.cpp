#include "runtime/nn/graph.h"

#include <algorithm>

#include "runtime/core/error.h"

namespace xrai {
namespace {

template <class T>
const T* as(const LayerSpec& layer) {
  return std::get_if<T>(&layer.kind);
}

bool halves(const Window& w) {
  return w == Window{2, 2, 2, 2, 0, 0, 0, 0};
}

class GraphBuilder {
 public:
  GraphBuilder(const ModelSpec& spec, const Shape& picture, std::int64_t n_classes, Fusing fusing)
      : spec_(spec),
        fusing_(fusing),
        facts_(infer_shapes(spec, picture, n_classes)),
        tensor_of_(spec.layers.size(), -1) {
    graph_.tensors.push_back(picture);
    find_readers();
  }

  Graph build() {
    const int n_layers = static_cast<int>(spec_.layers.size());
    std::vector<std::vector<int>> chain_ending_at(spec_.layers.size());
    std::vector<bool> joined(spec_.layers.size(), false);
    for (int i = 0; i < n_layers; ++i) {
      if (joined[at(i)]) continue;
      const std::vector<int> chain = chain_from(i);
      for (const int layer : chain) joined[at(layer)] = true;
      chain_ending_at[at(chain.back())] = chain;
    }
    // A node stands where its last layer stood: by then a residual's other side is there.
    for (int i = 0; i < n_layers; ++i) {
      const std::vector<int>& chain = chain_ending_at[at(i)];
      if (fusing_ != Fusing::kNone && !chain.empty()) emit(chain);
      // Apart, but in the same order: parameters are numbered as nodes are made.
      if (fusing_ == Fusing::kNone)
        for (const int one : chain) emit({one});
    }
    return std::move(graph_);
  }

 private:
  static std::size_t at(int i) { return static_cast<std::size_t>(i); }
  const LayerSpec& layer(int i) const { return spec_.layers[at(i)]; }
  Shape shape_of(int i) const { return i == kPicture ? graph_.tensors[0] : facts_[at(i)].output; }
  int tensor_of(int i) const { return i == kPicture ? 0 : tensor_of_[at(i)]; }

  void find_readers() {
    readers_.resize(spec_.layers.size());
    for (int i = 0; i < static_cast<int>(spec_.layers.size()); ++i) {
      if (layer(i).input != kPicture) readers_[at(layer(i).input)].push_back(i);
      if (const auto* add = as<AddLayer>(layer(i)); add != nullptr && add->with != kPicture)
        readers_[at(add->with)].push_back(i);
    }
    for (std::size_t i = 0; i + 1 < readers_.size(); ++i)
      if (readers_[i].empty())
        throw Error(ExitCode::kUsage,
                    fmt::format("model {}: nothing reads the output of layer '{}'", spec_.name, spec_.layers[i].name));
  }

  // The one layer that reads layer i, or -1.
  int only_reader(int i) const { return readers_[at(i)].size() == 1 ? readers_[at(i)][0] : -1; }

  // Appends the only reader of the chain's end when it is a T.
  template <class T>
  bool extend(std::vector<int>& chain) const {
    const int next = only_reader(chain.back());
    if (next < 0 || as<T>(layer(next)) == nullptr) return false;
    chain.push_back(next);
    return true;
  }

  // What kernels/first_block.h computes: convolution, batch normalisation, ReLU and pooling of the picture, written one
  // behind the other: parameters then have the numbers that they have apart.
  std::vector<int> first_block_from(int first) const {
    const auto* convolution = as<ConvolutionLayer>(layer(first));
    const bool fits = convolution != nullptr && layer(first).input == kPicture && graph_.tensors[0].channels == 1 &&
                      convolution->window == Window{3, 3, 1, 1, 1, 1, 1, 1} && !convolution->bias &&
                      convolution->filters % 16 == 0;
    std::vector<int> chain{first};
    if (!fits || !extend<BatchNormLayer>(chain) || !extend<ReluLayer>(chain) || !extend<PoolingLayer>(chain)) return {};
    const auto& pool = *as<PoolingLayer>(layer(chain.back()));
    const bool in_order = chain.back() == first + 3;
    return in_order && pool.kind == PoolingKind::kMax && halves(pool.window) ? chain : std::vector<int>{};
  }

  std::vector<int> chain_from(int first) const {
    if (fusing_ == Fusing::kBlocks) {
      if (std::vector<int> block = first_block_from(first); !block.empty()) return block;
      if (std::vector<int> block = block_from(first); !block.empty()) return block;
    }
    std::vector<int> chain{first};
    if (as<ConvolutionLayer>(layer(first)) != nullptr || as<DenseLayer>(layer(first)) != nullptr)
      extend<ReluLayer>(chain);
    if (as<BatchNormLayer>(layer(first)) != nullptr) extend_normalisation(chain);
    return chain;
  }

  // Appends what is joined to the batch normalisation at the chain's end.
  void extend_normalisation(std::vector<int>& chain) const {
    const bool residual = starts_residual(chain.back()) && extend<AddLayer>(chain);
    extend<ReluLayer>(chain);
    const int next = only_reader(chain.back());
    if (!residual && next >= 0 && as<PoolingLayer>(layer(next)) != nullptr) {
      const auto& pool = *as<PoolingLayer>(layer(next));
      if (pool.kind == PoolingKind::kMax && halves(pool.window)) chain.push_back(next);
    }
  }

  // Any other convolution with the normalisation behind it, written one behind the other, as above: a device that does
  // not take the two together runs them as if they were apart.
  std::vector<int> block_from(int first) const {
    const auto* convolution = as<ConvolutionLayer>(layer(first));
    std::vector<int> chain{first};
    if (convolution == nullptr || convolution->bias || !extend<BatchNormLayer>(chain)) return {};
    extend_normalisation(chain);
    const bool in_order = chain.back() == first + static_cast<int>(chain.size()) - 1;
    return in_order ? chain : std::vector<int>{};
  }

  // Both sides of an addition may be normalisations; the one named as its input takes it in.
  bool starts_residual(int norm) const {
    const int next = only_reader(norm);
    if (next < 0) return false;
    const auto* add = as<AddLayer>(layer(next));
    return add != nullptr && layer(next).input == norm && add->with != norm;
  }

  bool relu_follows(int i) const {
    for (int next = only_reader(i); next >= 0; next = only_reader(next)) {
      if (as<ReluLayer>(layer(next)) != nullptr) return true;
      if (as<BatchNormLayer>(layer(next)) == nullptr && as<AddLayer>(layer(next)) == nullptr) return false;
    }
    return false;
  }

  int parameter(const std::string& name, ParameterRole role, std::vector<std::int64_t> shape, std::int64_t fan_in,
                bool rectified) {
    graph_.parameters.push_back({name, role, std::move(shape), fan_in, rectified, 0});
    return static_cast<int>(graph_.parameters.size()) - 1;
  }

  void emit(const std::vector<int>& chain) {
    const LayerSpec& first = layer(chain.front());
    if (as<FlattenLayer>(first) != nullptr) {
      // The same bytes, seen as one vector.
      tensor_of_[at(chain.front())] = tensor_of(first.input);
      return;
    }
    Node node;
    for (const int i : chain) node.name += (node.name.empty() ? "" : "+") + layer(i).name;
    node.inputs.push_back(tensor_of(first.input));
    node.input = shape_of(first.input);
    const auto has_relu = [&] {
      return std::any_of(chain.begin() + 1, chain.end(), [&](int i) { return as<ReluLayer>(layer(i)) != nullptr; });
    };
    node.kind = make_kind(chain, has_relu(), node.inputs);
    node.output = static_cast<int>(graph_.tensors.size());
    graph_.tensors.push_back(facts_[at(chain.back())].output);
    tensor_of_[at(chain.back())] = node.output;
    graph_.nodes.push_back(std::move(node));
  }

  NodeKind make_kind(const std::vector<int>& chain, bool relu, std::vector<int>& inputs) {
    const int first = chain.front();
    const Shape in = shape_of(layer(first).input);
    const std::string& name = layer(first).name;
    if (const auto* l = as<ConvolutionLayer>(layer(first))) {
      const bool block = chain.size() > 1 && as<BatchNormLayer>(layer(chain[1])) != nullptr;
      ConvolutionNode node = convolution(*l, name, in, relu && !block, relu_follows(first));
      if (!block) return node;
      const std::vector<int> behind(chain.begin() + 1, chain.end());
      const NormalisationNode norm = normalisation(behind, l->filters, relu, inputs);
      if (!first_block_from(first).empty()) return FirstBlockNode{node, norm};
      return ConvolutionBlockNode{node, norm};
    }
    if (const auto* l = as<DenseLayer>(layer(first)))
      return dense(*l, name, in.per_image(), facts_[at(first)].output.channels, relu);
    if (as<BatchNormLayer>(layer(first)) != nullptr) return normalisation(chain, in.channels, relu, inputs);
    if (const auto* l = as<PoolingLayer>(layer(first))) return PoolingNode{*l};
    if (const auto* l = as<DropoutLayer>(layer(first))) return DropoutNode{l->probability, n_dropouts_++};
    if (const auto* l = as<AddLayer>(layer(first))) {
      inputs.push_back(tensor_of(l->with));
      return AddNode{};
    }
    if (as<GlobalAveragePoolLayer>(layer(first)) != nullptr) return GlobalAveragePoolNode{};
    return ReluNode{};
  }

  NormalisationNode normalisation(const std::vector<int>& chain, std::int64_t channels, bool relu,
                                  std::vector<int>& inputs) {
    const std::string& name = layer(chain.front()).name;
    NormalisationNode node{*as<BatchNormLayer>(layer(chain.front())), relu};
    for (const int i : chain) {
      if (const auto* add = as<AddLayer>(layer(i))) inputs.push_back(tensor_of(add->with)), node.residual = true;
      if (as<PoolingLayer>(layer(i)) != nullptr) node.pool = true;
    }
    node.scale = parameter(name + ".weight", ParameterRole::kNormScale, {channels}, 0, false);
    node.shift = parameter(name + ".bias", ParameterRole::kNormShift, {channels}, 0, false);
    node.statistics = static_cast<int>(graph_.statistics.size());
    graph_.statistics.push_back({name, channels, 0, 0});
    return node;
  }

  ConvolutionNode convolution(const ConvolutionLayer& l, const std::string& name, const Shape& in, bool relu,
                              bool rectified) {
    const std::int64_t inputs = in.channels / l.groups, kh = l.window.kernel_height, kw = l.window.kernel_width;
    ConvolutionNode node{l, relu};
    node.weight =
        parameter(name + ".weight", ParameterRole::kWeight, {l.filters, kh, kw, inputs}, inputs * kh * kw, rectified);
    if (l.bias) node.bias = parameter(name + ".bias", ParameterRole::kBias, {l.filters}, 0, false);
    return node;
  }

  NodeKind dense(const DenseLayer& l, const std::string& name, std::int64_t inputs, std::int64_t units, bool relu) {
    DenseNode node{units, relu};
    node.weight = parameter(name + ".weight", ParameterRole::kWeight, {units, inputs}, inputs, relu);
    if (l.bias) node.bias = parameter(name + ".bias", ParameterRole::kBias, {units}, 0, false);
    return node;
  }

  const ModelSpec& spec_;
  Fusing fusing_;
  std::vector<LayerFacts> facts_;
  std::vector<int> tensor_of_;             // of each layer's output, -1 inside a node
  std::vector<std::vector<int>> readers_;  // of each layer's output
  std::uint32_t n_dropouts_ = 0;
  Graph graph_;
};

}  // namespace

Graph build_graph(const ModelSpec& spec, const Shape& picture, std::int64_t n_classes, Fusing fusing) {
  return GraphBuilder(spec, picture, n_classes, fusing).build();
}

}  // namespace xrai
