// What every layer turns a picture into, what it holds and what it costs.
#include "runtime/core/error.h"
#include "runtime/nn/model_spec.h"

namespace xrai {
namespace {

struct Inference {
  const ModelSpec& spec;
  Shape picture;
  std::int64_t n_classes;
  std::vector<LayerFacts> facts;

  [[nodiscard]] Shape shape_of(int layer) const {
    return layer == kPicture ? picture : facts[static_cast<std::size_t>(layer)].output;
  }

  LayerFacts visit(const Shape& in, const ConvolutionLayer& l) const {
    const ConvolutionSpec spec_{in, l.filters, l.window, l.groups, l.bias};
    validate(spec_);
    const Shape out = spec_.output();
    const double per_place = 2.0 * static_cast<double>(spec_.weight_count() / l.filters) + (l.bias ? 1 : 0);
    return {out, spec_.weight_count() + (l.bias ? l.filters : 0), per_place * static_cast<double>(out.count())};
  }
  LayerFacts visit(const Shape& in, const BatchNormLayer& l) const {
    if (!(l.epsilon > 0) || !(l.momentum >= 0 && l.momentum <= 1))
      throw Error(ExitCode::kUsage, fmt::format("batch normalisation with epsilon {} and momentum {} makes no sense: "
                                                "epsilon > 0, 0 <= momentum <= 1",
                                                l.epsilon, l.momentum));
    return {in, 2 * in.channels, 2.0 * static_cast<double>(in.count())};
  }
  LayerFacts visit(const Shape& in, const ReluLayer&) const { return {in, 0, static_cast<double>(in.count())}; }
  LayerFacts visit(const Shape& in, const PoolingLayer& l) const {
    const PoolingSpec spec_{in, l.kind, l.window};
    validate(spec_);
    const Shape out = spec_.output();
    return {out, 0, static_cast<double>(out.count() * l.window.kernel_height * l.window.kernel_width)};
  }
  LayerFacts visit(const Shape& in, const GlobalAveragePoolLayer&) const {
    return {{in.n, 1, 1, in.channels}, 0, static_cast<double>(in.count())};
  }
  LayerFacts visit(const Shape& in, const FlattenLayer&) const { return {{in.n, 1, 1, in.per_image()}, 0, 0}; }
  LayerFacts visit(const Shape& in, const DenseLayer& l) const {
    if (in.height != 1 || in.width != 1)
      throw Error(ExitCode::kUsage, fmt::format("a dense layer cannot read maps of {}x{}: put flatten or "
                                                "global_average_pool before it",
                                                in.height, in.width));
    const std::int64_t units = l.units > 0 ? l.units : logits_for(n_classes);
    return {{in.n, 1, 1, units},
            units * in.channels + (l.bias ? units : 0),
            2.0 * static_cast<double>(units * in.channels) + (l.bias ? static_cast<double>(units) : 0.0)};
  }
  LayerFacts visit(const Shape& in, const DropoutLayer& l) const {
    if (!(l.probability >= 0 && l.probability < 1))
      throw Error(ExitCode::kUsage,
                  fmt::format("dropout with probability {} makes no sense: 0 <= probability < 1", l.probability));
    return {in, 0, static_cast<double>(in.count())};
  }
  LayerFacts visit(const Shape& in, const AddLayer& l) const {
    const Shape other = shape_of(l.with);
    if (other != in)
      throw Error(ExitCode::kUsage, fmt::format("add needs two inputs of one shape, but they are {} and {}",
                                                to_string(in), to_string(other)));
    return {in, 0, static_cast<double>(in.count())};
  }
};

}  // namespace

std::vector<LayerFacts> infer_shapes(const ModelSpec& spec, const Shape& picture, std::int64_t n_classes) {
  Inference inference{spec, picture, n_classes, {}};
  if (spec.layers.empty()) throw Error(ExitCode::kUsage, fmt::format("model {} has no layers", spec.name));
  for (const LayerSpec& layer : spec.layers) {
    try {
      const Shape in = inference.shape_of(layer.input);
      inference.facts.push_back(std::visit([&](const auto& kind) { return inference.visit(in, kind); }, layer.kind));
    } catch (const Error& error) {
      throw Error(error.code(), fmt::format("model {}, layer '{}': {}", spec.name, layer.name, error.what()));
    }
  }
  const Shape out = inference.facts.back().output;
  if (out.height != 1 || out.width != 1 || out.channels != logits_for(n_classes))
    throw Error(
        ExitCode::kUsage,
        fmt::format("model {} ends with shape {}, but {} classes need {} output{}: end with a dense layer without "
                    "'units'",
                    spec.name, to_string(out), n_classes, logits_for(n_classes), n_classes == 2 ? "" : "s"));
  return std::move(inference.facts);
}

std::string summary_table(const ModelSpec& spec, const Shape& picture, std::int64_t n_classes) {
  const std::vector<LayerFacts> facts = infer_shapes(spec, picture, n_classes);
  std::string table = fmt::format("{:<18}{:<22}{:>18}{:>12}{:>12}\n", "layer", "kind", "output", "parameters", "MFLOP");
  std::int64_t parameters = 0;
  double flops = 0;
  for (std::size_t i = 0; i < facts.size(); ++i) {
    const Shape& out = facts[i].output;
    table += fmt::format("{:<18}{:<22}{:>18}{:>12}{:>12.2f}\n", spec.layers[i].name, kind_name(spec.layers[i].kind),
                         fmt::format("{}x{}x{}", out.height, out.width, out.channels), facts[i].parameters,
                         facts[i].forward_flops / 1e6);
    parameters += facts[i].parameters;
    flops += facts[i].forward_flops;
  }
  return table +
         fmt::format("{:<40}{:>18}{:>12}{:>12.2f}", "total for one picture, forward", "", parameters, flops / 1e6);
}

}  // namespace xrai
