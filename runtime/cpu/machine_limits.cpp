#include "runtime/cpu/machine_limits.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels/parallel.h"
#include "runtime/cpu/onednn.h"
#include "runtime/cpu/primitive.h"

namespace xrai::cpu {
namespace {

template <class Work>
double median_ms(const Work& work, int repeats) {
  using Clock = std::chrono::steady_clock;
  work();
  std::vector<double> times;
  for (int i = 0; i < repeats; ++i) {
    const auto began = Clock::now();
    work();
    times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - began).count());
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

// Every argument in memory of its own, zeroed: what is in it costs no time.
class Timing {
 public:
  Timing(OneDnn& onednn, const dnnl::primitive& primitive) : onednn_(onednn), primitive_(primitive) {}
  void bind(int argument, const dnnl::memory::desc& desc) {
    const std::size_t bytes = desc.get_size();
    if (bytes == 0) return;
    primitive_.bind(argument, desc, onednn_.engine);
    bytes_.emplace_back(bytes + 64);
    primitive_.set(argument, bytes_.back().data() + 64 - reinterpret_cast<std::uintptr_t>(bytes_.back().data()) % 64);
  }
  double ms(int repeats) {
    return median_ms([&] { primitive_.run(onednn_.stream); }, repeats);
  }

 private:
  OneDnn& onednn_;
  Primitive primitive_;
  std::vector<std::vector<std::byte>> bytes_;
};

struct Milliseconds {
  double forward = 0, weight_gradient = 0, input_gradient = 0;
};

Milliseconds time_passes(OneDnn& onednn, const ConvolutionSpec& spec, const ConvolutionMemory& memory, int repeats) {
  Milliseconds ms;
  const auto forward = convolution_forward(onednn.engine, spec, memory);
  {
    Timing timing(onednn, dnnl::convolution_forward(forward));
    timing.bind(DNNL_ARG_SRC, forward.src_desc());
    timing.bind(DNNL_ARG_WEIGHTS, forward.weights_desc());
    timing.bind(DNNL_ARG_BIAS, forward.bias_desc());
    timing.bind(DNNL_ARG_DST, forward.dst_desc());
    timing.bind(DNNL_ARG_SCRATCHPAD, forward.scratchpad_desc());
    ms.forward = timing.ms(repeats);
  }
  if (!spec.training) return ms;
  {
    const auto backward = convolution_backward_weights(onednn.engine, spec, memory, forward);
    Timing timing(onednn, dnnl::convolution_backward_weights(backward));
    timing.bind(DNNL_ARG_SRC, backward.src_desc());
    timing.bind(DNNL_ARG_DIFF_DST, backward.diff_dst_desc());
    timing.bind(DNNL_ARG_DIFF_WEIGHTS, backward.diff_weights_desc());
    timing.bind(DNNL_ARG_DIFF_BIAS, backward.diff_bias_desc());
    timing.bind(DNNL_ARG_SCRATCHPAD, backward.scratchpad_desc());
    ms.weight_gradient = timing.ms(repeats);
  }
  if (!spec.input_gradient) return ms;
  const auto backward = convolution_backward_data(onednn.engine, spec, memory, forward);
  Timing timing(onednn, dnnl::convolution_backward_data(backward));
  timing.bind(DNNL_ARG_DIFF_DST, backward.diff_dst_desc());
  timing.bind(DNNL_ARG_WEIGHTS, backward.weights_desc());
  timing.bind(DNNL_ARG_DIFF_SRC, backward.diff_src_desc());
  timing.bind(DNNL_ARG_SCRATCHPAD, backward.scratchpad_desc());
  ms.input_gradient = timing.ms(repeats);
  return ms;
}

}  // namespace

double direct_convolution_ms(const ConvolutionSpec& spec, int repeats) {
  validate(spec);
  OneDnn onednn;
  Milliseconds best = time_passes(onednn, spec, convolution_memory(spec), repeats);
  // Its own layout pads channels to sixteen: for less it has reference loops alone, which take minutes.
  if (spec.channels_per_group() >= 16 && spec.filters / spec.groups >= 16) {
    const Milliseconds own =
        time_passes(onednn, spec, convolution_memory(spec, dnnl::memory::format_tag::any), repeats);
    best = {std::min(best.forward, own.forward), std::min(best.weight_gradient, own.weight_gradient),
            std::min(best.input_gradient, own.input_gradient)};
  }
  return best.forward + best.weight_gradient + best.input_gradient;
}

double convolution_gflops() {
  const ConvolutionSpec spec{{16, 28, 28, 128}, 128, {3, 3, 1, 1, 1, 1, 1, 1}};
  const double products = static_cast<double>(spec.output().count() * 9 * spec.input.channels);
  return 2 * products / 1e6 / direct_convolution_ms(spec, 7);
}

double copy_gb_per_second() {
  constexpr std::int64_t kBytes = std::int64_t{128} << 20;
  std::vector<std::byte> from(kBytes), to(kBytes);
  const double ms = median_ms(
      [&] {
        kernels::parallel_for(kBytes, [&](std::int64_t begin, std::int64_t end) {
          std::memcpy(to.data() + begin, from.data() + begin, static_cast<std::size_t>(end - begin));
        });
      },
      7);
  return 2 * static_cast<double>(kBytes) / 1e6 / ms;
}

}  // namespace xrai::cpu
