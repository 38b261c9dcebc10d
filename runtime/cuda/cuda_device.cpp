#include "runtime/cuda/cuda_device.h"

#include <cuda_profiler_api.h>

#include "runtime/cuda/diagnosis.h"
#include "runtime/cuda/memory.h"
#include "runtime/cuda/nvtx_trace.h"
#include "runtime/cuda/plans.h"

namespace xrai::cuda {
namespace {

const Card& made_current(const Card& card) {
  check(cudaSetDevice(card.ordinal));
  return card;
}

class CudaDevice final : public Device {
 public:
  CudaDevice(const Card& card, Precision precision) : card_(made_current(card)), context_(card.name, precision) {
    if (!nvtx_.is_heard()) return;
    NvtxTrace::name_stream(context_.compute.get(), "xrai compute");
    NvtxTrace::name_stream(context_.copy.get(), "xrai copy");
    set_trace(&nvtx_);
  }
  ~CudaDevice() override { cudaDeviceSynchronize(); }

  [[nodiscard]] std::string name() const override { return fmt::format("cuda:{}", card_.ordinal); }
  [[nodiscard]] std::string description() const override {
    return fmt::format("{}, compute capability {}.{}, {}, cuDNN {}", card_.name, card_.major, card_.minor,
                       precision_name(context_.precision), cudnnGetVersion());
  }
  [[nodiscard]] Precision precision() const override { return context_.precision; }

  [[nodiscard]] std::uint64_t free_bytes() override { return free_device_bytes(); }
  Buffer allocate(std::size_t bytes) override {
    Buffer buffer = allocate_device(bytes);
    check(cudaMemsetAsync(buffer.data(), 0, buffer.size_bytes(), compute()));
    check(cudaStreamSynchronize(compute()));  // the copy stream may be the first to use it
    return buffer;
  }
  Buffer allocate_staging(std::size_t bytes) override { return allocate_pinned(bytes); }
  void upload(void* to, const void* from, std::size_t bytes, Queue queue) override {
    copies_.upload(to, from, bytes, stream(queue));
  }
  void download(void* to, const void* from, std::size_t bytes) override {
    copies_.download(to, from, bytes, compute());
  }
  void download_later(void* to, const void* from, std::size_t bytes) override {
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, compute()));
  }
  void copy(void* to, const void* from, std::size_t bytes) override {
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, compute()));
  }

  std::unique_ptr<Marker> make_marker() override { return std::make_unique<EventMarker>(); }
  void mark(Marker& marker, Queue queue) override { check(cudaEventRecord(event(marker), stream(queue))); }
  void wait(Queue queue, const Marker& marker) override { check(cudaStreamWaitEvent(stream(queue), event(marker), 0)); }
  [[nodiscard]] bool reached(const Marker& marker) override {
    const cudaError_t status = cudaEventQuery(event(marker));
    if (status == cudaErrorNotReady) {
      cudaGetLastError();
      return false;
    }
    check(status);
    return true;
  }
  void wait_until_reached(const Marker& marker) override { check(cudaEventSynchronize(event(marker))); }
  void synchronize() override {
    check(cudaStreamSynchronize(context_.copy.get()));
    check(cudaStreamSynchronize(compute()));
  }
  std::unique_ptr<Recording> record(const std::function<void()>& work, std::string& remark) override;
  void replay(Recording& recording) override { static_cast<GraphRecording&>(recording).launch(compute()); }

  // Both ends of the window wait, so that it holds the device's work of its steps and of no others.
  bool start_profile() override {
    synchronize();
    check(cudaProfilerStart());
    return true;
  }
  void stop_profile() override {
    synchronize();
    check(cudaProfilerStop());
  }

  std::unique_ptr<ConvolutionPlan> plan(const ConvolutionSpec& spec) override {
    validate(spec);
    return make_convolution_plan(context_, spec);
  }
  std::unique_ptr<PoolingPlan> plan(const PoolingSpec& spec) override {
    validate(spec);
    return make_pooling_plan(context_, spec);
  }
  std::unique_ptr<DensePlan> plan(const DenseSpec& spec) override {
    validate(spec);
    return make_dense_plan(context_, spec);
  }

  void time_plans(PlanChoices known) override { context_.tuner.emplace(std::move(known)); }
  [[nodiscard]] PlanChoices plan_choices() const override {
    return context_.tuner ? context_.tuner->choices() : PlanChoices{};
  }
  std::string take_choice_remark() override { return context_.tuner ? context_.tuner->take_remark() : std::string(); }

  void augment(const kernels::AugmentArguments& a) override { kernels::cuda::augment(a, type(), compute()); }
  void batch_statistics(const kernels::BatchStatisticsArguments& a) override {
    kernels::cuda::batch_statistics(a, type(), compute());
  }
  void batch_norm(const kernels::BatchNormArguments& a) override { kernels::cuda::batch_norm(a, type(), compute()); }
  void batch_norm_backward(const kernels::BatchNormBackwardArguments& a) override {
    kernels::cuda::batch_norm_backward(a, type(), compute());
  }
  void inverse_deviation(const float* variance, float epsilon, std::int64_t channels, float* inverse) override {
    kernels::cuda::inverse_deviation(variance, epsilon, channels, inverse, compute());
  }
  void add(const void* a, const void* b, void* sum, std::int64_t n) override {
    kernels::cuda::add(a, b, sum, n, type(), compute());
  }
  void relu(const void* x, void* y, std::int64_t n) override { kernels::cuda::relu(x, y, n, type(), compute()); }
  void relu_backward(const void* y, const void* dy, void* dx, std::int64_t n) override {
    kernels::cuda::relu_backward(y, dy, dx, n, type(), compute());
  }
  void dropout(const kernels::DropoutArguments& a) override { kernels::cuda::dropout(a, type(), compute()); }
  void global_average_pool(const void* x, void* y, std::int64_t n, std::int64_t positions,
                           std::int64_t channels) override {
    kernels::cuda::global_average_pool(x, y, n, positions, channels, type(), compute());
  }
  void global_average_pool_backward(const void* dy, void* dx, std::int64_t n, std::int64_t positions,
                                    std::int64_t channels) override {
    kernels::cuda::global_average_pool_backward(dy, dx, n, positions, channels, type(), compute());
  }
  void loss(const kernels::LossArguments& a) override { kernels::cuda::loss(a, type(), compute()); }
  void probabilities(const kernels::ProbabilityArguments& a) override {
    kernels::cuda::probabilities(a, type(), compute());
  }
  void sum_of_squares(const float* x, std::int64_t n, double* workspace, double* result) override {
    kernels::cuda::sum_of_squares(x, n, workspace, result, compute());
  }
  void decide_update(const kernels::DecideUpdateArguments& a) override { kernels::cuda::decide_update(a, compute()); }
  void undo_if_skipped(const kernels::UpdateDecision* decision, const float* before, float* values,
                       std::int64_t n) override {
    kernels::cuda::undo_if_skipped(decision, before, values, n, compute());
  }
  void adamw(const kernels::AdamWArguments& a) override { kernels::cuda::adamw(a, type(), compute()); }
  void sgd(const kernels::SgdArguments& a) override { kernels::cuda::sgd(a, type(), compute()); }
  void narrow(const float* from, void* to, std::int64_t n) override {
    kernels::cuda::narrow(from, to, n, type(), compute());
  }
  void widen(const void* from, float* to, std::int64_t n) override {
    kernels::cuda::widen(from, to, n, type(), compute());
  }

 private:
  [[nodiscard]] DataType type() const { return context_.type(); }
  [[nodiscard]] cudaStream_t compute() const { return context_.compute.get(); }
  [[nodiscard]] cudaStream_t stream(Queue queue) const {
    return queue == Queue::kCompute ? context_.compute.get() : context_.copy.get();
  }
  static cudaEvent_t event(const Marker& marker) { return static_cast<const EventMarker&>(marker).get(); }

  Card card_;
  Context context_;
  HostCopies copies_;
  NvtxTrace nvtx_;
};

// What can't be captured, or an error on the way, ends the capture; the caller queues the work as usual then.
std::unique_ptr<Recording> CudaDevice::record(const std::function<void()>& work, std::string& remark) {
  std::string obstacle;
  const auto attempt = [&](const auto& part) {
    try {
      part();
    } catch (const std::exception& error) {
      if (obstacle.empty()) obstacle = error.what();
    }
  };
  std::unique_ptr<GraphRecording> recording;
  attempt([&] { check(cudaStreamBeginCapture(compute(), cudaStreamCaptureModeThreadLocal)); });
  if (obstacle.empty()) {
    attempt(work);
    cudaGraph_t graph = nullptr;
    attempt([&] { check(cudaStreamEndCapture(compute(), &graph)); });
    if (obstacle.empty())
      attempt([&] { recording = std::make_unique<GraphRecording>(graph); });
    else if (graph != nullptr)
      cudaGraphDestroy(graph);
  }
  remark = recording ? fmt::format("on, a step is one launch of {} operations", recording->n_nodes())
                     : "off, because " + obstacle;
  return recording;
}

}  // namespace

std::unique_ptr<Device> make_cuda_device(const CudaRequest& request) {
  const Card card = find_card(request.ordinal);
  return std::make_unique<CudaDevice>(card, choose_precision(card, request.precision));
}

}  // namespace xrai::cuda
