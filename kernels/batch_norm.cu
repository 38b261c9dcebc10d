// CUDA kernels of batch normalisation, forward. Memory is the limit: x is read once for the statistics and once for the
// result, which goes through residual, ReLU and pooling before it is written.
#include "kernels/batch_norm.h"
#include "kernels/batch_norm_tiles.h"

namespace xrai::kernels::cuda {
namespace {

// ---- statistics -----------------------------------------------------------------------------------------------------

// Number, mean and sum of squared deviations of some values of a channel. The mean is relative to the channel's first
// value in the batch, which stands behind the partial sums: a mean far from zero takes nothing from the deviations.
struct Moments {
  float count, mean, m2;
};

// Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979.
__device__ __forceinline__ Moments merged(const Moments& a, const Moments& b) {
  const float count = a.count + b.count, share = b.count / count, delta = b.mean - a.mean;
  return {count, a.mean + delta * share, a.m2 + b.m2 + delta * delta * a.count * share};
}

// The thread's own values of kWidth channels, relative to `reference`.
template <int kWidth, class T>
__device__ __forceinline__ void thread_moments(const T* x, std::int64_t channels, const Tiles& tiles,
                                               const Place& place, const float (&reference)[kWidth],
                                               Moments (&moments)[kWidth]) {
  // Sums relative to the thread's first value: one of its own, hence not farther away than its values are apart.
  float shift[kWidth] = {}, sum[kWidth] = {}, squares[kWidth] = {};
  if (place.first < place.end) load_floats(x + place.first * channels + place.channel, shift);
  float count = 0;
#pragma unroll 4
  for (std::uint32_t p = place.first; p < place.end; p += tiles.rows) {
    float values[kWidth];
    load_floats(x + p * channels + place.channel, values);
    count += 1;
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      const float deviation = values[i] - shift[i];
      sum[i] += deviation;
      squares[i] += deviation * deviation;
    }
  }
  const float share = count > 0 ? 1.0f / count : 0.0f;
#pragma unroll
  for (int i = 0; i < kWidth; ++i) {
    const float mean = sum[i] * share;
    moments[i] = {count, (shift[i] - reference[i]) + mean, squares[i] - sum[i] * mean};
  }
}

template <class T, int kWidth>
__global__ void __launch_bounds__(kBlockThreads)
    moments_kernel(const T* x, std::int64_t channels, Tiles tiles, float* partial) {
  XRAI_SHARED(float, count, kBlockThreads);
  XRAI_SHARED(float, mean, kWidth* kBlockThreads);
  XRAI_SHARED(float, m2, kWidth* kBlockThreads);
  const Place place = place_in<kWidth>(tiles);
  float reference[kWidth];
  load_floats(x + place.channel, reference);
  Moments own[kWidth];
  thread_moments<kWidth>(x, channels, tiles, place, reference, own);
  count[threadIdx.x] = own[0].count;
#pragma unroll
  for (int i = 0; i < kWidth; ++i) {
    mean[i * kBlockThreads + threadIdx.x] = own[i].mean;
    m2[i * kBlockThreads + threadIdx.x] = own[i].m2;
  }
  const std::uint32_t live = min(tiles.rows, place.end - blockIdx.x * tiles.per_block);
  join_rows(tiles, place.row, live, [&](unsigned mine, unsigned other) {
    Moments both{};
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      const unsigned a = i * kBlockThreads + mine, b = i * kBlockThreads + other;
      both = merged({count[mine], mean[a], m2[a]}, {count[other], mean[b], m2[b]});
      mean[a] = both.mean, m2[a] = both.m2;
    }
    count[mine] = both.count;
  });
  if (leads(place)) {
    float* const means = partial + std::int64_t{blockIdx.x} * 2 * channels + place.channel;
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      means[i] = mean[i * kBlockThreads + threadIdx.x];
      means[channels + i] = m2[i * kBlockThreads + threadIdx.x];
      if (blockIdx.x == 0) means[gridDim.x * 2 * channels + i] = reference[i];
    }
  }
}

__device__ __forceinline__ void keep_statistics(const BatchStatisticsArguments& arg, std::int64_t channel, double mean,
                                                double m2) {
  const auto count = static_cast<double>(positions_of(arg.shape));
  arg.mean[channel] = static_cast<float>(mean);
  arg.inverse_deviation[channel] = static_cast<float>(1.0 / sqrt(m2 / count + arg.epsilon));
  if (arg.running_mean == nullptr || count < 2) return;
  const double momentum = arg.momentum, keep = 1.0 - momentum;
  arg.running_mean[channel] = static_cast<float>(keep * arg.running_mean[channel] + momentum * mean);
  arg.running_variance[channel] =
      static_cast<float>(keep * arg.running_variance[channel] + momentum * m2 / (count - 1));
}

// Sums relative to the first block's mean instead of merging one after the other: additions, not divisions, wait for
// each other, and in double the detour costs nothing.
__global__ void __launch_bounds__(kBlockThreads) merge_moments_kernel(BatchStatisticsArguments arg, Tiles tiles) {
  const Finish own = finish_of_thread();
  const std::int64_t channels = arg.shape.channels;
  const bool busy = own.channel < channels;
  const float* const means = partial_sums(arg.workspace) + (busy ? own.channel : 0);
  const double reference = means[0];
  const std::uint32_t blocks = busy ? tiles.blocks_high() : 0;
  double sum = 0, squares = 0;
#pragma unroll 4
  for (std::uint32_t block = own.slice; block < blocks; block += kSlices) {
    const float* const mean = means + block * 2 * channels;
    const double count = min(tiles.per_block, tiles.positions - block * tiles.per_block);
    const double deviation = mean[0] - reference;
    sum += count * deviation;
    squares += mean[channels] + count * deviation * deviation;
  }
  sum_slices(sum, squares);
  if (busy && own.slice == 0) {
    const double shift = sum / tiles.positions, m2 = squares - sum * shift;
    const double first = means[blocks * 2 * channels];
    keep_statistics(arg, own.channel, first + reference + shift, m2 < 0 ? 0 : m2);
  }
}

template <class T, int kWidth>
void launch_statistics(const BatchStatisticsArguments& arg, Stream stream) {
  const std::int64_t channels = arg.shape.channels;
  const Tiles tiles = summing_tiles<kWidth>(arg.shape.positions(), channels);
  launch(moments_kernel<T, kWidth>, tiles.grid(), kBlockThreads, 0, stream, static_cast<const T*>(arg.x), channels,
         tiles, partial_sums(arg.workspace));
  launch(merge_moments_kernel, finishing_blocks(channels), kBlockThreads, 0, stream, arg, tiles);
}

// ---- forward --------------------------------------------------------------------------------------------------------

// gamma * (x - mean) / deviation + beta as scale * x + shift.
template <int kWidth>
struct Affine {
  float scale[kWidth], shift[kWidth];

  __device__ Affine(const BatchNormArguments& arg, std::int64_t channel) {
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      const std::int64_t c = channel + i;
      scale[i] = arg.gamma[c] * arg.inverse_deviation[c];
      shift[i] = arg.beta[c] - arg.mean[c] * scale[i];
    }
  }
  __device__ __forceinline__ float of(int i, float x) const {
    return x * scale[i] + shift[i];
  }
};

// Lets NaN through.
__device__ __forceinline__ float relu_of(float v) {
  return v < 0.0f ? 0.0f : v;
}

// Positions of a thread whose loads are under way together.
constexpr int kBatch = 2;

template <class T, int kWidth>
__global__ void __launch_bounds__(kBlockThreads) normalise_kernel(BatchNormArguments arg, Tiles tiles) {
  const Place place = place_in<kWidth>(tiles);
  const Affine<kWidth> affine(arg, place.channel);
  const std::int64_t channels = arg.shape.channels;
  const bool add = arg.residual != nullptr;
  for (std::uint32_t p = place.first; p < place.end; p += kBatch * tiles.rows) {
    Pack<T, kWidth> x[kBatch], residual[kBatch];
#pragma unroll
    for (int b = 0; b < kBatch; ++b) {
      const std::uint32_t position = p + b * tiles.rows;
      if (position >= place.end) break;
      const std::int64_t at = position * channels + place.channel;
      x[b] = load_pack<kWidth>(static_cast<const T*>(arg.x) + at);
      if (add) residual[b] = load_pack<kWidth>(static_cast<const T*>(arg.residual) + at);
    }
#pragma unroll
    for (int b = 0; b < kBatch; ++b) {
      const std::uint32_t position = p + b * tiles.rows;
      if (position >= place.end) break;
#pragma unroll
      for (int i = 0; i < kWidth; ++i) {
        float v = affine.of(i, to_float(x[b].elements[i]));
        if (add) v += to_float(residual[b].elements[i]);
        x[b].elements[i] = from_float<T>(arg.relu ? relu_of(v) : v);
      }
      store_pack(static_cast<T*>(arg.y) + position * channels + place.channel, x[b]);
    }
  }
}

template <class T, int kWidth>
__global__ void __launch_bounds__(kBlockThreads) normalise_and_pool_kernel(BatchNormArguments arg, Tiles tiles) {
  const Place place = place_in<kWidth>(tiles);
  const Affine<kWidth> affine(arg, place.channel);
  const std::int64_t channels = arg.shape.channels;
  const Windows windows(arg.shape);
  for (std::uint32_t w = place.first; w < place.end; w += tiles.rows) {
    const std::uint32_t corner = windows.corner(windows.at(w));
    Pack<T, kWidth> x[4];
#pragma unroll
    for (int i = 0; i < 4; ++i)
      x[i] = load_pack<kWidth>(static_cast<const T*>(arg.x) + windows.position(corner, i) * channels + place.channel);
    Pack<std::uint8_t, kWidth> winner;
#pragma unroll
    for (int c = 0; c < kWidth; ++c) {
      float best = affine.of(c, to_float(x[0].elements[c]));
      winner.elements[c] = 0;
#pragma unroll
      for (int i = 1; i < 4; ++i) {
        const float v = affine.of(c, to_float(x[i].elements[c]));
        // The first of equals wins, as in PyTorch.
        winner.elements[c] = v > best ? static_cast<std::uint8_t>(i) : winner.elements[c];
        best = v > best ? v : best;
      }
      x[0].elements[c] = from_float<T>(arg.relu ? relu_of(best) : best);
    }
    const std::int64_t at = w * channels + place.channel;
    store_pack(static_cast<T*>(arg.y) + at, x[0]);
    if (arg.winner != nullptr) store_pack(arg.winner + at, winner);
  }
}

template <class T, int kWidth>
void launch_forward(const BatchNormArguments& arg, Stream stream) {
  if (arg.pool) {
    const Tiles tiles = mapping_tiles<kWidth>(Windows(arg.shape).count(), arg.shape.channels, kWindowsPerThread);
    if (tiles.positions == 0) return;  // maps of one row or column have no window
    launch(normalise_and_pool_kernel<T, kWidth>, tiles.grid(), kBlockThreads, 0, stream, arg, tiles);
  } else {
    const Tiles tiles = mapping_tiles<kWidth>(arg.shape.positions(), arg.shape.channels, kPositionsPerThread);
    launch(normalise_kernel<T, kWidth>, tiles.grid(), kBlockThreads, 0, stream, arg, tiles);
  }
}

__global__ void __launch_bounds__(kBlockThreads)
    inverse_deviation_kernel(const float* variance, float epsilon, std::int64_t channels, float* inverse) {
  const std::int64_t c = std::int64_t{blockIdx.x} * kBlockThreads + threadIdx.x;
  if (c < channels) inverse[c] = static_cast<float>(1.0 / sqrt(static_cast<double>(variance[c]) + epsilon));
}

}  // namespace

void batch_statistics(const BatchStatisticsArguments& arg, DataType type, Stream stream) {
  if (arg.shape.positions() == 0) return;
  with_type(type, [&]<class T>(ElementType<T>) {
    constexpr int kWide = kElementsIn16Bytes<T>;
    if (arg.shape.channels % kWide == 0 && all_aligned<kWide>(static_cast<const T*>(arg.x)))
      launch_statistics<T, kWide>(arg, stream);
    else
      launch_statistics<T, 1>(arg, stream);
  });
}

void batch_norm(const BatchNormArguments& arg, DataType type, Stream stream) {
  if (arg.shape.positions() == 0) return;
  with_type(type, [&]<class T>(ElementType<T>) {
    if (in_wide_groups<T>(arg))
      launch_forward<T, kElementsIn16Bytes<T>>(arg, stream);
    else
      launch_forward<T, 1>(arg, stream);
  });
}

void inverse_deviation(const float* variance, float epsilon, std::int64_t channels, float* inverse, Stream stream) {
  launch(inverse_deviation_kernel, static_cast<unsigned>((channels + kBlockThreads - 1) / kBlockThreads), kBlockThreads,
         0, stream, variance, epsilon, channels, inverse);
}

}  // namespace xrai::kernels::cuda
