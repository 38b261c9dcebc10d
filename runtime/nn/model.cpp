#include "runtime/nn/model.h"

#include <algorithm>

#include "runtime/core/error.h"
#include "runtime/core/log.h"

namespace xrai {
namespace {

std::size_t at(int i) {
  return static_cast<std::size_t>(i);
}

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

}  // namespace

ModelPlan::ModelPlan(Device& device, Parameters& parameters, const Graph& graph, std::int64_t n, Purpose purpose,
                     int explained)
    : device_(device), graph_(graph), n_(n), purpose_(purpose), explained_(explained) {
  differentiated_ = differentiated_tensors(graph, purpose, explained);
  std::size_t workspace_bytes = 0;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    const bool explaining = purpose == Purpose::kExplaining && runs_backward(i);
    layers_.push_back(make_layer(device, parameters,
                                 {node, n, purpose == Purpose::kTraining, has_gradient(node.inputs[0]), explaining}));
    workspace_bytes = std::max(workspace_bytes, layers_.back()->workspace_bytes());
    forward_names_.push_back("forward/" + node.name);
    backward_names_.push_back("backward/" + node.name);
  }
  plan_lifetimes();
  arena_ = device.allocate(memory_.total_bytes);
  workspace_ = device.allocate(workspace_bytes);
}

bool ModelPlan::runs_backward(std::size_t layer) const {
  const std::vector<int>& inputs = graph_.nodes[layer].inputs;
  return purpose_ == Purpose::kTraining ||
         std::any_of(inputs.begin(), inputs.end(), [&](int t) { return has_gradient(t); });
}

// Steps: layer i runs forward at i, the loss at L = number of layers, layer i backward at 2 L - i.
void ModelPlan::plan_lifetimes() {
  const int n_layers = static_cast<int>(layers_.size());
  const auto backward_step = [&](int layer) { return 2 * n_layers - layer; };
  const auto bytes = [&](int tensor) {
    return static_cast<std::size_t>(graph_.tensors[at(tensor)].count() * n_) * size_of(device_.activation_type());
  };
  std::vector<Lifetime> lives;
  const auto item = [&](std::size_t size, int first, int last) {
    lives.push_back({size, first, last});
    return static_cast<int>(lives.size()) - 1;
  };

  std::vector<std::vector<int>> readers(graph_.tensors.size());
  std::vector<int> writer(graph_.tensors.size(), -1);
  for (int i = 0; i < n_layers; ++i) {
    for (const int input : graph_.nodes[at(i)].inputs) readers[at(input)].push_back(i);
    writer[at(graph_.nodes[at(i)].output)] = i;
  }

  tensors_.resize(graph_.tensors.size());
  for (int t = 0; t < static_cast<int>(graph_.tensors.size()); ++t) {
    const int born = writer[at(t)];
    int last = readers[at(t)].empty() ? n_layers : readers[at(t)].back();
    for (const int reader : readers[at(t)])
      if (runs_backward(at(reader)) && layers_[at(reader)]->backward_reads_input())
        last = std::max(last, backward_step(reader));
    if (born >= 0 && runs_backward(at(born)) && layers_[at(born)]->backward_reads_output())
      last = std::max(last, backward_step(born));
    if (t == explained_) last = 2 * n_layers;
    tensors_[at(t)].value = item(bytes(t), born, last);
    if (!has_gradient(t)) continue;
    // Written first by the reader that runs backward first; the logits' by the loss.
    const int first = readers[at(t)].empty() ? n_layers : backward_step(readers[at(t)].back());
    const bool over_value = t != explained_ && readers[at(t)].size() == 1 &&
                            !layers_[at(born)]->backward_reads_output() &&
                            graph_.nodes[at(readers[at(t)][0])].inputs[0] == t &&
                            layers_[at(readers[at(t)][0])]->gradient_may_replace_input();
    if (over_value) {
      lives[at(tensors_[at(t)].value)].last = backward_step(born);
      tensors_[at(t)].gradient = tensors_[at(t)].value;
    } else {
      tensors_[at(t)].gradient = item(bytes(t), first, t == explained_ ? 2 * n_layers : backward_step(born));
    }
  }

  saved_.assign(layers_.size(), -1);
  contributions_.resize(layers_.size());
  for (int i = 0; i < n_layers; ++i) {
    if (const std::size_t size = layers_[at(i)]->saved_bytes(); size > 0)
      saved_[at(i)] = item(size, i, runs_backward(at(i)) ? backward_step(i) : i);
    if (!runs_backward(at(i))) continue;
    const std::vector<int>& inputs = graph_.nodes[at(i)].inputs;
    for (std::size_t k = 0; k < inputs.size(); ++k) {
      const int input = inputs[k];
      // Who runs backward first writes the gradient itself, the others write aside and are added. Both inputs of one
      // layer may be the same tensor.
      const bool first = readers[at(input)].back() == i && (k == 0 || inputs[0] != input);
      contributions_[at(i)].push_back(!has_gradient(input) ? -1
                                      : first              ? tensors_[at(input)].gradient
                                                           : item(bytes(input), backward_step(i), backward_step(i)));
    }
  }
  memory_ = plan_memory(lives);
  peak_bytes_ = peak_bytes(lives);
}

void* ModelPlan::place(int item) const {
  if (item < 0) return nullptr;
  return arena_.as<std::byte>() + memory_.offsets[at(item)];
}

void* ModelPlan::logits() const {
  return value(graph_.nodes.back().output);
}
void* ModelPlan::logit_gradients() const {
  return gradient(graph_.nodes.back().output);
}

LayerMemory ModelPlan::memory_of(std::size_t layer) const {
  const Node& node = graph_.nodes[layer];
  LayerMemory m;
  for (std::size_t k = 0; k < node.inputs.size(); ++k) {
    m.inputs[k] = value(node.inputs[k]);
    if (runs_backward(layer)) m.input_gradients[k] = place(contributions_[layer][k]);
  }
  m.output = value(node.output);
  m.output_gradient = gradient(node.output);
  m.saved = place(saved_[layer]);
  m.workspace = workspace_.data();
  return m;
}

void ModelPlan::forward(StepContext context) {
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const Span span(device_.trace(), forward_names_[i]);
    if (observer_) observer_(i, false, true);
    layers_[i]->forward(memory_of(i), context);
    if (observer_) observer_(i, false, false);
  }
}

void ModelPlan::backward(StepContext context) {
  for (std::size_t i = layers_.size(); i-- > 0;) {
    if (!runs_backward(i)) continue;
    const Span span(device_.trace(), backward_names_[i]);
    if (observer_) observer_(i, true, true);
    const LayerMemory memory = memory_of(i);
    layers_[i]->backward(memory, context);
    const std::vector<int>& inputs = graph_.nodes[i].inputs;
    for (std::size_t k = 0; k < inputs.size(); ++k) {
      void* total = gradient(inputs[k]);
      if (total != nullptr && memory.input_gradients[k] != total)
        device_.add(total, memory.input_gradients[k], total, graph_.tensors[at(inputs[k])].count() * n_);
    }
    if (observer_) observer_(i, true, false);
  }
}

Model::Model(Device& device, ModelSpec spec, const Shape& picture, std::int64_t n_classes)
    : device_(device),
      spec_(std::move(spec)),
      n_classes_(n_classes),
      graph_(build_graph(spec_, picture, n_classes, device.has_first_block() ? Fusing::kBlocks : Fusing::kAll)),
      parameters_(device, graph_.parameters, graph_.statistics) {}

ModelPlan& Model::prepare(std::int64_t batch_size, bool training) {
  std::unique_ptr<ModelPlan>& plan = plans_[{batch_size, training}];
  if (plan) return *plan;
  try {
    plan = std::make_unique<ModelPlan>(device_, parameters_, graph_, batch_size,
                                       training ? Purpose::kTraining : Purpose::kScoring);
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
