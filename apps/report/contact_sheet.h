// A picture of pictures, in rows: for a first look at a data set, or at what was done to a picture. Which pictures is
// not known here.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "loaders/grey_image.h"

namespace xrai {

struct SheetRow {
  std::string caption;
  std::vector<GreyImage> pictures;
};

/// Draws the rows under `title` and writes a PNG (aside, then renamed). Throws Error(kStorage).
void write_contact_sheet(const std::filesystem::path& path, const std::string& title,
                         const std::vector<SheetRow>& rows);

}  // namespace xrai
