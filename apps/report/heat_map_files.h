// Where heat maps of picture files go: a PNG each in one folder, under the picture's name.
#pragma once

#include <filesystem>
#include <vector>

namespace xrai {

/// FOLDER/NAME-heatmap.png for each picture, NAME-heatmap-2.png for the second of the same name. Makes the folder.
/// Throws Error(kStorage) when that fails, or when one of the files is there already and not `force`.
std::vector<std::filesystem::path> heat_map_files(const std::filesystem::path& folder,
                                                  const std::vector<std::filesystem::path>& pictures, bool force);

}  // namespace xrai
