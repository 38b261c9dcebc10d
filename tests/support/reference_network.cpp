#include "tests/support/reference_network.h"

#include <algorithm>

#include "kernels/philox.h"
#include "tests/support/reference.h"

namespace xrai::testing {
namespace {

struct Walk {
  const ModelSpec& spec;
  const NamedDoubles& parameters;
  std::vector<LayerFacts> facts;
  Shape picture;
  Doubles x;
  bool training;
  StepContext context;
  std::vector<Doubles> values;
  std::uint32_t n_dropouts = 0;

  const Doubles& value_of(int layer) const { return layer == kPicture ? x : values[static_cast<std::size_t>(layer)]; }
  Shape shape_of(int layer) const {
    return layer == kPicture ? picture : facts[static_cast<std::size_t>(layer)].output.with_batch(picture.n);
  }
  const Doubles& parameter(const LayerSpec& layer, const char* which) const {
    static const Doubles kNone;
    const auto found = parameters.find(layer.name + which);
    return found == parameters.end() ? kNone : found->second;
  }

  Doubles visit(const LayerSpec& layer, const ConvolutionLayer& l) const {
    const ConvolutionSpec spec_{shape_of(layer.input), l.filters, l.window, l.groups, l.bias};
    return convolution_reference(spec_, value_of(layer.input), parameter(layer, ".weight"), parameter(layer, ".bias"),
                                 {})
        .y;
  }
  Doubles visit(const LayerSpec& layer, const BatchNormLayer& l) const {
    NormalisationCall call{shape_of(layer.input),       value_of(layer.input),     {},
                           parameter(layer, ".weight"), parameter(layer, ".bias"), l.epsilon};
    if (!training) call.mean = parameter(layer, ".mean"), call.variance = parameter(layer, ".variance");
    return normalisation_reference(call, {}).y;
  }
  Doubles visit(const LayerSpec& layer, const ReluLayer&) const {
    Doubles y = value_of(layer.input);
    for (double& value : y) value = std::max(value, 0.0);
    return y;
  }
  Doubles visit(const LayerSpec& layer, const PoolingLayer& l) const {
    return pooling_reference({shape_of(layer.input), l.kind, l.window}, value_of(layer.input), {}).y;
  }
  Doubles visit(const LayerSpec& layer, const GlobalAveragePoolLayer&) const {
    return global_average_reference(shape_of(layer.input), value_of(layer.input));
  }
  Doubles visit(const LayerSpec& layer, const FlattenLayer&) const { return value_of(layer.input); }
  Doubles visit(const LayerSpec& layer, const DenseLayer& l) const {
    const Shape in = shape_of(layer.input);
    const std::int64_t units = static_cast<std::int64_t>(parameter(layer, ".weight").size()) / in.channels;
    return dense_reference({in.n, in.channels, units, l.bias}, value_of(layer.input), parameter(layer, ".weight"),
                           parameter(layer, ".bias"), {})
        .y;
  }
  Doubles visit(const LayerSpec& layer, const DropoutLayer& l) {
    Doubles y = value_of(layer.input);
    if (!training) return y;
    const std::uint32_t number = n_dropouts++;
    for (std::size_t i = 0; i < y.size(); ++i) {
      const auto bits =
          kernels::random_numbers(context->seed, kernels::RandomPurpose::kDropout, context->step, i / 4, number);
      y[i] = kernels::uniform01(bits.v[i % 4]) < l.probability ? 0.0 : y[i] / (1.0 - l.probability);
    }
    return y;
  }
  Doubles visit(const LayerSpec& layer, const AddLayer& l) const {
    Doubles y = value_of(layer.input);
    const Doubles& other = value_of(l.with);
    for (std::size_t i = 0; i < y.size(); ++i) y[i] += other[i];
    return y;
  }
};

}  // namespace

NamedDoubles parameters_of(Model& model) {
  NamedDoubles named;
  const Parameters& parameters = model.parameters();
  for (const ParameterSpec& spec : parameters.specs()) {
    const float* first = parameters.values() + spec.offset;
    named[spec.name] = Doubles(first, first + spec.count());
  }
  for (const StatisticsSpec& spec : parameters.statistics_specs()) {
    const float* all = parameters.statistics();
    named[spec.name + ".mean"] = Doubles(all + spec.mean_offset, all + spec.mean_offset + spec.channels);
    named[spec.name + ".variance"] = Doubles(all + spec.variance_offset, all + spec.variance_offset + spec.channels);
  }
  return named;
}

Doubles network_reference(const Model& model, const NamedDoubles& parameters, const Doubles& x, std::int64_t n,
                          bool training, StepContext context) {
  Walk walk{model.spec(),
            parameters,
            infer_shapes(model.spec(), model.picture(), model.n_classes()),
            model.picture().with_batch(n),
            x,
            training,
            context,
            {}};
  for (const LayerSpec& layer : model.spec().layers)
    walk.values.push_back(std::visit([&](const auto& kind) { return walk.visit(layer, kind); }, layer.kind));
  return walk.values.back();
}

}  // namespace xrai::testing
