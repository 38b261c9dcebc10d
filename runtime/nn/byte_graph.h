// A graph's convolutions in whole numbers, for scoring.
#pragma once

#include <string>

#include "runtime/nn/graph.h"

namespace xrai {

/// The same graph, made with Fusing::kBlocks, with bytes between its blocks: from the first block to the last
/// convolution, one behind the other; what comes behind them stays float. Throws Error(kUsage), naming the layer, where
/// a network is not of this kind.
Graph byte_graph(const Graph& graph, const std::string& model);

}  // namespace xrai
