// THE SEAM. Where bytes live and in which order work runs. A CPU device and a CUDA device stand side by side behind
// it; nothing above knows which one it has. Work is queued in call order; what waits says so.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>

#include "kernels/augment.h"
#include "kernels/batch_norm.h"
#include "kernels/data_type.h"
#include "kernels/elementwise.h"
#include "kernels/first_block.h"
#include "kernels/loss.h"
#include "kernels/optimiser.h"
#include "runtime/core/buffer.h"
#include "runtime/core/plans.h"
#include "runtime/core/precision.h"
#include "runtime/core/specs.h"
#include "runtime/core/trace.h"

namespace xrai {

/// Work of one queue runs in call order; the two run side by side unless one waits for a marker of the other.
enum class Queue { kCompute, kCopy };

/// A place in a queue's order, recorded again and again.
class Marker {
 public:
  virtual ~Marker() = default;
};

/// Compute work that was recorded once and can be queued again as a whole.
class Recording {
 public:
  virtual ~Recording() = default;
};

class Device {
 public:
  virtual ~Device() = default;

  /// "cpu" or "cuda:0".
  [[nodiscard]] virtual std::string name() const = 0;
  /// A line for people: processor or card, threads, libraries.
  [[nodiscard]] virtual std::string description() const = 0;
  [[nodiscard]] virtual Precision precision() const = 0;
  /// How activations lie in this device's memory: every pointer that the kernels' contracts call so.
  [[nodiscard]] DataType activation_type() const { return activation_type_of(precision()); }

  // Memory. Errors: Error(kOutOfMemory) with what was asked for.
  /// Of the device's own memory; 0 where it has none but the host's.
  [[nodiscard]] virtual std::uint64_t free_bytes() { return 0; }
  /// Zeroed device memory, aligned to 64 bytes at least.
  virtual Buffer allocate(std::size_t bytes) = 0;
  /// Host memory from which upload is asynchronous (pinned on CUDA).
  virtual Buffer allocate_staging(std::size_t bytes) = 0;
  /// From staging memory it is only queued, and the bytes must stay until a marker behind it is reached; from any
  /// other memory it has read them when it returns.
  virtual void upload(void* to_device, const void* from_host, std::size_t bytes, Queue queue) = 0;
  /// Waits for the compute queue.
  virtual void download(void* to_host, const void* from_device, std::size_t bytes) = 0;
  /// Between places of the device, in the compute queue.
  virtual void copy(void* to, const void* from, std::size_t bytes) = 0;
  /// Only queued, in the compute queue: the bytes have come when a marker behind it is reached. To staging memory.
  virtual void download_later(void* to_staging, const void* from_device, std::size_t bytes) = 0;

  // Order.
  virtual std::unique_ptr<Marker> make_marker() = 0;
  virtual void mark(Marker& marker, Queue queue) = 0;
  /// What is queued from now on runs after the marker; the host goes on. A marker that was never set is passed.
  virtual void wait(Queue queue, const Marker& marker) = 0;
  [[nodiscard]] virtual bool reached(const Marker& marker) = 0;
  /// The host waits.
  virtual void wait_until_reached(const Marker& marker) = 0;
  /// The host waits for everything.
  virtual void synchronize() = 0;
  /// Calls `work` and records the compute work that it queues, without running it. Null where a device does not record
  /// or cannot this time: nothing was queued then. `remark` is for people: "on, ..." or
  /// "off, because ...", and stays empty on a device that never records.
  virtual std::unique_ptr<Recording> record(const std::function<void()>& work, std::string& remark) = 0;
  virtual void replay(Recording& recording) = 0;

  // For profilers.
  /// Who listens to the ranges that whoever uses the device opens; null: nobody.
  [[nodiscard]] Trace* trace() const { return trace_; }
  /// Not owned; it must live until it is replaced or the device is no more used.
  void set_trace(Trace* trace) { trace_ = trace; }
  /// Wait for the device and switch the profiler that the process was started under on and off. False where there is
  /// no such thing for the device.
  virtual bool start_profile() = 0;
  virtual void stop_profile() = 0;

  // Plans; specs are validated here. Errors: Error(kUsage) for a spec that makes no sense.
  virtual std::unique_ptr<ConvolutionPlan> plan(const ConvolutionSpec& spec) = 0;
  virtual std::unique_ptr<PoolingPlan> plan(const PoolingSpec& spec) = 0;
  virtual std::unique_ptr<DensePlan> plan(const DenseSpec& spec) = 0;

  /// Only where precision() is kInt8.
  virtual std::unique_ptr<ByteConvolutionPlan> plan_bytes(const ByteConvolutionSpec&) {
    throw std::logic_error("this device has no convolution of bytes");
  }

  /// Plans made from now on are the fastest of those that the vendor's library proposes, found out by running them;
  /// their sums may come in another order at every run. `known`: choices of an earlier run. Nothing on a device that
  /// has no choice.
  virtual void time_plans([[maybe_unused]] PlanChoices known) {}
  [[nodiscard]] virtual PlanChoices plan_choices() const { return {}; }
  /// A line about the choices since the last call; empty: there were none.
  virtual std::string take_choice_remark() { return {}; }

  // Our own kernels; contracts in kernels/*.h, pointers are device memory.
  virtual void augment(const kernels::AugmentArguments& arguments) = 0;
  virtual void batch_statistics(const kernels::BatchStatisticsArguments& arguments) = 0;
  virtual void batch_norm(const kernels::BatchNormArguments& arguments) = 0;
  virtual void batch_norm_backward(const kernels::BatchNormBackwardArguments& arguments) = 0;
  virtual void inverse_deviation(const float* variance, float epsilon, std::int64_t channels, float* inverse) = 0;
  /// Whether computing a value a second time, in a walk over memory, costs less here than keeping it does.
  /// batch_norm_backward then does not read y where there is neither residual nor pooling.
  [[nodiscard]] virtual bool recomputes_outputs() const { return false; }
  /// Whether the three calls behind it exist here. Float32 activations only.
  [[nodiscard]] virtual bool has_first_block() const { return false; }
  virtual void first_block_statistics(const kernels::FirstBlockStatisticsArguments&) { no_first_block(); }
  virtual void first_block(const kernels::FirstBlockArguments&) { no_first_block(); }
  virtual void first_block_backward(const kernels::FirstBlockBackwardArguments&) { no_first_block(); }
  virtual void add(const void* a, const void* b, void* sum, std::int64_t n) = 0;
  virtual void relu(const void* x, void* y, std::int64_t n) = 0;
  virtual void relu_backward(const void* y, const void* dy, void* dx, std::int64_t n) = 0;
  virtual void dropout(const kernels::DropoutArguments& arguments) = 0;
  virtual void global_average_pool(const void* x, void* y, std::int64_t n, std::int64_t positions,
                                   std::int64_t channels) = 0;
  virtual void global_average_pool_backward(const void* dy, void* dx, std::int64_t n, std::int64_t positions,
                                            std::int64_t channels) = 0;
  virtual void loss(const kernels::LossArguments& arguments) = 0;
  virtual void probabilities(const kernels::ProbabilityArguments& arguments) = 0;
  virtual void sum_of_squares(const float* x, std::int64_t n, double* workspace, double* result) = 0;
  virtual void decide_update(const kernels::DecideUpdateArguments& arguments) = 0;
  virtual void undo_if_skipped(const kernels::UpdateDecision* decision, const float* before, float* values,
                               std::int64_t n) = 0;
  virtual void adamw(const kernels::AdamWArguments& arguments) = 0;
  virtual void sgd(const kernels::SgdArguments& arguments) = 0;
  /// to[i] = from[i] in the activations' type.
  virtual void narrow(const float* from, void* to, std::int64_t n) = 0;
  /// The other way: to[i] = from[i] as float.
  virtual void widen(const void* from, float* to, std::int64_t n) = 0;

 private:
  [[noreturn]] static void no_first_block() { throw std::logic_error("this device has no kernel for a first block"); }

  Trace* trace_ = nullptr;
};

}  // namespace xrai
