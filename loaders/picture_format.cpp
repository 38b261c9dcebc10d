// The rules by which axes and ranges are recognised. They look at the same rows each time, so a file is always read in
// the same way.
#include "loaders/picture_format.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <optional>

#include "loaders/file_survey.h"
#include "runtime/core/error.h"

namespace xrai {
namespace {

constexpr std::uint64_t kLargestSide = 32768;  // pixels; a film digitised at 50 micrometres has 8,600
constexpr std::uint64_t kMostRowBytes = std::uint64_t{1} << 30;
constexpr std::int64_t kSampleRun = 4;                              // neighbouring rows
constexpr std::uint64_t kExpensiveChunk = std::uint64_t{16} << 20;  // bytes

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ExitCode::kBadData, why);
}

bool is_number(hdf5::Type type) {
  return hdf5::element_bytes(type) > 0;
}

bool is_float(hdf5::Type type) {
  return type == hdf5::Type::kFloat16 || type == hdf5::Type::kFloat32 || type == hdf5::Type::kFloat64;
}

bool is_channels(std::uint64_t axis) {
  return axis == 1 || axis == 3 || axis == 4;
}

/// Of a shape with four axes.
Axes axes_of(const hdf5::DatasetInfo& info) {
  const auto& shape = info.shape;
  const bool last = is_channels(shape[3]), second = is_channels(shape[1]);
  if (last && second && shape[3] != 1 && shape[1] != 1) {
    refuse(
        fmt::format("its shape {} can be read with the channels at the end or behind the pictures; say which with "
                    "--layout NHWC or --layout NCHW",
                    shape_text(info)));
  }
  if (last && (!second || shape[3] == 1 || shape[1] != 1)) return Axes::kNHWC;
  if (second) return Axes::kNCHW;
  refuse(
      fmt::format("its shape is {}, and no axis of length 1, 3 or 4 can be the channels; pictures are (N, height, "
                  "width), (N, height, width, channels) or (N, channels, height, width)",
                  shape_text(info)));
}

/// Values of a run of pixels: (pixels, channels) or, from planes, (channels, pixels).
void load_pixels(const PixelFormat& format, const std::byte* picture, std::int64_t first, std::int64_t n, double* out) {
  const auto bytes = static_cast<std::int64_t>(hdf5::element_bytes(format.type));
  if (format.axes != Axes::kNCHW) {
    to_doubles(format.type, format.big_endian, picture + first * format.channels * bytes, n * format.channels, out);
    return;
  }
  for (std::int64_t channel = 0; channel < format.channels; ++channel) {
    const std::byte* const plane = picture + channel * format.height * format.width * bytes;
    to_doubles(format.type, format.big_endian, plane + first * bytes, n, out + channel * n);
  }
}

/// Runs of neighbours, evenly spread; few where a row costs a large chunk. The last row is among them.
std::vector<std::int64_t> rows_to_look_at(const SplitLayout& split) {
  const hdf5::DatasetInfo& info = split.parts.front().info;
  const std::uint64_t chunk_rows = info.chunk_shape.empty() ? 1 : info.chunk_shape[0];
  const bool expensive = chunk_rows > kExpensiveChunk / std::max<std::uint64_t>(info.row_bytes(), 1);
  const std::int64_t n = split.n_images, n_runs = expensive ? 2 : 8;
  std::vector<std::int64_t> rows;
  for (std::int64_t run = 0; run < n_runs; ++run) {
    const std::int64_t first = std::max<std::int64_t>(n - kSampleRun, 0) * run / (n_runs - 1);
    for (std::int64_t row = first; row < std::min(first + kSampleRun, n); ++row) {
      if (rows.empty() || row > rows.back()) rows.push_back(row);
    }
  }
  return rows;
}

struct Range {
  double low, high;
  std::string words;
};

std::optional<Range> parse_range(const std::string& text) {
  char* end = nullptr;
  const double low = std::strtod(text.c_str(), &end);
  if (end == text.c_str() || *end != '-') return std::nullopt;
  const char* const second = end + 1;
  const double high = std::strtod(second, &end);
  if (end == second || *end != '\0' || !std::isfinite(low) || !std::isfinite(high) || !(low < high))
    return std::nullopt;
  return Range{low, high, fmt::format("{} to {}, as asked", low, high)};
}

const std::string& first_object(const SplitLayout& split) {
  return split.objects.empty() ? split.parts.front().object : split.objects.front();
}

/// Whole numbers: the bits that are in use say where white is. Detectors have 10, 12, 14 or 16.
Range range_of_integers(const ValueSample& sample) {
  if (sample.low >= -128 && sample.low < 0 && sample.high <= 127) return {-128, 127, "-128 to 127"};
  if (sample.low < 0) {
    const bool is_scaled = sample.low >= -1024 && sample.high <= 1024;
    const Range range =
        is_scaled ? Range{-1024, 1024, ""} : Range{sample.low, std::max(sample.high, sample.low + 1), ""};
    return {range.low, range.high, fmt::format("{} to {}", range.low, range.high)};
  }
  for (const int bits : {8, 10, 12, 14, 16, 32}) {
    const double full = std::exp2(bits) - 1;
    if (sample.high <= full) return {0, full, fmt::format("0 to {}", full)};
  }
  return {0, sample.high, fmt::format("0 to {}", sample.high)};
}

/// A resize with a cubic filter overshoots the range a little, hence the margins.
Range range_of_floats(const ValueSample& sample) {
  const auto within = [&](double low, double high) {
    const double margin = 0.05 * (high - low);
    return sample.low >= low - margin && sample.high <= high + margin;
  };
  if (within(0, 1)) return {0, 1, "0 to 1"};
  if (within(0, 255)) {
    if (sample.low >= 0 && sample.high >= 16) return {0, 255, "0 to 255"};
    if (sample.low >= -0.05) {
      refuse(
          fmt::format("its values lie between {} and {}, which fits neither 0 to 1 nor 0 to 255; say which values "
                      "are black and white with --range LOW-HIGH",
                      sample.low, sample.high));
    }
  }
  if (within(-1, 1)) return {-1, 1, "-1 to 1"};
  constexpr double kManyDeviations = 32;
  if (sample.low > -kManyDeviations && sample.high < kManyDeviations && sample.low < 0) {
    return {sample.low, sample.high,
            fmt::format("standardised, {:.4g} to {:.4g} in the rows looked at", sample.low, sample.high)};
  }
  if (within(0, 255)) return {0, 255, "0 to 255"};
  if (sample.low < 0 && within(-1024, 1024)) return {-1024, 1024, "-1024 to 1024"};
  Range range = range_of_integers(sample);
  if (sample.low >= 0 && sample.high < range.high / 256) {  // of 32 bits nearly all would be black
    refuse(
        fmt::format("its values lie between {} and {}, which is no range of detectors; say which values are black and "
                    "white with --range LOW-HIGH",
                    sample.low, sample.high));
  }
  return range;
}

/// Pictures of one split divided by 255, those of another not, would be black or white.
void require_alike(const ValueSample& sample, const SplitLayout& like) {
  constexpr double kNearlyBlack = 1.0 / 200;
  const double low = like.format.low, high = like.format.high, width = high - low;
  const bool is_beyond = sample.high > high + width || sample.low < low - width;
  const bool is_black = sample.high > sample.low && sample.high < low + kNearlyBlack * width;
  if (!is_beyond && !is_black) return;
  refuse(fmt::format(
      "its values lie between {} and {}, those of split '{}' are read as {} to {}; scale both alike, or say "
      "which values are black and white in all splits with --range LOW-HIGH",
      sample.low, sample.high, like.name, low, high));
}

Range range_of(const PixelFormat& format, const ValueSample& sample) {
  return is_float(format.type) ? range_of_floats(sample) : range_of_integers(sample);
}

}  // namespace

std::string range_complaint(const std::string& text) {
  if (text.empty() || parse_range(text)) return "";
  return "is to be LOW-HIGH with LOW below HIGH, such as 0-1, 0-255 or -1-1";
}

void look_at(const PixelFormat& format, const std::byte* picture, ValueSample& sample) {
  constexpr std::int64_t kAtATime = 4096;
  const std::int64_t n_pixels = format.height * format.width, channels = format.channels;
  std::vector<double> values(static_cast<std::size_t>(kAtATime * channels));
  for (std::int64_t first = 0; first < n_pixels; first += kAtATime) {
    const std::int64_t n = std::min(kAtATime, n_pixels - first);
    load_pixels(format, picture, first, n, values.data());
    for (std::int64_t i = 0; i < n * channels; ++i) {
      const double value = values[static_cast<std::size_t>(i)];
      sample.finite = sample.finite && std::isfinite(value);
      sample.low = std::min(sample.low, value);
      sample.high = std::max(sample.high, value);
    }
    const std::int64_t step = format.axes == Axes::kNCHW ? 1 : channels, to_next = format.axes == Axes::kNCHW ? n : 1;
    for (std::int64_t i = 0; channels >= 3 && i < n; ++i) {
      const double* const pixel = values.data() + i * step;
      sample.channels_differ |= pixel[to_next] != pixel[0] || pixel[2 * to_next] != pixel[0];
    }
  }
}

bool may_be_pictures(const hdf5::DatasetInfo& info) {
  if (!is_number(info.type) || info.shape.size() < 3) return false;
  return std::count_if(info.shape.begin() + 1, info.shape.end(), [](std::uint64_t axis) { return axis != 1; }) >= 2;
}

PixelFormat format_of_shape(const hdf5::DatasetInfo& info, const std::string& axes) {
  const auto& shape = info.shape;
  PixelFormat format{.type = info.type, .big_endian = info.big_endian};
  const std::size_t rank = axes.empty() ? std::clamp<std::size_t>(shape.size(), 3, 4) : axes.size();
  if (!is_number(info.type)) refuse("its values are not numbers that can be pixels");
  if (rank != shape.size()) {
    refuse(
        fmt::format("its shape is {}, not {}", shape_text(info),
                    axes.empty() ? "(pictures, height, width) with or without channels" : "that of --layout " + axes));
  }
  if (rank == 4) {
    format.axes = axes == "NHWC" ? Axes::kNHWC : axes == "NCHW" ? Axes::kNCHW : axes_of(info);
    format.channels = static_cast<std::int64_t>(shape[format.axes == Axes::kNHWC ? 3 : 1]);
    if (!is_channels(static_cast<std::uint64_t>(format.channels))) {
      refuse(fmt::format("its shape is {}: {} channels are neither 1, 3 nor 4", shape_text(info), format.channels));
    }
  }
  const std::size_t first = format.axes == Axes::kNCHW ? 2 : 1;
  if (rank == 3 && axes.empty() && shape[2] <= 4 && shape[1] >= 16) {
    refuse(
        fmt::format("its shape {} looks like one colour picture, not like pictures; --layout NHW reads it all the "
                    "same",
                    shape_text(info)));
  }
  if (info.row_bytes() > kMostRowBytes) refuse(fmt::format("pictures of {} bytes cannot be true", info.row_bytes()));
  if (shape[0] == 0) refuse("it holds no pictures; make it again or remove the split");
  for (std::size_t axis = first; axis < first + 2; ++axis) {
    if (shape[axis] == 0 || shape[axis] > kLargestSide) {
      refuse(fmt::format("pictures of {} x {} pixels cannot be true", shape[first], shape[first + 1]));
    }
  }
  format.height = static_cast<std::int64_t>(shape[first]);
  format.width = static_cast<std::int64_t>(shape[first + 1]);
  return format;
}

void decide_range(SplitLayout& split, const std::string& range, const SplitLayout* like, const ReadStored& read,
                  std::vector<std::string>& warnings) {
  // Bytes are 0 to 255 unless all are 0 and 1; the first picture says that they are not, nearly always.
  const bool is_usual = split.format.type == hdf5::Type::kUint8 && split.format.channels == 1 && range.empty() &&
                        (like == nullptr || like->format.high == 255);
  ValueSample sample;
  std::vector<std::byte> stored(split.parts.front().info.row_bytes());
  for (const std::int64_t row : rows_to_look_at(split)) {
    read({&row, 1}, stored.data());
    look_at(split.format, stored.data(), sample);
    if (!sample.finite) refuse(fmt::format("picture {} {}", row, kNotNumbers));
    if (is_usual && sample.high > 1) return;
  }
  decide_range(split, range, like, sample, warnings);
}

void decide_range(SplitLayout& split, const std::string& range, const SplitLayout* like, const ValueSample& sample,
                  std::vector<std::string>& warnings) {
  PixelFormat& format = split.format;
  const bool is_byte = format.type == hdf5::Type::kUint8 || format.type == hdf5::Type::kInt8;
  split.channels_differ = sample.channels_differ;
  if (is_byte && sample.low < 0) {
    warnings.push_back(fmt::format("{} was written as int8, so values above 127 wrapped; its bytes are read as uint8",
                                   first_object(split)));
  }
  if (sample.channels_differ && is_byte) {
    warnings.push_back(
        fmt::format("the channels of {} differ: they are taken as red, green, blue (files made with "
                    "OpenCV have blue first) and turned to grey",
                    first_object(split)));
  }
  if (like != nullptr && range.empty()) require_alike(sample, *like);
  const bool is_yes_or_no = sample.low >= 0 && sample.high == 1;  // masks, NumPy's bool
  if (is_byte && range.empty() && like == nullptr && !is_yes_or_no) return;
  const Range decided = !range.empty()            ? parse_range(range).value()
                        : like != nullptr         ? Range{like->format.low, like->format.high, like->range}
                        : is_byte && is_yes_or_no ? Range{0, 1, "0 to 1"}
                                                  : range_of(format, sample);
  format.low = decided.low;
  format.high = decided.high;
  split.range = decided.words;
}

}  // namespace xrai
