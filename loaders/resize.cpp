#include "loaders/resize.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/vectorise.h"
#include "runtime/core/error.h"

namespace xrai {
namespace {

/// A stretch of one axis of the source, in pixels; fractions are allowed.
struct Stretch {
  double begin = 0.0, length = 0.0;
};

/// The weights of one axis; every output has room for the same number of them, so that they lie in one array.
struct Taps {
  int most = 0;                // weights of an output, at most
  std::vector<int> first;      // source pixel of an output's first weight
  std::vector<int> count;      // its weights
  std::vector<float> weights;  // [output * most + k], sum 1 over k
};

/// Triangle filter, antialiased: its half width is one output pixel, but at least one source pixel.
Taps triangle_taps(int source_length, Stretch span, int output_length) {
  const double scale = span.length / output_length;
  const double reach = std::max(scale, 1.0);
  Taps taps;
  taps.most = 2 * static_cast<int>(std::ceil(reach)) + 2;
  taps.weights.resize(static_cast<std::size_t>(output_length) * taps.most);
  std::vector<double> weights(static_cast<std::size_t>(taps.most));
  for (int i = 0; i < output_length; ++i) {
    const double centre = span.begin + (i + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(std::floor(centre - reach)));
    const int last = std::min(source_length, static_cast<int>(std::ceil(centre + reach)) + 1);
    double sum = 0.0;
    for (int j = first; j < last; ++j)
      sum += weights[j - first] = std::max(0.0, 1.0 - std::abs(j + 0.5 - centre) / reach);
    taps.first.push_back(first);
    taps.count.push_back(last - first);
    for (int k = 0; k < last - first; ++k)
      taps.weights[static_cast<std::size_t>(i) * taps.most + k] = static_cast<float>(weights[k] / sum);
  }
  return taps;
}

/// Output rows that go through the columns' turn side by side, one in each lane of a vector.
constexpr int kRows = 8;

/// line[x] = sum over k of weights[k] * source(first + k, x), for x in [0, width), added up in the order of k.
XRAI_VECTORISE void weigh_rows(const GreyImage& source, int first, const float* weights, int n_weights, float* line) {
  const int width = source.width;
  for (int k = 0; k < n_weights; ++k) {
    const std::uint8_t* pixels = source.row(first + k);
    const float weight = weights[k];
    if (k == 0)
      for (int x = 0; x < width; ++x) line[x] = weight * static_cast<float>(pixels[x]);
    else
      for (int x = 0; x < width; ++x) line[x] += weight * static_cast<float>(pixels[x]);
  }
}

/// out[x * kRows + r] = the columns' weights over lines[x * kRows + r], rounded.
XRAI_VECTORISE void weigh_columns(const float* lines, const Taps& taps, int n_outputs, std::uint8_t* out) {
  for (int x = 0; x < n_outputs; ++x) {
    const float* weights = taps.weights.data() + static_cast<std::size_t>(x) * taps.most;
    const float* from = lines + static_cast<std::size_t>(taps.first[x]) * kRows;
    float sums[kRows] = {};
    for (int k = 0; k < taps.count[x]; ++k)
      for (int r = 0; r < kRows; ++r) sums[r] += weights[k] * from[k * kRows + r];
    for (int r = 0; r < kRows; ++r)
      out[x * kRows + r] = static_cast<std::uint8_t>(std::clamp(sums[r] + 0.5F, 0.0F, 255.0F));
  }
}

/// Rows first: the sum over source rows runs along memory, and most of the data are gone before the columns' turn.
GreyImage resample(const GreyImage& source, Stretch columns, Stretch rows, Extent output) {
  const Taps row_taps = triangle_taps(source.height, rows, output.height);
  const Taps column_taps = triangle_taps(source.width, columns, output.width);
  GreyImage result{output.width, output.height, {}};
  result.pixels.resize(static_cast<std::size_t>(output.width) * output.height);
  const std::size_t width = static_cast<std::size_t>(source.width);
  std::vector<float> line(width), lines(width * kRows);
  std::vector<std::uint8_t> narrow(static_cast<std::size_t>(output.width) * kRows);
  for (int top = 0; top < output.height; top += kRows) {
    const int n_rows = std::min(kRows, output.height - top);
    for (int r = 0; r < n_rows; ++r) {
      const auto y = static_cast<std::size_t>(top + r);
      weigh_rows(source, row_taps.first[y], row_taps.weights.data() + y * row_taps.most, row_taps.count[y],
                 line.data());
      for (std::size_t x = 0; x < width; ++x) lines[x * kRows + r] = line[x];
    }
    weigh_columns(lines.data(), column_taps, output.width, narrow.data());
    for (int r = 0; r < n_rows; ++r) {
      std::uint8_t* out = result.row(top + r);
      for (int x = 0; x < output.width; ++x) out[x] = narrow[static_cast<std::size_t>(x) * kRows + r];
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

GreyImage resize_to_square(GreyImage source, int size, Fit fit) {
  if (source.width == size && source.height == size) return source;
  const Stretch all_columns{0.0, static_cast<double>(source.width)}, all_rows{0.0, static_cast<double>(source.height)};
  if (fit == Fit::kSquash) return resample(source, all_columns, all_rows, {size, size});
  if (fit == Fit::kPad) {
    const Extent inside = scaled_extent({source.width, source.height}, size, fit);
    return centred_on_black(resample(source, all_columns, all_rows, inside), size);
  }
  const double side = std::min(source.width, source.height);
  return resample(source, {(source.width - side) / 2, side}, {(source.height - side) / 2, side}, {size, size});
}

}  // namespace xrai
