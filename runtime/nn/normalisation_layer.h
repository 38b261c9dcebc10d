// Batch normalisation with what is joined to it, as a layer of its own and as the second half of a convolution block.
#pragma once

#include "runtime/nn/layer.h"
#include "runtime/nn/slice.h"

namespace xrai {

/// Saved: the batch's mean and inverse deviation, and with pooling one byte a window and channel.
class NormalisationLayerPlan final : public Layer {
 public:
  NormalisationLayerPlan(Device& device, Parameters& parameters, const LayerRequest& request,
                         const NormalisationNode& node, const Shape& in);

  void forward(const LayerMemory& memory, StepContext context) override;
  void backward(const LayerMemory& memory, StepContext context) override;
  void forward_again(const LayerMemory& memory, StepContext context) override;
  void output_again(const LayerMemory& memory) override { normalise(memory); }
  [[nodiscard]] std::size_t saved_bytes() const override;
  [[nodiscard]] std::size_t workspace_bytes() const override;
  [[nodiscard]] bool backward_reads_input() const override { return true; }
  [[nodiscard]] bool backward_reads_output() const override;
  [[nodiscard]] bool gradient_may_replace_input() const override { return true; }
  [[nodiscard]] bool output_may_replace_input() const override { return !node_.pool; }
  // A pooled output is a quarter of what would have to be read for it.
  [[nodiscard]] bool repeats_output() const override { return training_ && !node_.pool; }

  // The halves of forward in training, and backward's arguments, for who runs them some pictures at a time. `again`:
  // the running statistics have seen this batch already.
  [[nodiscard]] kernels::BatchStatisticsArguments statistics_arguments(const LayerMemory& memory, bool again) const;
  void normalise(const LayerMemory& memory) const;
  /// What normalise() calls the kernel with; by running statistics, these are made ready.
  [[nodiscard]] kernels::BatchNormArguments ready_arguments(const LayerMemory& memory) const;
  [[nodiscard]] kernels::BatchNormBackwardArguments backward_arguments(const LayerMemory& memory) const;

 private:
  [[nodiscard]] std::size_t statistics_bytes() const;
  [[nodiscard]] std::int64_t windows() const;
  [[nodiscard]] float* mean(const LayerMemory& memory) const;
  [[nodiscard]] float* inverse_deviation(const LayerMemory& memory) const;
  [[nodiscard]] kernels::BatchNormArguments arguments_of(const LayerMemory& memory) const;

  Device& device_;
  NormalisationNode node_;
  kernels::BatchNormShape shape_;
  bool training_;
  Slice scale_, shift_;
  float* running_mean_ = nullptr;
  float* running_variance_ = nullptr;
};

/// Batch normalisation by itself with running statistics and a backward pass, to explain with.
std::unique_ptr<Layer> make_running_normalisation_layer(Device& device, Parameters& parameters,
                                                        const LayerRequest& request, const NormalisationNode& node,
                                                        const Shape& in);

}  // namespace xrai
