#include "runtime/core/control_group.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/temporary_folder.h"

namespace xrai {
namespace control_group_test {

struct Machine {
  void file(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories((root / path).parent_path());
    std::ofstream(root / path) << text;
  }
  [[nodiscard]] ControlGroupLimits limits() const { return control_group_limits(root.path()); }

  testing::TemporaryFolder root;
};

TEST(ControlGroup, WithoutOneNothingIsLimited) {
  const Machine machine;
  EXPECT_FALSE(machine.limits().cores);
  EXPECT_FALSE(machine.limits().memory_bytes);
}

TEST(ControlGroup, TheLeastOfAGroupAndOfThoseAroundItCounts) {
  const Machine machine;
  machine.file("proc/self/cgroup", "0::/user.slice/job\n");
  machine.file("sys/fs/cgroup/user.slice/job/cpu.max", "max 100000\n");
  machine.file("sys/fs/cgroup/user.slice/cpu.max", "150000 100000\n");
  machine.file("sys/fs/cgroup/cpu.max", "400000 100000\n");
  machine.file("sys/fs/cgroup/user.slice/job/memory.max", "max\n");
  machine.file("sys/fs/cgroup/user.slice/job/memory.current", "700\n");
  machine.file("sys/fs/cgroup/user.slice/memory.max", "1000\n");
  machine.file("sys/fs/cgroup/user.slice/memory.current", "700\n");
  machine.file("sys/fs/cgroup/user.slice/memory.stat", "anon 400\nfile 300\ninactive_file 250\nactive_file 50\n");
  EXPECT_EQ(machine.limits().cores, 1.5);
  EXPECT_EQ(machine.limits().memory_bytes, 550U);
}

TEST(ControlGroup, InAContainerItsOwnGroupIsTheMount) {
  const Machine machine;
  machine.file("proc/self/cgroup", "0::/\n");
  machine.file("sys/fs/cgroup/cpu.max", "200000 100000\n");
  machine.file("sys/fs/cgroup/memory.max", "1000\n");
  machine.file("sys/fs/cgroup/memory.current", "1200\n");
  EXPECT_EQ(machine.limits().cores, 2.0);
  EXPECT_EQ(machine.limits().memory_bytes, 0U);
}

TEST(ControlGroup, VersionOneHasAFolderForEachController) {
  const Machine machine;
  machine.file("proc/self/cgroup", "4:memory:/box\n2:cpuset:/\n1:cpuacct,cpu:/docker/of/the/host\n0::/\n");
  machine.file("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n");
  machine.file("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  machine.file("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  machine.file("sys/fs/cgroup/memory/memory.usage_in_bytes", "5000\n");
  machine.file("sys/fs/cgroup/memory/box/memory.limit_in_bytes", "4000\n");
  machine.file("sys/fs/cgroup/memory/box/memory.usage_in_bytes", "3000\n");
  machine.file("sys/fs/cgroup/memory/box/memory.stat", "inactive_file 1\ntotal_inactive_file 500\n");
  EXPECT_EQ(machine.limits().cores, 0.5);
  EXPECT_EQ(machine.limits().memory_bytes, 1500U);
}

TEST(ControlGroup, VersionOneSaysMinusOneForNoQuota) {
  const Machine machine;
  machine.file("proc/self/cgroup", "1:cpu:/\n");
  machine.file("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  machine.file("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_FALSE(machine.limits().cores);
}

TEST(ControlGroup, LinesThatAreNotUnderstoodAreLeftOut) {
  const Machine machine;
  machine.file("proc/self/cgroup", "nonsense\n1:cpu\n\n0::/a\n");
  machine.file("sys/fs/cgroup/a/cpu.max", "much too much\n");
  machine.file("sys/fs/cgroup/a/memory.max", "none\n");
  EXPECT_FALSE(machine.limits().cores);
  EXPECT_FALSE(machine.limits().memory_bytes);
}

}  // namespace control_group_test
}  // namespace xrai
