// Max and average pooling, any window: by cuDNN's graphs, or by kernels of ours where it has no plan.
#include <optional>

#include "kernels/pooling.h"
#include "runtime/cuda/cudnn_plan.h"
#include "runtime/cuda/plans.h"
#include "runtime/cuda/window_sizes.h"

namespace xrai::cuda {
namespace {

class CudnnPooling final : public PoolingPlan {
 public:
  CudnnPooling(Context& context, const PoolingSpec& spec)
      : context_(context), forward_(first_plan(pooling_forward(spec, context.type(), context.target))) {
    if (spec.training) backward_ = first_plan(pooling_backward(spec, context.type(), context.target));
    if (spec.training && spec.kind == PoolingKind::kMax)
      places_bytes_ = static_cast<std::size_t>(spec.output().count());
  }

  [[nodiscard]] std::size_t saved_bytes() const override { return places_bytes_; }

  void forward(const void* x, void* y, void* saved) override {
    forward_.execute(context_.cudnn.get(), {bind(Operand::kX, x), bind(Operand::kY, y), bind(Operand::kPlaces, saved)},
                     nullptr);
  }

  void backward(const void* dy, void* dx, const void* saved) override {
    backward_->execute(context_.cudnn.get(),
                       {bind(Operand::kDy, dy), bind(Operand::kDx, dx), bind(Operand::kPlaces, saved)}, nullptr);
  }

 private:
  [[nodiscard]] CudnnPlan first_plan(CudnnGraph graph) const {
    return CudnnPlanList(std::move(graph), context_.target, pooling_policy()).first();
  }

  Context& context_;
  CudnnPlan forward_;
  std::optional<CudnnPlan> backward_;
  std::size_t places_bytes_ = 0;
};

class OwnPooling final : public PoolingPlan {
 public:
  OwnPooling(Context& context, const PoolingSpec& spec)
      : context_(context), spec_(spec), sizes_(window_sizes(spec.window, spec.input, spec.output())) {}

  [[nodiscard]] std::size_t saved_bytes() const override {
    const bool places = spec_.training && spec_.kind == PoolingKind::kMax;
    return places ? static_cast<std::size_t>(spec_.output().count()) * sizeof(std::int32_t) : 0;
  }

  void forward(const void* x, void* y, void* saved) override {
    if (spec_.kind == PoolingKind::kMax)
      kernels::cuda::max_pool(sizes_, spec_.input.channels, x, y,
                              spec_.training ? static_cast<std::int32_t*>(saved) : nullptr, context_.type(),
                              context_.compute.get());
    else
      kernels::cuda::average_pool(sizes_, spec_.input.channels, x, y, context_.type(), context_.compute.get());
  }

  void backward(const void* dy, void* dx, const void* saved) override {
    if (spec_.kind == PoolingKind::kMax)
      kernels::cuda::max_pool_backward(sizes_, spec_.input.channels, dy, static_cast<const std::int32_t*>(saved), dx,
                                       context_.type(), context_.compute.get());
    else
      kernels::cuda::average_pool_backward(sizes_, spec_.input.channels, dy, dx, context_.type(),
                                           context_.compute.get());
  }

 private:
  Context& context_;
  PoolingSpec spec_;
  kernels::WindowSizes sizes_;
};

}  // namespace

std::unique_ptr<PoolingPlan> make_pooling_plan(Context& context, const PoolingSpec& spec) {
  try {
    return std::make_unique<CudnnPooling>(context, spec);
  } catch (const NotSupported&) {
    return std::make_unique<OwnPooling>(context, spec);
  }
}

}  // namespace xrai::cuda
