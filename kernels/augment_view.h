// Which view a sample is given: arithmetic that both twins of the augmentation share, so that they look at the same
// places. Sine and cosine come from the caller: what is exact and quick differs between the CPU and the GPU.
#pragma once

#include <cmath>

#include "kernels/augment.h"
#include "kernels/philox.h"

namespace xrai::kernels {

/// All random numbers of a sample.
struct ViewNumbers {
  Philox4 a, b, c;
};
XRAI_HOST_DEVICE inline ViewNumbers draw_view_numbers(std::uint64_t seed, std::uint64_t epoch, std::uint64_t sample) {
  return {random_numbers(seed, RandomPurpose::kAugment, epoch, sample, 0),
          random_numbers(seed, RandomPurpose::kAugment, epoch, sample, 1),
          random_numbers(seed, RandomPurpose::kAugment, epoch, sample, 2)};
}

XRAI_HOST_DEVICE inline float uniform_pm(float range, std::uint32_t bits) {
  return range * (2.0f * uniform01(bits) - 1.0f);
}

XRAI_HOST_DEVICE inline float rotation_degrees(const AugmentRanges& ranges, const ViewNumbers& numbers) {
  return uniform_pm(ranges.rotation_degrees, numbers.a.v[0]);
}

/// `cosine` and `sine` are those of rotation_degrees().
XRAI_HOST_DEVICE inline View view_of(const AugmentRanges& ranges, const ViewSettings& view, float stored_aspect,
                                     const ViewNumbers& numbers, float cosine, float sine) {
  const Philox4 &a = numbers.a, &b = numbers.b, &c = numbers.c;
  // Looking at a larger part makes things smaller: the zoom divides.
  const float reach = view.crop / (1.0f + uniform_pm(ranges.scale, a.v[1]));
  const float stretch = expf(0.5f * uniform_pm(ranges.aspect, a.v[2]));
  const float mirror = uniform01(c.v[1]) < ranges.flip_probability ? -1.0f : 1.0f;
  View v;
  // Rotation acts on square pixels: stored_aspect (width / height) turns normalised into metric coordinates and back.
  v.m00 = reach * cosine * stretch * mirror;
  v.m01 = -reach * sine / (stretch * stored_aspect);
  v.m10 = reach * sine * stretch * stored_aspect * mirror;
  v.m11 = reach * cosine / stretch;
  v.tx = 2.0f * uniform_pm(ranges.shift, a.v[3]);
  v.ty = 2.0f * uniform_pm(ranges.shift, b.v[0]);
  v.gamma = expf(uniform_pm(ranges.gamma, b.v[1]));
  v.contrast = 1.0f + uniform_pm(ranges.contrast, b.v[2]);
  v.brightness = uniform_pm(ranges.brightness, b.v[3]);
  return v;
}

}  // namespace xrai::kernels
