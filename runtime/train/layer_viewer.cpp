#include "runtime/train/layer_viewer.h"

#include <algorithm>

#include "runtime/nn/activation_download.h"
#include "runtime/train/scorer.h"

namespace xrai {
namespace {

std::int64_t largest_tensor(const Graph& graph) {
  std::int64_t most = 0;
  for (const Shape& shape : graph.tensors) most = std::max(most, shape.count());
  return most;
}

std::string kind_of_layer(const ModelSpec& spec, const std::string& name) {
  const auto found =
      std::find_if(spec.layers.begin(), spec.layers.end(), [&](const LayerSpec& layer) { return layer.name == name; });
  return found == spec.layers.end() ? "" : kind_name(found->kind);
}

}  // namespace

LayerViewer::LayerViewer(Model& model, const InputSettings& input)
    : model_(model),
      input_(input),
      graph_(build_graph(model.spec(), model.picture(), model.n_classes(), Fusing::kNone)),
      plan_(model.device(), model.parameters(), graph_, 1, Purpose::kScoring),
      wide_(model.device().allocate(static_cast<std::size_t>(largest_tensor(graph_)) * sizeof(float))),
      sample_id_(model.device().allocate(sizeof(std::int64_t))) {}

std::vector<LayerMaps> LayerViewer::look(const std::uint8_t* pixels, std::int64_t height, std::int64_t width) {
  Device& device = model_.device();
  const auto bytes = static_cast<std::size_t>(height * width);
  const Buffer stored = device.allocate(bytes);
  device.upload(stored.data(), pixels, bytes, Queue::kCompute);
  kernels::AugmentArguments view = evaluation_view(input_, stored.as<std::uint8_t>(), 1, height, width);
  view.sample_ids = sample_id_.as<std::int64_t>();
  view.out = plan_.input();
  device.augment(view);
  std::vector<LayerMaps> seen{{"picture", "picture", graph_.tensors[0],
                               download_activations(model_.device(), plan_.input(), graph_.tensors[0].count(), wide_)}};
  // Layers share memory, so each output is fetched before the next layer runs.
  plan_.set_observer([&](std::size_t layer, bool, bool begins) {
    if (begins) return;
    const Node& node = graph_.nodes[layer];
    const Shape& shape = graph_.tensors[static_cast<std::size_t>(node.output)];
    seen.push_back({node.name, kind_of_layer(model_.spec(), node.name), shape,
                    download_activations(model_.device(), plan_.output_of(layer), shape.count(), wide_)});
  });
  plan_.forward({});
  plan_.set_observer({});
  return seen;
}

FirstFilters LayerViewer::first_filters() const {
  for (const Node& node : graph_.nodes) {
    const auto* convolution = std::get_if<ConvolutionNode>(&node.kind);
    if (convolution == nullptr) continue;
    const ParameterSpec& spec = model_.parameters().specs()[static_cast<std::size_t>(convolution->weight)];
    FirstFilters filters{node.name, {spec.shape[0], spec.shape[1], spec.shape[2], spec.shape[3]}, {}};
    filters.weights.resize(static_cast<std::size_t>(spec.count()));
    model_.device().download(filters.weights.data(), model_.parameters().values() + spec.offset,
                             filters.weights.size() * sizeof(float));
    return filters;
  }
  return {};
}

}  // namespace xrai
