// A few pictures of every split and class of a data set, to be looked at.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "loaders/grey_image.h"
#include "loaders/reader.h"

namespace xrai {

struct PictureSamples {
  std::string split, class_name;
  std::int64_t n_pictures = 0;  // of this class in this split
  std::vector<GreyImage> pictures;
};

/// For each split and class that has pictures, up to `most` of them, evenly spaced through the file. Throws
/// Error(kBadData).
std::vector<PictureSamples> sample_pictures(DatasetReader& data, std::int64_t most);

}  // namespace xrai
