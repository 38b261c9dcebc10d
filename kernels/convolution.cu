// The three passes of convolution on the GPU, each a product of two factors (kernels/convolution_factors.h) by tiles
// (kernels/convolution_product.h).
#include <algorithm>
#include <stdexcept>

#include "kernels/convolution.h"
#include "kernels/convolution_factors.h"
#include "kernels/convolution_product.h"
#include "kernels/elementwise.h"

namespace xrai::kernels::cuda {
namespace {

// ---- the passes -----------------------------------------------------------------------------------------------------

template <class T, int kCount>
__global__ void __launch_bounds__(kBlockThreads, kBlocksAtOnce)
    convolution_kernel(const __grid_constant__ Geometry g, const __grid_constant__ Grid grid, const T* x,
                       const T* weights, const T* bias, bool relu, T* y) {
  const Tile tile = tile_of_block(grid);
  const std::uint32_t depth = g.taps * g.group_channels;
  const std::int64_t filter = std::int64_t{tile.group} * g.group_filters;
  Sums sums = {};
  multiply<kCount>(WindowsOfInput<T>{g, x + tile.group * g.group_channels}, Filters<T>{g, weights + filter * depth},
                   tile, 0, depth, sums);
#pragma unroll
  for (int j = 0; j < kSide; ++j) {
    const std::int32_t own = static_cast<std::int32_t>(tile.column) + own_column() + j;
    const float added = bias != nullptr && own < g.group_filters ? to_float(bias[filter + own]) : 0.0f;
#pragma unroll
    for (int i = 0; i < kSide; ++i) {
      const float value = sums[i][j] + added;
      sums[i][j] = relu && value < 0.0f ? 0.0f : value;  // a NaN stays a NaN
    }
  }
  store<kCount>(sums, tile, y + filter, g.places_out, g.group_filters, g.filters);
}

template <class T, int kCount>
__global__ void __launch_bounds__(kBlockThreads, kBlocksAtOnce)
    data_gradient_kernel(const __grid_constant__ Geometry g, const __grid_constant__ Grid grid, const T* dy,
                         const T* weights, T* dx) {
  const Tile tile = tile_of_block(grid);
  const std::int64_t filter = std::int64_t{tile.group} * g.group_filters, of_a_filter = g.taps * g.group_channels;
  Sums sums = {};
  multiply<kCount>(WindowsOfGradient<T>{g, dy + filter}, FiltersByChannel<T>{g, weights + filter * of_a_filter}, tile,
                   0, g.taps * g.group_filters, sums);
  store<kCount>(sums, tile, dx + tile.group * g.group_channels, g.places_in, g.group_channels, g.channels);
}

/// The sum over the part's places, to out (parts, filters, kernel_height, kernel_width, channels / groups).
template <class T, int kCount>
__global__ void __launch_bounds__(kBlockThreads, kBlocksAtOnce)
    filter_gradient_kernel(const __grid_constant__ Geometry g, const __grid_constant__ Grid grid,
                           std::uint32_t places_per_part, const T* x, const T* dy, float* out) {
  const Tile tile = tile_of_block(grid);
  const std::int64_t filter = std::int64_t{tile.group} * g.group_filters, of_a_filter = g.taps * g.group_channels;
  const std::uint32_t begin = tile.part * places_per_part;
  Sums sums = {};
  multiply<kCount>(GradientByFilter<T>{g, dy + filter}, InputByTap<T>{g, x + tile.group * g.group_channels}, tile,
                   begin, min(begin + places_per_part, g.places_out), sums);
  store<kCount>(sums, tile, out + (std::int64_t{tile.part} * g.filters + filter) * of_a_filter, g.group_filters,
                static_cast<std::uint32_t>(of_a_filter), of_a_filter);
}

// ---- launches -------------------------------------------------------------------------------------------------------

std::int64_t tiles(std::int64_t size) {
  return (size + kTile - 1) / kTile;
}

Grid grid_of(std::int64_t rows, std::int64_t columns, std::int64_t groups, std::int64_t parts) {
  constexpr std::int64_t kMost = 0x7fffffff;
  const std::int64_t wide = tiles(rows) * tiles(columns);
  if (wide > kMost || wide * groups > kMost || wide * groups * parts > kMost)
    throw std::length_error(
        "a convolution of these sizes takes more blocks than a launch can have; take a smaller "
        "batch");
  return {static_cast<std::uint32_t>(tiles(rows)), static_cast<std::uint32_t>(tiles(columns)),
          static_cast<std::uint32_t>(groups), static_cast<std::uint32_t>(parts)};
}
unsigned blocks_of(const Grid& grid) {
  return grid.row_tiles * grid.column_tiles * grid.groups * grid.parts;
}

/// Calls f(Count<kCount>{}) with the elements of 16 bytes where channels and addresses suit them, else with 1.
template <class T, class F, class... Arrays>
void with_count(const Geometry& g, const F& f, const Arrays*... arrays) {
  constexpr int kCount = kElementsIn16Bytes<T>;
  const bool suits = g.group_channels % kCount == 0 && g.group_filters % kCount == 0 &&
                     ((reinterpret_cast<std::uintptr_t>(arrays) % 16 == 0) && ...);
  suits ? f(Count<kCount>{}) : f(Count<1>{});
}

/// How the places of y are shared among parts whose sums are added up by a second launch: enough to fill a large GPU,
/// none so small that the second launch is what takes the time.
struct Parts {
  std::int64_t count, places;
};
Parts parts_of(const ConvolutionSizes& s) {
  constexpr std::int64_t kBlocks = 512, kLeastPlaces = 512;
  const Geometry g(s);
  const std::int64_t blocks = tiles(g.group_filters) * tiles(std::int64_t{g.taps} * g.group_channels) * s.groups;
  const std::int64_t most = (std::int64_t{g.places_out} + kLeastPlaces - 1) / kLeastPlaces;
  const std::int64_t wanted = std::max<std::int64_t>(1, std::min(most, kBlocks / blocks));
  const std::int64_t places = (g.places_out + wanted - 1) / wanted;
  return {(g.places_out + places - 1) / places, places};
}
std::int64_t weights_of(const ConvolutionSizes& s) {
  const Geometry g(s);
  return std::int64_t{g.filters} * g.taps * g.group_channels;
}

}  // namespace

void convolution(const ConvolutionSizes& sizes, const void* x, const void* weights, const void* bias, bool relu,
                 void* y, DataType type, Stream stream) {
  const Geometry g(sizes);
  const Grid grid = grid_of(g.places_out, g.group_filters, sizes.groups, 1);
  with_type(type, [&](auto element) {
    using T = typename decltype(element)::Type;
    with_count<T>(
        g,
        [&](auto count) {
          launch(convolution_kernel<T, decltype(count)::value>, blocks_of(grid), kBlockThreads, 0, stream, g, grid,
                 static_cast<const T*>(x), static_cast<const T*>(weights), static_cast<const T*>(bias), relu,
                 static_cast<T*>(y));
        },
        x, weights, y);
  });
}

void convolution_data_gradient(const ConvolutionSizes& sizes, const void* dy, const void* weights, void* dx,
                               DataType type, Stream stream) {
  const Geometry g(sizes);
  const Grid grid = grid_of(g.places_in, g.group_channels, sizes.groups, 1);
  with_type(type, [&](auto element) {
    using T = typename decltype(element)::Type;
    with_count<T>(
        g,
        [&](auto count) {
          launch(data_gradient_kernel<T, decltype(count)::value>, blocks_of(grid), kBlockThreads, 0, stream, g, grid,
                 static_cast<const T*>(dy), static_cast<const T*>(weights), static_cast<T*>(dx));
        },
        dy, weights, dx);
  });
}

std::int64_t convolution_filter_gradient_workspace_floats(const ConvolutionSizes& sizes) {
  const Parts parts = parts_of(sizes);
  return parts.count > 1 ? parts.count * weights_of(sizes) : 0;
}

void convolution_filter_gradient(const ConvolutionSizes& sizes, const void* x, const void* dy, float* dweights,
                                 float* workspace, DataType type, Stream stream) {
  const Geometry g(sizes);
  const Parts parts = parts_of(sizes);
  const Grid grid = grid_of(g.group_filters, std::int64_t{g.taps} * g.group_channels, sizes.groups, parts.count);
  float* const sums = parts.count > 1 ? workspace : dweights;
  with_type(type, [&](auto element) {
    using T = typename decltype(element)::Type;
    with_count<T>(
        g,
        [&](auto count) {
          launch(filter_gradient_kernel<T, decltype(count)::value>, blocks_of(grid), kBlockThreads, 0, stream, g, grid,
                 static_cast<std::uint32_t>(parts.places), static_cast<const T*>(x), static_cast<const T*>(dy), sums);
        },
        x, dy, sums);
  });
  // So few parts are summed in one pass, which needs no room.
  if (parts.count > 1)
    column_sums(workspace, dweights, parts.count, weights_of(sizes), nullptr, DataType::kFloat32, stream);
}

}  // namespace xrai::kernels::cuda
