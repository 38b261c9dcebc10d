// CUDA kernels of batch normalisation, gradients. As in the CPU twin, g is dy where the ReLU let through, with pooling
// at the window's winner only; dbeta = sum g, dgamma = sum g * xhat, dx = gamma / deviation * (g - mean of g - xhat *
// mean of g * xhat). Two walks over x and dy: the sums must be complete before the first dx is known.
#include "kernels/batch_norm.h"
#include "kernels/batch_norm_tiles.h"

namespace xrai::kernels::cuda {
namespace {

// g of kWidth channels: dy where the ReLU let through. y is read for that only.
template <class T, int kWidth>
__device__ __forceinline__ Pack<T, kWidth> load_gradient(const BatchNormBackwardArguments& arg, std::int64_t at) {
  auto g = load_pack<kWidth>(static_cast<const T*>(arg.dy) + at);
  if (!arg.forward.relu) return g;
  const auto y = load_pack<kWidth>(static_cast<const T*>(arg.forward.y) + at);
#pragma unroll
  for (int i = 0; i < kWidth; ++i) g.elements[i] = to_float(y.elements[i]) > 0.0f ? g.elements[i] : from_float<T>(0.0f);
  return g;
}

template <class T, int kWidth>
__device__ __forceinline__ Pack<T, kWidth> load_x(const BatchNormArguments& arg, std::int64_t position,
                                                  std::int64_t channel) {
  return load_pack<kWidth>(static_cast<const T*>(arg.x) + position * arg.shape.channels + channel);
}

template <int kWidth>
__device__ __forceinline__ void load_parameters(const float* parameters, std::int64_t channel,
                                                float (&values)[kWidth]) {
#pragma unroll
  for (int i = 0; i < kWidth; ++i) values[i] = parameters[channel + i];
}

// ---- sums -----------------------------------------------------------------------------------------------------------

// Sums of g and of g * (x - mean); the deviation waits for the end.
template <int kWidth>
struct GradientSums {
  float g[kWidth] = {}, g_x[kWidth] = {};

  __device__ __forceinline__ void add(int i, float gradient, float deviation) {
    g[i] += gradient;
    g_x[i] += gradient * deviation;
  }
};

// Joins the block's rows and leaves (sum of g, sum of g * (x - mean)) in `partial`.
template <int kWidth>
__device__ __forceinline__ void keep_sums(const GradientSums<kWidth>& own, std::int64_t channels, const Tiles& tiles,
                                          const Place& place, float* partial) {
  XRAI_SHARED(float, sums, 2 * kWidth * kBlockThreads);
#pragma unroll
  for (int i = 0; i < kWidth; ++i) {
    sums[i * kBlockThreads + threadIdx.x] = own.g[i];
    sums[(kWidth + i) * kBlockThreads + threadIdx.x] = own.g_x[i];
  }
  join_rows(tiles, place.row, tiles.rows, [&](unsigned mine, unsigned other) {
#pragma unroll
    for (int i = 0; i < 2 * kWidth; ++i) sums[i * kBlockThreads + mine] += sums[i * kBlockThreads + other];
  });
  if (leads(place)) {
    float* const target = partial + std::int64_t{blockIdx.x} * 2 * channels + place.channel;
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      target[i] = sums[i * kBlockThreads + threadIdx.x];
      target[channels + i] = sums[(kWidth + i) * kBlockThreads + threadIdx.x];
    }
  }
}

template <class T, int kWidth>
__global__ void __launch_bounds__(kBlockThreads) gradient_sums_kernel(BatchNormBackwardArguments arg, Tiles tiles) {
  const Place place = place_in<kWidth>(tiles);
  const std::int64_t channels = arg.forward.shape.channels;
  float mean[kWidth];
  load_parameters(arg.forward.mean, place.channel, mean);
  GradientSums<kWidth> sums;
#pragma unroll 2
  for (std::uint32_t p = place.first; p < place.end; p += tiles.rows) {
    const auto x = load_x<T, kWidth>(arg.forward, p, place.channel);
    const auto g = load_gradient<T, kWidth>(arg, p * channels + place.channel);
#pragma unroll
    for (int i = 0; i < kWidth; ++i) sums.add(i, to_float(g.elements[i]), to_float(x.elements[i]) - mean[i]);
  }
  keep_sums(sums, channels, tiles, place, partial_sums(arg.workspace));
}

template <class T, int kWidth>
__global__ void __launch_bounds__(kBlockThreads) winner_sums_kernel(BatchNormBackwardArguments arg, Tiles tiles) {
  const Place place = place_in<kWidth>(tiles);
  const std::int64_t channels = arg.forward.shape.channels;
  const Windows windows(arg.forward.shape);
  float mean[kWidth];
  load_parameters(arg.forward.mean, place.channel, mean);
  GradientSums<kWidth> sums;
  for (std::uint32_t w = place.first; w < place.end; w += tiles.rows) {
    const std::int64_t at = w * channels + place.channel;
    const std::uint32_t corner = windows.corner(windows.at(w));
    Pack<T, kWidth> x[4];
    // All four: one winner among neighbouring channels brings the whole sector anyway.
#pragma unroll
    for (int i = 0; i < 4; ++i) x[i] = load_x<T, kWidth>(arg.forward, windows.position(corner, i), place.channel);
    const auto g = load_gradient<T, kWidth>(arg, at);
    const auto winner = load_pack<kWidth>(arg.forward.winner + at);
#pragma unroll
    for (int c = 0; c < kWidth; ++c) {
      const int won = winner.elements[c];
      T best = x[0].elements[c];
#pragma unroll
      for (int i = 1; i < 4; ++i) best = won == i ? x[i].elements[c] : best;
      sums.add(c, to_float(g.elements[c]), to_float(best) - mean[c]);
    }
  }
  keep_sums(sums, channels, tiles, place, partial_sums(arg.workspace));
}

__global__ void __launch_bounds__(kBlockThreads) merge_sums_kernel(BatchNormBackwardArguments arg, Tiles tiles) {
  const Finish own = finish_of_thread();
  const std::int64_t channels = arg.forward.shape.channels;
  const bool busy = own.channel < channels;
  const float* const sums = partial_sums(arg.workspace) + (busy ? own.channel : 0);
  const std::uint32_t blocks = busy ? tiles.blocks_high() : 0;
  double g = 0, g_x = 0;
#pragma unroll 4
  for (std::uint32_t block = own.slice; block < blocks; block += kSlices) {
    g += sums[block * 2 * channels];
    g_x += sums[(block * 2 + 1) * channels];
  }
  sum_slices(g, g_x);
  if (busy && own.slice == 0) {
    arg.dbeta[own.channel] = static_cast<float>(g);
    arg.dgamma[own.channel] = static_cast<float>(g_x * arg.forward.inverse_deviation[own.channel]);
  }
}

// ---- dx -------------------------------------------------------------------------------------------------------------

// dx = scale * g + slope * x + offset. The mean is inside the offset, which rounds no more than x was rounded when it
// was stored, and leaves registers to loads under way.
template <int kWidth>
struct Gradient {
  float scale[kWidth], slope[kWidth], offset[kWidth];

  __device__ Gradient(const BatchNormBackwardArguments& arg, std::int64_t channel) {
    const BatchNormArguments& f = arg.forward;
    const float share = 1.0f / static_cast<float>(positions_of(f.shape));
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      const std::int64_t c = channel + i;
      const float inverse = f.inverse_deviation[c];
      scale[i] = f.gamma[c] * inverse;
      slope[i] = -(inverse * scale[i] * (arg.dgamma[c] * share));
      offset[i] = -(scale[i] * (arg.dbeta[c] * share)) - f.mean[c] * slope[i];
    }
  }
  __device__ __forceinline__ float dx(int i, float g, float x) const {
    return scale[i] * g + (slope[i] * x + offset[i]);
  }
};

// Positions of a thread whose loads are under way together.
constexpr int kBatch = 2;

template <class T, int kWidth>
__global__ void __launch_bounds__(kBlockThreads) gradient_kernel(BatchNormBackwardArguments arg, Tiles tiles) {
  const Place place = place_in<kWidth>(tiles);
  const std::int64_t channels = arg.forward.shape.channels;
  const Gradient<kWidth> gradient(arg, place.channel);
  for (std::uint32_t p = place.first; p < place.end; p += kBatch * tiles.rows) {
    // dx may be x, and dresidual may be dy: everything is read before anything is written.
    Pack<T, kWidth> x[kBatch], g[kBatch];
#pragma unroll
    for (int b = 0; b < kBatch; ++b) {
      const std::uint32_t position = p + b * tiles.rows;
      if (position >= place.end) break;
      if (arg.dx != nullptr) x[b] = load_x<T, kWidth>(arg.forward, position, place.channel);
      g[b] = load_gradient<T, kWidth>(arg, position * channels + place.channel);
    }
#pragma unroll
    for (int b = 0; b < kBatch; ++b) {
      const std::uint32_t position = p + b * tiles.rows;
      if (position >= place.end) break;
      const std::int64_t at = position * channels + place.channel;
      if (arg.dresidual != nullptr) store_pack(static_cast<T*>(arg.dresidual) + at, g[b]);
      if (arg.dx == nullptr) continue;
#pragma unroll
      for (int i = 0; i < kWidth; ++i)
        x[b].elements[i] = from_float<T>(gradient.dx(i, to_float(g[b].elements[i]), to_float(x[b].elements[i])));
      store_pack(static_cast<T*>(arg.dx) + at, x[b]);
    }
  }
}

// Windows that an odd height or width cuts off have no winner: g is zero there, dx is not.
template <class T, int kWidth>
__global__ void __launch_bounds__(kBlockThreads) window_gradient_kernel(BatchNormBackwardArguments arg, Tiles tiles) {
  const Place place = place_in<kWidth>(tiles);
  const std::int64_t channels = arg.forward.shape.channels;
  const Gradient<kWidth> gradient(arg, place.channel);
  const Windows parts(arg.forward.shape, true), whole(arg.forward.shape);
  for (std::uint32_t w = place.first; w < place.end; w += tiles.rows) {
    const Windows::Window window = parts.at(w);
    const std::uint32_t corner = parts.corner(window);
    const bool right = 2 * window.column + 1 < parts.width, below = 2 * window.row + 1 < parts.height;
    const bool there[4] = {true, right, below, right && below};
    Pack<T, kWidth> x[4], g{};
    Pack<std::uint8_t, kWidth> winner{};
#pragma unroll
    for (int i = 0; i < 4; ++i)
      if (there[i]) x[i] = load_x<T, kWidth>(arg.forward, parts.position(corner, i), place.channel);
    if (there[3]) {
      const std::int64_t at = whole.number(window) * channels + place.channel;
      g = load_gradient<T, kWidth>(arg, at);
      winner = load_pack<kWidth>(arg.forward.winner + at);
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (!there[i]) continue;
#pragma unroll
      for (int c = 0; c < kWidth; ++c) {
        const float won = winner.elements[c] == i ? to_float(g.elements[c]) : 0.0f;
        x[i].elements[c] = from_float<T>(gradient.dx(c, won, to_float(x[i].elements[c])));
      }
      store_pack(static_cast<T*>(arg.dx) + parts.position(corner, i) * channels + place.channel, x[i]);
    }
  }
}

template <class T, int kWidth>
void launch_sums(const BatchNormBackwardArguments& arg, Stream stream) {
  const BatchNormShape& shape = arg.forward.shape;
  const bool pool = arg.forward.pool;
  const Tiles tiles = summing_tiles<kWidth>(pool ? Windows(shape).count() : shape.positions(), shape.channels);
  // Maps of one row or column have no window: the sums are zero.
  if (tiles.positions > 0)
    launch(pool ? winner_sums_kernel<T, kWidth> : gradient_sums_kernel<T, kWidth>, tiles.grid(), kBlockThreads, 0,
           stream, arg, tiles);
  launch(merge_sums_kernel, finishing_blocks(shape.channels), kBlockThreads, 0, stream, arg, tiles);
}

template <class T, int kWidth>
void launch_gradient(const BatchNormBackwardArguments& arg, Stream stream) {
  const BatchNormShape& shape = arg.forward.shape;
  if (arg.forward.pool) {
    const Tiles tiles = mapping_tiles<kWidth>(Windows(shape, true).count(), shape.channels, kWindowsPerThread);
    launch(window_gradient_kernel<T, kWidth>, tiles.grid(), kBlockThreads, 0, stream, arg, tiles);
  } else {
    const Tiles tiles = mapping_tiles<kWidth>(shape.positions(), shape.channels, kPositionsPerThread);
    launch(gradient_kernel<T, kWidth>, tiles.grid(), kBlockThreads, 0, stream, arg, tiles);
  }
}

template <class T, int kWidth>
void launch_backward(const BatchNormBackwardArguments& arg, Stream stream) {
  launch_sums<T, kWidth>(arg, stream);
  if (arg.dx != nullptr || arg.dresidual != nullptr) launch_gradient<T, kWidth>(arg, stream);
}

}  // namespace

void batch_norm_backward(const BatchNormBackwardArguments& arg, DataType type, Stream stream) {
  if (arg.forward.shape.positions() == 0) return;
  with_type(type, [&]<class T>(ElementType<T>) {
    if (in_wide_groups<T>(arg.forward, arg.dy, arg.dx, arg.dresidual))
      launch_backward<T, kElementsIn16Bytes<T>>(arg, stream);
    else
      launch_backward<T, 1>(arg, stream);
  });
}

}  // namespace xrai::kernels::cuda
