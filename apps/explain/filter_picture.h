// Picture, filter, result and pooled result side by side as one PNG. What the numbers are is not decided here.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "apps/explain/filter_steps.h"
#include "apps/explain/number_tables.h"

namespace xrai {

struct FilterPicture {
  FilterSteps steps;
  FilterKernel kernel;
  PoolingKind pooling = PoolingKind::kMax;
  std::string language = "en";
  std::optional<TablePlace> framed;  // the corner whose numbers were printed
};

/// Written aside and renamed. A filter whose sum is above 0 keeps brightness, so its result is drawn as a picture from
/// black to white; any other in the colours of map_colours.h, around 0. Throws Error(kStorage).
void write_filter_picture(const std::filesystem::path& path, const FilterPicture& picture);

}  // namespace xrai
