#include "loaders/ordered_pool.h"

#include <sched.h>

namespace xrai {

int usable_cores() {
  // The affinity mask knows about taskset and most containers; hardware_concurrency does not.
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (sched_getaffinity(0, sizeof(cores), &cores) == 0 && CPU_COUNT(&cores) > 0) return CPU_COUNT(&cores);
  const unsigned n = std::thread::hardware_concurrency();
  return n > 0 ? static_cast<int>(n) : 1;
}

}  // namespace xrai
