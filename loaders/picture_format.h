// From the shape of a data set to pictures, and from a sample of its values to grey levels.
#pragma once

#include <functional>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "loaders/layout.h"

namespace xrai {

/// Whether shape and type can be those of pictures at all: numbers with two axes beside the rows that are more than one
/// long.
bool may_be_pictures(const hdf5::DatasetInfo& info);

/// Where the axes are. The axis of length 1, 3 or 4 at the end or behind the rows is the channels. `axes`: what the
/// user says, or empty. Throws Error(kBadData, reason) when the shape fits nothing, or two readings of it, naming
/// --layout.
PixelFormat format_of_shape(const hdf5::DatasetInfo& info, const std::string& axes);

/// What is wrong with a picture that has NaN or infinite values, to follow on its name.
inline constexpr std::string_view kNotNumbers =
    "has values that are not numbers (NaN or infinite); replace them, for example by 0, or leave the picture out";

/// Reads rows of a split as they are stored, into rows.size() * row_bytes.
using ReadStored = std::function<void(std::span<const std::int64_t> rows, std::byte* out)>;

/// Looks at a few rows spread over the split and fills in low, high, range and channels_differ. `range` is the user's
/// word or empty. `like`: a split whose range is taken over, or null. What it found that a person should know is added
/// to `warnings`. Throws Error(kBadData, reason) when values are not finite or fit several ranges, naming --range.
void decide_range(SplitLayout& split, const std::string& range, const SplitLayout* like, const ReadStored& read,
                  std::vector<std::string>& warnings);

/// The least and the greatest value of a sample, and what else it says.
struct ValueSample {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  bool finite = true, channels_differ = false;
};
/// Adds a picture as it is stored.
void look_at(const PixelFormat& format, const std::byte* picture, ValueSample& sample);
/// The same decision of what was looked at elsewhere.
void decide_range(SplitLayout& split, const std::string& range, const SplitLayout* like, const ValueSample& sample,
                  std::vector<std::string>& warnings);

}  // namespace xrai
