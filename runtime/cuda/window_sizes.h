// A spec's window as our own kernels of convolution and pooling take it.
#pragma once

#include <algorithm>

#include "kernels/window.h"
#include "runtime/core/error.h"
#include "runtime/core/specs.h"

namespace xrai {

/// Throws Error(kUsage) for more places than those kernels count.
inline kernels::WindowSizes window_sizes(const Window& w, const Shape& in, const Shape& out) {
  const std::int64_t places = std::max(in.n * in.height * in.width, out.n * out.height * out.width);
  if (places > kernels::WindowSizes::kMostPlaces)
    throw Error(ExitCode::kUsage, fmt::format("maps of {} have more places than the {} that a kernel counts; take a "
                                              "smaller --batch-size",
                                              to_string(in), kernels::WindowSizes::kMostPlaces));
  const auto number = [](std::int64_t value) { return static_cast<std::int32_t>(value); };
  return {number(in.n),           number(in.height),       number(in.width),       number(out.height),
          number(out.width),      number(w.kernel_height), number(w.kernel_width), number(w.stride_height),
          number(w.stride_width), number(w.pad_top),       number(w.pad_left)};
}

}  // namespace xrai
