// Max and average pooling by cuDNN's graphs, any window.
#include <algorithm>
#include <optional>

#include "runtime/cuda/cudnn_plan.h"
#include "runtime/cuda/plans.h"

namespace xrai::cuda {
namespace {

class CudnnPooling final : public PoolingPlan {
 public:
  CudnnPooling(Context& context, const PoolingSpec& spec)
      : context_(context), forward_(first_plan(pooling_forward(spec, context.type(), context.target))) {
    if (spec.training) backward_ = first_plan(pooling_backward(spec, context.type(), context.target));
    if (spec.training && spec.kind == PoolingKind::kMax)
      places_bytes_ = aligned(static_cast<std::size_t>(spec.output().count()));
  }

  // Places of the maxima, then what the library works in: pooling needs next to none.
  [[nodiscard]] std::size_t saved_bytes() const override {
    return places_bytes_ + std::max(forward_.workspace_bytes(), backward_ ? backward_->workspace_bytes() : 0);
  }

  void forward(const void* x, void* y, void* saved) override {
    forward_.execute(context_.cudnn.get(), {bind(Operand::kX, x), bind(Operand::kY, y), bind(Operand::kPlaces, saved)},
                     workspace(saved));
  }

  void backward(const void* dy, void* dx, const void* saved) override {
    backward_->execute(context_.cudnn.get(),
                       {bind(Operand::kDy, dy), bind(Operand::kDx, dx), bind(Operand::kPlaces, saved)},
                       workspace(const_cast<void*>(saved)));
  }

 private:
  [[nodiscard]] CudnnPlan first_plan(CudnnGraph graph) const {
    return CudnnPlanList(std::move(graph), context_.target, pooling_policy()).first();
  }
  [[nodiscard]] void* workspace(void* saved) const { return static_cast<std::byte*>(saved) + places_bytes_; }

  Context& context_;
  CudnnPlan forward_;
  std::optional<CudnnPlan> backward_;
  std::size_t places_bytes_ = 0;
};

}  // namespace

std::unique_ptr<PoolingPlan> make_pooling_plan(Context& context, const PoolingSpec& spec) {
  return std::make_unique<CudnnPooling>(context, spec);
}

}  // namespace xrai::cuda
