// ZIP files as NumPy writes them: the list of the members, and each as a stream of bytes. Nothing is held whole, and
// every number taken from the file is checked against its size. Errors are the reason alone, as the end of a sentence
// that names the file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace xrai {

struct ZipEntry {
  std::string name;
  std::uint64_t method = 0, stored_bytes = 0, bytes = 0, header_at = 0;
  std::uint32_t crc = 0;
};

/// In the archive's order. Throws Error(kBadData, reason) when it is no ZIP file, or is damaged.
std::vector<ZipEntry> zip_entries(const std::filesystem::path& path);

/// The bytes of one member, stored or deflated, from the first to the last.
class ZipMember {
 public:
  /// Throws Error(kBadData, reason) when it cannot be read or is stored in another way.
  ZipMember(const std::filesystem::path& path, const ZipEntry& entry);
  ZipMember(const ZipMember&) = delete;
  ZipMember& operator=(const ZipMember&) = delete;
  ~ZipMember();

  [[nodiscard]] std::uint64_t size() const { return entry_.bytes; }
  /// Fills `out` with the bytes from `offset` on. Going back starts again at the beginning. With the last byte the
  /// archive's checksum is verified. Throws Error(kBadData, reason) when there are fewer, or they are damaged.
  void read(std::uint64_t offset, std::span<std::byte> out);

 private:
  struct Inflation;  // zlib's state

  void rewind();
  void next(std::span<std::byte> out);
  std::size_t next_stored(std::span<std::byte> out);

  std::ifstream file_;
  const ZipEntry entry_;
  std::uint64_t begin_ = 0;      // of the stored bytes, in the file
  std::uint64_t taken_ = 0;      // of the stored bytes
  std::uint64_t position_ = 0;   // in the member
  unsigned long crc_ = 0;        // of the bytes before
  std::vector<std::byte> read_;  // stored bytes that wait to be inflated
  std::unique_ptr<Inflation> inflation_;
};

}  // namespace xrai
