// The small operations on the GPU. Each is bound by memory: one pass, 16 bytes per access. Sums over rows (global
// average pooling, bias gradients) share one kernel whose partition depends on the sizes only.
#include <algorithm>

#include "kernels/element.h"
#include "kernels/elementwise.h"
#include "kernels/philox.h"
#include "kernels/row_tiling.h"

namespace xrai::kernels::cuda {
namespace {

// ---- element by element ---------------------------------------------------------------------------------------------

struct Add {
  __device__ float operator()(float a, float b) const { return a + b; }
};
struct Relu {
  // A NaN stays a NaN: the trainer must see it.
  __device__ float operator()(float x) const { return x < 0.0f ? 0.0f : x; }
};
struct ReluBackward {
  __device__ float operator()(float y, float dy) const { return y > 0.0f ? dy : 0.0f; }
};
struct Copy {
  __device__ float operator()(float x) const { return x; }
};

/// Elements per group: 16 bytes of the narrower of the two types.
template <class Out, class In>
inline constexpr int kMapCount = kElementsIn16Bytes<std::conditional_t<(sizeof(Out) < sizeof(In)), Out, In>>;

template <class Operation, class Out, class In>
__global__ void __launch_bounds__(kBlockThreads) map_kernel(Groups groups, const In* x, Out* y) {
  for_each_group<kMapCount<Out, In>>(groups, [=](auto count, std::int64_t i) {
    constexpr int kCount = decltype(count)::value;
    float values[kCount];
    load_floats<kCount>(x + i, values);
#pragma unroll
    for (float& value : values) value = Operation{}(value);
    store_floats<kCount>(y + i, values);
  });
}

template <class Operation, class T>
__global__ void __launch_bounds__(kBlockThreads) map_two_kernel(Groups groups, const T* a, const T* b, T* y) {
  for_each_group<kElementsIn16Bytes<T>>(groups, [=](auto count, std::int64_t i) {
    constexpr int kCount = decltype(count)::value;
    float first[kCount], second[kCount];
    load_floats<kCount>(a + i, first);
    load_floats<kCount>(b + i, second);
#pragma unroll
    for (int lane = 0; lane < kCount; ++lane) first[lane] = Operation{}(first[lane], second[lane]);
    store_floats<kCount>(y + i, first);
  });
}

template <class Operation, class Out, class In>
void map(const In* x, Out* y, std::int64_t n, Stream stream) {
  if (n == 0) return;
  constexpr int kCount = kMapCount<Out, In>;
  const Groups groups = groups_of<kCount>(n, x, y);
  launch(map_kernel<Operation, Out, In>, blocks_for<kCount>(groups), kBlockThreads, 0, stream, groups, x, y);
}

template <class Operation>
void map_two(const void* a, const void* b, void* y, std::int64_t n, DataType type, Stream stream) {
  if (n == 0) return;
  with_type(type, [&](auto element) {
    using T = typename decltype(element)::Type;
    constexpr int kCount = kElementsIn16Bytes<T>;
    const auto* first = static_cast<const T*>(a);
    const auto* second = static_cast<const T*>(b);
    auto* out = static_cast<T*>(y);
    const Groups groups = groups_of<kCount>(n, first, second, out);
    launch(map_two_kernel<Operation, T>, blocks_for<kCount>(groups), kBlockThreads, 0, stream, groups, first, second,
           out);
  });
}

// ---- dropout --------------------------------------------------------------------------------------------------------

/// Groups begin at multiples of kCount, whatever the addresses: one draw of four numbers belongs to elements
/// 4 * quad .. 4 * quad + 3. Single accesses where the arrays are not aligned, and in the last group.
template <class T>
__global__ void __launch_bounds__(kBlockThreads)
    dropout_kernel(const __grid_constant__ DropoutArguments arg, float scale, bool aligned) {
  constexpr int kCount = kElementsIn16Bytes<T>;
  const auto* x = static_cast<const T*>(arg.x);
  auto* y = static_cast<T*>(arg.y);
  const StepNumbers keys = arg.numbers != nullptr ? *arg.numbers : StepNumbers{};
  const std::int64_t step = std::int64_t{gridDim.x} * kBlockThreads * kCount;
  for (std::int64_t first = (std::int64_t{blockIdx.x} * kBlockThreads + threadIdx.x) * kCount; first < arg.n;
       first += step) {
    bool dropped[kCount];
#pragma unroll
    for (int i = 0; i < kCount; i += 4) {
      const auto quad = static_cast<std::uint64_t>((first + i) / 4);
      const Philox4 numbers = random_numbers(keys.seed, RandomPurpose::kDropout, keys.step, quad, arg.layer);
#pragma unroll
      for (int lane = 0; lane < 4; ++lane) dropped[i + lane] = uniform01(numbers.v[lane]) < arg.probability;
    }
    if (aligned && first + kCount <= arg.n) {
      float values[kCount];
      load_floats<kCount>(x + first, values);
#pragma unroll
      for (int i = 0; i < kCount; ++i) values[i] = dropped[i] ? 0.0f : values[i] * scale;
      store_floats<kCount>(y + first, values);
      continue;
    }
#pragma unroll
    for (int i = 0; i < kCount; ++i)
      if (first + i < arg.n) y[first + i] = from_float<T>(dropped[i] ? 0.0f : to_float(x[first + i]) * scale);
  }
}

// ---- rows -----------------------------------------------------------------------------------------------------------

/// out[part, c] = scale * sum of x[row, c] over the rows of the part.
template <int kCount, class Out, class In>
__global__ void __launch_bounds__(kBlockThreads)
    sum_rows_kernel(const __grid_constant__ Tiling t, float scale, const In* x, Out* out) {
  XRAI_SHARED(float, sums, kBlockThreads* kCount);
  const Place place = place_of<kCount>(t);
  const bool has_channels = place.channel < t.channels;
  float sum[kCount] = {};
  if (has_channels)
    for (std::int64_t row = place.first_row; row < place.end_row; row += place.row_step) {
      float values[kCount];
      load_floats<kCount>(x + row * t.channels + place.channel, values);
#pragma unroll
      for (int i = 0; i < kCount; ++i) sum[i] += values[i];
    }
#pragma unroll
  for (int i = 0; i < kCount; ++i) sums[i * kBlockThreads + threadIdx.x] = sum[i];
  for (unsigned half = place.row_step / 2; half > 0; half /= 2) {
    __syncthreads();
    if (place.row >= half) continue;
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      sum[i] += sums[i * kBlockThreads + threadIdx.x + half * t.lanes];
      sums[i * kBlockThreads + threadIdx.x] = sum[i];
    }
  }
  if (place.row != 0 || !has_channels) return;
#pragma unroll
  for (int i = 0; i < kCount; ++i) sum[i] *= scale;
  store_floats<kCount>(out + (place.part * t.channels + place.channel), sum);
}

template <class Out, class In>
void sum_rows(const In* x, Out* out, std::int64_t rows, std::int64_t channels, std::int64_t rows_per_part, float scale,
              Stream stream) {
  constexpr int kCount = kElementsIn16Bytes<In>;
  const bool grouped = channels % kCount == 0 && all_aligned<kCount>(x, out);
  const Tiling t =
      grouped ? tiling_of<kCount>(rows, channels, rows_per_part) : tiling_of<1>(rows, channels, rows_per_part);
  const auto kernel = grouped ? sum_rows_kernel<kCount, Out, In> : sum_rows_kernel<1, Out, In>;
  launch(kernel, t.blocks(), kBlockThreads, 0, stream, t, scale, x, out);
}

/// dx[row, c] = scale * dy[row / positions, c].
template <int kCount, class T>
__global__ void __launch_bounds__(kBlockThreads)
    spread_rows_kernel(const __grid_constant__ Tiling t, std::int64_t positions, float scale, const T* dy, T* dx) {
  const Place place = place_of<kCount>(t);
  if (place.channel >= t.channels) return;
  for (std::int64_t row = place.first_row; row < place.end_row; row += place.row_step) {
    float values[kCount];
    load_floats<kCount>(dy + row / positions * t.channels + place.channel, values);
#pragma unroll
    for (float& value : values) value *= scale;
    store_floats<kCount>(dx + (row * t.channels + place.channel), values);
  }
}

/// Parts of the rows that column_sums sums first; one part needs no second launch.
constexpr std::int64_t kRowsPerPart = 1024, kMostParts = 1024;
std::int64_t rows_per_part_of(std::int64_t rows) {
  return std::max(kRowsPerPart, (rows + kMostParts - 1) / kMostParts);
}
std::int64_t parts_of(std::int64_t rows) {
  return std::max<std::int64_t>(1, (rows + rows_per_part_of(rows) - 1) / rows_per_part_of(rows));
}

}  // namespace

void add(const void* a, const void* b, void* sum, std::int64_t n, DataType type, Stream stream) {
  map_two<Add>(a, b, sum, n, type, stream);
}

void relu(const void* x, void* y, std::int64_t n, DataType type, Stream stream) {
  with_type(type, [&](auto element) {
    using T = typename decltype(element)::Type;
    map<Relu>(static_cast<const T*>(x), static_cast<T*>(y), n, stream);
  });
}

void relu_backward(const void* y, const void* dy, void* dx, std::int64_t n, DataType type, Stream stream) {
  map_two<ReluBackward>(y, dy, dx, n, type, stream);
}

void narrow(const float* from, void* to, std::int64_t n, DataType type, Stream stream) {
  with_type(type,
            [&](auto element) { map<Copy>(from, static_cast<typename decltype(element)::Type*>(to), n, stream); });
}

void widen(const void* from, float* to, std::int64_t n, DataType type, Stream stream) {
  with_type(type, [&](auto element) {
    map<Copy>(static_cast<const typename decltype(element)::Type*>(from), to, n, stream);
  });
}

void dropout(const DropoutArguments& arguments, DataType type, Stream stream) {
  if (arguments.n == 0) return;
  with_type(type, [&](auto element) {
    using T = typename decltype(element)::Type;
    constexpr int kCount = kElementsIn16Bytes<T>;
    const bool aligned = all_aligned<kCount>(static_cast<const T*>(arguments.x), static_cast<const T*>(arguments.y));
    launch(dropout_kernel<T>, blocks_for((arguments.n + kCount - 1) / kCount), kBlockThreads, 0, stream, arguments,
           1.0f / (1.0f - arguments.probability), aligned);
  });
}

void global_average_pool(const void* x, void* y, std::int64_t n, std::int64_t positions, std::int64_t channels,
                         DataType type, Stream stream) {
  if (n * channels == 0) return;
  with_type(type, [&](auto element) {
    using T = typename decltype(element)::Type;
    sum_rows(static_cast<const T*>(x), static_cast<T*>(y), n * positions, channels, positions,
             1.0f / static_cast<float>(positions), stream);
  });
}

void global_average_pool_backward(const void* dy, void* dx, std::int64_t n, std::int64_t positions,
                                  std::int64_t channels, DataType type, Stream stream) {
  if (n * positions * channels == 0) return;
  with_type(type, [&](auto element) {
    using T = typename decltype(element)::Type;
    constexpr int kCount = kElementsIn16Bytes<T>;
    const auto* from = static_cast<const T*>(dy);
    auto* to = static_cast<T*>(dx);
    const bool grouped = channels % kCount == 0 && all_aligned<kCount>(from, to);
    const Tiling wide = tiling_of<kCount>(n * positions, channels, 1),
                 single = tiling_of<1>(n * positions, channels, 1);
    Tiling t = grouped ? wide : single;
    t.rows_per_part = 4 * kBlockThreads / t.lanes;
    const auto kernel = grouped ? spread_rows_kernel<kCount, T> : spread_rows_kernel<1, T>;
    launch(kernel, t.blocks(), kBlockThreads, 0, stream, t, positions, 1.0f / static_cast<float>(positions), from, to);
  });
}

std::int64_t column_sums_workspace_floats(std::int64_t rows, std::int64_t channels) {
  return parts_of(rows) * channels;
}

void column_sums(const void* x, float* sums, std::int64_t rows, std::int64_t channels, float* workspace, DataType type,
                 Stream stream) {
  if (channels == 0) return;
  const std::int64_t parts = parts_of(rows);
  with_type(type, [&](auto element) {
    using T = typename decltype(element)::Type;
    sum_rows(static_cast<const T*>(x), parts > 1 ? workspace : sums, rows, channels, rows_per_part_of(rows), 1, stream);
  });
  if (parts > 1) sum_rows(static_cast<const float*>(workspace), sums, parts, channels, parts, 1, stream);
}

}  // namespace xrai::kernels::cuda
