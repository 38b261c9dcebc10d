// The memory of the fake device, and the table of pinned host memory. Bytes and ranges only: no streams, no order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace xrai::fake {

/// Device addresses come from one reserved region and are not used twice, so a dangling pointer never fits again.
/// They are aligned to 256 bytes and not to 512: what cudaMalloc promises and no more. The pages can be touched only
/// while the memory is open, that is while operations run; a host that dereferences a device pointer crashes.
class DeviceMemory {
 public:
  struct Allocation {
    std::uintptr_t begin = 0;
    std::size_t bytes = 0;
    int number = 0;  // counts from 1; for messages
    std::uintptr_t page_begin = 0, page_end = 0;
  };

  DeviceMemory();
  ~DeviceMemory();
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  void set_capacity(std::size_t bytes) { capacity_ = bytes; }
  /// Filled with 0xFF. Null when the card is full.
  void* allocate(std::size_t bytes);
  /// Text of the finding when bytes around the allocation were overwritten, else empty. The pointer must be one given.
  std::string release(const void* begin);
  /// The live allocation in which the address lies (its one-past-the-end address does not).
  [[nodiscard]] const Allocation* find(const void* address) const;
  [[nodiscard]] bool contains(const void* begin, std::size_t bytes) const;
  [[nodiscard]] bool in_region(const void* address) const;

  void open();
  void close();
  void clear();

  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] std::size_t used() const { return used_; }
  [[nodiscard]] std::size_t peak() const { return peak_; }
  [[nodiscard]] int live() const { return static_cast<int>(allocations_.size()); }

 private:
  void protect(const Allocation& allocation, bool accessible) const;
  [[nodiscard]] bool margins_intact(const Allocation& allocation) const;

  std::uintptr_t region_ = 0, next_ = 0;
  std::size_t capacity_ = 0, used_ = 0, peak_ = 0;
  int last_number_ = 0;
  bool open_ = false;
  std::map<std::uintptr_t, Allocation> allocations_;
};

/// Host memory that the device may read and write by itself: allocated here, or the caller's and registered.
class PinnedMemory {
 public:
  ~PinnedMemory() { clear(); }
  void* allocate(std::size_t bytes);
  bool release(void* begin);
  bool register_range(void* begin, std::size_t bytes);
  bool unregister(void* begin);
  [[nodiscard]] bool contains(const void* begin, std::size_t bytes) const;
  /// Of the block that begins there; 0 where none does.
  [[nodiscard]] std::size_t bytes_at(const void* begin) const;
  void clear();
  [[nodiscard]] int live() const { return static_cast<int>(blocks_.size()); }

 private:
  struct Block {
    std::size_t bytes = 0;
    bool owned = false;
  };
  std::map<std::uintptr_t, Block> blocks_;
};

inline std::uintptr_t address_of(const void* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer);
}

}  // namespace xrai::fake
