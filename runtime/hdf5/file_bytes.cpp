// Reading at addresses of the file, and the checksum of its blocks.
#include "runtime/hdf5/file_bytes.h"

#include <unistd.h>

#include <bit>

namespace xrai::hdf5 {
namespace {

// The three words are stirred as in lookup3.c, "hash functions for hash table lookup", Bob Jenkins, 2006.
struct Stirred {
  std::uint32_t a, b, c;

  void mix() {
    a -= c, a ^= std::rotl(c, 4), c += b;
    b -= a, b ^= std::rotl(a, 6), a += c;
    c -= b, c ^= std::rotl(b, 8), b += a;
    a -= c, a ^= std::rotl(c, 16), c += b;
    b -= a, b ^= std::rotl(a, 19), a += c;
    c -= b, c ^= std::rotl(b, 4), b += a;
  }
  void finish() {
    c ^= b, c -= std::rotl(b, 14);
    a ^= c, a -= std::rotl(c, 11);
    b ^= a, b -= std::rotl(a, 25);
    c ^= b, c -= std::rotl(b, 16);
    a ^= c, a -= std::rotl(c, 4);
    b ^= a, b -= std::rotl(a, 14);
    c ^= b, c -= std::rotl(b, 24);
  }
};

}  // namespace

std::uint32_t checksum(std::span<const unsigned char> bytes) {
  const std::uint32_t start = 0xdeadbeef + static_cast<std::uint32_t>(bytes.size());
  Stirred words{start, start, start};
  if (bytes.empty()) return words.c;
  Fields fields(bytes);
  const auto add = [&] {  // up to twelve bytes; those that are not there count as zero
    for (std::uint32_t* word : {&words.a, &words.b, &words.c}) {
      *word += static_cast<std::uint32_t>(fields.number(std::min<std::size_t>(4, fields.left())));
    }
  };
  while (fields.left() > 12) {
    add();
    words.mix();
  }
  add();
  words.finish();
  return words.c;
}

FileBytes::FileBytes(hid_t file, const Task& task) {
  const Handle access = own(H5Fget_access_plist(file), H5Pclose, task);
  if (H5Pget_driver(access.get()) != H5FD_SEC2) throw NotUnderstood{"the file is not opened by the ordinary driver"};
  const Handle creation = own(H5Fget_create_plist(file), H5Pclose, task);
  std::size_t address_bytes = 0, size_bytes = 0;
  check(H5Pget_sizes(creation.get(), &address_bytes, &size_bytes), task);
  if (address_bytes != 8 || size_bytes != 8) throw NotUnderstood{"the file's addresses are not of 64 bits"};
  void* descriptor = nullptr;
  check(H5Fget_vfd_handle(file, H5P_DEFAULT, &descriptor), task);
  descriptor_ = *static_cast<int*>(descriptor);
  hsize_t file_bytes = 0, base = 0;
  check(H5Fget_filesize(file, &file_bytes), task);
  check(H5Pget_userblock(creation.get(), &base), task);
  if (base > file_bytes) throw Damaged{};
  base_ = base;
  size_ = file_bytes - base;
}

std::vector<unsigned char> FileBytes::read(std::uint64_t address, std::uint64_t n_bytes) const {
  require(address, n_bytes);
  std::vector<unsigned char> bytes(n_bytes);
  const ssize_t n = pread(descriptor_, bytes.data(), n_bytes, static_cast<off_t>(base_ + address));
  if (n < 0 || static_cast<std::uint64_t>(n) != n_bytes) throw Damaged{};
  return bytes;
}

std::vector<unsigned char> FileBytes::read_checked(std::uint64_t address, std::uint64_t n_bytes) const {
  std::vector<unsigned char> block = read(address, n_bytes);
  if (!has_right_checksum(block)) throw Damaged{};
  return block;
}

bool has_right_checksum(std::span<const unsigned char> block) {
  if (block.size() < 4) return false;
  return Fields(block.last(4)).number(4) == checksum(block.first(block.size() - 4));
}

}  // namespace xrai::hdf5
