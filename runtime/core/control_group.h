// What the control groups that this process is in allow (cgroups(7), versions 1 and 2), as containers and service
// managers set it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace xrai {

/// Absent: nothing is said.
struct ControlGroupLimits {
  std::optional<double> cores;                // processor time a second
  std::optional<std::uint64_t> memory_bytes;  // that would still be given: file pages not used lately count as free
};

/// Of the group and of those around it, the least. `root`: under which /proc and /sys/fs/cgroup are.
ControlGroupLimits control_group_limits(const std::filesystem::path& root = "/");

}  // namespace xrai
