#include "loaders/resize.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "runtime/core/error.h"

namespace xrai {
namespace {

/// A stretch of one axis of the source, in pixels; fractions are allowed.
struct Span {
  double begin = 0.0, length = 0.0;
};

struct Tap {
  int first = 0;               // source pixel of the first weight
  std::vector<float> weights;  // sum 1
};

/// Triangle filter, antialiased: its half width is one output pixel, but at least one source pixel.
std::vector<Tap> triangle_taps(int source_length, Span span, int output_length) {
  const double scale = span.length / output_length;
  const double reach = std::max(scale, 1.0);
  std::vector<Tap> taps(static_cast<std::size_t>(output_length));
  for (int i = 0; i < output_length; ++i) {
    const double centre = span.begin + (i + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(std::floor(centre - reach)));
    const int last = std::min(source_length, static_cast<int>(std::ceil(centre + reach)) + 1);
    std::vector<double> weights;
    double sum = 0.0;
    for (int j = first; j < last; ++j) {
      weights.push_back(std::max(0.0, 1.0 - std::abs(j + 0.5 - centre) / reach));
      sum += weights.back();
    }
    Tap& tap = taps[static_cast<std::size_t>(i)];
    tap.first = first;
    for (const double weight : weights) tap.weights.push_back(static_cast<float>(weight / sum));
  }
  return taps;
}

/// Rows first: the sum over source rows runs along memory, and most of the data are gone before the columns' turn.
GreyImage resample(const GreyImage& source, Span columns, Span rows, Extent output) {
  const std::vector<Tap> row_taps = triangle_taps(source.height, rows, output.height);
  const std::vector<Tap> column_taps = triangle_taps(source.width, columns, output.width);
  GreyImage result{output.width, output.height, {}};
  result.pixels.resize(static_cast<std::size_t>(output.width) * output.height);
  std::vector<float> line(static_cast<std::size_t>(source.width));
  for (int y = 0; y < output.height; ++y) {
    const Tap& row_tap = row_taps[static_cast<std::size_t>(y)];
    std::fill(line.begin(), line.end(), 0.0F);
    for (std::size_t k = 0; k < row_tap.weights.size(); ++k) {
      const std::uint8_t* pixels = source.row(row_tap.first + static_cast<int>(k));
      const float weight = row_tap.weights[k];
      for (int x = 0; x < source.width; ++x)
        line[static_cast<std::size_t>(x)] += weight * static_cast<float>(pixels[x]);
    }
    std::uint8_t* out = result.row(y);
    for (int x = 0; x < output.width; ++x) {
      const Tap& tap = column_taps[static_cast<std::size_t>(x)];
      const float* from = line.data() + tap.first;
      float sum = 0.0F;
      for (std::size_t k = 0; k < tap.weights.size(); ++k) sum += tap.weights[k] * from[k];
      out[x] = static_cast<std::uint8_t>(std::clamp(sum + 0.5F, 0.0F, 255.0F));
    }
  }
  return result;
}

GreyImage centred_on_black(const GreyImage& picture, int size) {
  GreyImage square{size, size, std::vector<std::uint8_t>(static_cast<std::size_t>(size) * size, 0)};
  const int left = (size - picture.width) / 2, top = (size - picture.height) / 2;
  for (int y = 0; y < picture.height; ++y) std::copy_n(picture.row(y), picture.width, square.row(top + y) + left);
  return square;
}

}  // namespace

std::string fit_name(Fit fit) {
  switch (fit) {
    case Fit::kSquash:
      return "squash";
    case Fit::kPad:
      return "pad";
    case Fit::kCrop:
      return "crop";
  }
  return "";
}

Fit fit_from_name(std::string_view name) {
  for (const Fit fit : {Fit::kSquash, Fit::kPad, Fit::kCrop})
    if (name == fit_name(fit)) return fit;
  throw Error(ExitCode::kUsage, fmt::format("there is no way to fit called \"{}\"; take squash, pad or crop", name));
}

Extent scaled_extent(Extent source, int size, Fit fit) {
  if (fit == Fit::kSquash) return {size, size};
  const int side = fit == Fit::kPad ? std::max(source.width, source.height) : std::min(source.width, source.height);
  const auto scaled = [&](int length) {
    return std::max(1, static_cast<int>(std::lround(static_cast<double>(length) * size / side)));
  };
  return {scaled(source.width), scaled(source.height)};
}

GreyImage resize_to_square(const GreyImage& source, int size, Fit fit) {
  if (source.width == size && source.height == size) return source;
  const Span all_columns{0.0, static_cast<double>(source.width)}, all_rows{0.0, static_cast<double>(source.height)};
  if (fit == Fit::kSquash) return resample(source, all_columns, all_rows, {size, size});
  if (fit == Fit::kPad) {
    const Extent inside = scaled_extent({source.width, source.height}, size, fit);
    return centred_on_black(resample(source, all_columns, all_rows, inside), size);
  }
  const double side = std::min(source.width, source.height);
  return resample(source, {(source.width - side) / 2, side}, {(source.height - side) / 2, side}, {size, size});
}

}  // namespace xrai
