// In which order the layers of a plan are called and what each call reads and writes: which values are kept from the
// forward to the backward pass, which are computed a second time, and from when to when each takes memory. Plain data
// in, plain data out: no device is asked.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "runtime/nn/memory_plan.h"

namespace xrai {

/// What the backward pass computes again instead of having it kept. kOutputs: what a layer writes in one walk over
/// what it has saved. kSegments: these and whole runs of layers, of which only what crosses their ends is kept (Chen,
/// Xu, Zhang and Guestrin, "Training deep nets with sublinear memory cost", 2016). Results are the same bits.
enum class Recompute { kNothing, kOutputs, kSegments };

/// Layers, tensors and items are numbered by int, since -1 is none of them; this is their place in a vector.
[[nodiscard]] inline std::size_t at(int i) {
  return static_cast<std::size_t>(i);
}

/// What the order and the lives depend on of one layer. Tensors are indices as in Graph.
struct LayerUse {
  std::vector<int> inputs;
  int output = 0;
  std::size_t saved_bytes = 0, workspace_bytes = 0;
  bool runs_backward = false;
  bool backward_reads_input = false, backward_reads_output = false;  // the first input
  bool gradient_may_replace_input = false, output_may_replace_input = false;
  bool repeats_output = false, repeat_reads_input = false;
};

struct CallPlanRequest {
  std::vector<LayerUse> layers;
  std::vector<std::size_t> tensor_bytes;
  std::vector<bool> differentiated;  // (tensors), those that have a gradient
  int explained = -1;                // the tensor whose value and gradient are read at the end; -1: none
  Recompute recompute = Recompute::kNothing;
};

enum class CallKind {
  kForward,
  kLoss,          // of whoever uses the plan: reads the logits, writes their gradient
  kForwardAgain,  // the same bits into output and saved, no other effect
  kOutputAgain,   // the same bits into the output alone
  kBackward
};

/// Memory items are indices into CallPlan::lives; -1: none.
struct Call {
  CallKind kind = CallKind::kForward;
  int layer = -1;
  int inputs[2] = {-1, -1}, output = -1, saved = -1, workspace = -1;
  int output_gradient = -1, input_gradients[2] = {-1, -1};
  int add_to[2] = {-1, -1};  // gradients that those of the inputs are added to behind the call
};

struct CallPlan {
  std::vector<Call> calls;  // call k runs at step k
  std::vector<Lifetime> lives;
  int picture = -1, explained = -1, explained_gradient = -1;
};

/// Segments end behind these layers, in ascending order, and behind the last one.
CallPlan plan_calls(const CallPlanRequest& request, const std::vector<int>& ends);
/// With kSegments those that were found to need the least memory: of equal shares of what the layers write and save,
/// then moved and joined as long as that helps. Otherwise one segment.
CallPlan plan_calls(const CallPlanRequest& request);

}  // namespace xrai
