// CPU twin of batch normalisation. Memory is the limit: 205 MB a pass for the first block of plain5 at 224 px and
// batch 64, hence one pass for the statistics, one for the result, two for the gradients, and dx may overwrite x.
#include "kernels/batch_norm.h"

#include <algorithm>
#include <cmath>

#include "kernels/activations.h"
#include "kernels/batch_norm_line.h"
#include "kernels/lanes.h"
#include "kernels/parallel.h"
#include "kernels/vectorise.h"

namespace xrai::kernels {
namespace {

// About 32 KiB of x: the second look at a block finds it in the first-level cache.
std::int64_t positions_per_block(std::int64_t channels) {
  return std::max<std::int64_t>(1, 8192 / channels);
}
std::int64_t statistics_blocks(const BatchNormShape& s) {
  const std::int64_t per_block = positions_per_block(s.channels);
  return (s.positions() + per_block - 1) / per_block;
}

}  // namespace

std::int64_t batch_norm_workspace_doubles(const BatchNormShape& s) {
  // Blocks of the gradients are rows of windows; without pooling they are the statistics' blocks.
  return 2 * s.channels * std::max(statistics_blocks(s), s.n * s.height);
}

namespace cpu {
namespace {

// ---- statistics -----------------------------------------------------------------------------------------------------

// Mean and sum of squared deviations of one block, for channels [c, c + lanes).
template <class V>
XRAI_INLINE void block_moments(const float* x, std::int64_t positions, std::int64_t channels, double* mean,
                               double* m2) {
  V sum{};
  for (std::int64_t p = 0; p < positions; ++p) sum += load<V>(x + p * channels);
  const V centre = sum * (1.0f / static_cast<float>(positions));
  V squares{}, rest{};
  for (std::int64_t p = 0; p < positions; ++p) {
    const V deviation = load<V>(x + p * channels) - centre;
    squares += deviation * deviation;
    rest += deviation;
  }
  float sums[kLanes<V>], centres[kLanes<V>], rests[kLanes<V>];
  store<V>(sums, squares);
  store<V>(centres, centre);
  store<V>(rests, rest);
  for (std::int64_t lane = 0; lane < kLanes<V>; ++lane) {
    // The centre is rounded; what is left over corrects both moments.
    const double shift = static_cast<double>(rests[lane]) / static_cast<double>(positions);
    mean[lane] = centres[lane] + shift;
    m2[lane] = sums[lane] - shift * rests[lane];
  }
}

template <class V>
XRAI_INLINE void block_range(const BatchStatisticsArguments& arg, std::int64_t begin, std::int64_t end) {
  const std::int64_t channels = arg.shape.channels, per_block = positions_per_block(channels);
  for (std::int64_t block = begin; block < end; ++block) {
    const std::int64_t first = block * per_block, count = std::min(per_block, arg.shape.positions() - first);
    const float* x = floats(arg.x) + first * channels;
    double* mean = arg.workspace + block * 2 * channels;
    double* m2 = mean + channels;
    std::int64_t c = 0;
    for (; c + kLanes<V> <= channels; c += kLanes<V>) block_moments<V>(x + c, count, channels, mean + c, m2 + c);
    for (; c < channels; ++c) block_moments<float>(x + c, count, channels, mean + c, m2 + c);
  }
}

XRAI_VECTORISE void moments_of_blocks(const BatchStatisticsArguments& arg, std::int64_t begin, std::int64_t end) {
  if (sixteen_lanes()) return block_range<Float16>(arg, begin, end);
  block_range<Float8>(arg, begin, end);
}

// Pairwise merging in block order: Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing
// sample variances", 1979, equation 2.1.
void merge_moments(const BatchStatisticsArguments& arg, std::int64_t channel) {
  const std::int64_t channels = arg.shape.channels, per_block = positions_per_block(channels);
  const std::int64_t blocks = statistics_blocks(arg.shape), total = arg.shape.positions();
  double mean = 0, m2 = 0, count = 0;
  for (std::int64_t block = 0; block < blocks; ++block) {
    const double block_count = static_cast<double>(std::min(per_block, total - block * per_block));
    const double* block_mean = arg.workspace + block * 2 * channels;
    const double delta = block_mean[channel] - mean, sum = count + block_count;
    mean += delta * block_count / sum;
    m2 += block_mean[channels + channel] + delta * delta * count * block_count / sum;
    count = sum;
  }
  const double variance = m2 / count;
  arg.mean[channel] = static_cast<float>(mean);
  arg.inverse_deviation[channel] = static_cast<float>(1.0 / std::sqrt(variance + arg.epsilon));
  if (arg.running_mean == nullptr || count < 2) return;
  const double keep = 1.0 - arg.momentum;
  arg.running_mean[channel] = static_cast<float>(keep * arg.running_mean[channel] + arg.momentum * mean);
  arg.running_variance[channel] =
      static_cast<float>(keep * arg.running_variance[channel] + arg.momentum * m2 / (count - 1));
}

// ---- forward --------------------------------------------------------------------------------------------------------

template <class V, bool kRelu, bool kResidual>
XRAI_INLINE void plain_group(const BatchNormArguments& arg, std::int64_t c, std::int64_t begin, std::int64_t end) {
  const Affine<V> a = affine<V>(arg, c);
  for (std::int64_t p = begin; p < end; ++p) {
    const std::int64_t at = p * arg.shape.channels + c;
    V v = load<V>(floats(arg.x) + at) * a.scale + a.shift;
    if constexpr (kResidual) v += load<V>(floats(arg.residual) + at);
    if constexpr (kRelu) v = relu_of(v);
    store<V>(floats(arg.y) + at, v);
  }
}

template <class V, bool kRelu, bool kResidual>
XRAI_INLINE void plain_positions(const BatchNormArguments& arg, std::int64_t begin, std::int64_t end) {
  // Small groups of positions, all channels of each: the rows of x come in order.
  constexpr std::int64_t kGroup = 32;
  for (std::int64_t p = begin; p < end; p += kGroup) {
    const std::int64_t stop = std::min(p + kGroup, end);
    std::int64_t c = 0;
    for (; c + kLanes<V> <= arg.shape.channels; c += kLanes<V>) plain_group<V, kRelu, kResidual>(arg, c, p, stop);
    for (; c < arg.shape.channels; ++c) plain_group<float, kRelu, kResidual>(arg, c, p, stop);
  }
}

template <class V>
XRAI_INLINE void any_plain_positions(const BatchNormArguments& arg, std::int64_t begin, std::int64_t end) {
  if (arg.relu && arg.residual != nullptr) return plain_positions<V, true, true>(arg, begin, end);
  if (arg.relu) return plain_positions<V, true, false>(arg, begin, end);
  if (arg.residual != nullptr) return plain_positions<V, false, true>(arg, begin, end);
  plain_positions<V, false, false>(arg, begin, end);
}

XRAI_VECTORISE void plain_range(const BatchNormArguments& arg, std::int64_t begin, std::int64_t end) {
  if (sixteen_lanes()) return any_plain_positions<Float16>(arg, begin, end);
  any_plain_positions<Float8>(arg, begin, end);
}

// One row of windows, numbered over all images: where its two input rows and its output row begin, in elements.
struct WindowRow {
  std::int64_t top, bottom, out;
};

WindowRow window_row(const BatchNormShape& s, std::int64_t row) {
  const std::int64_t rows = s.height / 2, image = row / rows, y = row % rows;
  const std::int64_t top = ((image * s.height + 2 * y) * s.width) * s.channels;
  return {top, top + s.width * s.channels, row * (s.width / 2) * s.channels};
}

template <class V, bool kRelu>
XRAI_INLINE void pooled_group(const BatchNormArguments& arg, const WindowRow& row, std::int64_t window,
                              std::int64_t c) {
  const Affine<V> a = affine<V>(arg, c);
  const std::int64_t channels = arg.shape.channels, left = 2 * window * channels + c;
  const float* top = floats(arg.x) + row.top + left;
  const float* bottom = floats(arg.x) + row.bottom + left;
  V best = load<V>(top) * a.scale + a.shift;
  Index<V> winner{};
  const float* others[3] = {top + channels, bottom, bottom + channels};
  for (int i = 0; i < 3; ++i) {
    const V v = load<V>(others[i]) * a.scale + a.shift;
    // The first of equals wins, as in PyTorch.
    winner = v > best ? Index<V>{} + (i + 1) : winner;
    best = v > best ? v : best;
  }
  if constexpr (kRelu) best = relu_of(best);
  const std::int64_t at = row.out + window * channels + c;
  store<V>(floats(arg.y) + at, best);
  if (arg.winner != nullptr) store_index<V>(arg.winner + at, winner);
}

template <class V, bool kRelu>
XRAI_INLINE void pooled_rows(const BatchNormArguments& arg, std::int64_t begin, std::int64_t end) {
  for (std::int64_t r = begin; r < end; ++r) {
    const WindowRow row = window_row(arg.shape, r);
    for (std::int64_t window = 0; window < arg.shape.width / 2; ++window) {
      std::int64_t c = 0;
      for (; c + kLanes<V> <= arg.shape.channels; c += kLanes<V>) pooled_group<V, kRelu>(arg, row, window, c);
      for (; c < arg.shape.channels; ++c) pooled_group<float, kRelu>(arg, row, window, c);
    }
  }
}

template <class V>
XRAI_INLINE void any_pooled_rows(const BatchNormArguments& arg, std::int64_t begin, std::int64_t end) {
  if (arg.relu)
    pooled_rows<V, true>(arg, begin, end);
  else
    pooled_rows<V, false>(arg, begin, end);
}

XRAI_VECTORISE void pooled_range(const BatchNormArguments& arg, std::int64_t begin, std::int64_t end) {
  if (sixteen_lanes()) return any_pooled_rows<Float16>(arg, begin, end);
  any_pooled_rows<Float8>(arg, begin, end);
}

}  // namespace

void batch_moments(const BatchStatisticsArguments& arg, std::int64_t before, std::int64_t positions) {
  const std::int64_t per_block = positions_per_block(arg.shape.channels), first = before / per_block;
  // A block is taken when it is whole; the batch's last one may be shorter.
  const std::int64_t last = positions == arg.shape.positions() ? statistics_blocks(arg.shape) : positions / per_block;
  parallel_for(last - first,
               [&](std::int64_t begin, std::int64_t end) { moments_of_blocks(arg, first + begin, first + end); });
}

void batch_statistics(const BatchStatisticsArguments& arg) {
  batch_moments(arg, 0, arg.shape.positions());
  finish_batch_statistics(arg);
}

void finish_batch_statistics(const BatchStatisticsArguments& arg) {
  parallel_for(arg.shape.channels, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t c = begin; c < end; ++c) merge_moments(arg, c);
  });
}

void batch_norm(const BatchNormArguments& arg) {
  if (arg.pool)
    parallel_for(arg.shape.n * (arg.shape.height / 2),
                 [&](std::int64_t begin, std::int64_t end) { pooled_range(arg, begin, end); });
  else
    parallel_for(arg.shape.positions(), [&](std::int64_t begin, std::int64_t end) { plain_range(arg, begin, end); });
}

void fold_batch_norm(const BatchNormArguments& arg, const float* weights, std::int64_t per_channel, float* folded,
                     float* shift) {
  parallel_for(arg.shape.channels, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t c = begin; c < end; ++c) {
      const Affine<float> a = affine<float>(arg, c);
      shift[c] = a.shift;
      for (std::int64_t i = c * per_channel; i < (c + 1) * per_channel; ++i) folded[i] = weights[i] * a.scale;
    }
  });
}

void inverse_deviation(const float* variance, float epsilon, std::int64_t channels, float* inverse) {
  for (std::int64_t c = 0; c < channels; ++c)
    inverse[c] = static_cast<float>(1.0 / std::sqrt(static_cast<double>(variance[c]) + epsilon));
}

}  // namespace cpu
}  // namespace xrai::kernels
