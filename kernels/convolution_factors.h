// Where the factors of a convolution's products lie in memory: for each pass (forward, data gradient, filter gradient)
// a left and a right one. Included by kernels/convolution.cu only; sums nothing.
//
// A factor has rows (those of the left are the result's rows, those of the right its columns) and elements along the
// depth that is summed over. `row` prepares what does not change along it; `at` is where elements begin, or null where
// they are zero. kAlongDepth: which way neighbours in memory lie.
#pragma once

#include <cstdint>

#include "kernels/convolution.h"
#include "kernels/element.h"

namespace xrai::kernels::cuda {

/// Sizes with what follows from them.
struct Geometry {
  explicit Geometry(const ConvolutionSizes& s)
      : window(s.window),
        channels(s.channels),
        filters(s.filters),
        group_channels(s.channels / s.groups),
        group_filters(s.filters / s.groups),
        taps(s.window.kernel_height * s.window.kernel_width),
        places_in(static_cast<std::uint32_t>(s.window.n) * s.window.height * s.window.width),
        places_out(static_cast<std::uint32_t>(s.window.n) * s.window.out_height * s.window.out_width) {}
  WindowSizes window;
  std::int32_t channels, filters, group_channels, group_filters, taps;
  std::uint32_t places_in, places_out;
};

struct Position {
  std::int32_t image, y, x;
};
__device__ __forceinline__ Position position_of(std::uint32_t place, std::int32_t height, std::int32_t width) {
  const std::uint32_t row = place / width;
  return {static_cast<std::int32_t>(row / height), static_cast<std::int32_t>(row % height),
          static_cast<std::int32_t>(place % width)};
}
__device__ __forceinline__ bool is_inside(std::int32_t y, std::int32_t x, std::int32_t height, std::int32_t width) {
  return y >= 0 && y < height && x >= 0 && x < width;
}

/// Row: a place of y. Depth: (ky, kx, channel) of the window over x there.
template <class T>
struct WindowsOfInput {
  static constexpr bool kAlongDepth = true;
  struct Row {
    std::int32_t image;  // its first place
    std::int32_t top, left;
  };
  const Geometry& g;
  const T* x;  // first channel of the group
  __device__ Row row(std::uint32_t place) const {
    const WindowSizes& w = g.window;
    if (place >= g.places_out) return {0, -w.kernel_height, 0};  // sees nothing
    const Position p = position_of(place, w.out_height, w.out_width);
    return {p.image * w.height * w.width, p.y * w.stride_height - w.pad_top, p.x * w.stride_width - w.pad_left};
  }
  __device__ const T* at(const Row& row, std::uint32_t depth) const {
    const std::uint32_t tap = depth / g.group_channels, channel = depth % g.group_channels;
    const std::int32_t y = row.top + static_cast<std::int32_t>(tap / g.window.kernel_width),
                       x_place = row.left + static_cast<std::int32_t>(tap % g.window.kernel_width);
    if (!is_inside(y, x_place, g.window.height, g.window.width)) return nullptr;
    return x + std::int64_t{row.image + y * g.window.width + x_place} * g.channels + channel;
  }
};

/// Row: a filter. Depth: (ky, kx, channel).
template <class T>
struct Filters {
  static constexpr bool kAlongDepth = true;
  using Row = const T*;
  const Geometry& g;
  const T* weights;  // first filter of the group
  __device__ Row row(std::uint32_t filter) const {
    if (filter >= static_cast<std::uint32_t>(g.group_filters)) return nullptr;
    return weights + std::int64_t{filter} * g.taps * g.group_channels;
  }
  __device__ const T* at(Row row, std::uint32_t depth) const { return row == nullptr ? nullptr : row + depth; }
};

/// Row: a place of x. Depth: (ky, kx, filter), the place of y that sees it through that tap, if there is one.
template <class T>
struct WindowsOfGradient {
  static constexpr bool kAlongDepth = true;
  struct Row {
    std::int32_t image;  // its first place
    std::int32_t bottom, right;
  };
  const Geometry& g;
  const T* dy;  // first filter of the group
  __device__ Row row(std::uint32_t place) const {
    if (place >= g.places_in) return {0, -1, -1};  // no window sees it
    const WindowSizes& w = g.window;
    const Position p = position_of(place, w.height, w.width);
    return {p.image * w.out_height * w.out_width, p.y + w.pad_top, p.x + w.pad_left};
  }
  __device__ const T* at(const Row& row, std::uint32_t depth) const {
    const WindowSizes& w = g.window;
    const std::uint32_t tap = depth / g.group_filters, filter = depth % g.group_filters;
    const std::int32_t down = row.bottom - static_cast<std::int32_t>(tap / w.kernel_width),
                       across = row.right - static_cast<std::int32_t>(tap % w.kernel_width);
    if (down < 0 || across < 0) return nullptr;
    const std::int32_t y = down / w.stride_height, x = across / w.stride_width;
    if (y * w.stride_height != down || x * w.stride_width != across || !is_inside(y, x, w.out_height, w.out_width))
      return nullptr;
    return dy + std::int64_t{row.image + y * w.out_width + x} * g.filters + filter;
  }
};

/// Row: a channel. Depth: (ky, kx, filter).
template <class T>
struct FiltersByChannel {
  static constexpr bool kAlongDepth = false;
  using Row = const T*;
  const Geometry& g;
  const T* weights;
  __device__ Row row(std::uint32_t channel) const {
    return channel < static_cast<std::uint32_t>(g.group_channels) ? weights + channel : nullptr;
  }
  __device__ const T* at(Row row, std::uint32_t depth) const {
    const std::uint32_t tap = depth / g.group_filters, filter = depth % g.group_filters;
    return row == nullptr ? nullptr : row + (std::int64_t{filter} * g.taps + tap) * g.group_channels;
  }
};

/// Row: a filter. Depth: a place of y.
template <class T>
struct GradientByFilter {
  static constexpr bool kAlongDepth = false;
  using Row = const T*;
  const Geometry& g;
  const T* dy;
  __device__ Row row(std::uint32_t filter) const {
    return filter < static_cast<std::uint32_t>(g.group_filters) ? dy + filter : nullptr;
  }
  __device__ const T* at(Row row, std::uint32_t place) const {
    return row == nullptr ? nullptr : row + std::int64_t{place} * g.filters;
  }
};

/// Row: (ky, kx, channel). Depth: a place of y.
template <class T>
struct InputByTap {
  static constexpr bool kAlongDepth = false;
  struct Row {
    const T* channel;
    std::int32_t ky, kx;
  };
  const Geometry& g;
  const T* x;
  __device__ Row row(std::uint32_t index) const {
    const std::int32_t tap = static_cast<std::int32_t>(index / g.group_channels);
    if (tap >= g.taps) return {nullptr, 0, 0};
    return {x + index % g.group_channels, tap / g.window.kernel_width, tap % g.window.kernel_width};
  }
  __device__ const T* at(const Row& row, std::uint32_t place) const {
    const WindowSizes& w = g.window;
    const Position p = position_of(place, w.out_height, w.out_width);
    const std::int32_t y = p.y * w.stride_height - w.pad_top + row.ky,
                       x_place = p.x * w.stride_width - w.pad_left + row.kx;
    if (row.channel == nullptr || !is_inside(y, x_place, w.height, w.width)) return nullptr;
    return row.channel + ((std::int64_t{p.image} * w.height + y) * w.width + x_place) * g.channels;
  }
};

}  // namespace xrai::kernels::cuda
