// A few pictures of every split and class of a data set, to be looked at.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "loaders/grey_image.h"

namespace xrai {

struct PictureSamples {
  std::string split, class_name;
  std::int64_t n_pictures = 0;  // of this class in this split
  std::vector<GreyImage> pictures;
};

/// For each split and class that has pictures, up to `most` of them, evenly spaced through the file. The file must be
/// one that summarise_dataset accepts. Throws Error(kBadData).
std::vector<PictureSamples> sample_pictures(const std::filesystem::path& path, const std::vector<std::string>& classes,
                                            std::int64_t most);

}  // namespace xrai
