// One picture that is an array of its own in an HDF5 file: (height, width), with or without channels behind.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "loaders/image_decoder.h"
#include "loaders/pixel_conversion.h"
#include "runtime/hdf5/file.h"

namespace xrai {

struct ArrayPicture {
  PixelFormat format;  // of this picture; what is black and white is not decided yet
  std::vector<std::byte> values;
};

/// Whether shape and type are those of such an array, of at least 8 x 8 pixels.
bool may_be_array_picture(const hdf5::DatasetInfo& info);

/// `transposed`: (width, height), as MATLAB saves. Throws Error(kBadData, reason): of another shape, no numbers, more
/// than kMostPixels, damaged.
ArrayPicture read_array_picture(const hdf5::File& file, const std::string& object, bool transposed);

/// With the black and white of `like`, resized to (size, size). Throws Error(kBadData, reason), also for values of
/// another type than `like` has.
DecodedPicture square_picture(const ArrayPicture& stored, const DecodeTarget& target, const PixelFormat& like);

}  // namespace xrai
