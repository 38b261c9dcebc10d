// The pictures a network is most wrong about: which they are, and how they get into a page.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/train/evaluation.h"
#include "runtime/train/heat_map.h"

namespace xrai {

struct Mistake {
  std::vector<std::uint8_t> pixels;  // (height, width), grey
  std::int64_t width = 0, height = 0;
  std::string source;      // file it came from, may be empty
  std::int64_t row = 0;    // in the split
  std::int32_t label = 0;  // index of the true class
  std::int32_t predicted = 0;
  double probability = 0.0;         // of the predicted class
  std::optional<HeatMap> heat_map;  // of the evidence for it
};

/// The wrongly called images, the most confident first, at most `most`: of more, equally many of each true class, the
/// most confident ones. Pixels are left for the caller to fill in.
std::vector<Mistake> most_confident_mistakes(const Predictions& predictions, double threshold, std::size_t most = 12);

/// "data:image/png;base64,...": 8-bit grey PNG; pictures wider or higher than 320 pixels are averaged down.
/// Throws Error(kFailure) when the pixels do not match the size.
std::string png_data_uri(std::span<const std::uint8_t> pixels, std::int64_t width, std::int64_t height);

}  // namespace xrai
