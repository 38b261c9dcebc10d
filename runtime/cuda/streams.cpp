#include "runtime/cuda/streams.h"

namespace xrai::cuda {

GraphRecording::GraphRecording(cudaGraph_t graph) {
  const cudaError_t counted = cudaGraphGetNodes(graph, nullptr, &n_nodes_);
  const cudaError_t made = counted == cudaSuccess ? cudaGraphInstantiate(&executable_, graph, 0) : counted;
  cudaGraphDestroy(graph);
  check(made);
}

}  // namespace xrai::cuda
