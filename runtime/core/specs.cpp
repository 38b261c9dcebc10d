#include "runtime/core/specs.h"

#include "runtime/core/error.h"

namespace xrai {
namespace {

std::string describe(const Window& w) {
  return fmt::format("a {}x{} window (stride {}x{}, padding {} {} {} {})", w.kernel_height, w.kernel_width,
                     w.stride_height, w.stride_width, w.pad_top, w.pad_bottom, w.pad_left, w.pad_right);
}

}  // namespace

Shape shape_after(const Window& w, const Shape& in, std::int64_t output_channels) {
  if (w.kernel_height < 1 || w.kernel_width < 1 || w.stride_height < 1 || w.stride_width < 1 || w.pad_top < 0 ||
      w.pad_bottom < 0 || w.pad_left < 0 || w.pad_right < 0)
    throw Error(
        ExitCode::kUsage,
        fmt::format("{} makes no sense: kernel and stride must be at least 1, padding at least 0", describe(w)));
  const Shape out{in.n, window_places(in.height, w.kernel_height, w.stride_height, w.pad_top, w.pad_bottom),
                  window_places(in.width, w.kernel_width, w.stride_width, w.pad_left, w.pad_right), output_channels};
  if (out.height < 1 || out.width < 1)
    throw Error(ExitCode::kUsage, fmt::format("{} does not fit into maps of {}x{}: use larger pictures or fewer layers "
                                              "that shrink them",
                                              describe(w), in.height, in.width));
  return out;
}

void validate(const ConvolutionSpec& spec) {
  if (spec.input.count() < 1 || spec.filters < 1)
    throw Error(ExitCode::kUsage, fmt::format("a convolution of {} filters over an input of shape {} has nothing to do",
                                              spec.filters, to_string(spec.input)));
  if (spec.groups < 1 || spec.input.channels % spec.groups != 0 || spec.filters % spec.groups != 0)
    throw Error(ExitCode::kUsage, fmt::format("a convolution of {} channels to {} filters cannot have {} groups: the "
                                              "groups must divide both",
                                              spec.input.channels, spec.filters, spec.groups));
  if (spec.normalised && (spec.bias || spec.relu || spec.training))
    throw Error(ExitCode::kUsage,
                "a convolution that is normalised by running statistics has no bias, no ReLU of its "
                "own and no backward pass");
  (void)spec.output();
}

void validate(const PoolingSpec& spec) {
  if (spec.input.count() < 1)
    throw Error(ExitCode::kUsage,
                fmt::format("pooling over an input of shape {} has nothing to do", to_string(spec.input)));
  (void)spec.output();
  const Window& w = spec.window;
  if (w.pad_top >= w.kernel_height || w.pad_bottom >= w.kernel_height || w.pad_left >= w.kernel_width ||
      w.pad_right >= w.kernel_width)
    throw Error(ExitCode::kUsage, fmt::format("pooling with {} would have windows of padding only", describe(w)));
}

void validate(const DenseSpec& spec) {
  if (spec.n < 1 || spec.inputs < 1 || spec.outputs < 1)
    throw Error(ExitCode::kUsage, fmt::format("a dense layer of {} inputs and {} outputs for {} images makes no sense",
                                              spec.inputs, spec.outputs, spec.n));
}

}  // namespace xrai
