#include "apps/bench/step_limits.h"

#include <algorithm>

#include "runtime/cpu/machine_limits.h"

namespace xrai {
namespace {

const ConvolutionNode* convolution_of(const Node& node) {
  if (const auto* block = std::get_if<FirstBlockNode>(&node.kind)) return &block->convolution;
  if (const auto* block = std::get_if<ConvolutionBlockNode>(&node.kind)) return &block->convolution;
  return std::get_if<ConvolutionNode>(&node.kind);
}

double convolutions_ms(NetworkStep& step) {
  double ms = 0;
  for (const Node& node : step.plan().graph().nodes)
    if (const ConvolutionNode* convolution = convolution_of(node)) {
      const ConvolutionLayer& layer = convolution->layer;
      const bool of_the_picture = node.inputs[0] == 0;
      ms += cpu::direct_convolution_ms({node.input.with_batch(step.plan().batch_size()), layer.filters, layer.window,
                                        layer.groups, layer.bias, convolution->relu, step.training(),
                                        step.training() && !of_the_picture});
    }
  return ms;
}

// Every input once, the output once.
double forward_bytes(const Graph& graph, const Node& node, std::int64_t n) {
  std::int64_t values = graph.tensors[static_cast<std::size_t>(node.output)].count();
  for (const int input : node.inputs) values += graph.tensors[static_cast<std::size_t>(input)].count();
  return static_cast<double>(values * n) * sizeof(float);
}

}  // namespace

void add_step_limits(NetworkStep& step, nlohmann::ordered_json& result) {
  const double gflops = cpu::convolution_gflops(), gb_per_second = cpu::copy_gb_per_second();
  const double convolutions = convolutions_ms(step), step_ms = result["step_ms"]["median"];
  result["limits"] = {{"convolution_gflops", gflops},
                      {"copy_gb_per_second", gb_per_second},
                      {"direct_convolutions_ms", convolutions},
                      {"share_of_convolution_limit", convolutions / step_ms}};
  const Graph& graph = step.plan().graph();
  for (const Node& node : graph.nodes)
    for (auto& row : result["layers"]) {
      if (row["name"] != node.name) continue;
      const double bytes = forward_bytes(graph, node, step.plan().batch_size()), ms = row["forward_ms"];
      row["forward_gb_per_second"] = ms > 0 ? bytes / 1e6 / ms : 0;
      row["forward_least_ms"] =
          std::max(row["forward_gflop"].get<double>() / gflops * 1e3, bytes / 1e6 / gb_per_second);
    }
}

}  // namespace xrai
