#include "apps/bench/modelled_device.h"

#include <sys/mman.h>

#include <algorithm>
#include <utility>

#include "runtime/core/error.h"

namespace xrai {
namespace {

void unmap(void* bytes, std::size_t size) noexcept {
  ::munmap(bytes, size);
}

Buffer reserve(std::size_t bytes) {
  const std::size_t size = bytes == 0 ? 64 : bytes;
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    throw Error(ExitCode::kOutOfMemory,
                fmt::format("the modelled step needs {:.1f} GiB, more than there are addresses for; try a smaller "
                            "--batch-size",
                            static_cast<double>(size) / (1 << 30)));
  return {memory, size, unmap};
}

/// What plans and kernels write their launches to.
class LaunchList {
 public:
  explicit LaunchList(DataType type) : type_(type) {}

  void add(const std::string& name, double bytes, double flops = 0) { launches_.push_back({name, flops, bytes}); }
  std::vector<Launch> take() { return std::exchange(launches_, {}); }

  [[nodiscard]] DataType type() const { return type_; }
  /// Bytes of so many activations, and of so many floats.
  [[nodiscard]] double narrow(std::int64_t count) const {
    return static_cast<double>(count) * static_cast<double>(size_of(type_));
  }
  [[nodiscard]] static double floats(std::int64_t count) { return 4.0 * static_cast<double>(count); }

 private:
  DataType type_;
  std::vector<Launch> launches_;
};

/// As kernels/elementwise.cu divides rows: so many are one part, whose sums need no second launch.
constexpr std::int64_t kRowsPerPart = 1024, kMostParts = 1024;

/// Gradients in front of the library's products, as in runtime/cuda/weighted_backward.h.
void add_gate_and_bias_gradient(LaunchList& list, std::int64_t rows, std::int64_t columns, bool relu, bool bias) {
  const double dy = list.narrow(rows * columns);
  if (relu) list.add("relu_backward", 3 * dy);
  if (!bias) return;
  list.add("column_sums", dy + LaunchList::floats(columns));
  const std::int64_t parts = std::min(kMostParts, (rows + kRowsPerPart - 1) / kRowsPerPart);
  if (parts > 1) list.add("column_sums", LaunchList::floats((parts + 1) * columns));
}

class ModelledConvolution final : public ConvolutionPlan {
 public:
  ModelledConvolution(LaunchList& list, const ConvolutionSpec& spec)
      : list_(list),
        spec_(spec),
        flops_(2.0 * static_cast<double>(spec.output().count()) *
               static_cast<double>(spec.weight_count() / spec.filters)),
        x_(list.narrow(spec.input.count())),
        weights_(list.narrow(spec.weight_count())),
        y_(list.narrow(spec.output().count())) {}

  [[nodiscard]] std::size_t workspace_bytes() const override { return 0; }
  [[nodiscard]] std::string implementation() const override { return "modelled"; }
  void forward(const void*, const void*, const void*, void*, void*) override {
    list_.add("convolution", x_ + weights_ + y_ + (spec_.bias ? list_.narrow(spec_.filters) : 0), flops_);
  }
  void backward(const void*, const void*, const void*, void*, void* dx, float*, float*, void*) override {
    add_gate_and_bias_gradient(list_, spec_.output().positions(), spec_.filters, spec_.relu, spec_.bias);
    list_.add("filter_gradient", x_ + y_ + weights_, flops_);
    if (list_.type() != DataType::kFloat32) list_.add("widen", weights_ + LaunchList::floats(spec_.weight_count()));
    if (dx != nullptr) list_.add("data_gradient", y_ + weights_ + x_, flops_);
  }

 private:
  LaunchList& list_;
  ConvolutionSpec spec_;
  double flops_, x_, weights_, y_;
};

class ModelledPooling final : public PoolingPlan {
 public:
  ModelledPooling(LaunchList& list, const PoolingSpec& spec)
      : list_(list),
        maps_(list.narrow(spec.input.count()) + list.narrow(spec.output().count())),
        places_(spec.training && spec.kind == PoolingKind::kMax ? static_cast<std::size_t>(spec.output().count()) : 0) {
  }
  [[nodiscard]] std::size_t saved_bytes() const override { return places_; }
  void forward(const void*, void*, void*) override { list_.add("pooling", maps_ + static_cast<double>(places_)); }
  void backward(const void*, void*, const void*) override {
    list_.add("pooling_gradient", maps_ + static_cast<double>(places_));
  }

 private:
  LaunchList& list_;
  double maps_;
  std::size_t places_;
};

class ModelledDense final : public DensePlan {
 public:
  ModelledDense(LaunchList& list, const DenseSpec& spec)
      : list_(list),
        spec_(spec),
        flops_(2.0 * static_cast<double>(spec.n * spec.inputs * spec.outputs)),
        x_(list.narrow(spec.n * spec.inputs)),
        weights_(list.narrow(spec.inputs * spec.outputs)),
        y_(list.narrow(spec.n * spec.outputs)) {}

  [[nodiscard]] std::size_t workspace_bytes() const override { return 0; }
  void forward(const void*, const void*, const void*, void*, void*) override {
    list_.add("product", x_ + weights_ + y_ + (spec_.bias ? list_.narrow(spec_.outputs) : 0), flops_);
  }
  void backward(const void*, const void*, const void*, void*, void* dx, float*, float*, void*) override {
    add_gate_and_bias_gradient(list_, spec_.n, spec_.outputs, spec_.relu, spec_.bias);
    list_.add("product", x_ + y_ + LaunchList::floats(spec_.inputs * spec_.outputs), flops_);
    if (dx != nullptr) list_.add("product", y_ + weights_ + x_, flops_);
  }

 private:
  LaunchList& list_;
  DenseSpec spec_;
  double flops_, x_, weights_, y_;
};

class CountingDevice final : public ModelledDevice {
 public:
  CountingDevice(std::string name, Precision precision)
      : name_(std::move(name)), precision_(precision), list_(activation_type_of(precision)) {}

  std::vector<Launch> take_launches() override { return list_.take(); }
  [[nodiscard]] std::string name() const override { return "model"; }
  [[nodiscard]] std::string description() const override {
    return fmt::format("a model of {}, {}", name_, precision_name(precision_));
  }
  [[nodiscard]] Precision precision() const override { return precision_; }

  // The bus is not in the model: batches cross it while the step before is computed.
  Buffer allocate(std::size_t bytes) override { return reserve(bytes); }
  Buffer allocate_staging(std::size_t bytes) override { return reserve(bytes); }
  void upload(void*, const void*, std::size_t, Queue) override {}
  void download(void*, const void*, std::size_t) override {}
  void download_later(void*, const void*, std::size_t) override {}
  void copy(void*, const void*, std::size_t bytes) override {
    if (bytes > 0) list_.add("copy", 2 * static_cast<double>(bytes));
  }

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
    return std::make_unique<ModelledConvolution>(list_, spec);
  }
  std::unique_ptr<PoolingPlan> plan(const PoolingSpec& spec) override {
    validate(spec);
    return std::make_unique<ModelledPooling>(list_, spec);
  }
  std::unique_ptr<DensePlan> plan(const DenseSpec& spec) override {
    validate(spec);
    return std::make_unique<ModelledDense>(list_, spec);
  }

  void augment(const kernels::AugmentArguments& a) override;
  void batch_statistics(const kernels::BatchStatisticsArguments& a) override;
  void batch_norm(const kernels::BatchNormArguments& a) override;
  void batch_norm_backward(const kernels::BatchNormBackwardArguments& a) override;
  void inverse_deviation(const float*, float, std::int64_t channels, float*) override {
    list_.add("inverse_deviation", 2 * LaunchList::floats(channels));
  }
  void add(const void*, const void*, void*, std::int64_t n) override { list_.add("add", 3 * list_.narrow(n)); }
  void relu(const void*, void*, std::int64_t n) override { list_.add("relu", 2 * list_.narrow(n)); }
  void relu_backward(const void*, const void*, void*, std::int64_t n) override {
    list_.add("relu_backward", 3 * list_.narrow(n));
  }
  void dropout(const kernels::DropoutArguments& a) override { list_.add("dropout", 2 * list_.narrow(a.n)); }
  void global_average_pool(const void*, void*, std::int64_t n, std::int64_t positions, std::int64_t channels) override {
    list_.add("global_average_pool", list_.narrow(n * (positions + 1) * channels));
  }
  void global_average_pool_backward(const void*, void*, std::int64_t n, std::int64_t positions,
                                    std::int64_t channels) override {
    list_.add("global_average_pool_backward", list_.narrow(n * (positions + 1) * channels));
  }
  void loss(const kernels::LossArguments& a) override {
    list_.add("loss", (a.dlogits != nullptr ? 2 : 1) * list_.narrow(a.n * a.n_logits) + LaunchList::floats(a.n));
  }
  void probabilities(const kernels::ProbabilityArguments& a) override {
    list_.add("probabilities",
              list_.narrow(a.n * a.n_logits) + LaunchList::floats(a.n * std::max<std::int64_t>(2, a.n_logits)));
  }
  void sum_of_squares(const float*, std::int64_t n, double*, double*) override {
    list_.add("squares", LaunchList::floats(n));
    list_.add("finish_squares", 0);
  }
  void decide_update(const kernels::DecideUpdateArguments& a) override {
    if (a.max_gradient_norm > 0 || a.scale != nullptr) list_.add("squares", LaunchList::floats(a.n));
    list_.add("decide", 0);
  }
  void undo_if_skipped(const kernels::UpdateDecision*, const float*, float*, std::int64_t n) override {
    if (n > 0) list_.add("undo", 0);  // of a step that counts
  }
  // Weights and moments are read and written, gradients read, and the narrow weights written.
  void adamw(const kernels::AdamWArguments& a) override { list_.add("adamw", update_bytes(a.n, 7, a.narrow_weights)); }
  void sgd(const kernels::SgdArguments& a) override { list_.add("sgd", update_bytes(a.n, 5, a.narrow_weights)); }
  void narrow(const float*, void*, std::int64_t n) override {
    list_.add("narrow", LaunchList::floats(n) + list_.narrow(n));
  }
  void widen(const void*, float*, std::int64_t n) override {
    list_.add("widen", LaunchList::floats(n) + list_.narrow(n));
  }

 private:
  [[nodiscard]] double update_bytes(std::int64_t n, std::int64_t floats, const void* narrow_weights) const {
    return LaunchList::floats(floats * n) + (narrow_weights != nullptr ? list_.narrow(n) : 0);
  }
  [[nodiscard]] double map_bytes(const kernels::BatchNormShape& shape) const {
    return list_.narrow(shape.positions() * shape.channels);
  }

  std::string name_;
  Precision precision_;
  LaunchList list_;
};

/// Windows of 2x2 pooling times channels: what is pooled has so many elements.
std::int64_t pooled_count(const kernels::BatchNormShape& shape) {
  return shape.n * (shape.height / 2) * (shape.width / 2) * shape.channels;
}

void CountingDevice::augment(const kernels::AugmentArguments& a) {
  const bool whole = a.ranges.contrast != 0 || a.view.standardise;
  list_.add(whole ? "augment_whole" : "augment_part",
            static_cast<double>(a.n * a.stored_height * a.stored_width) + list_.narrow(a.n * a.height * a.width));
}

void CountingDevice::batch_statistics(const kernels::BatchStatisticsArguments& a) {
  list_.add("moments", map_bytes(a.shape));
  list_.add("merge_moments", 0);  // its partial sums are a few hundredths of what the first launch reads
}

void CountingDevice::batch_norm(const kernels::BatchNormArguments& a) {
  const double x = map_bytes(a.shape);
  if (a.pool) {
    const auto windows = pooled_count(a.shape);
    list_.add("normalise_and_pool",
              x + list_.narrow(windows) + (a.winner != nullptr ? static_cast<double>(windows) : 0));
  } else {
    list_.add("normalise", (a.residual != nullptr ? 3 : 2) * x);
  }
}

void CountingDevice::batch_norm_backward(const kernels::BatchNormBackwardArguments& a) {
  const kernels::BatchNormArguments& f = a.forward;
  const double x = map_bytes(f.shape), y = f.pool ? list_.narrow(pooled_count(f.shape)) : x;
  // dy, with a ReLU y as well, and with pooling the winners.
  const double beside_x = (f.relu ? 2 : 1) * y + (f.pool ? static_cast<double>(pooled_count(f.shape)) : 0);
  list_.add(f.pool ? "winner_sums" : "gradient_sums", x + beside_x);
  list_.add("merge_sums", 0);
  if (a.dx == nullptr && a.dresidual == nullptr) return;
  const double read = (a.dx != nullptr ? x : 0) + beside_x,
               written = (a.dx != nullptr ? x : 0) + (a.dresidual != nullptr ? x : 0);
  list_.add(f.pool ? "window_gradient" : "gradient", read + written);
}

}  // namespace

std::unique_ptr<ModelledDevice> make_modelled_device(const std::string& name, Precision precision) {
  return std::make_unique<CountingDevice>(name, precision);
}

}  // namespace xrai
