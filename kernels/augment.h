// From stored uint8 radiographs to what the network sees: crop, random affine warp, gamma, contrast, brightness,
// normalisation. One kernel, one pass over the batch; the random numbers are a function of (seed, epoch, sample).
#pragma once

#include <cstdint>

#include "kernels/cuda_stream.h"
#include "kernels/data_type.h"
#include "kernels/step_numbers.h"

namespace xrai::kernels {

/// Ranges of the training view; all zero (scale 1) is the evaluation view.
struct AugmentRanges {
  float rotation_degrees = 0;  // uniform in +-
  float scale = 0;             // zoom uniform in 1 +-
  float aspect = 0;            // width over height: exp(uniform +-)
  float shift = 0;             // uniform in +-, fraction of the side
  float gamma = 0;             // exponent exp(uniform +-) on grey in [0, 1]
  float contrast = 0;          // factor 1 + uniform +-, about the picture's mean
  float brightness = 0;        // added, uniform +-, grey in [0, 1]
  float flip_probability = 0;  // mirror left and right
};

/// What every view shares, training or evaluation.
struct ViewSettings {
  float crop = 1;                         // side of the central part that is looked at, fraction of the picture
  float mean = 0.48f, deviation = 0.23f;  // out = (grey - mean) / deviation, grey in [0, 1]
  bool standardise = false;               // per picture instead: zero mean, unit deviation
};

struct AugmentArguments {
  const std::uint8_t* pixels = nullptr;      // (rows, stored_height, stored_width)
  const std::int64_t* rows = nullptr;        // (n), where in pixels each picture stands; null: one after the other
  const std::int64_t* sample_ids = nullptr;  // (n)
  void* out = nullptr;                       // (n, height, width, 1), activations
  std::int64_t n = 0, stored_height = 0, stored_width = 0, height = 0, width = 0;
  ViewSettings view;
  AugmentRanges ranges;
  const StepNumbers* numbers = nullptr;  // seed and epoch of the draw; null: all zero, for views without ranges
};

/// One picture's draw. Coordinates run from -1 to 1 over the picture (pixel centres at (2i+1)/n - 1); an output place
/// (u, v) looks at the stored place (m00 u + m01 v + tx, m10 u + m11 v + ty). Outside, the border is replicated.
struct View {
  float m00 = 1, m01 = 0, m10 = 0, m11 = 1, tx = 0, ty = 0;
  float gamma = 1, contrast = 1, brightness = 0;
};

/// The view of one sample; deterministic in its arguments.
View draw_view(const AugmentRanges& ranges, const ViewSettings& view, float stored_aspect, std::uint64_t seed,
               std::uint64_t epoch, std::uint64_t sample);

/// Samples per output pixel and axis that keep a reduction from stored_size * crop to size free of aliasing.
int samples_per_axis(std::int64_t stored_size, float crop, std::int64_t size);

namespace cpu {
void augment(const AugmentArguments& arguments);
}
namespace cuda {
void augment(const AugmentArguments& arguments, DataType type, Stream stream);
}

}  // namespace xrai::kernels
