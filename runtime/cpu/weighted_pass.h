// Primitives that read or write weights: forward and both gradients of a convolution or a dense layer. The arena's
// layout is turned into the one a primitive prefers inside the workspace.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kernels/elementwise.h"
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
    pass.prepared_bytes_ = preferred.get_size();
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

  /// What `weights` are in the primitive's layout, for run_prepared().
  [[nodiscard]] std::int64_t prepared_floats() const {
    return static_cast<std::int64_t>(aligned(prepared_bytes_) / sizeof(float));
  }
  void prepare(const void* weights, void* prepared, OneDnn& onednn) {
    if (weights_.needed())
      weights_.run(weights, prepared, onednn.stream);
    else
      std::memcpy(prepared, weights, prepared_bytes_);
  }
  void run_prepared(const void* prepared, void* workspace, OneDnn& onednn) {
    primitive_.set(weights_argument_, prepared);
    primitive_.set(DNNL_ARG_SCRATCHPAD, static_cast<std::byte*>(workspace) + copy_bytes_);
    primitive_.run(onednn.stream);
  }

  /// `weights`: (o, ...) in the arena, read or written.
  void run(const void* weights, void* workspace, OneDnn& onednn) {
    auto* copy = static_cast<std::byte*>(workspace);
    const bool writes = weights_argument_ == DNNL_ARG_DIFF_WEIGHTS;
    if (weights_.needed() && !writes) weights_.run(weights, copy, onednn.stream);
    primitive_.set(weights_argument_, weights_.needed() ? static_cast<const void*>(copy) : weights);
    primitive_.set(DNNL_ARG_SCRATCHPAD, copy + copy_bytes_);
    primitive_.run(onednn.stream);
    if (weights_.needed() && writes) weights_.run(copy, const_cast<void*>(weights), onednn.stream);
  }

 private:
  Primitive primitive_;
  Reorder weights_;
  int weights_argument_ = DNNL_ARG_WEIGHTS;
  std::size_t copy_bytes_ = 0, scratchpad_bytes_ = 0, prepared_bytes_ = 0;
};

/// A layer's forward pass and its two gradients, with the ReLU that may be fused behind it.
class WeightedPasses {
 public:
  /// `stored`: layout of the weights in the arena. `rectified`: elements of y behind a fused ReLU, 0 without one.
  WeightedPasses(OneDnn& onednn, const dnnl::memory::desc& stored, std::int64_t rectified)
      : onednn_(onednn), stored_(stored), rectified_(rectified) {}

  template <class Desc>
  void plan_forward(const dnnl::primitive& primitive, const Desc& desc) {
    forward_ = WeightedPass::make(primitive, desc, DNNL_ARG_WEIGHTS, desc.weights_desc(), stored_, onednn_);
    forward_.bind(DNNL_ARG_SRC, desc.src_desc(), onednn_);
    forward_.bind(DNNL_ARG_BIAS, desc.bias_desc(), onednn_);
    forward_.bind(DNNL_ARG_DST, desc.dst_desc(), onednn_);
  }
  template <class Desc>
  void plan_weight_gradient(const dnnl::primitive& primitive, const Desc& desc) {
    weight_gradient_ =
        WeightedPass::make(primitive, desc, DNNL_ARG_DIFF_WEIGHTS, desc.diff_weights_desc(), stored_, onednn_);
    weight_gradient_.bind(DNNL_ARG_SRC, desc.src_desc(), onednn_);
    weight_gradient_.bind(DNNL_ARG_DIFF_DST, desc.diff_dst_desc(), onednn_);
    weight_gradient_.bind(DNNL_ARG_DIFF_BIAS, desc.diff_bias_desc(), onednn_);
  }
  template <class Desc>
  void plan_input_gradient(const dnnl::primitive& primitive, const Desc& desc) {
    input_gradient_ = WeightedPass::make(primitive, desc, DNNL_ARG_WEIGHTS, desc.weights_desc(), stored_, onednn_);
    input_gradient_.bind(DNNL_ARG_DIFF_DST, desc.diff_dst_desc(), onednn_);
    input_gradient_.bind(DNNL_ARG_DIFF_SRC, desc.diff_src_desc(), onednn_);
  }

  [[nodiscard]] std::size_t workspace_bytes() const {
    return std::max(
        {forward_.workspace_bytes(), weight_gradient_.workspace_bytes(), input_gradient_.workspace_bytes()});
  }

  void forward(const void* x, const void* weights, const void* bias, void* y, void* workspace) {
    forward_.set(DNNL_ARG_SRC, x);
    forward_.set(DNNL_ARG_BIAS, bias);
    forward_.set(DNNL_ARG_DST, y);
    forward_.run(weights, workspace, onednn_);
  }

  /// forward in two steps, for weights that serve several calls.
  [[nodiscard]] std::int64_t prepared_floats() const { return forward_.prepared_floats(); }
  void prepare(const void* weights, void* prepared) { forward_.prepare(weights, prepared, onednn_); }
  void forward_prepared(const void* x, const void* prepared, const void* bias, void* y, void* workspace) {
    forward_.set(DNNL_ARG_SRC, x);
    forward_.set(DNNL_ARG_BIAS, bias);
    forward_.set(DNNL_ARG_DST, y);
    forward_.run_prepared(prepared, workspace, onednn_);
  }

  void backward(const void* x, const void* weights, const void* y, void* dy, void* dx, float* dweights, float* dbias,
                void* workspace) {
    if (rectified_ > 0) kernels::cpu::relu_backward(y, dy, dy, rectified_);
    weight_gradient_.set(DNNL_ARG_SRC, x);
    weight_gradient_.set(DNNL_ARG_DIFF_DST, dy);
    weight_gradient_.set(DNNL_ARG_DIFF_BIAS, dbias);
    weight_gradient_.run(dweights, workspace, onednn_);
    if (dx == nullptr) return;
    input_gradient_.set(DNNL_ARG_DIFF_DST, dy);
    input_gradient_.set(DNNL_ARG_DIFF_SRC, dx);
    input_gradient_.run(weights, workspace, onednn_);
  }

 private:
  OneDnn& onednn_;
  dnnl::memory::desc stored_;
  std::int64_t rectified_;
  WeightedPass forward_, weight_gradient_, input_gradient_;
};

}  // namespace xrai::cpu
