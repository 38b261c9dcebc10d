#include "loaders/array_picture.h"

#include <fmt/format.h>

#include "loaders/picture_codecs.h"
#include "loaders/picture_format.h"
#include "runtime/core/error.h"

namespace xrai {
namespace {

constexpr std::uint64_t kLeastSide = 8;  // pixels

/// As one of many.
hdf5::DatasetInfo as_row(hdf5::DatasetInfo info) {
  info.shape.insert(info.shape.begin(), 1);
  return info;
}

}  // namespace

bool may_be_array_picture(const hdf5::DatasetInfo& info) {
  const auto& shape = info.shape;
  const bool has_channels = shape.size() == 3 && (shape[2] == 1 || shape[2] == 3 || shape[2] == 4);
  if (hdf5::element_bytes(info.type) == 0 || (shape.size() != 2 && !has_channels)) return false;
  return shape[0] >= kLeastSide && shape[1] >= kLeastSide;
}

ArrayPicture read_array_picture(const hdf5::File& file, const std::string& object, bool transposed) {
  const hdf5::DatasetInfo info = file.info(object);
  if (!may_be_array_picture(info))
    throw Error(ExitCode::kBadData, "it is no array (height, width) of numbers, with or without channels");
  ArrayPicture picture{format_of_shape(as_row(info), info.shape.size() == 2 ? "NHW" : "NHWC"), {}};
  PixelFormat& format = picture.format;
  format.transposed = transposed;
  if (transposed) std::swap(format.height, format.width);
  check_extent(format.width, format.height);
  file.require_plausible(object);
  picture.values.resize(info.row_bytes() * info.shape[0]);
  file.read_stored_rows(object, 0, info.shape[0], picture.values.data());
  return picture;
}

DecodedPicture square_picture(const ArrayPicture& stored, const DecodeTarget& target, const PixelFormat& like) {
  PixelFormat format = stored.format;
  if (format.type != like.type)
    throw Error(ExitCode::kBadData, fmt::format("its values are {}, those of others {}", hdf5::type_name(format.type),
                                                hdf5::type_name(like.type)));
  format.low = like.low;
  format.high = like.high;
  const auto width = static_cast<int>(format.width), height = static_cast<int>(format.height);
  DecodedPicture picture{.image = {width, height, std::vector<std::uint8_t>(static_cast<std::size_t>(width) * height)},
                         .source = {width, height}};
  std::vector<std::uint8_t> scratch(static_cast<std::size_t>(format.elements()));
  if (!to_grey8(format, stored.values.data(), scratch.data(), picture.image.pixels.data()))
    throw Error(ExitCode::kBadData, fmt::format("it {}", kNotNumbers));
  picture.image = resize_to_square(std::move(picture.image), target.size, target.fit);
  return picture;
}

}  // namespace xrai
