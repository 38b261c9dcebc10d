#include "apps/explain/filter_steps.h"

#include <fmt/format.h>

#include "runtime/core/error.h"

namespace xrai {
namespace {

// Floats from the host in the device's memory, in its activations' type.
class DeviceValues {
 public:
  DeviceValues(Device& device, std::size_t count)
      : device_(device),
        count_(count),
        wide_(device.allocate(count * sizeof(float))),
        activations_(device.allocate(count * size_of(device.activation_type()))) {}

  [[nodiscard]] void* data() const { return activations_.data(); }
  void set(const std::vector<float>& values) {
    device_.upload(wide_.data(), values.data(), count_ * sizeof(float), Queue::kCompute);
    device_.narrow(wide_.as<float>(), activations_.data(), static_cast<std::int64_t>(count_));
  }
  [[nodiscard]] std::vector<float> get() const {
    std::vector<float> values(count_);
    device_.widen(activations_.data(), wide_.as<float>(), static_cast<std::int64_t>(count_));
    device_.download(values.data(), wide_.data(), count_ * sizeof(float));
    return values;
  }

 private:
  Device& device_;
  std::size_t count_;
  Buffer wide_, activations_;
};

ValueMap map_of(const Shape& shape, std::vector<float> values) {
  return {shape.height, shape.width, std::move(values)};
}

void refuse_small_picture(const GreyImage& picture, const FilterKernel& kernel) {
  const std::int64_t needed_height = kernel.height + kPoolingSide - 1, needed_width = kernel.width + kPoolingSide - 1;
  if (picture.height >= needed_height && picture.width >= needed_width) return;
  throw Error(ExitCode::kUsage,
              fmt::format("a picture of {} x {} pixels is too small for a filter of {} x {} and a "
                          "pooling of {} x {} behind it; take a larger --size",
                          picture.height, picture.width, kernel.height, kernel.width, kPoolingSide, kPoolingSide));
}

}  // namespace

FilterSteps apply_filter(Device& device, const GreyImage& picture, const FilterKernel& kernel, PoolingKind pooling) {
  refuse_small_picture(picture, kernel);
  ConvolutionSpec convolution;
  convolution.input = {1, picture.height, picture.width, 1};
  convolution.filters = 1;
  convolution.window.kernel_height = kernel.height;
  convolution.window.kernel_width = kernel.width;
  const Shape convolved_shape = convolution.output();
  PoolingSpec pool;
  pool.input = convolved_shape;
  pool.kind = pooling;
  pool.window.kernel_height = pool.window.kernel_width = kPoolingSide;
  pool.window.stride_height = pool.window.stride_width = kPoolingSide;
  const Shape pooled_shape = pool.output();

  const auto convolution_plan = device.plan(convolution);
  const auto pooling_plan = device.plan(pool);
  const Buffer workspace = device.allocate(convolution_plan->workspace_bytes());
  const Buffer saved = device.allocate(pooling_plan->saved_bytes());
  DeviceValues x(device, picture.pixels.size()), weights(device, kernel.weights.size());
  DeviceValues convolved(device, static_cast<std::size_t>(convolved_shape.count()));
  DeviceValues pooled(device, static_cast<std::size_t>(pooled_shape.count()));

  const std::vector<float> grey(picture.pixels.begin(), picture.pixels.end());
  x.set(grey);
  weights.set(kernel.weights);  // one filter over one channel: (1, kh, kw, 1) lies like (kh, kw)
  convolution_plan->forward(x.data(), weights.data(), nullptr, convolved.data(), workspace.data());
  pooling_plan->forward(convolved.data(), pooled.data(), saved.data());
  return {{picture.height, picture.width, grey},
          map_of(convolved_shape, convolved.get()),
          map_of(pooled_shape, pooled.get()),
          fmt::format("{}, {}", device.name(), convolution_plan->implementation())};
}

}  // namespace xrai
