// Models as TOML, both ways. Every mistake is answered with the file, the layer's line and what would be right.
#include <toml++/toml.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "runtime/core/error.h"
#include "runtime/nn/model_spec.h"

namespace xrai {
namespace {

constexpr const char* kKinds =
    "convolution, batch_norm, relu, max_pool, average_pool, global_average_pool, flatten, dense, dropout, add";

// One [[layer]] table: typed access that remembers which keys were asked for, so that a misspelt one is noticed.
class LayerReader {
 public:
  LayerReader(const toml::table& table, std::string source) : table_(table), source_(std::move(source)) {}

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ExitCode::kUsage, fmt::format("{}, line {}: {}", source_, table_.source().begin.line, what));
  }
  template <class T>
  T get(const std::string& key, T fallback) {
    known_.insert(key);
    const toml::node* node = table_.get(key);
    if (node == nullptr) return fallback;
    const auto value = node->value_exact<T>();
    if (!value) fail(fmt::format("'{}' has the wrong type", key));
    return *value;
  }
  double number(const std::string& key, double fallback) {
    known_.insert(key);
    const toml::node* node = table_.get(key);
    if (node == nullptr) return fallback;
    const auto value = node->value<double>();
    if (!value) fail(fmt::format("'{}' must be a number", key));
    return *value;
  }
  std::int64_t needed(const std::string& key) {
    const auto value = get<std::int64_t>(key, 0);
    if (value < 1) fail(fmt::format("'{}' must be a whole number of at least 1", key));
    return value;
  }
  // One number for both axes or [height, width].
  std::pair<std::int64_t, std::int64_t> pair(const std::string& key, std::int64_t fallback) {
    known_.insert(key);
    const toml::node* node = table_.get(key);
    if (node == nullptr) return {fallback, fallback};
    if (const auto one = node->value_exact<std::int64_t>()) return {*one, *one};
    const std::vector<std::int64_t> both = numbers(key, *node);
    if (both.size() != 2) fail(fmt::format("'{}' must be a number or [height, width]", key));
    return {both[0], both[1]};
  }
  Window window(std::int64_t stride_fallback) {
    Window w;
    std::tie(w.kernel_height, w.kernel_width) = pair("kernel", 0);
    if (w.kernel_height < 1 || w.kernel_width < 1) fail("'kernel' must be a number of at least 1 or [height, width]");
    std::tie(w.stride_height, w.stride_width) = pair("stride", stride_fallback > 0 ? stride_fallback : w.kernel_height);
    padding(w);
    return w;
  }
  void check_keys() const {
    for (const auto& [key, value] : table_)
      if (!known_.contains(std::string(key.str())))
        fail(fmt::format("'{}' is not known here; known are {}", key.str(), fmt::join(known_, ", ")));
  }

 private:
  std::vector<std::int64_t> numbers(const std::string& key, const toml::node& node) const {
    std::vector<std::int64_t> values;
    if (const toml::array* array = node.as_array())
      for (const toml::node& element : *array) {
        const auto value = element.value_exact<std::int64_t>();
        if (!value) fail(fmt::format("'{}' must hold whole numbers", key));
        values.push_back(*value);
      }
    return values;
  }
  // "same" keeps the size at stride 1; one number; [height, width]; [top, bottom, left, right].
  void padding(Window& w) {
    known_.insert("padding");
    const toml::node* node = table_.get("padding");
    if (node == nullptr) return;
    if (node->value<std::string>() == "same") {
      w.pad_top = (w.kernel_height - 1) / 2, w.pad_bottom = w.kernel_height / 2;
      w.pad_left = (w.kernel_width - 1) / 2, w.pad_right = w.kernel_width / 2;
      return;
    }
    std::vector<std::int64_t> p = numbers("padding", *node);
    if (const auto one = node->value_exact<std::int64_t>()) p = {*one, *one};
    if (p.size() == 2) p = {p[0], p[0], p[1], p[1]};
    if (p.size() != 4) fail("'padding' must be \"same\", a number, [height, width] or [top, bottom, left, right]");
    w.pad_top = p[0], w.pad_bottom = p[1], w.pad_left = p[2], w.pad_right = p[3];
  }

  const toml::table& table_;
  std::string source_;
  std::set<std::string> known_;
};

int index_of(const ModelSpec& spec, const std::string& name, const LayerReader& reader) {
  if (name == "picture") return kPicture;
  for (std::size_t i = 0; i < spec.layers.size(); ++i)
    if (spec.layers[i].name == name) return static_cast<int>(i);
  reader.fail(fmt::format("there is no earlier layer named '{}'", name));
}

LayerKind read_kind(const std::string& type, LayerReader& reader, const ModelSpec& spec) {
  if (type == "convolution" || type == "conv") {
    ConvolutionLayer l;
    l.filters = reader.needed("filters");
    l.window = reader.window(1);
    l.groups = reader.get<std::int64_t>("groups", 1);
    l.bias = reader.get<bool>("bias", true);
    return l;
  }
  if (type == "batch_norm")
    return BatchNormLayer{static_cast<float>(reader.number("epsilon", 1e-5)),
                          static_cast<float>(reader.number("momentum", 0.1))};
  if (type == "relu") return ReluLayer{};
  if (type == "max_pool") return PoolingLayer{PoolingKind::kMax, reader.window(0)};
  if (type == "average_pool") return PoolingLayer{PoolingKind::kAverage, reader.window(0)};
  if (type == "global_average_pool") return GlobalAveragePoolLayer{};
  if (type == "flatten") return FlattenLayer{};
  if (type == "dense") {
    const DenseLayer l{reader.get<std::int64_t>("units", 0), reader.get<bool>("bias", true)};
    if (l.units < 0)
      reader.fail(fmt::format("'units' cannot be {}; without it the layer has the network's outputs", l.units));
    return l;
  }
  if (type == "dropout") return DropoutLayer{static_cast<float>(reader.number("probability", 0.5))};
  if (type == "add") return AddLayer{index_of(spec, reader.get<std::string>("with", ""), reader)};
  reader.fail(fmt::format("there is no layer type '{}'; known are {}", type, kKinds));
}

void read_layer(const toml::table& table, const std::string& source, ModelSpec& spec) {
  LayerReader reader(table, source);
  const auto type = reader.get<std::string>("type", "");
  const int previous = static_cast<int>(spec.layers.size()) - 1;
  LayerSpec layer;
  layer.kind = read_kind(type, reader, spec);
  layer.name = reader.get<std::string>("name", fmt::format("{}{}", type, spec.layers.size() + 1));
  const auto input = reader.get<std::string>("input", "");
  layer.input = input.empty() ? previous : index_of(spec, input, reader);
  reader.check_keys();
  const auto same_name = [&](const LayerSpec& other) { return other.name == layer.name; };
  if (std::any_of(spec.layers.begin(), spec.layers.end(), same_name) || layer.name == "picture")
    reader.fail(fmt::format("the name '{}' is taken", layer.name));
  // Names become paths in checkpoints.
  if (layer.name.empty() || layer.name.find('/') != std::string::npos)
    reader.fail(fmt::format("'{}' cannot be a layer's name: it must not be empty and not hold a /", layer.name));
  spec.layers.push_back(std::move(layer));
}

toml::table window_table(const Window& w) {
  return toml::table{{"kernel", toml::array{w.kernel_height, w.kernel_width}},
                     {"stride", toml::array{w.stride_height, w.stride_width}},
                     {"padding", toml::array{w.pad_top, w.pad_bottom, w.pad_left, w.pad_right}}};
}

struct Writer {
  const ModelSpec& spec;
  [[nodiscard]] std::string name_of(int layer) const {
    return layer == kPicture ? "picture" : spec.layers[static_cast<std::size_t>(layer)].name;
  }
  toml::table operator()(const ConvolutionLayer& l) const {
    toml::table t = window_table(l.window);
    t.insert("filters", l.filters);
    t.insert("groups", l.groups);
    t.insert("bias", l.bias);
    return t;
  }
  toml::table operator()(const BatchNormLayer& l) const {
    return toml::table{{"epsilon", static_cast<double>(l.epsilon)}, {"momentum", static_cast<double>(l.momentum)}};
  }
  toml::table operator()(const PoolingLayer& l) const { return window_table(l.window); }
  toml::table operator()(const DenseLayer& l) const { return toml::table{{"units", l.units}, {"bias", l.bias}}; }
  toml::table operator()(const DropoutLayer& l) const {
    return toml::table{{"probability", static_cast<double>(l.probability)}};
  }
  toml::table operator()(const AddLayer& l) const { return toml::table{{"with", name_of(l.with)}}; }
  template <class Other>
  toml::table operator()(const Other&) const {
    return {};
  }
};

}  // namespace

std::string kind_name(const LayerKind& kind) {
  struct Names {
    std::string operator()(const ConvolutionLayer&) const { return "convolution"; }
    std::string operator()(const BatchNormLayer&) const { return "batch_norm"; }
    std::string operator()(const ReluLayer&) const { return "relu"; }
    std::string operator()(const PoolingLayer& l) const {
      return l.kind == PoolingKind::kMax ? "max_pool" : "average_pool";
    }
    std::string operator()(const GlobalAveragePoolLayer&) const { return "global_average_pool"; }
    std::string operator()(const FlattenLayer&) const { return "flatten"; }
    std::string operator()(const DenseLayer&) const { return "dense"; }
    std::string operator()(const DropoutLayer&) const { return "dropout"; }
    std::string operator()(const AddLayer&) const { return "add"; }
  };
  return std::visit(Names{}, kind);
}

ModelSpec parse_model_toml(const std::string& text, const std::string& source_name) {
  toml::table root;
  try {
    root = toml::parse(text, source_name);
  } catch (const toml::parse_error& error) {
    throw Error(ExitCode::kUsage,
                fmt::format("{}, line {}: {}", source_name, error.source().begin.line, error.description()));
  }
  for (const auto& [key, value] : root)
    if (key != "name" && key != "layer")
      throw Error(ExitCode::kUsage, fmt::format("{}: '{}' is not known in a model file; known are name and [[layer]]",
                                                source_name, key.str()));
  ModelSpec spec;
  spec.name = root["name"].value_or(std::filesystem::path(source_name).stem().string());
  const toml::array* layers = root["layer"].as_array();
  if (layers == nullptr || layers->empty())
    throw Error(ExitCode::kUsage, fmt::format("{}: a model file needs at least one [[layer]]", source_name));
  for (const toml::node& layer : *layers) {
    const toml::table* table = layer.as_table();
    if (table == nullptr)
      throw Error(ExitCode::kUsage, fmt::format("{}: layers are written as [[layer]] tables", source_name));
    read_layer(*table, source_name, spec);
  }
  return spec;
}

ModelSpec read_model_toml(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  if (!file || !(text << file.rdbuf()))
    throw Error(ExitCode::kUsage, fmt::format("cannot read the model file {}: is the path right?", path.string()));
  return parse_model_toml(text.str(), path.string());
}

std::string to_toml(const ModelSpec& spec) {
  toml::array layers;
  for (std::size_t i = 0; i < spec.layers.size(); ++i) {
    const LayerSpec& layer = spec.layers[i];
    const Writer writer{spec};
    toml::table table = std::visit(writer, layer.kind);
    table.insert("type", kind_name(layer.kind));
    table.insert("name", layer.name);
    if (layer.input != static_cast<int>(i) - 1) table.insert("input", writer.name_of(layer.input));
    layers.push_back(std::move(table));
  }
  std::stringstream text;
  text << toml::table{{"name", spec.name}, {"layer", std::move(layers)}};
  return text.str() + "\n";
}

}  // namespace xrai
