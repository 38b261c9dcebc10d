// Tiles are numbered over all pictures, row by row. A block of tiles is brought into the other basis, multiplied with
// the weights there, frequency by frequency, and brought back, without leaving the second-level cache; with weights of
// many channels all threads take more tiles together, in the third-level cache.
#include "kernels/winograd.h"

#include <algorithm>

#include "kernels/parallel.h"
#include "kernels/vectorise.h"
#include "kernels/winograd_patch.h"
#include "kernels/winograd_product.h"
#include "kernels/winograd_results.h"
#include "kernels/winograd_transforms.h"

namespace xrai::kernels {

using winograd::Patch;
using winograd::rounded_up;
using winograd::Spectrum;
using winograd::Tiles;
using winograd::tiles_of;
using winograd::Window;

namespace {

// Tiles that a thread takes at once: 768 KiB of values and results, and work for every thread. Every tile's numbers
// are the same in any block.
std::int64_t tiles_per_block(const WinogradShape& s) {
  constexpr std::int64_t kFloats = 768 * 1024 / sizeof(float);
  const std::int64_t fit = kFloats / (kWinogradFrequencies * (s.inputs + s.outputs)) / 12 * 12;
  const std::int64_t share = rounded_up((tiles_of(s).count + s.threads - 1) / s.threads, 4);
  return std::min(std::max<std::int64_t>(fit, 12), share);
}

// Tiles that all threads take together where a frequency's matrices are multiplied as a whole: 4 MiB of values and
// results or gradients, and so many that the weights or their sums, read and written each time, do not outweigh them.
// Whoever computes them, since the order of the gradients' sums depends on it.
std::int64_t tiles_together(const WinogradShape& s) {
  constexpr std::int64_t kFloats = 4 * 1024 * 1024 / sizeof(float);
  return std::max<std::int64_t>(128, kFloats / (kWinogradFrequencies * (s.inputs + s.outputs)));
}

// Where a thread's block has but a dozen tiles, reading megabytes of weights for each takes longer than bringing the
// values to the third-level cache and back. (128 to 128 channels is faster block by block, 256 to 256 is not.)
bool wide(const WinogradShape& s) {
  return s.inputs * s.outputs >= 128 * 256;
}

std::int64_t weight_floats(const WinogradShape& s) {
  return Spectrum::floats(s.inputs, s.outputs);
}
std::int64_t block_floats(const WinogradShape& s) {
  const std::int64_t tiles = tiles_per_block(s);
  return Spectrum::floats(tiles, s.inputs) + Spectrum::floats(tiles, s.outputs);
}
std::int64_t together_floats(const WinogradShape& s) {
  const std::int64_t tiles = tiles_together(s);
  return Spectrum::floats(tiles, s.inputs) + Spectrum::floats(tiles, s.outputs);
}
std::int64_t convolution_floats(const WinogradShape& s) {
  return wide(s) ? together_floats(s) : s.threads * block_floats(s);
}
// Backward, the workspace holds the weights, the sums of their gradients, in the weights' place where these take turns,
// and what a call needs.
std::int64_t sums_place(const WinogradShape& s) {
  return winograd_takes_turns(s) ? 0 : weight_floats(s);
}
std::int64_t backward_scratch(const WinogradShape& s) {
  return sums_place(s) + weight_floats(s);
}

// What the product needs to be faster than oneDNN's direct convolution.
bool fuses() {
#if defined(XRAI_MULTIVERSION)
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  return false;
#endif
}

}  // namespace

bool winograd_pays(const WinogradShape& s, bool training) {
  // Few tiles do not pay for bringing the weights over; they pay sooner where oneDNN has 16 registers, too. Where
  // scores are computed, the number of pictures does not count: a picture gets the same numbers in a batch and alone.
  const std::int64_t least_map = sixteen_lanes() ? 36 : 16, least_tiles = sixteen_lanes() ? 128 : 32;
  const std::int64_t map = s.height * s.width;
  const bool many = map >= 64 || (training && map >= least_map && tiles_of(s).count >= least_tiles);
  return winograd_fits(s) && many && fuses();
}

bool winograd_fits(const WinogradShape& s) {
  return s.inputs % 16 == 0 && s.outputs % 16 == 0;
}

// What it saves is more than the gradients of the outputs of 128 pictures, which have to be there all at once then.
bool winograd_takes_turns(const WinogradShape& s) {
  return kWinogradFrequencies * s.inputs > 128 * s.height * s.width;
}

std::int64_t winograd_images_in_cache(const WinogradShape& s) {
  constexpr std::int64_t kFloats = 8 * 1024 * 1024 / sizeof(float);
  return std::max<std::int64_t>(1, kFloats / (s.height * s.width * (2 * s.inputs + s.outputs)));
}

std::int64_t winograd_weight_floats(const WinogradShape& s) {
  return weight_floats(s);
}

std::int64_t winograd_workspace_floats(const WinogradShape& s, bool training) {
  const std::int64_t forward = weight_floats(s) + convolution_floats(s);
  if (!training) return forward;
  return std::max(forward, backward_scratch(s) + std::max(together_floats(s), convolution_floats(s.mirrored())));
}

namespace cpu {
namespace {

// ---- values and gradients into the other basis ----------------------------------------------------------------------

template <class V>
XRAI_INLINE void values_of_tiles(const float* x, const WinogradShape& s, std::int64_t first, std::int64_t begin,
                                 std::int64_t end, const Spectrum& values) {
  const Tiles tiles = tiles_of(s);
  V copy[36];
  for (std::int64_t t = begin; t < end; ++t) {
    const Patch<6> patch(x, s, tiles, s.inputs, first + t, 1);
    for (std::int64_t c = 0; c < s.inputs; c += kLanes<V>) {
      const Window<V> window = patch.channels_from(c, copy);
      V half[36];
      for (int j = 0; j < 6; ++j) {
        V in[6];
        for (int i = 0; i < 6; ++i) in[i] = window.at(i, j);
        winograd::values_line(in, 1, half + j, 6);
      }
      float* place = values.frequency(0) + t * s.inputs + c;
      for (int i = 0; i < 6; ++i) {
        V out[6];
        winograd::values_line(half + 6 * i, 1, out, 1);
        for (int j = 0; j < 6; ++j, place += values.frequency_step) store<V>(place, out[j]);
      }
    }
  }
}

XRAI_VECTORISE void transform_values(const float* x, const WinogradShape& s, std::int64_t first, std::int64_t begin,
                                     std::int64_t end, const Spectrum& values) {
  if (sixteen_lanes()) return values_of_tiles<Float16>(x, s, first, begin, end, values);
  values_of_tiles<Float8>(x, s, first, begin, end, values);
}

template <class V>
XRAI_INLINE void gradients_of_tiles(const float* dy, const WinogradShape& s, std::int64_t first, std::int64_t begin,
                                    std::int64_t end, const Spectrum& gradients) {
  const Tiles tiles = tiles_of(s);
  V copy[16];
  for (std::int64_t t = begin; t < end; ++t) {
    const Patch<4> patch(dy, s, tiles, s.outputs, first + t, 0);
    for (std::int64_t c = 0; c < s.outputs; c += kLanes<V>) {
      const Window<V> window = patch.channels_from(c, copy);
      V half[24];
      for (int j = 0; j < 4; ++j) {
        V in[4];
        for (int i = 0; i < 4; ++i) in[i] = window.at(i, j);
        winograd::result_gradients_line(in, 1, half + j, 4);
      }
      float* place = gradients.frequency(0) + t * s.outputs + c;
      for (int i = 0; i < 6; ++i) {
        V out[6];
        winograd::result_gradients_line(half + 4 * i, 1, out, 1);
        for (int j = 0; j < 6; ++j, place += gradients.frequency_step) store<V>(place, out[j]);
      }
    }
  }
}

XRAI_VECTORISE void transform_gradients(const float* dy, const WinogradShape& s, std::int64_t first, std::int64_t begin,
                                        std::int64_t end, const Spectrum& gradients) {
  if (sixteen_lanes()) return gradients_of_tiles<Float16>(dy, s, first, begin, end, gradients);
  gradients_of_tiles<Float8>(dy, s, first, begin, end, gradients);
}

// ---- weights --------------------------------------------------------------------------------------------------------

// A vector of inputs of one filter's weights (outputs, 3, 3, inputs), in the other basis.
template <class V>
XRAI_INLINE void transform_weights(const float* weights, std::int64_t inputs, bool mirrored, V* out) {
  V in[9], half[18];
  for (int k = 0; k < 9; ++k) in[k] = load<V>(weights + (mirrored ? 8 - k : k) * inputs);
  for (int j = 0; j < 3; ++j) winograd::weights_line(in + j, 3, half + j, 3);
  for (int i = 0; i < 6; ++i) winograd::weights_line(half + 3 * i, 1, out + 6 * i, 1);
}

// Forward: (inputs, outputs) a frequency, so square blocks change sides. `begin` and `end` count blocks of 16x16.
template <class V>
XRAI_INLINE void forward_blocks(const float* weights, const WinogradShape& s, std::int64_t begin, std::int64_t end,
                                const Spectrum& out) {
  constexpr int kSide = kLanes<V>, kPerSide = 16 / kSide;
  for (std::int64_t part = begin * kPerSide * kPerSide; part < end * kPerSide * kPerSide; ++part) {
    const std::int64_t block = part / (kPerSide * kPerSide), corner = part % (kPerSide * kPerSide);
    const std::int64_t input = block % (s.inputs / 16) * 16 + corner % kPerSide * kSide;
    const std::int64_t output = block / (s.inputs / 16) * 16 + corner / kPerSide * kSide;
    V lines[kSide][36];
    for (int o = 0; o < kSide; ++o)
      transform_weights(weights + (output + o) * 9 * s.inputs + input, s.inputs, false, lines[o]);
    for (int f = 0; f < 36; ++f)
      for (int i = 0; i < kSide; ++i) {
        float* line = out.frequency(f) + (input + i) * s.outputs + output;
        for (int o = 0; o < kSide; ++o) line[o] = lines[o][f][i];
      }
  }
}

XRAI_VECTORISE void forward_weights(const float* weights, const WinogradShape& s, std::int64_t begin, std::int64_t end,
                                    const Spectrum& out) {
  if (sixteen_lanes()) return forward_blocks<Float16>(weights, s, begin, end, out);
  forward_blocks<Float8>(weights, s, begin, end, out);
}

// Backward: (outputs, inputs) a frequency, windows turned by half a circle.
template <class V>
XRAI_INLINE void backward_lines(const float* weights, const WinogradShape& s, std::int64_t begin, std::int64_t end,
                                const Spectrum& out) {
  for (std::int64_t output = begin; output < end; ++output)
    for (std::int64_t c = 0; c < s.inputs; c += kLanes<V>) {
      V line[36];
      transform_weights(weights + output * 9 * s.inputs + c, s.inputs, true, line);
      for (int f = 0; f < 36; ++f) store<V>(out.frequency(f) + output * s.inputs + c, line[f]);
    }
}

XRAI_VECTORISE void backward_weights(const float* weights, const WinogradShape& s, std::int64_t begin, std::int64_t end,
                                     const Spectrum& out) {
  if (sixteen_lanes()) return backward_lines<Float16>(weights, s, begin, end, out);
  backward_lines<Float8>(weights, s, begin, end, out);
}

template <class V>
XRAI_INLINE void weight_gradient_lines(const Spectrum& sums, const WinogradShape& s, std::int64_t begin,
                                       std::int64_t end, float* dweights) {
  for (std::int64_t output = begin; output < end; ++output)
    for (std::int64_t c = 0; c < s.inputs; c += kLanes<V>) {
      V in[36], half[18], out[9];
      for (int f = 0; f < 36; ++f) in[f] = load<V>(sums.frequency(f) + output * s.inputs + c);
      for (int j = 0; j < 6; ++j) winograd::weight_gradients_line(in + j, 6, half + j, 6);
      for (int i = 0; i < 3; ++i) winograd::weight_gradients_line(half + 6 * i, 1, out + 3 * i, 1);
      for (int k = 0; k < 9; ++k) store<V>(dweights + (output * 9 + k) * s.inputs + c, out[k]);
    }
}

XRAI_VECTORISE void write_weight_gradients(const Spectrum& sums, const WinogradShape& s, std::int64_t begin,
                                           std::int64_t end, float* dweights) {
  if (sixteen_lanes()) return weight_gradient_lines<Float16>(sums, s, begin, end, dweights);
  weight_gradient_lines<Float8>(sums, s, begin, end, dweights);
}

// ---- the three passes -----------------------------------------------------------------------------------------------

// The same as `convolve` behind it, to the bit, where the weights are large.
template <class Write>
void convolve_together(const WinogradShape& s, const float* x, const Spectrum& weights, const Write& write,
                       float* scratch) {
  const std::int64_t together = tiles_together(s), count = tiles_of(s).count;
  const Spectrum values(scratch, together, s.inputs);
  const Spectrum results(scratch + Spectrum::floats(together, s.inputs), together, s.outputs);
  for (std::int64_t first = 0; first < count; first += together) {
    const std::int64_t tiles = std::min(together, count - first);
    parallel_for(tiles,
                 [&](std::int64_t begin, std::int64_t end) { transform_values(x, s, first, begin, end, values); });
    parallel_for(kWinogradFrequencies, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t f = begin; f < end; ++f)
        winograd_product({values.frequency(f), s.inputs, 1, weights.frequency(f), results.frequency(f),
                          rounded_up(tiles, 4), s.outputs, s.inputs, false});
    });
    parallel_for(tiles, [&](std::int64_t begin, std::int64_t end) { write(results, first, begin, end); });
  }
}

// x of s.inputs channels to results of s.outputs, by weights (inputs, outputs) a frequency. write(results, first,
// begin, end): what becomes of tiles begin, begin + 1, ... of `results`, which are those from the batch's tile `first`
// on.
template <class Write>
void convolve(const WinogradShape& s, const float* x, const Spectrum& weights, const Write& write, float* scratch) {
  if (wide(s)) return convolve_together(s, x, weights, write, scratch);
  const std::int64_t per_block = tiles_per_block(s), count = tiles_of(s).count;
  const std::int64_t blocks = (count + per_block - 1) / per_block;
  parallel_for(s.threads, [&](std::int64_t begin, std::int64_t end) {
    const Spectrum values(scratch + begin * block_floats(s), per_block, s.inputs);
    const Spectrum results(values.data + Spectrum::floats(per_block, s.inputs), per_block, s.outputs);
    for (std::int64_t block = blocks * begin / s.threads; block < blocks * end / s.threads; ++block) {
      const std::int64_t first = block * per_block, tiles = std::min(per_block, count - first);
      transform_values(x, s, first, 0, tiles, values);
      for (int f = 0; f < kWinogradFrequencies; ++f)
        winograd_product({values.frequency(f), s.inputs, 1, weights.frequency(f), results.frequency(f),
                          rounded_up(tiles, 4), s.outputs, s.inputs, false});
      write(results, first, 0, tiles);
    }
  });
}

// Of the weights, to be read: a spectrum has one kind of pointer for both.
Spectrum forward_spectrum(const WinogradShape& s, const float* transformed) {
  return {const_cast<float*>(transformed), s.inputs, s.outputs};
}

// Results as they are, to y.
auto to(float* y, const WinogradShape& s) {
  return [y, &s](const Spectrum& results, std::int64_t first, std::int64_t begin, std::int64_t end) {
    winograd::write_results(results, s, first, begin, end, y);
  };
}

}  // namespace

void winograd_forward_weights(const WinogradShape& s, const float* weights, float* workspace) {
  const Spectrum spectrum(workspace, s.inputs, s.outputs);
  parallel_for(s.inputs / 16 * (s.outputs / 16),
               [&](std::int64_t begin, std::int64_t end) { forward_weights(weights, s, begin, end, spectrum); });
}

void winograd_forward(const WinogradShape& s, const float* x, const float* transformed, float* y, float* scratch) {
  convolve(s, x, forward_spectrum(s, transformed), to(y, s), scratch);
}

void winograd_forward_normalised(const WinogradShape& s, const float* x, const float* transformed,
                                 const BatchNormArguments& norm, float* scratch) {
  const auto write = [&](const Spectrum& results, std::int64_t first, std::int64_t begin, std::int64_t end) {
    winograd::write_normalised(results, s, first, begin, end, norm);
  };
  convolve(s, x, forward_spectrum(s, transformed), write, scratch);
}

void winograd_backward_weights(const WinogradShape& s, const float* weights, float* workspace) {
  const Spectrum spectrum(workspace, s.outputs, s.inputs);
  parallel_for(s.outputs,
               [&](std::int64_t begin, std::int64_t end) { backward_weights(weights, s, begin, end, spectrum); });
}

void winograd_input_gradient(const WinogradShape& s, const float* dy, float* dx, float* workspace) {
  const WinogradShape mirrored = s.mirrored();
  convolve(mirrored, dy, Spectrum(workspace, s.outputs, s.inputs), to(dx, mirrored), workspace + backward_scratch(s));
}

void winograd_add_weight_gradient(const WinogradShape& s, const float* x, const float* dy, bool begins,
                                  float* workspace) {
  const std::int64_t per_sum = tiles_together(s), count = tiles_of(s).count;
  const Spectrum sums(workspace + sums_place(s), s.outputs, s.inputs);
  const Spectrum values(workspace + backward_scratch(s), per_sum, s.inputs);
  const Spectrum gradients(values.data + Spectrum::floats(per_sum, s.inputs), per_sum, s.outputs);
  for (std::int64_t first = 0; first < count; first += per_sum) {
    const std::int64_t tiles = std::min(per_sum, count - first);
    parallel_for(tiles, [&](std::int64_t begin, std::int64_t end) {
      transform_values(x, s, first, begin, end, values);
      transform_gradients(dy, s, first, begin, end, gradients);
    });
    parallel_for(kWinogradFrequencies, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t f = begin; f < end; ++f)
        winograd_product({gradients.frequency(f), 1, s.outputs, values.frequency(f), sums.frequency(f), s.outputs,
                          s.inputs, tiles, !begins || first > 0});
    });
  }
}

void winograd_weight_gradient(const WinogradShape& s, float* dweights, float* workspace) {
  const Spectrum sums(workspace + sums_place(s), s.outputs, s.inputs);
  parallel_for(s.outputs,
               [&](std::int64_t begin, std::int64_t end) { write_weight_gradients(sums, s, begin, end, dweights); });
}

}  // namespace cpu
}  // namespace xrai::kernels
