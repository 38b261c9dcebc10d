// parallel_for on OpenMP's pool, the one that oneDNN uses too.
#include <omp.h>

#include "kernels/parallel.h"

namespace xrai::kernels {
void parallel_for(std::int64_t n, RangeBody body) {
  const auto threads = static_cast<std::int64_t>(omp_get_max_threads());
  if (n <= 1 || threads == 1 || omp_in_parallel()) {
    if (n > 0) body(0, n);
    return;
  }
#pragma omp parallel num_threads(static_cast <int>(threads < n ? threads : n))
  {
    const std::int64_t part = omp_get_thread_num(), parts = omp_get_num_threads();
    body(n * part / parts, n * (part + 1) / parts);
  }
}

int thread_count() {
  return omp_get_max_threads();
}
void set_thread_count(int n) {
  omp_set_num_threads(n);
}

}  // namespace xrai::kernels
