#include "tests/cuda/cudnn/model_operations.h"

#include <algorithm>
#include <set>

#include "runtime/nn/graph.h"

namespace xrai::testing {
namespace {

using cuda::CudnnTarget;
using cuda::to_words;

/// Nodes of one kind, as specs for a batch.
std::vector<ConvolutionSpec> convolutions(const std::string& model, std::int64_t size, std::int64_t batch) {
  std::vector<ConvolutionSpec> specs;
  std::set<std::string> seen;
  for (const Node& node : build_graph(architecture(model), {1, size, size, 1}, 2).nodes) {
    const auto* convolution = std::get_if<ConvolutionNode>(&node.kind);
    if (convolution == nullptr) continue;
    const ConvolutionLayer& layer = convolution->layer;
    const ConvolutionSpec spec{.input = node.input.with_batch(batch),
                               .filters = layer.filters,
                               .window = layer.window,
                               .groups = layer.groups,
                               .bias = layer.bias,
                               .relu = convolution->relu,
                               .training = true,
                               .input_gradient = node.inputs.front() != 0};
    if (seen.insert(to_words(spec)).second) specs.push_back(spec);
  }
  return specs;
}

std::vector<PoolingSpec> poolings(std::int64_t size, std::int64_t batch, Poolings which) {
  std::vector<PoolingSpec> specs;
  std::set<std::string> seen;
  for (const std::string& model : architecture_names()) {
    for (const Node& node : build_graph(architecture(model), {1, size, size, 1}, 2).nodes) {
      const auto* pooling = std::get_if<PoolingNode>(&node.kind);
      if (pooling == nullptr) continue;
      const PoolingSpec spec{node.input.with_batch(batch), pooling->layer.kind, pooling->layer.window, true};
      PoolingSpec key = spec;
      if (which == Poolings::kFirstOfEachWindow) key.input = {};
      if (seen.insert(to_words(key)).second) specs.push_back(spec);
    }
  }
  specs.push_back({{batch, size, size, 16}, PoolingKind::kAverage, {2, 2, 2, 2}, true});
  return specs;
}

void add(Group& group, const std::string& operation, const cuda::CudnnPolicy& policy,
         std::function<cuda::CudnnGraph(const CudnnTarget&)> graph) {
  group.operations.push_back(operation);
  group.questions.push_back({std::move(graph), policy});
}

void add_convolution(Group& group, const ConvolutionSpec& spec, Precision mode) {
  const cuda::CudnnPolicy policy = cuda::policy_for(mode);
  add(group, "forward of " + to_words(spec), policy, [=](const CudnnTarget& target) {
    return cuda::convolution_forward(spec, mode, cuda::epilogue_of(spec), target);
  });
  add(group, "filter gradient of " + to_words(spec), policy,
      [=](const CudnnTarget& target) { return cuda::convolution_filter_gradient(spec, mode, target); });
  if (spec.input_gradient)
    add(group, "data gradient of " + to_words(spec), policy,
        [=](const CudnnTarget& target) { return cuda::convolution_data_gradient(spec, mode, target); });
}

void add_pooling(Group& group, PoolingSpec spec, DataType type) {
  add(group, "forward of " + to_words(spec), cuda::pooling_policy(),
      [=](const CudnnTarget& target) { return cuda::pooling_forward(spec, type, target); });
  add(group, "gradient of " + to_words(spec), cuda::pooling_policy(),
      [=](const CudnnTarget& target) { return cuda::pooling_backward(spec, type, target); });
  if (spec.kind != PoolingKind::kMax) return;
  spec.training = false;
  add(group, "forward without places of " + to_words(spec), cuda::pooling_policy(),
      [=](const CudnnTarget& target) { return cuda::pooling_forward(spec, type, target); });
}

}  // namespace

std::vector<Group> convolution_groups(std::int64_t batch) {
  std::vector<Group> groups;
  for (const std::string& model : architecture_names()) {
    for (const std::int64_t size : kPictureSizes) {
      for (const Precision mode : kPrecisions) {
        Group group{fmt::format("{}, {} px, {}", model, size, precision_name(mode)), batch, {}, {}};
        for (const ConvolutionSpec& spec : convolutions(model, size, batch)) add_convolution(group, spec, mode);
        groups.push_back(std::move(group));
      }
    }
  }
  return groups;
}

std::vector<Group> pooling_groups(std::int64_t batch, std::int64_t picture_size, Poolings which) {
  std::vector<Group> groups;
  for (const DataType type : {DataType::kFloat32, DataType::kBfloat16, DataType::kFloat16}) {
    Group group{fmt::format("pooling, {} px, {}", picture_size, data_type_name(type)), batch, {}, {}};
    for (const PoolingSpec& spec : poolings(picture_size, batch, which)) add_pooling(group, spec, type);
    groups.push_back(std::move(group));
  }
  return groups;
}

}  // namespace xrai::testing
