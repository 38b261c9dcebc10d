#include "apps/report/heat_map_files.h"

#include <fmt/format.h>

#include <map>
#include <string>

#include "runtime/core/error.h"

namespace xrai {

std::vector<std::filesystem::path> heat_map_files(const std::filesystem::path& folder,
                                                  const std::vector<std::filesystem::path>& pictures, bool force) {
  std::error_code reason;
  std::filesystem::create_directories(folder, reason);
  if (reason)
    throw Error(ExitCode::kStorage, fmt::format("cannot make the folder {}: {}; choose another with --heatmap",
                                                folder.string(), reason.message()));
  std::map<std::string, int> times;
  std::vector<std::filesystem::path> files;
  for (const std::filesystem::path& picture : pictures) {
    const std::string name = picture.stem().string() + "-heatmap";
    const int count = ++times[name];
    files.push_back(folder / (name + (count > 1 ? fmt::format("-{}", count) : "") + ".png"));
    if (!force && std::filesystem::exists(files.back(), reason))
      throw Error(
          ExitCode::kStorage,
          fmt::format("{} is there already; choose another folder, or --force to replace it", files.back().string()));
  }
  return files;
}

}  // namespace xrai
