// Pooling on the GPU, an element a thread, neighbours along the channels. The gradient is gathered: each element of dx
// asks the windows that it lies in, so that nothing is added atomically.
#include "kernels/element.h"
#include "kernels/pooling.h"

namespace xrai::kernels::cuda {
namespace {

/// Where an element of (n, height, width, channels) lies.
struct Position {
  std::int64_t image;
  std::int32_t y, x;
  std::int64_t channel;
};
__device__ __forceinline__ Position position_of(std::int64_t element, std::int32_t height, std::int32_t width,
                                                std::int64_t channels) {
  const std::int64_t place = element / channels;
  const auto row = static_cast<std::uint32_t>(place) / static_cast<std::uint32_t>(width);
  const auto rows = static_cast<std::uint32_t>(height);
  return {row / rows, static_cast<std::int32_t>(row % rows),
          static_cast<std::int32_t>(place - std::int64_t{row} * width), element - place * channels};
}

/// The part of a window that lies inside a map, along one side: [begin, end).
struct Range {
  std::int32_t begin, end;
};
__device__ __forceinline__ Range inside(std::int32_t first, std::int32_t kernel, std::int32_t size) {
  return {max(first, 0), min(first + kernel, size)};
}
/// The windows along one side that a position lies in.
__device__ __forceinline__ Range windows_over(std::int32_t padded, std::int32_t kernel, std::int32_t stride,
                                              std::int32_t windows) {
  return {padded < kernel ? 0 : (padded - kernel) / stride + 1, min(padded / stride + 1, windows)};
}

template <class Body>
__device__ __forceinline__ void for_each_element(std::int64_t n, const Body& body) {
  const std::int64_t step = std::int64_t{gridDim.x} * kBlockThreads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kBlockThreads + threadIdx.x; i < n; i += step) body(i);
}

template <class T>
__global__ void __launch_bounds__(kBlockThreads)
    max_pool_kernel(const __grid_constant__ WindowSizes w, std::int64_t channels, std::int64_t n, const T* x, T* y,
                    std::int32_t* places) {
  for_each_element(n, [&](std::int64_t element) {
    const Position p = position_of(element, w.out_height, w.out_width, channels);
    const std::int32_t top = p.y * w.stride_height - w.pad_top, left = p.x * w.stride_width - w.pad_left;
    const Range rows = inside(top, w.kernel_height, w.height), columns = inside(left, w.kernel_width, w.width);
    float largest = 0;
    std::int32_t place = -1;
    for (std::int32_t row = rows.begin; row < rows.end; ++row)
      for (std::int32_t column = columns.begin; column < columns.end; ++column) {
        const float value = to_float(x[((p.image * w.height + row) * w.width + column) * channels + p.channel]);
        if (place >= 0 && !(value > largest) && (value == value || largest != largest)) continue;
        largest = value;
        place = (row - top) * w.kernel_width + (column - left);
      }
    y[element] = from_float<T>(largest);
    if (places != nullptr) places[element] = place;
  });
}

template <class T>
__global__ void __launch_bounds__(kBlockThreads)
    average_pool_kernel(const __grid_constant__ WindowSizes w, std::int64_t channels, std::int64_t n, const T* x,
                        T* y) {
  for_each_element(n, [&](std::int64_t element) {
    const Position p = position_of(element, w.out_height, w.out_width, channels);
    const Range rows = inside(p.y * w.stride_height - w.pad_top, w.kernel_height, w.height),
                columns = inside(p.x * w.stride_width - w.pad_left, w.kernel_width, w.width);
    float sum = 0;
    for (std::int32_t row = rows.begin; row < rows.end; ++row)
      for (std::int32_t column = columns.begin; column < columns.end; ++column)
        sum += to_float(x[((p.image * w.height + row) * w.width + column) * channels + p.channel]);
    y[element] = from_float<T>(sum / static_cast<float>((rows.end - rows.begin) * (columns.end - columns.begin)));
  });
}

/// dx[element] = sum of share(element of dy, p, y, x) over the windows (y, x) that position p lies in.
template <class T, class Share>
__device__ __forceinline__ void gather(const WindowSizes& w, std::int64_t channels, std::int64_t n, T* dx,
                                       const Share& share) {
  for_each_element(n, [&](std::int64_t element) {
    const Position p = position_of(element, w.height, w.width, channels);
    const Range rows = windows_over(p.y + w.pad_top, w.kernel_height, w.stride_height, w.out_height),
                columns = windows_over(p.x + w.pad_left, w.kernel_width, w.stride_width, w.out_width);
    float sum = 0;
    for (std::int32_t y = rows.begin; y < rows.end; ++y)
      for (std::int32_t x = columns.begin; x < columns.end; ++x)
        sum += share(((p.image * w.out_height + y) * w.out_width + x) * channels + p.channel, p, y, x);
    dx[element] = from_float<T>(sum);
  });
}

template <class T>
__global__ void __launch_bounds__(kBlockThreads)
    max_pool_gradient_kernel(const __grid_constant__ WindowSizes w, std::int64_t channels, std::int64_t n, const T* dy,
                             const std::int32_t* places, T* dx) {
  gather(w, channels, n, dx, [&](std::int64_t i, const Position& p, std::int32_t y, std::int32_t x) {
    const std::int32_t row = p.y + w.pad_top - y * w.stride_height, column = p.x + w.pad_left - x * w.stride_width;
    return places[i] == row * w.kernel_width + column ? to_float(dy[i]) : 0.0f;
  });
}

template <class T>
__global__ void __launch_bounds__(kBlockThreads)
    average_pool_gradient_kernel(const __grid_constant__ WindowSizes w, std::int64_t channels, std::int64_t n,
                                 const T* dy, T* dx) {
  gather(w, channels, n, dx, [&](std::int64_t i, const Position&, std::int32_t y, std::int32_t x) {
    const Range rows = inside(y * w.stride_height - w.pad_top, w.kernel_height, w.height),
                columns = inside(x * w.stride_width - w.pad_left, w.kernel_width, w.width);
    return to_float(dy[i]) / static_cast<float>((rows.end - rows.begin) * (columns.end - columns.begin));
  });
}

std::int64_t inputs(const WindowSizes& w, std::int64_t channels) {
  return std::int64_t{w.n} * w.height * w.width * channels;
}
std::int64_t outputs(const WindowSizes& w, std::int64_t channels) {
  return std::int64_t{w.n} * w.out_height * w.out_width * channels;
}

}  // namespace

void max_pool(const WindowSizes& sizes, std::int64_t channels, const void* x, void* y, std::int32_t* places,
              DataType type, Stream stream) {
  const std::int64_t n = outputs(sizes, channels);
  with_type(type, [&](auto element) {
    using T = typename decltype(element)::Type;
    launch(max_pool_kernel<T>, blocks_for(n), kBlockThreads, 0, stream, sizes, channels, n, static_cast<const T*>(x),
           static_cast<T*>(y), places);
  });
}

void max_pool_backward(const WindowSizes& sizes, std::int64_t channels, const void* dy, const std::int32_t* places,
                       void* dx, DataType type, Stream stream) {
  const std::int64_t n = inputs(sizes, channels);
  with_type(type, [&](auto element) {
    using T = typename decltype(element)::Type;
    launch(max_pool_gradient_kernel<T>, blocks_for(n), kBlockThreads, 0, stream, sizes, channels, n,
           static_cast<const T*>(dy), places, static_cast<T*>(dx));
  });
}

void average_pool(const WindowSizes& sizes, std::int64_t channels, const void* x, void* y, DataType type,
                  Stream stream) {
  const std::int64_t n = outputs(sizes, channels);
  with_type(type, [&](auto element) {
    using T = typename decltype(element)::Type;
    launch(average_pool_kernel<T>, blocks_for(n), kBlockThreads, 0, stream, sizes, channels, n,
           static_cast<const T*>(x), static_cast<T*>(y));
  });
}

void average_pool_backward(const WindowSizes& sizes, std::int64_t channels, const void* dy, void* dx, DataType type,
                           Stream stream) {
  const std::int64_t n = inputs(sizes, channels);
  with_type(type, [&](auto element) {
    using T = typename decltype(element)::Type;
    launch(average_pool_gradient_kernel<T>, blocks_for(n), kBlockThreads, 0, stream, sizes, channels, n,
           static_cast<const T*>(dy), static_cast<T*>(dx));
  });
}

}  // namespace xrai::kernels::cuda
