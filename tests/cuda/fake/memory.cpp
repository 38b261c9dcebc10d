// Allocations are whole pages of a reserved region: a margin, the bytes, a margin, and one page that stays closed.
// AddressSanitizer is told about the margins; without it they are compared when the allocation is freed.
#include "memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, bytes) (static_cast<void>(address), static_cast<void>(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(address, bytes) (static_cast<void>(address), static_cast<void>(bytes))
#endif

namespace xrai::fake {
namespace {

constexpr std::size_t kRegionBytes = std::size_t{1} << 40;  // addresses only: nothing is committed
constexpr std::size_t kPage = 4096;
constexpr std::size_t kMargin = 256;
constexpr int kFresh = 0xFF;
constexpr unsigned char kMarginByte = 0xA5;
constexpr std::size_t kGranule = 512;  // in which a card accounts for memory, roughly

std::size_t round_up(std::size_t value, std::size_t unit) {
  return (value + unit - 1) / unit * unit;
}
void* pointer_to(std::uintptr_t address) {
  return reinterpret_cast<void*>(address);
}

}  // namespace

DeviceMemory::DeviceMemory() {
  void* region = mmap(nullptr, kRegionBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (region == MAP_FAILED) throw std::bad_alloc();
  region_ = next_ = address_of(region);
}

DeviceMemory::~DeviceMemory() {
  munmap(pointer_to(region_), kRegionBytes);
}

void DeviceMemory::protect(const Allocation& allocation, bool accessible) const {
  mprotect(pointer_to(allocation.page_begin), allocation.page_end - allocation.page_begin,
           accessible ? PROT_READ | PROT_WRITE : PROT_NONE);
}

void* DeviceMemory::allocate(std::size_t bytes) {
  const std::size_t charged = round_up(bytes, kGranule);
  const std::size_t pages = round_up(kMargin + bytes + kMargin, kPage);
  if (charged > capacity_ - used_ || pages + kPage > region_ + kRegionBytes - next_) return nullptr;
  const Allocation allocation{next_ + kMargin, bytes, ++last_number_, next_, next_ + pages};
  next_ += pages + kPage;
  used_ += charged;
  peak_ = std::max(peak_, used_);
  protect(allocation, true);
  const std::uintptr_t end = allocation.begin + bytes;
  std::memset(pointer_to(allocation.page_begin), kMarginByte, pages);
  std::memset(pointer_to(allocation.begin), kFresh, bytes);
  ASAN_POISON_MEMORY_REGION(pointer_to(allocation.page_begin), kMargin);
  ASAN_POISON_MEMORY_REGION(pointer_to(end), allocation.page_end - end);
  protect(allocation, open_);
  allocations_.emplace(allocation.begin, allocation);
  return pointer_to(allocation.begin);
}

bool DeviceMemory::margins_intact([[maybe_unused]] const Allocation& allocation) const {
#if defined(__SANITIZE_ADDRESS__)
  return true;  // the access itself was reported
#else
  const auto untouched = [](std::uintptr_t begin, std::uintptr_t end) {
    const auto* bytes = static_cast<const unsigned char*>(pointer_to(begin));
    return std::all_of(bytes, bytes + (end - begin), [](unsigned char byte) { return byte == kMarginByte; });
  };
  return untouched(allocation.page_begin, allocation.begin) &&
         untouched(allocation.begin + allocation.bytes, allocation.page_end);
#endif
}

std::string DeviceMemory::release(const void* begin) {
  const auto found = allocations_.find(address_of(begin));
  const Allocation allocation = found->second;
  protect(allocation, true);
  std::string finding;
  if (!margins_intact(allocation))
    finding = "Something wrote outside device allocation " + std::to_string(allocation.number) + " of " +
              std::to_string(allocation.bytes) + " bytes.";
  const std::size_t pages = allocation.page_end - allocation.page_begin;
  ASAN_UNPOISON_MEMORY_REGION(pointer_to(allocation.page_begin), pages);
  madvise(pointer_to(allocation.page_begin), pages, MADV_DONTNEED);
  protect(allocation, false);
  used_ -= round_up(allocation.bytes, kGranule);
  allocations_.erase(found);
  return finding;
}

const DeviceMemory::Allocation* DeviceMemory::find(const void* address) const {
  const auto after = allocations_.upper_bound(address_of(address));
  if (after == allocations_.begin()) return nullptr;
  const Allocation& candidate = std::prev(after)->second;
  return address_of(address) < candidate.begin + candidate.bytes ? &candidate : nullptr;
}

bool DeviceMemory::contains(const void* begin, std::size_t bytes) const {
  if (bytes == 0) return true;
  const Allocation* allocation = find(begin);
  return allocation != nullptr && bytes <= allocation->begin + allocation->bytes - address_of(begin);
}

bool DeviceMemory::in_region(const void* address) const {
  return address_of(address) - region_ < kRegionBytes;
}

void DeviceMemory::open() {
  if (open_) return;
  open_ = true;
  for (const auto& [begin, allocation] : allocations_) protect(allocation, true);
}

void DeviceMemory::close() {
  if (!open_) return;
  open_ = false;
  for (const auto& [begin, allocation] : allocations_) protect(allocation, false);
}

void DeviceMemory::clear() {
  while (!allocations_.empty()) release(pointer_to(allocations_.begin()->first));
  next_ = region_;
  peak_ = 0;
  last_number_ = 0;
  open_ = false;
}

void* PinnedMemory::allocate(std::size_t bytes) {
  void* block = nullptr;
  if (posix_memalign(&block, kMargin, std::max<std::size_t>(bytes, 1)) != 0) return nullptr;
  std::memset(block, kFresh, bytes);
  blocks_[address_of(block)] = {bytes, true};
  return block;
}

bool PinnedMemory::release(void* begin) {
  const auto found = blocks_.find(address_of(begin));
  if (found == blocks_.end() || !found->second.owned) return false;
  blocks_.erase(found);
  std::free(begin);
  return true;
}

bool PinnedMemory::register_range(void* begin, std::size_t bytes) {
  return blocks_.emplace(address_of(begin), Block{bytes, false}).second;
}

bool PinnedMemory::unregister(void* begin) {
  const auto found = blocks_.find(address_of(begin));
  if (found == blocks_.end() || found->second.owned) return false;
  blocks_.erase(found);
  return true;
}

bool PinnedMemory::contains(const void* begin, std::size_t bytes) const {
  const auto after = blocks_.upper_bound(address_of(begin));
  if (after == blocks_.begin()) return false;
  const auto& [block, properties] = *std::prev(after);
  const std::size_t offset = address_of(begin) - block;
  return offset < properties.bytes && bytes <= properties.bytes - offset;
}

std::size_t PinnedMemory::bytes_at(const void* begin) const {
  const auto found = blocks_.find(address_of(begin));
  return found == blocks_.end() ? 0 : found->second.bytes;
}

void PinnedMemory::clear() {
  while (!blocks_.empty()) {
    const auto first = blocks_.begin();
    if (first->second.owned) std::free(pointer_to(first->first));
    blocks_.erase(first);
  }
}

}  // namespace xrai::fake
