// The augmentation on the GPU. Gamma is a table of 256 levels in shared memory; samples are gathered from the stored
// bytes. Contrast and standardisation need a sum over the picture: then a block has a whole picture, and keeps its grey
// values in shared memory if they fit, or samples again for every pass. Otherwise blocks share a picture.
#include <algorithm>

#include "kernels/augment.h"
#include "kernels/augment_view.h"
#include "kernels/element.h"

namespace xrai::kernels::cuda {
namespace {

/// What all pictures of the batch have in common.
struct Sizes {
  int stored_height, stored_width, height, width, samples;
  [[nodiscard]] XRAI_HOST_DEVICE int pixels() const { return height * width; }
};

/// Of one picture. Shared memory takes no initialisers, and View has some.
struct Look {
  float m00, m01, m10, m11, tx, ty, gamma, contrast, brightness;
};

__device__ Look draw_look(const AugmentArguments& arg, std::int64_t picture) {
  const StepNumbers keys = arg.numbers != nullptr ? *arg.numbers : StepNumbers{};
  const ViewNumbers numbers =
      draw_view_numbers(keys.seed, keys.epoch, static_cast<std::uint64_t>(arg.sample_ids[picture]));
  float sine = 0, cosine = 1;
  // Of half turns: needs no reduction by pi, for which sincosf keeps a table in local memory.
  sincospif(rotation_degrees(arg.ranges, numbers) / 180.0f, &sine, &cosine);
  const float aspect = static_cast<float>(arg.stored_width) / static_cast<float>(arg.stored_height);
  const View v = view_of(arg.ranges, arg.view, aspect, numbers, cosine, sine);
  return {v.m00, v.m01, v.m10, v.m11, v.tx, v.ty, v.gamma, v.contrast, v.brightness};
}

/// Fills the block's look and its 256 grey levels.
__device__ __forceinline__ void prepare(const AugmentArguments& arg, std::int64_t picture, Look& look, float* levels) {
  if (threadIdx.x == 0) look = draw_look(arg, picture);
  __syncthreads();
  for (unsigned level = threadIdx.x; level < 256; level += blockDim.x) {
    const float linear = static_cast<float>(level) / 255.0f;
    levels[level] = look.gamma == 1.0f ? linear : powf(linear, look.gamma);
  }
  __syncthreads();
}

/// A stored picture and how the block looks at it.
struct Scene {
  const std::uint8_t* stored;
  const float* levels;
  Sizes sizes;
  Look look;

  /// Bilinear, border replicated; x and y in stored pixels.
  [[nodiscard]] __device__ __forceinline__ float sample(float x, float y) const {
    const int last_x = sizes.stored_width - 1, last_y = sizes.stored_height - 1;
    x = x < 0.0f ? 0.0f : x;
    x = x > static_cast<float>(last_x) ? static_cast<float>(last_x) : x;
    y = y < 0.0f ? 0.0f : y;
    y = y > static_cast<float>(last_y) ? static_cast<float>(last_y) : y;
    // The last place between two pixels; a picture of one column or row has none and looks at the same pixel twice.
    const int x0 = min(static_cast<int>(x), max(last_x - 1, 0)), y0 = min(static_cast<int>(y), max(last_y - 1, 0));
    const float part_x = x - static_cast<float>(x0), part_y = y - static_cast<float>(y0);
    const std::uint8_t* above = stored + y0 * sizes.stored_width + x0;
    const std::uint8_t* below = above + (last_y > 0 ? sizes.stored_width : 0);
    const int next = last_x > 0 ? 1 : 0;
    const float a = levels[__ldg(above)], b = levels[__ldg(above + next)];
    const float c = levels[__ldg(below)], d = levels[__ldg(below + next)];
    const float upper = a + part_x * (b - a), lower = c + part_x * (d - c);
    return upper + part_y * (lower - upper);
  }

  /// The grey value of an output pixel: the mean of samples x samples places inside it.
  [[nodiscard]] __device__ __forceinline__ float grey(int pixel) const {
    const int samples = sizes.samples, row = pixel / sizes.width, column = pixel - row * sizes.width;
    const float half_w = 0.5f * static_cast<float>(sizes.stored_width);
    const float half_h = 0.5f * static_cast<float>(sizes.stored_height);
    const float step_u = 2.0f / static_cast<float>(sizes.width * samples);
    const float step_v = 2.0f / static_cast<float>(sizes.height * samples);
    float sum = 0;
    for (int i = 0; i < samples; ++i)
      for (int j = 0; j < samples; ++j) {
        const float v = (static_cast<float>(row * samples + i) + 0.5f) * step_v - 1.0f;
        const float u = (static_cast<float>(column * samples + j) + 0.5f) * step_u - 1.0f;
        sum += sample((look.m00 * u + look.m01 * v + look.tx + 1.0f) * half_w - 0.5f,
                      (look.m10 * u + look.m11 * v + look.ty + 1.0f) * half_h - 0.5f);
      }
    return sum / static_cast<float>(samples * samples);
  }

  [[nodiscard]] __device__ __forceinline__ float adjust(float grey, float mean) const {
    return __saturatef((grey - mean) * look.contrast + mean + look.brightness);
  }
};

__device__ __forceinline__ Scene scene_of(const AugmentArguments& arg, const Sizes& sizes, std::int64_t picture,
                                          const Look& look, const float* levels) {
  const std::int64_t row = arg.rows != nullptr ? __ldg(arg.rows + picture) : picture;
  return {arg.pixels + row * sizes.stored_height * sizes.stored_width, levels, sizes, look};
}

constexpr int kPixelsPerBlock = 8 * kBlockThreads;

/// For views that need no sum over the picture: each of its blocks has some of its pixels.
template <class T>
__global__ void __launch_bounds__(kBlockThreads)
    augment_part_kernel(const __grid_constant__ AugmentArguments arg, Sizes sizes, unsigned blocks_per_picture) {
  XRAI_SHARED(Look, look, 1);
  XRAI_SHARED(float, levels, 256);
  const std::int64_t picture = blockIdx.x / blocks_per_picture;
  prepare(arg, picture, look[0], levels);
  const Scene scene = scene_of(arg, sizes, picture, look[0], levels);
  T* out = static_cast<T*>(arg.out) + picture * sizes.pixels();
  const int begin = static_cast<int>(blockIdx.x % blocks_per_picture) * kPixelsPerBlock;
  const int end = min(begin + kPixelsPerBlock, sizes.pixels());
  const float inverse = 1.0f / arg.view.deviation;
  for (int i = begin + static_cast<int>(threadIdx.x); i < end; i += kBlockThreads) {
    const float grey = scene.adjust(scene.grey(i), 0);  // without contrast about any mean
    out[i] = from_float<T>((grey - arg.view.mean) * inverse);
  }
}

constexpr int kPictureThreads = 1024;
/// With the rest of the shared memory below 48 KiB.
constexpr int kMostKeptPixels = 11 * 1024;

/// A block a picture.
template <class T, bool kKeeps>
__global__ void __launch_bounds__(kPictureThreads)
    augment_whole_kernel(const __grid_constant__ AugmentArguments arg, Sizes sizes) {
  XRAI_SHARED(Look, look, 1);
  XRAI_SHARED(float, levels, 256);
  XRAI_DYNAMIC_SHARED(float, kept);  // each thread reads only what it has written itself
  prepare(arg, blockIdx.x, look[0], levels);
  const Scene scene = scene_of(arg, sizes, blockIdx.x, look[0], levels);
  const int first = static_cast<int>(threadIdx.x), count = sizes.pixels();
  float sum = 0;
  for (int i = first; i < count; i += kPictureThreads) {
    const float grey = scene.grey(i);
    if constexpr (kKeeps) kept[i] = grey;
    sum += grey;
  }
  const float mean = block_sum<kPictureThreads>(sum) / static_cast<float>(count);
  const auto adjusted = [&](int i) { return scene.adjust(kKeeps ? kept[i] : scene.grey(i), mean); };
  float centre = arg.view.mean, inverse = 1.0f / arg.view.deviation;
  if (arg.view.standardise) {
    float total = 0, squares = 0;
    for (int i = first; i < count; i += kPictureThreads) total += adjusted(i);
    centre = block_sum<kPictureThreads>(total) / static_cast<float>(count);
    for (int i = first; i < count; i += kPictureThreads) {
      const float difference = adjusted(i) - centre;
      squares += difference * difference;
    }
    // A constant picture has no deviation; it becomes zero everywhere.
    const float deviation = sqrtf(block_sum<kPictureThreads>(squares) / static_cast<float>(count));
    inverse = deviation > 1e-6f ? 1.0f / deviation : 0.0f;
  }
  T* out = static_cast<T*>(arg.out) + std::int64_t{blockIdx.x} * count;
  for (int i = first; i < count; i += kPictureThreads) out[i] = from_float<T>((adjusted(i) - centre) * inverse);
}

template <class T>
void augment_whole(const AugmentArguments& arg, const Sizes& sizes, Stream stream) {
  const auto pictures = static_cast<unsigned>(arg.n);
  const auto bytes = static_cast<std::size_t>(sizes.pixels()) * sizeof(float);
  if (sizes.pixels() <= kMostKeptPixels)
    launch(augment_whole_kernel<T, true>, pictures, kPictureThreads, bytes, stream, arg, sizes);
  else
    launch(augment_whole_kernel<T, false>, pictures, kPictureThreads, 0, stream, arg, sizes);
}

template <class T>
void augment_parts(const AugmentArguments& arg, const Sizes& sizes, Stream stream) {
  const auto blocks = static_cast<unsigned>((sizes.pixels() + kPixelsPerBlock - 1) / kPixelsPerBlock);
  launch(augment_part_kernel<T>, static_cast<unsigned>(arg.n) * blocks, kBlockThreads, 0, stream, arg, sizes, blocks);
}

}  // namespace

void augment(const AugmentArguments& arg, DataType type, Stream stream) {
  if (arg.n == 0) return;
  const Sizes sizes{static_cast<int>(arg.stored_height), static_cast<int>(arg.stored_width),
                    static_cast<int>(arg.height), static_cast<int>(arg.width),
                    std::max(samples_per_axis(arg.stored_height, arg.view.crop, arg.height),
                             samples_per_axis(arg.stored_width, arg.view.crop, arg.width))};
  with_type(type, [&](auto element) {
    using T = typename decltype(element)::Type;
    if (arg.ranges.contrast != 0 || arg.view.standardise)
      augment_whole<T>(arg, sizes, stream);
    else
      augment_parts<T>(arg, sizes, stream);
  });
}

}  // namespace xrai::kernels::cuda
