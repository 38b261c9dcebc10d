// Graphs: instantiated, replayed, updated, destroyed. A replay is one operation of its stream; inside it the nodes run
// in any order that their edges allow, and the race detector knows the edges only.
#include <utility>

#include "schedule.h"

namespace xrai::fake {
namespace {

// A lane is what runs in order: a node takes over the lane of a node before it, unless another has done so.
std::vector<int> assign_lanes(State& all, const std::vector<GraphNode>& nodes) {
  std::vector<int> lanes(nodes.size());
  std::vector<bool> continued(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto& after = nodes[i].after;
    const auto open = std::find_if(after.begin(), after.end(), [&](std::size_t before) { return !continued[before]; });
    if (open == after.end()) {
      lanes[i] = all.new_lane();
    } else {
      continued[*open] = true;
      lanes[i] = lanes[*open];
    }
  }
  return lanes;
}

std::size_t choose(State& all, const std::vector<std::size_t>& ready) {
  switch (all.settings.policy.order) {
    case Policy::kRandom:
      return all.random() % ready.size();
    case Policy::kOthersFirst:
      return ready.size() - 1;
    default:
      return 0;
  }
}

std::vector<std::size_t> topological_order(State& all, const std::vector<GraphNode>& nodes) {
  std::vector<std::size_t> order, ready, missing(nodes.size());
  std::vector<std::vector<std::size_t>> before(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    missing[i] = nodes[i].after.size();
    for (const std::size_t other : nodes[i].after) before[other].push_back(i);
    if (missing[i] == 0) ready.push_back(i);
  }
  while (!ready.empty()) {
    const auto chosen = ready.begin() + static_cast<std::ptrdiff_t>(choose(all, ready));
    order.push_back(*chosen);
    ready.erase(chosen);
    for (const std::size_t next : before[order.back()]) {
      if (--missing[next] == 0) ready.push_back(next);
    }
  }
  return order;
}

/// The nodes with stamps and clocks of this launch, in node order, and the clock of their end.
struct Launch {
  std::vector<Operation> operations;
  Clock finished;
};

Launch stamp_nodes(State& all, const CUgraphExec_st& executable, const Clock& start, const std::string& where) {
  Launch launch{{}, start};
  for (std::size_t i = 0; i < executable.nodes->size(); ++i) {
    const GraphNode& node = (*executable.nodes)[i];
    Operation operation = node.operation;
    operation.clock = start;
    for (const std::size_t before : node.after) join(operation.clock, launch.operations[before].clock);
    const auto lane = static_cast<std::size_t>(executable.lanes[i]);
    if (operation.clock.size() <= lane) operation.clock.resize(lane + 1);
    operation.clock[lane] = ++all.lane_ticks[lane];
    auto who = std::make_shared<const std::string>("'" + operation.name + "', node " + std::to_string(i) +
                                                   " of a graph on " + where);
    operation.stamp = {executable.lanes[i], operation.clock[lane], std::move(who)};
    join(launch.finished, operation.clock);
    launch.operations.push_back(std::move(operation));
  }
  return launch;
}

Operation replay(const CUgraphExec_st& executable) {
  Operation operation;
  operation.name = "graph";
  operation.type = cudaGraphNodeTypeGraph;
  for (const GraphNode& node : *executable.nodes)
    operation.spans.insert(operation.spans.end(), node.operation.spans.begin(), node.operation.spans.end());
  operation.reaches = std::make_shared<Mark>();
  return operation;
}

cudaError_t launch(State& all, CUgraphExec_st& executable, CUstream_st& stream) {
  if (stream.capture != nullptr) {
    find_fault(Fault::kMisuse, "A graph was launched into a capture, which the fake runtime does not have.");
    return cudaErrorNotSupported;
  }
  ++all.report.graph_launches;
  // A bare operation first: it takes in whatever the stream has to wait for, so that the nodes start from there.
  join(stream.clock, executable.finished);
  Operation start;
  if (executable.previous != nullptr) start.waits = {executable.previous};
  enqueue(all, stream, std::move(start));
  Launch nodes = stamp_nodes(all, executable, stream.clock, stream.label);
  executable.finished = nodes.finished;
  Operation operation = replay(executable);
  executable.previous = operation.reaches;
  auto order = topological_order(all, *executable.nodes);
  auto operations = std::make_shared<std::vector<Operation>>(std::move(nodes.operations));
  operation.run = [&all, operations, order = std::move(order)] {
    for (const std::size_t node : order) execute(all, (*operations)[node]);
  };
  join(stream.clock, executable.finished);
  enqueue(all, stream, std::move(operation));
  return cudaSuccess;
}

bool same_shape(const std::vector<GraphNode>& a, const std::vector<GraphNode>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const GraphNode& left, const GraphNode& right) {
    return left.after == right.after && left.operation.type == right.operation.type &&
           left.operation.name == right.operation.name;
  });
}

template <class Handle, class Registered>
bool alive(Registered& registry, Handle handle, const char* what) {
  if (handle != nullptr && registry.alive(handle)) return true;
  find_fault(Fault::kInvalidHandle, std::string("A call was given ") + what + " that is not alive.");
  return false;
}

cudaError_t instantiate(State& all, cudaGraphExec_t* handle, cudaGraph_t graph) {
  if (!alive(all.graphs, graph, "a graph")) return cudaErrorInvalidValue;
  CUgraphExec_st* executable = all.executables.create();
  executable->nodes = std::make_shared<const std::vector<GraphNode>>(graph->nodes);
  executable->lanes = assign_lanes(all, graph->nodes);
  *handle = executable;
  return cudaSuccess;
}

}  // namespace
}  // namespace xrai::fake

using namespace xrai::fake;  // NOLINT(google-build-using-namespace): the functions below are NVIDIA's, of global scope

extern "C" {

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  return api("cudaGraphInstantiate", [&](State& all) { return instantiate(all, executable, graph); });
}

cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  return api("cudaGraphInstantiateWithFlags", [&](State& all) { return instantiate(all, executable, graph); });
}

cudaError_t cudaGraphUpload(cudaGraphExec_t executable, cudaStream_t handle) {
  return api("cudaGraphUpload", [&](State& all) {
    const bool valid = alive(all.executables, executable, "an executable graph") && resolve(all, handle) != nullptr;
    return valid ? cudaSuccess : cudaErrorInvalidValue;
  });
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t handle) {
  return api("cudaGraphLaunch", [&](State& all) {
    CUstream_st* stream = resolve(all, handle);
    if (stream == nullptr || !alive(all.executables, executable, "an executable graph")) return cudaErrorInvalidValue;
    return launch(all, *executable, *stream);
  });
}

cudaError_t cudaGraphExecUpdate(cudaGraphExec_t executable, cudaGraph_t graph, cudaGraphExecUpdateResultInfo* info) {
  return api("cudaGraphExecUpdate", [&](State& all) {
    if (!alive(all.executables, executable, "an executable graph") || !alive(all.graphs, graph, "a graph"))
      return cudaErrorInvalidValue;
    *info = {};
    if (!same_shape(*executable->nodes, graph->nodes)) {
      info->result = cudaGraphExecUpdateErrorTopologyChanged;
      return cudaErrorGraphExecUpdateFailure;
    }
    executable->nodes = std::make_shared<const std::vector<GraphNode>>(graph->nodes);
    info->result = cudaGraphExecUpdateSuccess;
    return cudaSuccess;
  });
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, size_t* count) {
  return api("cudaGraphGetNodes", [&](State& all) {
    if (!alive(all.graphs, graph, "a graph")) return cudaErrorInvalidValue;
    if (nodes == nullptr) {
      *count = graph->handles.size();
      return cudaSuccess;
    }
    for (std::size_t i = 0; i < *count; ++i) nodes[i] = i < graph->handles.size() ? &graph->handles[i] : nullptr;
    *count = std::min(*count, graph->handles.size());
    return cudaSuccess;
  });
}

cudaError_t cudaGraphNodeGetType(cudaGraphNode_t node, cudaGraphNodeType* type) {
  return api("cudaGraphNodeGetType", [&](State&) {
    *type = node->type;
    return cudaSuccess;
  });
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  return api("cudaGraphDestroy", Door::kCleanup, [&](State& all) {
    if (!alive(all.graphs, graph, "a graph")) return cudaErrorInvalidValue;
    all.graphs.destroy(graph);
    return cudaSuccess;
  });
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  return api("cudaGraphExecDestroy", Door::kCleanup, [&](State& all) {
    if (!alive(all.executables, executable, "an executable graph")) return cudaErrorInvalidValue;
    all.executables.destroy(executable);
    return cudaSuccess;
  });
}

}  // extern "C"
