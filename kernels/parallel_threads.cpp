// parallel_for on threads made for the call: slow, but every hand-over is visible to the thread sanitizer.
#include <atomic>
#include <thread>
#include <vector>

#include "kernels/parallel.h"

namespace xrai::kernels {
namespace {
std::atomic<int> threads{0};
}

void parallel_for(std::int64_t n, RangeBody body) {
  const std::int64_t parts = thread_count() < n ? thread_count() : n;
  std::vector<std::thread> workers;
  for (std::int64_t part = 1; part < parts; ++part)
    workers.emplace_back([=] { body(n * part / parts, n * (part + 1) / parts); });
  if (parts > 0) body(0, n / parts);
  for (auto& worker : workers) worker.join();
}

int thread_count() {
  const int set = threads.load();
  return set > 0 ? set : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}
void set_thread_count(int n) {
  threads = n;
}

}  // namespace xrai::kernels
