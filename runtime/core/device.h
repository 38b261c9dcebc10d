// THE SEAM. Where bytes live and in which order work runs. A CPU device and a CUDA device stand side by side behind
// it; nothing above knows which one it has. Work is queued in call order; only download() and synchronize() wait.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "kernels/augment.h"
#include "kernels/batch_norm.h"
#include "kernels/elementwise.h"
#include "kernels/loss.h"
#include "kernels/optimiser.h"
#include "runtime/core/buffer.h"
#include "runtime/core/plans.h"
#include "runtime/core/specs.h"

namespace xrai {

class Device {
 public:
  virtual ~Device() = default;

  /// "cpu" or "cuda:0".
  [[nodiscard]] virtual std::string name() const = 0;
  /// A line for people: processor or card, threads, libraries.
  [[nodiscard]] virtual std::string description() const = 0;

  // Memory. Errors: Error(kOutOfMemory) with what was asked for.
  /// Zeroed device memory, aligned to 64 bytes at least.
  virtual Buffer allocate(std::size_t bytes) = 0;
  /// Host memory from which upload is asynchronous (pinned on CUDA).
  virtual Buffer allocate_staging(std::size_t bytes) = 0;
  virtual void upload(void* to_device, const void* from_host, std::size_t bytes) = 0;
  virtual void download(void* to_host, const void* from_device, std::size_t bytes) = 0;
  virtual void set_zero(void* device, std::size_t bytes) = 0;
  virtual void synchronize() = 0;

  // Plans; specs are validated here. Errors: Error(kUsage) for a spec that makes no sense.
  virtual std::unique_ptr<ConvolutionPlan> plan(const ConvolutionSpec& spec) = 0;
  virtual std::unique_ptr<PoolingPlan> plan(const PoolingSpec& spec) = 0;
  virtual std::unique_ptr<DensePlan> plan(const DenseSpec& spec) = 0;

  // Our own kernels; contracts in kernels/*.h, pointers are device memory.
  virtual void augment(const kernels::AugmentArguments& arguments) = 0;
  virtual void batch_statistics(const kernels::BatchStatisticsArguments& arguments) = 0;
  virtual void batch_norm(const kernels::BatchNormArguments& arguments) = 0;
  virtual void batch_norm_backward(const kernels::BatchNormBackwardArguments& arguments) = 0;
  virtual void inverse_deviation(const float* variance, float epsilon, std::int64_t channels, float* inverse) = 0;
  virtual void add(const float* a, const float* b, float* sum, std::int64_t n) = 0;
  virtual void relu(const float* x, float* y, std::int64_t n) = 0;
  virtual void relu_backward(const float* y, const float* dy, float* dx, std::int64_t n) = 0;
  virtual void dropout(const kernels::DropoutArguments& arguments) = 0;
  virtual void global_average_pool(const float* x, float* y, std::int64_t n, std::int64_t positions,
                                   std::int64_t channels) = 0;
  virtual void global_average_pool_backward(const float* dy, float* dx, std::int64_t n, std::int64_t positions,
                                            std::int64_t channels) = 0;
  virtual void loss(const kernels::LossArguments& arguments) = 0;
  virtual void probabilities(const kernels::ProbabilityArguments& arguments) = 0;
  virtual void sum_of_squares(const float* x, std::int64_t n, double* result) = 0;
  virtual void adamw(const kernels::AdamWArguments& arguments) = 0;
  virtual void sgd(const kernels::SgdArguments& arguments) = 0;
};

}  // namespace xrai
