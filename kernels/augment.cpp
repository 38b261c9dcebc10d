// CPU twin of the augmentation. Gamma acts on the stored levels, so that it costs 256 powers a picture; sampling then
// gathers from floats, which vectorises.
#include "kernels/augment.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/activations.h"
#include "kernels/augment_view.h"
#include "kernels/parallel.h"
#include "kernels/vectorise.h"

namespace xrai::kernels {
namespace {

// A picture as floats in [0, 1], gamma applied.
struct Picture {
  const float* grey;
  int height, width;
};

// One row of samples along a line through the picture, bilinear, border replicated; adds `share` of each to out.
// The line starts at (x, y) in pixel coordinates and moves by (step_x, step_y).
XRAI_VECTORISE void sample_row(const Picture& p, float x, float y, float step_x, float step_y, float share, float* out,
                               int count) {
  const float* __restrict grey = p.grey;
  float* __restrict row = out;
  const auto right = static_cast<float>(p.width - 1), bottom = static_cast<float>(p.height - 1);
  // The last place between two pixels; a picture of one column or row has none and looks at the same pixel twice.
  const int last_x = p.width > 1 ? p.width - 2 : 0, last_y = p.height > 1 ? p.height - 2 : 0;
  const int next = p.width > 1 ? 1 : 0, below = p.height > 1 ? p.width : 0, width = p.width;
  for (int j = 0; j < count; ++j) {
    float at_x = x + static_cast<float>(j) * step_x, at_y = y + static_cast<float>(j) * step_y;
    at_x = at_x < 0.0f ? 0.0f : at_x;
    at_x = at_x > right ? right : at_x;
    at_y = at_y < 0.0f ? 0.0f : at_y;
    at_y = at_y > bottom ? bottom : at_y;
    int x0 = static_cast<int>(at_x), y0 = static_cast<int>(at_y);
    x0 = x0 > last_x ? last_x : x0;
    y0 = y0 > last_y ? last_y : y0;
    const float part_x = at_x - static_cast<float>(x0), part_y = at_y - static_cast<float>(y0);
    const int corner = y0 * width + x0;
    const float a = grey[corner], b = grey[corner + next];
    const float c = grey[corner + below], d = grey[corner + below + next];
    const float above = a + part_x * (b - a), under = c + part_x * (d - c);
    row[j] += share * (above + part_y * (under - above));
  }
}

// Writes the warped picture and returns its mean.
double warp(const Picture& p, const View& v, int samples, float* out, int height, int width) {
  const float half_w = 0.5f * static_cast<float>(p.width), half_h = 0.5f * static_cast<float>(p.height);
  const float step_u = 2.0f / static_cast<float>(width * samples), step_v = 2.0f / static_cast<float>(height * samples);
  const float share = 1.0f / static_cast<float>(samples * samples);
  double total = 0;
  for (int i = 0; i < height; ++i) {
    float* row = out + static_cast<std::int64_t>(i) * width;
    std::fill(row, row + width, 0.0f);
    for (int a = 0; a < samples; ++a)
      for (int b = 0; b < samples; ++b) {
        const float place_v = (static_cast<float>(i * samples + a) + 0.5f) * step_v - 1.0f;
        const float place_u = (static_cast<float>(b) + 0.5f) * step_u - 1.0f;
        const float x = (v.m00 * place_u + v.m01 * place_v + v.tx + 1.0f) * half_w - 0.5f;
        const float y = (v.m10 * place_u + v.m11 * place_v + v.ty + 1.0f) * half_h - 0.5f;
        const float move = step_u * static_cast<float>(samples);
        sample_row(p, x, y, v.m00 * move * half_w, v.m10 * move * half_h, share, row, width);
      }
    float row_total = 0;
    for (int j = 0; j < width; ++j) row_total += row[j];
    total += row_total;
  }
  return total / (static_cast<double>(height) * width);
}

XRAI_VECTORISE void adjust(float* out, std::int64_t count, float mean, float contrast, float brightness, float centre,
                           float inverse_deviation) {
  for (std::int64_t i = 0; i < count; ++i) {
    float grey = (out[i] - mean) * contrast + mean + brightness;
    grey = grey < 0.0f ? 0.0f : grey;
    grey = grey > 1.0f ? 1.0f : grey;
    out[i] = (grey - centre) * inverse_deviation;
  }
}

void standardise(float* out, std::int64_t count) {
  double sum = 0, squares = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += out[i];
  const double mean = sum / static_cast<double>(count);
  for (std::int64_t i = 0; i < count; ++i) squares += (out[i] - mean) * (out[i] - mean);
  // A constant picture has no deviation; it becomes zero everywhere.
  const double deviation = std::sqrt(squares / static_cast<double>(count));
  const double inverse = deviation > 1e-6 ? 1.0 / deviation : 0.0;
  for (std::int64_t i = 0; i < count; ++i) out[i] = static_cast<float>((out[i] - mean) * inverse);
}

}  // namespace

View draw_view(const AugmentRanges& ranges, const ViewSettings& view, float stored_aspect, std::uint64_t seed,
               std::uint64_t epoch, std::uint64_t sample) {
  const ViewNumbers numbers = draw_view_numbers(seed, epoch, sample);
  const float angle = rotation_degrees(ranges, numbers) * 3.14159265358979f / 180.0f;
  return view_of(ranges, view, stored_aspect, numbers, std::cos(angle), std::sin(angle));
}

int samples_per_axis(std::int64_t stored_size, float crop, std::int64_t size) {
  const float ratio = static_cast<float>(stored_size) * crop / static_cast<float>(size);
  return std::clamp(static_cast<int>(ratio + 0.5f), 1, 8);
}

namespace cpu {

void augment(const AugmentArguments& arg) {
  const int samples = std::max(samples_per_axis(arg.stored_height, arg.view.crop, arg.height),
                               samples_per_axis(arg.stored_width, arg.view.crop, arg.width));
  const float aspect = static_cast<float>(arg.stored_width) / static_cast<float>(arg.stored_height);
  const std::int64_t count = arg.height * arg.width;
  const std::int64_t stored = arg.stored_height * arg.stored_width;
  const StepNumbers numbers = arg.numbers != nullptr ? *arg.numbers : StepNumbers{};
  parallel_for(arg.n, [&](std::int64_t begin, std::int64_t end) {
    float grey[256];
    std::vector<float> stored_grey(static_cast<std::size_t>(stored));
    for (std::int64_t image = begin; image < end; ++image) {
      const View view = draw_view(arg.ranges, arg.view, aspect, numbers.seed, numbers.epoch,
                                  static_cast<std::uint64_t>(arg.sample_ids[image]));
      for (int level = 0; level < 256; ++level) {
        const float linear = static_cast<float>(level) / 255.0f;
        grey[level] = view.gamma == 1.0f ? linear : std::pow(linear, view.gamma);
      }
      const std::uint8_t* pixels = arg.pixels + (arg.rows != nullptr ? arg.rows[image] : image) * stored;
      for (std::int64_t i = 0; i < stored; ++i) stored_grey[static_cast<std::size_t>(i)] = grey[pixels[i]];
      const Picture picture{stored_grey.data(), static_cast<int>(arg.stored_height),
                            static_cast<int>(arg.stored_width)};
      float* out = floats(arg.out) + image * count;
      const auto mean = static_cast<float>(
          warp(picture, view, samples, out, static_cast<int>(arg.height), static_cast<int>(arg.width)));
      const bool per_picture = arg.view.standardise;
      adjust(out, count, mean, view.contrast, view.brightness, per_picture ? 0.0f : arg.view.mean,
             per_picture ? 1.0f : 1.0f / arg.view.deviation);
      if (per_picture) standardise(out, count);
    }
  });
}

}  // namespace cpu
}  // namespace xrai::kernels
