// Convolution by oneDNN: activations channels last, weights reordered to what the primitive prefers.
#include <stdexcept>

#include "kernels/batch_norm.h"
#include "runtime/cpu/kept_floats.h"
#include "runtime/cpu/plans.h"
#include "runtime/cpu/weighted_pass.h"
#include "runtime/cpu/winograd_plan.h"

namespace xrai::cpu {
namespace {

class OneDnnConvolution final : public ConvolutionPlan {
 public:
  OneDnnConvolution(OneDnn& onednn, const ConvolutionSpec& spec, const ConvolutionMemory& m)
      : constant_(spec.constant && !spec.training),
        passes_(onednn, m.weights_stored, spec.relu ? spec.output().count() : 0) {
    const auto forward = convolution_forward(onednn.engine, spec, m);
    implementation_ = forward.impl_info_str();
    passes_.plan_forward(dnnl::convolution_forward(forward), forward);
    if (!spec.training) return;
    const auto weights = convolution_backward_weights(onednn.engine, spec, m, forward);
    passes_.plan_weight_gradient(dnnl::convolution_backward_weights(weights), weights);
    if (!spec.input_gradient) return;
    const auto data = convolution_backward_data(onednn.engine, spec, m, forward);
    passes_.plan_input_gradient(dnnl::convolution_backward_data(data), data);
  }

  [[nodiscard]] std::size_t workspace_bytes() const override { return passes_.workspace_bytes(); }
  [[nodiscard]] std::string implementation() const override { return implementation_; }
  [[nodiscard]] std::size_t kept_bytes() const override {
    return constant_ ? static_cast<std::size_t>(passes_.prepared_floats()) * sizeof(float) : 0;
  }

  void forward(const void* x, const void* weights, const void* bias, void* y, void* workspace) override {
    if (!constant_) return passes_.forward(x, weights, bias, y, workspace);
    if (prepared_.data() == nullptr) {
      prepared_ = KeptFloats(passes_.prepared_floats());
      passes_.prepare(weights, prepared_.data());
    }
    passes_.forward_prepared(x, prepared_.data(), bias, y, workspace);
  }
  void backward(const void* x, const void* weights, const void* y, void* dy, void* dx, float* dweights, float* dbias,
                void* workspace) override {
    passes_.backward(x, weights, y, dy, dx, dweights, dbias, workspace);
  }

 private:
  std::string implementation_;
  bool constant_;
  WeightedPasses passes_;
  KeptFloats prepared_;  // of weights that stay as they are
};

// With the normalisation behind it folded in: y = relu(x * (weights * scale) + shift), one scale and shift a filter.
class FoldedConvolution final : public ConvolutionPlan {
 public:
  /// `spec`: with the bias and the ReLU that folding makes.
  FoldedConvolution(OneDnn& onednn, const ConvolutionSpec& spec, const ConvolutionMemory& m)
      : filters_(spec.filters),
        per_filter_(spec.weight_count() / spec.filters),
        constant_(spec.constant),
        passes_(onednn, m.weights_stored, 0) {
    const auto forward = convolution_forward(onednn.engine, spec, m);
    implementation_ = forward.impl_info_str();
    passes_.plan_forward(dnnl::convolution_forward(forward), forward);
  }

  [[nodiscard]] std::size_t workspace_bytes() const override {
    return aligned(passes_.workspace_bytes()) + (constant_ ? 0 : shift_bytes() + folded_bytes());
  }
  [[nodiscard]] std::string implementation() const override { return implementation_; }
  [[nodiscard]] std::size_t kept_bytes() const override {
    return constant_ ? static_cast<std::size_t>(passes_.prepared_floats()) * sizeof(float) + shift_bytes() : 0;
  }
  void forward(const void*, const void*, const void*, void*, void*) override { throw_folded(); }
  void backward(const void*, const void*, const void*, void*, void*, float*, float*, void*) override { throw_folded(); }

  [[nodiscard]] bool normalises() const override { return true; }

  void forward_normalised(const void* x, const void* weights, const kernels::BatchNormArguments& norm,
                          void* workspace) override {
    if (constant_) {
      if (shift_.data() == nullptr) keep(static_cast<const float*>(weights), norm);
      return passes_.forward_prepared(x, prepared_.data(), shift_.data(), norm.y, workspace);
    }
    auto* shift = reinterpret_cast<float*>(static_cast<std::byte*>(workspace) + aligned(passes_.workspace_bytes()));
    float* folded = shift + shift_bytes() / sizeof(float);
    kernels::cpu::fold_batch_norm(norm, static_cast<const float*>(weights), per_filter_, folded, shift);
    passes_.forward(x, folded, shift, norm.y, workspace);
  }

 private:
  [[noreturn]] static void throw_folded() {
    throw std::logic_error("a convolution with its normalisation folded in has a forward pass only");
  }
  [[nodiscard]] std::size_t shift_bytes() const { return aligned(static_cast<std::size_t>(filters_) * sizeof(float)); }
  [[nodiscard]] std::size_t folded_bytes() const {
    return aligned(static_cast<std::size_t>(filters_ * per_filter_) * sizeof(float));
  }

  void keep(const float* weights, const kernels::BatchNormArguments& norm) {
    const KeptFloats folded(filters_ * per_filter_);
    prepared_ = KeptFloats(passes_.prepared_floats());
    KeptFloats shift(filters_);
    kernels::cpu::fold_batch_norm(norm, weights, per_filter_, folded.data(), shift.data());
    passes_.prepare(folded.data(), prepared_.data());
    shift_ = std::move(shift);
  }

  std::int64_t filters_, per_filter_;
  bool constant_;
  std::string implementation_;
  WeightedPasses passes_;
  KeptFloats prepared_, shift_;  // of weights that stay as they are
};

// A residual would have to be in y before, and the pooling reads the convolution's output anyway.
bool can_be_folded(const ConvolutionSpec& spec) {
  return spec.normalised && !spec.normalised->residual && !spec.normalised->pool;
}

ConvolutionSpec folded(ConvolutionSpec spec) {
  spec.bias = true;
  spec.relu = spec.normalised->relu;
  spec.normalised.reset();
  return spec;
}

}  // namespace

std::unique_ptr<ConvolutionPlan> make_convolution_plan(OneDnn& onednn, const ConvolutionSpec& spec) {
  if (auto plan = make_winograd_plan(spec)) return plan;
  if (can_be_folded(spec)) {
    const ConvolutionSpec with_bias = folded(spec);
    return std::make_unique<FoldedConvolution>(onednn, with_bias, convolution_memory(with_bias));
  }
  return std::make_unique<OneDnnConvolution>(onednn, spec, convolution_memory(spec));
}

}  // namespace xrai::cpu
