// What this machine's processor is and how much of it we may use.
#include "runtime/core/host.h"

#include <malloc.h>
#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

#include "runtime/core/control_group.h"

namespace xrai {
namespace {

// Of one and a half cores two threads make more than one does.
int quota_cores() {
  constexpr double kUnlimited = 1 << 20;
  return static_cast<int>(std::ceil(std::min(kUnlimited, control_group_limits().cores.value_or(kUnlimited))));
}

int affinity_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return ::sched_getaffinity(0, sizeof set, &set) == 0 ? std::max(1, CPU_COUNT(&set)) : 1;
}

// OMP_NUM_THREADS, as everything on the machine that computes honours it; 0 when unset or not a number.
int wished_cores() {
  const char* text = std::getenv("OMP_NUM_THREADS");
  return text == nullptr ? 0 : std::atoi(text);
}

/// "MemAvailable:  24000000 kB" of /proc/meminfo.
std::optional<std::uint64_t> system_available() {
  std::ifstream file("/proc/meminfo");
  for (std::string word; file >> word;) {
    std::uint64_t kibibytes = 0;
    if (word == "MemAvailable:" && file >> kibibytes) return kibibytes << 10;
  }
  return std::nullopt;
}

}  // namespace

int available_cores() {
  const int wished = wished_cores();
  return wished > 0 ? wished : std::max(1, std::min(affinity_cores(), quota_cores()));
}

std::uint64_t available_memory_bytes() {
  const auto system = system_available(), group = control_group_limits().memory_bytes;
  if (!system && !group) return 0;
  constexpr auto kUnlimited = std::numeric_limits<std::uint64_t>::max();
  return std::min(system.value_or(kUnlimited), group.value_or(kUnlimited));
}

std::uint64_t peak_resident_bytes() {
  struct rusage usage {};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

void keep_freed_memory() {
  mallopt(M_MMAP_THRESHOLD, 32 << 20);  // the largest that glibc takes; M_TRIM_THRESHOLD alone would freeze it low
  mallopt(M_TRIM_THRESHOLD, 256 << 20);
  mallopt(M_TOP_PAD, 4 << 20);
}

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown processor";
}

std::string cpu_features() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")) return "AVX-512";
  if (__builtin_cpu_supports("avx2")) return "AVX2";
  return "SSE2";
#else
  return "portable code";
#endif
}

}  // namespace xrai
