#include "runtime/nn/grad_cam.h"

#include <algorithm>

#include "runtime/core/error.h"
#include "runtime/nn/activation_download.h"

namespace xrai {
namespace {

template <class T>
bool is(const LayerSpec& layer) {
  return std::holds_alternative<T>(layer.kind);
}

bool has_maps(const Shape& shape) {
  return shape.height * shape.width > 1;
}

// The one layer that reads layer i, or -1.
int only_reader(const ModelSpec& spec, int i) {
  int reader = -1;
  for (int other = 0; other < static_cast<int>(spec.layers.size()); ++other) {
    const LayerSpec& layer = spec.layers[static_cast<std::size_t>(other)];
    const auto* add = std::get_if<AddLayer>(&layer.kind);
    if (layer.input != i && (add == nullptr || add->with != i)) continue;
    if (reader >= 0) return -1;
    reader = other;
  }
  return reader;
}

// "" for the default; checked.
std::string chosen_layer(const Model& model, const std::string& wanted) {
  const ModelSpec& spec = model.spec();
  if (wanted.empty()) return default_explained_layer(spec, model.picture(), model.n_classes());
  const std::vector<LayerFacts> facts = infer_shapes(spec, model.picture(), model.n_classes());
  std::vector<std::string> with_maps;
  for (std::size_t i = 0; i < facts.size(); ++i) {
    if (!has_maps(facts[i].output)) continue;
    if (spec.layers[i].name == wanted) return wanted;
    with_maps.push_back(spec.layers[i].name);
  }
  throw Error(ExitCode::kUsage, fmt::format("model {} has no layer '{}' with maps to explain; those with maps are {}",
                                            spec.name, wanted, fmt::join(with_maps, ", ")));
}

const Node& node_named(const Graph& graph, const std::string& layer) {
  return *std::find_if(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) { return node.name == layer; });
}

// One picture's map from its activations and their gradients, (places, channels) each.
void add_map(const float* activations, const float* gradients, std::int64_t places, std::int64_t channels,
             std::vector<float>& maps) {
  std::vector<double> alpha(static_cast<std::size_t>(channels), 0.0);  // times the places
  for (std::int64_t i = 0; i < places * channels; ++i) alpha[static_cast<std::size_t>(i % channels)] += gradients[i];
  for (std::int64_t place = 0; place < places; ++place) {
    double sum = 0;
    for (std::int64_t k = 0; k < channels; ++k)
      sum += alpha[static_cast<std::size_t>(k)] * activations[place * channels + k];
    maps.push_back(static_cast<float>(std::max(sum, 0.0) / static_cast<double>(places)));
  }
}

}  // namespace

std::string default_explained_layer(const ModelSpec& spec, const Shape& picture, std::int64_t n_classes) {
  const std::vector<LayerFacts> facts = infer_shapes(spec, picture, n_classes);
  int chosen = -1;
  for (std::size_t i = 0; i < facts.size(); ++i)
    if (is<ConvolutionLayer>(spec.layers[i]) && has_maps(facts[i].output)) chosen = static_cast<int>(i);
  if (chosen < 0)
    throw Error(
        ExitCode::kUsage,
        fmt::format("model {} has no convolution whose maps could be explained; name another layer", spec.name));
  for (int next = only_reader(spec, chosen); next >= 0; next = only_reader(spec, chosen)) {
    const LayerSpec& layer = spec.layers[static_cast<std::size_t>(next)];
    if (!is<BatchNormLayer>(layer) && !is<AddLayer>(layer) && !is<ReluLayer>(layer)) break;
    chosen = next;
  }
  return spec.layers[static_cast<std::size_t>(chosen)].name;
}

GradCam::GradCam(Model& model, std::int64_t batch_size, const std::string& layer)
    : model_(model),
      layer_(chosen_layer(model, layer)),
      graph_(build_graph(model.spec(), model.picture(), model.n_classes(), Fusing::kNone)),
      maps_(graph_.tensors[static_cast<std::size_t>(node_named(graph_, layer_).output)]),
      plan_(model.device(), model.parameters(), graph_, batch_size, Purpose::kExplaining,
            node_named(graph_, layer_).output),
      wide_(model.device().allocate(static_cast<std::size_t>(std::max(maps_.count(), model.n_logits()) * batch_size) *
                                    sizeof(float))) {}

std::vector<float> GradCam::maps(std::span<const std::int32_t> classes) {
  const auto n = static_cast<std::int64_t>(classes.size());
  plan_.forward({});
  const std::vector<float> activations =
      download_activations(model_.device(), plan_.explained(), n * maps_.count(), wide_);
  put_logit_gradients(classes);
  plan_.backward({});
  const std::vector<float> gradients =
      download_activations(model_.device(), plan_.explained_gradient(), n * maps_.count(), wide_);
  std::vector<float> maps;
  for (std::int64_t i = 0; i < n; ++i)
    add_map(activations.data() + i * maps_.count(), gradients.data() + i * maps_.count(), maps_.height * maps_.width,
            maps_.channels, maps);
  return maps;
}

// 1 for the logit of each picture's class; pictures do not mix, so one pass serves all.
void GradCam::put_logit_gradients(std::span<const std::int32_t> classes) {
  Device& device = model_.device();
  const std::int64_t n_logits = model_.n_logits(), count = batch_size() * n_logits;
  std::vector<float> gradients(static_cast<std::size_t>(count), 0.0f);
  for (std::size_t i = 0; i < classes.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i) * n_logits;
    if (n_logits == 1)
      gradients[i] = classes[i] == 1 ? 1.0f : -1.0f;
    else
      gradients[static_cast<std::size_t>(row + classes[i])] = 1.0f;
  }
  device.upload(wide_.data(), gradients.data(), gradients.size() * sizeof(float), Queue::kCompute);
  device.narrow(wide_.as<float>(), plan_.logit_gradients(), count);
}

}  // namespace xrai
