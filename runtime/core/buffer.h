// Owns bytes on a device. Made by Device::allocate, given back to it by the destructor.
#pragma once

#include <cstddef>
#include <utility>

namespace xrai {

class Buffer {
 public:
  /// Frees the bytes; must not throw.
  using Release = void (*)(void* bytes, std::size_t size) noexcept;

  Buffer() = default;
  Buffer(void* bytes, std::size_t size, Release release) : bytes_(bytes), size_(size), release_(release) {}
  Buffer(Buffer&& other) noexcept
      : bytes_(std::exchange(other.bytes_, nullptr)), size_(std::exchange(other.size_, 0)), release_(other.release_) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(size_, other.size_);
    std::swap(release_, other.release_);
    return *this;
  }
  ~Buffer() {
    if (bytes_ != nullptr) release_(bytes_, size_);
  }

  [[nodiscard]] void* data() const { return bytes_; }
  template <class T>
  [[nodiscard]] T* as() const {
    return static_cast<T*>(bytes_);
  }
  [[nodiscard]] std::size_t size_bytes() const { return size_; }

 private:
  void* bytes_ = nullptr;
  std::size_t size_ = 0;
  Release release_ = nullptr;
};

}  // namespace xrai
