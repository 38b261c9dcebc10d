#include "runtime/cpu/cpu_device.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "kernels/parallel.h"
#include "runtime/core/error.h"
#include "runtime/core/host.h"
#include "runtime/cpu/plans.h"

namespace xrai {
namespace {

void unmap(void* bytes, std::size_t size) noexcept {
  ::munmap(bytes, size);
}

// Pages come zeroed from the system and in huge ones where it has them: activations are walked over from end to end.
Buffer map_memory(std::size_t bytes) {
  const std::size_t size = bytes == 0 ? 64 : bytes;
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    throw Error(
        ExitCode::kOutOfMemory,
        fmt::format("out of memory: {:.1f} MiB could not be had ({}); try a smaller --batch-size or --image-size",
                    static_cast<double>(size) / 1048576.0, std::strerror(errno)));
  constexpr std::size_t kWorthHugePages = std::size_t{4} << 20;
  if (size >= kWorthHugePages) ::madvise(memory, size, MADV_HUGEPAGE);
  return {memory, size, unmap};
}

// The data of an empty vector may be null, which memcpy does not take even for no bytes.
void copy_bytes(void* to, const void* from, std::size_t bytes) {
  if (bytes > 0) std::memcpy(to, from, bytes);
}

class CpuDevice final : public Device {
 public:
  CpuDevice(int threads, Precision precision) : threads_(threads), precision_(precision) {
    kernels::set_thread_count(threads);
  }

  [[nodiscard]] std::string name() const override { return "cpu"; }
  [[nodiscard]] std::string description() const override {
    return fmt::format("{}, {}, {} thread{}{}", cpu_name(), cpu_features(), threads_, threads_ == 1 ? "" : "s",
                       precision_ == Precision::kInt8 ? ", int8" : "");
  }

  [[nodiscard]] Precision precision() const override { return precision_; }

  Buffer allocate(std::size_t bytes) override { return map_memory(bytes); }
  Buffer allocate_staging(std::size_t bytes) override { return map_memory(bytes); }
  void upload(void* to, const void* from, std::size_t bytes, Queue) override { copy_bytes(to, from, bytes); }
  void download(void* to, const void* from, std::size_t bytes) override { copy_bytes(to, from, bytes); }
  void download_later(void* to, const void* from, std::size_t bytes) override { copy_bytes(to, from, bytes); }
  void copy(void* to, const void* from, std::size_t bytes) override { copy_bytes(to, from, bytes); }

  // Every call has done its work when it returns: all markers are passed, and there is nothing to record.
  std::unique_ptr<Marker> make_marker() override { return std::make_unique<Marker>(); }
  void mark(Marker&, Queue) override {}
  void wait(Queue, const Marker&) override {}
  [[nodiscard]] bool reached(const Marker&) override { return true; }
  void wait_until_reached(const Marker&) override {}
  void synchronize() override {}
  std::unique_ptr<Recording> record(const std::function<void()>&, std::string&) override { return nullptr; }
  void replay(Recording&) override {}

  bool start_profile() override { return false; }
  void stop_profile() override {}

  std::unique_ptr<ConvolutionPlan> plan(const ConvolutionSpec& spec) override {
    validate(spec);
    return cpu::make_convolution_plan(onednn_, spec);
  }
  std::unique_ptr<ByteConvolutionPlan> plan_bytes(const ByteConvolutionSpec& spec) override {
    validate(spec.convolution());
    return cpu::make_byte_convolution_plan(onednn_, spec);
  }
  std::unique_ptr<PoolingPlan> plan(const PoolingSpec& spec) override {
    validate(spec);
    return cpu::make_pooling_plan(onednn_, spec);
  }
  std::unique_ptr<DensePlan> plan(const DenseSpec& spec) override {
    validate(spec);
    return cpu::make_dense_plan(onednn_, spec);
  }

  void augment(const kernels::AugmentArguments& a) override { kernels::cpu::augment(a); }
  void batch_statistics(const kernels::BatchStatisticsArguments& a) override { kernels::cpu::batch_statistics(a); }
  void batch_norm(const kernels::BatchNormArguments& a) override { kernels::cpu::batch_norm(a); }
  void batch_norm_backward(const kernels::BatchNormBackwardArguments& a) override {
    kernels::cpu::batch_norm_backward(a);
  }
  void inverse_deviation(const float* variance, float epsilon, std::int64_t channels, float* inverse) override {
    kernels::cpu::inverse_deviation(variance, epsilon, channels, inverse);
  }
  [[nodiscard]] bool recomputes_outputs() const override { return true; }
  [[nodiscard]] bool has_first_block() const override { return true; }
  void first_block_statistics(const kernels::FirstBlockStatisticsArguments& a) override {
    kernels::cpu::first_block_statistics(a);
  }
  void first_block(const kernels::FirstBlockArguments& a) override { kernels::cpu::first_block(a); }
  void first_block_backward(const kernels::FirstBlockBackwardArguments& a) override {
    kernels::cpu::first_block_backward(a);
  }
  void add(const void* a, const void* b, void* sum, std::int64_t n) override { kernels::cpu::add(a, b, sum, n); }
  void relu(const void* x, void* y, std::int64_t n) override { kernels::cpu::relu(x, y, n); }
  void relu_backward(const void* y, const void* dy, void* dx, std::int64_t n) override {
    kernels::cpu::relu_backward(y, dy, dx, n);
  }
  void dropout(const kernels::DropoutArguments& a) override { kernels::cpu::dropout(a); }
  void global_average_pool(const void* x, void* y, std::int64_t n, std::int64_t positions,
                           std::int64_t channels) override {
    kernels::cpu::global_average_pool(x, y, n, positions, channels);
  }
  void global_average_pool_backward(const void* dy, void* dx, std::int64_t n, std::int64_t positions,
                                    std::int64_t channels) override {
    kernels::cpu::global_average_pool_backward(dy, dx, n, positions, channels);
  }
  void loss(const kernels::LossArguments& a) override { kernels::cpu::loss(a); }
  void probabilities(const kernels::ProbabilityArguments& a) override { kernels::cpu::probabilities(a); }
  void sum_of_squares(const float* x, std::int64_t n, double* workspace, double* result) override {
    kernels::cpu::sum_of_squares(x, n, workspace, result);
  }
  void decide_update(const kernels::DecideUpdateArguments& a) override { kernels::cpu::decide_update(a); }
  void undo_if_skipped(const kernels::UpdateDecision* decision, const float* before, float* values,
                       std::int64_t n) override {
    kernels::cpu::undo_if_skipped(decision, before, values, n);
  }
  void adamw(const kernels::AdamWArguments& a) override { kernels::cpu::adamw(a); }
  void sgd(const kernels::SgdArguments& a) override { kernels::cpu::sgd(a); }
  void narrow(const float* from, void* to, std::int64_t n) override {
    if (to != from) copy_bytes(to, from, static_cast<std::size_t>(n) * sizeof(float));
  }
  void widen(const void* from, float* to, std::int64_t n) override {
    copy_bytes(to, from, static_cast<std::size_t>(n) * sizeof(float));
  }

 private:
  int threads_;
  Precision precision_;
  cpu::OneDnn onednn_;
};

}  // namespace

std::unique_ptr<Device> make_cpu_device(int threads, Precision precision) {
  if (precision == Precision::kInt8 && !cpu::multiplies_bytes())
    throw Error(ExitCode::kUsage,
                fmt::format("--precision int8 needs a processor that multiplies bytes (AVX-512 VNNI or AVX-VNNI), and "
                            "{} does not; take --precision fp32",
                            cpu_name()));
  return std::make_unique<CpuDevice>(threads > 0 ? threads : available_cores(), precision);
}

}  // namespace xrai
