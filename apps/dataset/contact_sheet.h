// A picture of pictures: a row for every split and class, for a first look at a data set.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "loaders/picture_samples.h"

namespace xrai {

/// Draws the samples under `title` and writes a PNG (aside, then renamed). Throws Error(kStorage).
void write_contact_sheet(const std::filesystem::path& path, const std::string& title,
                         const std::vector<PictureSamples>& rows);

}  // namespace xrai
