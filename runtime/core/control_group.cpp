#include "runtime/core/control_group.h"

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

namespace xrai {
namespace {

namespace fs = std::filesystem;

template <class Number>
std::optional<Number> number_in(const fs::path& path) {
  Number number = 0;
  if (std::ifstream file(path); file >> number) return number;
  return std::nullopt;  // "max", or no such file
}

template <class Number>
void lower(std::optional<Number>& least, const std::optional<Number>& other) {
  if (other && (!least || *other < *least)) least = other;
}

/// "inactive_file 1234" among the lines of memory.stat.
std::uint64_t pages_to_give_back(const fs::path& statistics, const std::string& name) {
  std::ifstream file(statistics);
  std::uint64_t bytes = 0;
  for (std::string word; file >> word >> bytes;)
    if (word == name) return bytes;
  return 0;
}

std::optional<std::uint64_t> what_is_left(const fs::path& group, const char* limit_name, const char* used_name,
                                          const char* given_back_name) {
  const auto limit = number_in<std::uint64_t>(group / limit_name), used = number_in<std::uint64_t>(group / used_name);
  if (!limit || !used) return std::nullopt;
  const std::uint64_t held = *used - std::min(*used, pages_to_give_back(group / "memory.stat", given_back_name));
  return *limit > held ? *limit - held : 0;
}

std::optional<double> quota(const std::optional<double>& time, const std::optional<double>& period) {
  if (!time || !period || *time <= 0 || *period <= 0) return std::nullopt;  // version 1 says -1 for no limit
  return *time / *period;
}

/// "200000 100000": microseconds in so many.
std::optional<double> quota_in(const fs::path& path) {
  double time = 0, period = 0;
  if (std::ifstream file(path); file >> time >> period) return quota(time, period);
  return std::nullopt;  // "max 100000", or no such file
}

/// The group's folder and those around it. In a container the path may be the host's, of which only `mount` is there.
std::vector<fs::path> around(const fs::path& mount, const fs::path& group) {
  std::vector<fs::path> folders{mount};
  for (const fs::path& name : group.relative_path()) folders.push_back(folders.back() / name);
  return folders;
}

bool among(const std::string& controllers, const std::string& wanted) {
  return ("," + controllers + ",").find("," + wanted + ",") != std::string::npos;
}

}  // namespace

ControlGroupLimits control_group_limits(const fs::path& root) {
  const fs::path mounts = root / "sys/fs/cgroup";
  ControlGroupLimits limits;
  std::ifstream groups(root / "proc/self/cgroup");
  // "ID:CONTROLLERS:PATH"; version 2 has no controllers there.
  for (std::string line; std::getline(groups, line);) {
    const std::size_t first = line.find(':'), second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
    if (controllers.empty())
      for (const fs::path& mount : {mounts, mounts / "unified"})
        for (const fs::path& group : around(mount, path)) {
          lower(limits.cores, quota_in(group / "cpu.max"));
          lower(limits.memory_bytes, what_is_left(group, "memory.max", "memory.current", "inactive_file"));
        }
    if (among(controllers, "cpu"))
      for (const fs::path& group : around(mounts / "cpu", path))
        lower(limits.cores,
              quota(number_in<double>(group / "cpu.cfs_quota_us"), number_in<double>(group / "cpu.cfs_period_us")));
    if (among(controllers, "memory"))
      for (const fs::path& group : around(mounts / "memory", path))
        lower(limits.memory_bytes,
              what_is_left(group, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"));
  }
  return limits;
}

}  // namespace xrai
