#include "runtime/nn/model.h"

#include <algorithm>
#include <stdexcept>

#include "runtime/core/error.h"
#include "runtime/core/log.h"
#include "runtime/nn/byte_graph.h"

namespace xrai {
namespace {

// In training all but the picture; to explain a tensor, it and what is computed from it.
std::vector<bool> differentiated_tensors(const Graph& graph, Purpose purpose, int explained) {
  std::vector<bool> differentiated(graph.tensors.size(), purpose == Purpose::kTraining);
  differentiated[0] = false;
  if (purpose != Purpose::kExplaining) return differentiated;
  differentiated[at(explained)] = true;
  for (const Node& node : graph.nodes)
    for (const int input : node.inputs)
      if (differentiated[at(input)]) differentiated[at(node.output)] = true;
  return differentiated;
}

LayerUse use_of(const Node& node, const Layer& layer, bool runs_backward) {
  LayerUse use;
  use.inputs = node.inputs;
  use.output = node.output;
  use.saved_bytes = layer.saved_bytes();
  use.workspace_bytes = layer.workspace_bytes();
  use.runs_backward = runs_backward;
  use.backward_reads_input = layer.backward_reads_input();
  use.backward_reads_output = layer.backward_reads_output();
  use.gradient_may_replace_input = layer.gradient_may_replace_input();
  use.output_may_replace_input = layer.output_may_replace_input();
  use.repeats_output = layer.repeats_output();
  use.repeat_reads_input = layer.repeat_reads_input();
  return use;
}

}  // namespace

ModelPlan::ModelPlan(Device& device, Parameters& parameters, const Graph& graph, std::int64_t n, Purpose purpose,
                     int explained, Recompute recompute, std::shared_ptr<Buffer> arena)
    : device_(device), graph_(graph), n_(n), arena_(std::move(arena)) {
  CallPlanRequest request;
  request.differentiated = differentiated_tensors(graph, purpose, explained);
  request.explained = explained;
  request.recompute = purpose == Purpose::kTraining ? recompute : Recompute::kNothing;
  for (int t = 0; t < std::ssize(graph.tensors); ++t)
    request.tensor_bytes.push_back(static_cast<std::size_t>(graph.tensors[at(t)].count() * n) *
                                   (graph.in_bytes(t) ? 1 : size_of(device.activation_type())));
  for (const Node& node : graph.nodes) {
    const auto has_gradient = [&](int t) { return request.differentiated[at(t)]; };
    const bool runs_backward =
        purpose == Purpose::kTraining || std::any_of(node.inputs.begin(), node.inputs.end(), has_gradient);
    layers_.push_back(make_layer(device, parameters,
                                 {node, n, purpose == Purpose::kTraining, has_gradient(node.inputs[0]),
                                  purpose == Purpose::kExplaining && runs_backward}));
    request.layers.push_back(use_of(node, *layers_.back(), runs_backward));
    for (const auto& [names, pass] :
         {std::pair{&names_[0], "forward/"}, {&names_[1], "backward/"}, {&names_[2], "again/"}})
      names->push_back(pass + node.name);
  }
  calls_ = plan_calls(request);
  memory_ = plan_memory(calls_.lives);
  peak_bytes_ = peak_bytes(calls_.lives);
  if (!arena_ || arena_->size_bytes() < memory_.total_bytes)
    arena_ = std::make_shared<Buffer>(device.allocate(memory_.total_bytes));
}

void* ModelPlan::place(int item) const {
  if (item < 0) return nullptr;
  return arena_->as<std::byte>() + memory_.offsets[at(item)];
}

std::size_t ModelPlan::workspace_bytes() const {
  std::size_t bytes = 0;
  for (const std::unique_ptr<Layer>& layer : layers_) bytes = std::max(bytes, layer->workspace_bytes());
  return bytes;
}

std::size_t ModelPlan::kept_bytes() const {
  std::size_t bytes = 0;
  for (const std::unique_ptr<Layer>& layer : layers_) bytes += layer->kept_bytes();
  return bytes;
}

std::size_t ModelPlan::workspace_bytes_at_peak() const {
  const int worst = worst_step(calls_.lives);
  if (worst < 0 || worst >= static_cast<int>(calls_.calls.size())) return 0;
  const Call& call = calls_.calls[at(worst)];
  return call.workspace < 0 ? 0 : calls_.lives[at(call.workspace)].bytes;
}

void* ModelPlan::logits() const {
  return place(loss_call().inputs[0]);
}
void* ModelPlan::logit_gradients() const {
  return place(loss_call().output_gradient);
}

LayerMemory ModelPlan::memory_of(const Call& call) const {
  LayerMemory m;
  for (int k = 0; k < 2; ++k) {
    m.inputs[k] = place(call.inputs[k]);
    m.input_gradients[k] = place(call.input_gradients[k]);
  }
  m.output = place(call.output);
  m.output_gradient = place(call.output_gradient);
  m.saved = place(call.saved);
  m.workspace = place(call.workspace);
  return m;
}

void ModelPlan::run(const Call& call, StepContext context) {
  const std::size_t i = at(call.layer);
  const bool backward = call.kind != CallKind::kForward;
  const bool again = call.kind == CallKind::kForwardAgain || call.kind == CallKind::kOutputAgain;
  const Span span(device_.trace(), names_[again ? 2 : backward ? 1 : 0][i]);
  if (observer_) observer_(i, backward, true);
  const LayerMemory memory = memory_of(call);
  if (call.kind == CallKind::kForward) layers_[i]->forward(memory, context);
  if (call.kind == CallKind::kForwardAgain) layers_[i]->forward_again(memory, context);
  if (call.kind == CallKind::kOutputAgain) layers_[i]->output_again(memory);
  if (call.kind == CallKind::kBackward) {
    layers_[i]->backward(memory, context);
    add_gradients(call);
  }
  if (observer_) observer_(i, backward, false);
}

void ModelPlan::add_gradients(const Call& call) {
  const std::vector<int>& inputs = graph_.nodes[at(call.layer)].inputs;
  for (std::size_t k = 0; k < inputs.size(); ++k)
    if (call.add_to[k] >= 0)
      device_.add(place(call.add_to[k]), place(call.input_gradients[k]), place(call.add_to[k]),
                  graph_.tensors[at(inputs[k])].count() * n_);
}

void ModelPlan::forward(StepContext context) {
  for (std::size_t k = 0; k < layers_.size(); ++k) run(calls_.calls[k], context);
}

void ModelPlan::backward(StepContext context) {
  for (std::size_t k = layers_.size() + 1; k < calls_.calls.size(); ++k) run(calls_.calls[k], context);
}

Model::Model(Device& device, ModelSpec spec, const Shape& picture, std::int64_t n_classes, bool gradient_checkpointing)
    : device_(device),
      spec_(std::move(spec)),
      n_classes_(n_classes),
      gradient_checkpointing_(gradient_checkpointing),
      graph_(build_graph(spec_, picture, n_classes, device.has_first_block() ? Fusing::kBlocks : Fusing::kAll)),
      parameters_(device, graph_.parameters, graph_.statistics) {
  if (device.precision() == Precision::kInt8) byte_graph_ = byte_graph(graph_, spec_.name);
}

Recompute Model::recompute() const {
  if (gradient_checkpointing_) return Recompute::kSegments;
  return device_.recomputes_outputs() ? Recompute::kOutputs : Recompute::kNothing;
}

ModelPlan& Model::prepare(std::int64_t batch_size, bool training) {
  if (training && byte_graph_) throw Error(ExitCode::kUsage, "--precision int8 is for scoring; train in fp32");
  if (training && parameters_.settled()) throw std::logic_error("parameters that stay as they are cannot be trained");
  std::unique_ptr<ModelPlan>& plan = plans_[{batch_size, training}];
  if (plan) return *plan;
  try {
    plan = std::make_unique<ModelPlan>(device_, parameters_, byte_graph_ ? *byte_graph_ : graph_, batch_size,
                                       training ? Purpose::kTraining : Purpose::kScoring, -1, recompute(), arena_);
    arena_ = plan->arena();
  } catch (const Error& error) {
    if (error.code() != ExitCode::kOutOfMemory || batch_size == 1) throw;
    throw Error(error.code(), fmt::format("{} (this is for batches of {}; {} need about half)", error.what(),
                                          batch_size, batch_size / 2));
  }
  if (const std::string remark = device_.take_choice_remark(); !remark.empty())
    log::info(fmt::format("plans for {} batches of {}: {}", training ? "training on" : "scoring", batch_size, remark));
  return *plan;
}

}  // namespace xrai
