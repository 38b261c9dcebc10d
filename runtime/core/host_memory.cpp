#include "runtime/core/host_memory.h"

#include <sys/mman.h>

#include <new>

namespace xrai {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

}  // namespace

std::shared_ptr<std::byte[]> uninitialised_memory(std::size_t n_bytes) {
  if (n_bytes < kLeastInHugePages) return std::make_shared_for_overwrite<std::byte[]>(n_bytes);
  const std::size_t mapped = n_bytes + kHugePage;  // so that it holds a beginning of a huge page
  void* const begin = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (begin == MAP_FAILED) throw std::bad_alloc();
  void* aligned = begin;
  std::size_t room = mapped;
  std::align(kHugePage, n_bytes, aligned, room);
  (void)madvise(aligned, n_bytes, MADV_HUGEPAGE);  // refused where there are none; it is as good as before then
  return {static_cast<std::byte*>(aligned), [begin, mapped](std::byte*) { munmap(begin, mapped); }};
}

}  // namespace xrai
