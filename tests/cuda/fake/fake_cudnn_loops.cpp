// The arithmetic of the fake cuDNN: textbook loops over float32 copies with channels last, sums in double.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cmath>
#include <limits>

#include "fake_cudnn_graph.h"
#include "fake_stream.h"

namespace xrai::fake {
namespace {

/// A tensor's values, packed (n, height, width, channels).
struct Packed {
  std::int64_t n = 0, height = 0, width = 0, channels = 0;
  std::vector<double> values;

  explicit Packed(const std::array<std::int64_t, 4>& size)
      : n(size[0]),
        height(size[2]),
        width(size[3]),
        channels(size[1]),
        values(static_cast<std::size_t>(n * height * width * channels)) {}
  [[nodiscard]] std::size_t at(std::int64_t image, std::int64_t row, std::int64_t column) const {
    return static_cast<std::size_t>(((image * height + row) * width + column) * channels);
  }
};

float load(cudnnDataType_t type, const void* memory, std::size_t i) {
  switch (type) {
    case CUDNN_DATA_HALF:
      return __half2float(static_cast<const __half*>(memory)[i]);
    case CUDNN_DATA_BFLOAT16:
      return __bfloat162float(static_cast<const __nv_bfloat16*>(memory)[i]);
    case CUDNN_DATA_INT8:
      return static_cast<const std::int8_t*>(memory)[i];
    default:
      return static_cast<const float*>(memory)[i];
  }
}

void store(cudnnDataType_t type, void* memory, std::size_t i, float value) {
  switch (type) {
    case CUDNN_DATA_HALF:
      static_cast<__half*>(memory)[i] = __float2half(value);
      return;
    case CUDNN_DATA_BFLOAT16:
      static_cast<__nv_bfloat16*>(memory)[i] = __float2bfloat16(value);
      return;
    case CUDNN_DATA_INT8:
      static_cast<std::int8_t*>(memory)[i] = static_cast<std::int8_t>(value);
      return;
    default:
      static_cast<float*>(memory)[i] = value;
  }
}

/// The memory of a run, and what lives between fused operations.
class Tensors {
 public:
  explicit Tensors(const std::map<std::int64_t, void*>& memory) : memory_(memory) {}

  [[nodiscard]] Packed read(const CudnnTensorView& view) const {
    if (view.is_virtual) return between_.at(view.uid);
    Packed packed(view.size);
    visit(view,
          [&](std::size_t to, std::size_t from) { packed.values[to] = load(view.type, memory_.at(view.uid), from); });
    return packed;
  }
  void write(const CudnnTensorView& view, Packed packed) {
    for (double& value : packed.values) value = static_cast<float>(value);
    if (view.is_virtual) {
      between_.insert_or_assign(view.uid, std::move(packed));
      return;
    }
    visit(view, [&](std::size_t from, std::size_t to) {
      store(view.type, memory_.at(view.uid), to, static_cast<float>(packed.values[from]));
    });
  }

 private:
  /// visitor(index in the packed copy, index in memory).
  template <class Visitor>
  static void visit(const CudnnTensorView& view, Visitor visitor) {
    std::size_t packed = 0;
    for (std::int64_t n = 0; n < view.size[0]; ++n)
      for (std::int64_t row = 0; row < view.size[2]; ++row)
        for (std::int64_t column = 0; column < view.size[3]; ++column)
          for (std::int64_t channel = 0; channel < view.size[1]; ++channel)
            visitor(packed++, view.offset(n, channel, row, column));
  }

  const std::map<std::int64_t, void*>& memory_;
  std::map<std::int64_t, Packed> between_;
};

/// Every place of the kernel that lies inside the picture, for every output place:
/// visitor(image, (row, column) of the output, of the kernel, of the input).
struct Place {
  std::int64_t image, row, column, kernel_row, kernel_column, in_row, in_column;
};
template <class Visitor>
void for_each_place(const CudnnStep& step, const std::array<std::int64_t, 2>& kernel, const Packed& in,
                    const Packed& out, Visitor visitor) {
  for (std::int64_t image = 0; image < out.n; ++image)
    for (std::int64_t row = 0; row < out.height; ++row)
      for (std::int64_t column = 0; column < out.width; ++column)
        for (std::int64_t i = 0; i < kernel[0]; ++i)
          for (std::int64_t j = 0; j < kernel[1]; ++j) {
            const std::int64_t in_row = row * step.stride[0] - step.pad[0] + i * step.dilation[0];
            const std::int64_t in_column = column * step.stride[1] - step.pad[1] + j * step.dilation[1];
            if (in_row < 0 || in_row >= in.height || in_column < 0 || in_column >= in.width) continue;
            visitor(Place{image, row, column, i, j, in_row, in_column});
          }
}

/// product(x, weight, y) for each pair of channels that a place of the kernel joins.
template <class Product>
void for_each_product(const CudnnStep& step, Packed& x, Packed& weights, Packed& y, Product product) {
  const std::int64_t filters_per_group = weights.n / (x.channels / weights.channels);
  for_each_place(step, {weights.height, weights.width}, x, y, [&](const Place& place) {
    double* x_place = &x.values[x.at(place.image, place.in_row, place.in_column)];
    double* y_place = &y.values[y.at(place.image, place.row, place.column)];
    for (std::int64_t filter = 0; filter < weights.n; ++filter) {
      double* x_group = x_place + filter / filters_per_group * weights.channels;
      double* taps = &weights.values[weights.at(filter, place.kernel_row, place.kernel_column)];
      for (std::int64_t channel = 0; channel < weights.channels; ++channel)
        product(x_group[channel], taps[channel], y_place[filter]);
    }
  });
}

void convolve(const CudnnStep& step, Tensors& tensors) {
  Packed a = tensors.read(step.a), b = tensors.read(step.b), result(step.result.size);
  if (step.kind == CudnnStep::kForward)
    for_each_product(step, a, b, result, [](double x, double w, double& y) { y += x * w; });
  else if (step.kind == CudnnStep::kDataGradient)
    for_each_product(step, result, b, a, [](double& dx, double w, double dy) { dx += dy * w; });
  else
    for_each_product(step, a, result, b, [](double x, double& dw, double dy) { dw += dy * x; });
  tensors.write(step.result, std::move(result));
}

void add_or_relu(const CudnnStep& step, Tensors& tensors) {
  Packed result = tensors.read(step.a);
  if (step.kind == CudnnStep::kRelu) {
    for (double& value : result.values) value = value < 0 ? 0 : value;  // a NaN stays
  } else {
    const Packed addend = tensors.read(step.b);  // one value a channel
    for (std::size_t i = 0; i < result.values.size(); ++i) result.values[i] += addend.values[i % addend.values.size()];
  }
  tensors.write(step.result, std::move(result));
}

std::vector<double> places_inside(const CudnnStep& step, const Packed& in, const Packed& out) {
  std::vector<double> counts(static_cast<std::size_t>(out.n * out.height * out.width));
  for_each_place(step, step.kernel, in, out, [&](const Place& place) {
    ++counts[out.at(place.image, place.row, place.column) / static_cast<std::size_t>(out.channels)];
  });
  return counts;
}

void pool_max(const CudnnStep& step, const Packed& x, Packed& y, Packed& places) {
  std::fill(y.values.begin(), y.values.end(), -std::numeric_limits<double>::infinity());
  std::fill(places.values.begin(), places.values.end(), -1);
  for_each_place(step, step.kernel, x, y, [&](const Place& place) {
    const std::size_t from = x.at(place.image, place.in_row, place.in_column);
    const std::size_t to = y.at(place.image, place.row, place.column);
    for (std::size_t c = 0; c < static_cast<std::size_t>(x.channels); ++c) {
      const double value = x.values[from + c];
      if (std::isnan(value) && !step.keeps_nan) continue;
      if (places.values[to + c] >= 0 &&
          (std::isnan(y.values[to + c]) || !(value > y.values[to + c] || std::isnan(value))))
        continue;
      y.values[to + c] = value;
      places.values[to + c] = static_cast<double>(place.kernel_row * step.kernel[1] + place.kernel_column);
    }
  });
}

void pool_average(const CudnnStep& step, const Packed& x, Packed& y) {
  const std::vector<double> counts = places_inside(step, x, y);
  for_each_place(step, step.kernel, x, y, [&](const Place& place) {
    const std::size_t to = y.at(place.image, place.row, place.column);
    const double* from = &x.values[x.at(place.image, place.in_row, place.in_column)];
    for (std::size_t c = 0; c < static_cast<std::size_t>(x.channels); ++c)
      y.values[to + c] += from[c] / counts[to / static_cast<std::size_t>(y.channels)];
  });
}

void pool(const CudnnStep& step, Tensors& tensors) {
  const Packed x = tensors.read(step.a);
  Packed y(step.result.size), places(step.result.size);
  if (step.average)
    pool_average(step, x, y);
  else
    pool_max(step, x, y, places);
  tensors.write(step.result, std::move(y));
  if (step.has_places) tensors.write(step.places, std::move(places));
}

void pool_gradient(const CudnnStep& step, Tensors& tensors) {
  const Packed dy = tensors.read(step.a);
  const Packed places = step.has_places ? tensors.read(step.places) : Packed(step.a.size);
  Packed dx(step.result.size);
  const std::vector<double> counts = places_inside(step, dx, dy);
  double used = 0;
  for_each_place(step, step.kernel, dx, dy, [&](const Place& place) {
    const std::size_t from = dy.at(place.image, place.row, place.column);
    double* to = &dx.values[dx.at(place.image, place.in_row, place.in_column)];
    const auto here = static_cast<double>(place.kernel_row * step.kernel[1] + place.kernel_column);
    for (std::size_t c = 0; c < static_cast<std::size_t>(dy.channels); ++c) {
      if (step.average) to[c] += dy.values[from + c] / counts[from / static_cast<std::size_t>(dy.channels)];
      if (step.average || places.values[from + c] != here) continue;
      to[c] += dy.values[from + c];
      ++used;
    }
  });
  if (!step.average && used != static_cast<double>(dy.values.size()))
    add_finding(Fault::kMisuse, "Max pooling backward was given places that no forward pass with this window wrote.");
  tensors.write(step.result, std::move(dx));
}

}  // namespace

void run_program(const CudnnProgram& program, const std::map<std::int64_t, void*>& memory) {
  Tensors tensors(memory);
  for (const CudnnStep& step : program.steps) {
    if (step.kind <= CudnnStep::kFilterGradient)
      convolve(step, tensors);
    else if (step.kind <= CudnnStep::kRelu)
      add_or_relu(step, tensors);
    else if (step.kind == CudnnStep::kPool)
      pool(step, tensors);
    else
      pool_gradient(step, tensors);
  }
}

}  // namespace xrai::fake
