// One primitive that reads or writes weights: convolution and dense layer, forward and both gradients, are four or
// six of these. The arena's layout is turned into the primitive's preferred one inside the workspace.
#pragma once

#include "runtime/cpu/primitive.h"

namespace xrai::cpu {

class WeightedPass {
 public:
  WeightedPass() = default;

  /// `weights_argument`: DNNL_ARG_WEIGHTS (read) or DNNL_ARG_DIFF_WEIGHTS (written).
  template <class PrimitiveDesc>
  static WeightedPass make(const dnnl::primitive& primitive, const PrimitiveDesc& desc, int weights_argument,
                           const dnnl::memory::desc& preferred, const dnnl::memory::desc& stored, OneDnn& onednn) {
    WeightedPass pass;
    pass.primitive_ = Primitive(primitive);
    pass.weights_argument_ = weights_argument;
    pass.weights_ = weights_argument == DNNL_ARG_WEIGHTS ? Reorder(stored, preferred, onednn.engine)
                                                         : Reorder(preferred, stored, onednn.engine);
    pass.copy_bytes_ = preferred == stored ? 0 : aligned(preferred.get_size());
    pass.scratchpad_bytes_ = aligned(desc.scratchpad_desc().get_size());
    pass.primitive_.bind(weights_argument, preferred, onednn.engine);
    pass.primitive_.bind(DNNL_ARG_SCRATCHPAD, desc.scratchpad_desc(), onednn.engine);
    return pass;
  }

  void bind(int argument, const dnnl::memory::desc& desc, OneDnn& onednn) {
    primitive_.bind(argument, desc, onednn.engine);
  }
  void set(int argument, const void* data) { primitive_.set(argument, data); }

  [[nodiscard]] std::size_t workspace_bytes() const { return copy_bytes_ + scratchpad_bytes_; }

  /// `weights`: (o, ...) in the arena, read or written.
  void run(const float* weights, void* workspace, OneDnn& onednn) {
    auto* copy = static_cast<std::byte*>(workspace);
    const bool writes = weights_argument_ == DNNL_ARG_DIFF_WEIGHTS;
    if (weights_.needed() && !writes) weights_.run(weights, copy, onednn.stream);
    primitive_.set(weights_argument_, weights_.needed() ? static_cast<const void*>(copy) : weights);
    primitive_.set(DNNL_ARG_SCRATCHPAD, copy + copy_bytes_);
    primitive_.run(onednn.stream);
    if (weights_.needed() && writes) weights_.run(copy, const_cast<float*>(weights), onednn.stream);
  }

 private:
  Primitive primitive_;
  Reorder weights_;
  int weights_argument_ = DNNL_ARG_WEIGHTS;
  std::size_t copy_bytes_ = 0, scratchpad_bytes_ = 0;
};

}  // namespace xrai::cpu
