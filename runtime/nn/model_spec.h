// A network as a person writes it: a list of layers, by name or from TOML. Plain data; no device, no weights.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <variant>
#include <vector>

#include "runtime/core/specs.h"

namespace xrai {

struct ConvolutionLayer {
  std::int64_t filters = 0;
  Window window;
  std::int64_t groups = 1;
  bool bias = true;
};
struct BatchNormLayer {
  float epsilon = 1e-5f, momentum = 0.1f;
};
struct ReluLayer {};
struct PoolingLayer {
  PoolingKind kind = PoolingKind::kMax;
  Window window;
};
struct GlobalAveragePoolLayer {};
struct FlattenLayer {};  // maps become one vector, in the order (height, width, channels)
struct DenseLayer {
  std::int64_t units = 0;  // 0: the network's outputs, one logit for two classes, else one a class
  bool bias = true;
};
struct DropoutLayer {
  float probability = 0.5f;
};
struct AddLayer {
  int with = 0;  // index of the other layer whose output is added
};

using LayerKind = std::variant<ConvolutionLayer, BatchNormLayer, ReluLayer, PoolingLayer, GlobalAveragePoolLayer,
                               FlattenLayer, DenseLayer, DropoutLayer, AddLayer>;

constexpr int kPicture = -1;  // the network's input, where a layer's index is asked for

struct LayerSpec {
  std::string name;
  int input = kPicture;  // index of the layer whose output is read
  LayerKind kind;
};

struct ModelSpec {
  std::string name;
  std::vector<LayerSpec> layers;
};

/// "convolution", "max_pool" ...: the word in TOML and in tables.
std::string kind_name(const LayerKind& kind);

/// Named architectures: "plain5", "lenet", "resnet18".
std::vector<std::string> architecture_names();
/// Throws Error(kUsage) naming the known ones.
ModelSpec architecture(const std::string& name);

/// Reads a model file; docs/models.md describes it. Throws Error(kUsage) with file, line and what is allowed.
ModelSpec read_model_toml(const std::filesystem::path& path);
ModelSpec parse_model_toml(const std::string& text, const std::string& source_name);
/// The same model as text; parse_model_toml gives it back.
std::string to_toml(const ModelSpec& spec);

/// A name, or the path of a TOML file (anything that ends in ".toml").
ModelSpec find_model(const std::string& name_or_file);

/// Shape after every layer for one picture, and what the layer costs.
struct LayerFacts {
  Shape output;
  std::int64_t parameters = 0;
  double forward_flops = 0;  // of one picture; a multiplication and an addition are two
};
/// Throws Error(kUsage) naming the layer that does not fit.
std::vector<LayerFacts> infer_shapes(const ModelSpec& spec, const Shape& picture, std::int64_t n_classes);

/// Logits a network has for so many classes.
constexpr std::int64_t logits_for(std::int64_t n_classes) {
  return n_classes == 2 ? 1 : n_classes;
}

/// The table printed when training starts: layer, output, parameters, MFLOP, with totals.
std::string summary_table(const ModelSpec& spec, const Shape& picture, std::int64_t n_classes);

}  // namespace xrai
