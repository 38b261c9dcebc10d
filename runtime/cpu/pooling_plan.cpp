// Max and average pooling by oneDNN, any window.
#include "runtime/cpu/plans.h"
#include "runtime/cpu/primitive.h"

namespace xrai::cpu {
namespace {

class OneDnnPooling final : public PoolingPlan {
 public:
  OneDnnPooling(OneDnn& onednn, const PoolingSpec& spec) : onednn_(onednn) {
    const auto forward = pooling_forward(onednn.engine, spec);
    forward_ = Primitive(dnnl::pooling_forward(forward));
    forward_.bind(DNNL_ARG_SRC, forward.src_desc(), onednn.engine);
    forward_.bind(DNNL_ARG_DST, forward.dst_desc(), onednn.engine);
    scratchpad_bytes_ = aligned(forward.scratchpad_desc().get_size());
    forward_.bind(DNNL_ARG_SCRATCHPAD, forward.scratchpad_desc(), onednn.engine);
    if (!spec.training) return;
    const auto backward = pooling_backward(onednn.engine, spec, forward);
    backward_ = Primitive(dnnl::pooling_backward(backward));
    backward_.bind(DNNL_ARG_DIFF_SRC, backward.diff_src_desc(), onednn.engine);
    backward_.bind(DNNL_ARG_DIFF_DST, backward.diff_dst_desc(), onednn.engine);
    backward_.bind(DNNL_ARG_SCRATCHPAD, backward.scratchpad_desc(), onednn.engine);
    scratchpad_bytes_ = std::max(scratchpad_bytes_, aligned(backward.scratchpad_desc().get_size()));
    if (spec.kind != PoolingKind::kMax) return;
    places_bytes_ = aligned(forward.workspace_desc().get_size());
    forward_.bind(DNNL_ARG_WORKSPACE, forward.workspace_desc(), onednn.engine);
    backward_.bind(DNNL_ARG_WORKSPACE, forward.workspace_desc(), onednn.engine);
  }

  // Scratch space is asked for behind the places of the maxima: pooling needs next to none.
  [[nodiscard]] std::size_t saved_bytes() const override { return places_bytes_ + scratchpad_bytes_; }

  void forward(const void* x, void* y, void* saved) override {
    forward_.set(DNNL_ARG_SRC, x);
    forward_.set(DNNL_ARG_DST, y);
    set_saved(forward_, saved);
    forward_.run(onednn_.stream);
  }

  void backward(const void* dy, void* dx, const void* saved) override {
    backward_.set(DNNL_ARG_DIFF_DST, dy);
    backward_.set(DNNL_ARG_DIFF_SRC, dx);
    set_saved(backward_, saved);
    backward_.run(onednn_.stream);
  }

 private:
  void set_saved(Primitive& primitive, const void* saved) const {
    primitive.set(DNNL_ARG_WORKSPACE, saved);
    primitive.set(DNNL_ARG_SCRATCHPAD, static_cast<const std::byte*>(saved) + places_bytes_);
  }

  OneDnn& onednn_;
  Primitive forward_, backward_;
  std::size_t places_bytes_ = 0, scratchpad_bytes_ = 0;
};

}  // namespace

std::unique_ptr<PoolingPlan> make_pooling_plan(OneDnn& onednn, const PoolingSpec& spec) {
  return std::make_unique<OneDnnPooling>(onednn, spec);
}

}  // namespace xrai::cpu
