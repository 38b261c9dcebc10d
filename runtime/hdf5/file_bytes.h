// Bytes of an open file read around the library, and numbers taken from them. Whatever the file says is checked here
// before it is believed: no address past the end, no field past its block.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "runtime/hdf5/state.h"

namespace xrai::hdf5 {

/// The bytes contradict themselves or the file's size. Caught where the name of what is damaged is known.
struct Damaged {};
inline void require(bool is_true) {
  if (!is_true) throw Damaged{};
}
/// They are whole but of a kind that is not read here.
struct NotUnderstood {
  std::string reason;  // "... is ..." without a capital or a full stop
};

inline constexpr std::uint64_t kNowhere = ~std::uint64_t{0};  // the file format's undefined address

/// Little-endian fields of a block, one after the other. Throws Damaged where the block ends too early.
class Fields {
 public:
  explicit Fields(std::span<const unsigned char> bytes) : rest_(bytes) {}

  /// An unsigned number of 1 to 8 bytes.
  std::uint64_t number(std::size_t n_bytes) {
    std::uint64_t value = 0;
    const auto bytes = take(n_bytes);
    for (std::size_t i = 0; i < n_bytes; ++i) value |= std::uint64_t{bytes[i]} << (8 * i);
    return value;
  }
  std::uint64_t address() { return number(8); }
  std::span<const unsigned char> take(std::size_t n_bytes) {
    if (n_bytes > rest_.size()) throw Damaged{};
    const auto taken = rest_.first(n_bytes);
    rest_ = rest_.subspan(n_bytes);
    return taken;
  }
  /// Throws Damaged when the next bytes are others.
  void expect(std::string_view signature) {
    const auto bytes = take(signature.size());
    if (!std::equal(bytes.begin(), bytes.end(), signature.begin())) throw Damaged{};
  }
  [[nodiscard]] std::size_t left() const { return rest_.size(); }

 private:
  std::span<const unsigned char> rest_;
};

/// A file for as long as it is open under an identifier of the library, or a descriptor. Addresses count from the end
/// of the user block, as in the file.
class FileBytes {
 public:
  /// Throws NotUnderstood when the file is not an ordinary one with addresses of 64 bits.
  FileBytes(hid_t file, const Task& task);
  /// A file that the library has not opened yet. `base`: bytes of the user block; `size`: of the rest.
  FileBytes(int descriptor, std::uint64_t base, std::uint64_t size)
      : descriptor_(descriptor), size_(size), base_(base) {}

  [[nodiscard]] std::uint64_t size() const { return size_; }  // without the user block
  [[nodiscard]] std::uint64_t base() const { return base_; }  // bytes of the user block
  [[nodiscard]] int descriptor() const { return descriptor_; }
  /// Throws Damaged when [address, address + n_bytes) is not in the file.
  void require(std::uint64_t address, std::uint64_t n_bytes) const {
    if (address > size_ || n_bytes > size_ - address) throw Damaged{};
  }
  [[nodiscard]] std::vector<unsigned char> read(std::uint64_t address, std::uint64_t n_bytes) const;
  /// A block that ends with the checksum of what is before it (lookup3 of Bob Jenkins, as the file format uses it).
  [[nodiscard]] std::vector<unsigned char> read_checked(std::uint64_t address, std::uint64_t n_bytes) const;

 private:
  int descriptor_ = -1;
  std::uint64_t size_ = 0, base_ = 0;
};

/// Of a block, as the file format uses it: lookup3 of Bob Jenkins.
std::uint32_t checksum(std::span<const unsigned char> bytes);
/// Whether the last four bytes are the checksum of the ones before.
bool has_right_checksum(std::span<const unsigned char> block);

}  // namespace xrai::hdf5
