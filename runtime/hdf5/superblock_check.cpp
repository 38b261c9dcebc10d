#include "runtime/hdf5/superblock_check.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <optional>

#include "runtime/hdf5/object_header.h"

namespace xrai::hdf5 {
namespace {

constexpr std::string_view kSignature = "\x89HDF\r\n\x1a\n";
constexpr std::uint64_t kLargestAddress = 8;  // bytes; the library takes up to 32, which no file has

using Start = std::array<unsigned char, 96>;  // the longest old superblock with addresses of 8 bytes

/// What the file has of it; the rest is zero.
Start start_at(int descriptor, std::uint64_t place) {
  Start start{};
  [[maybe_unused]] const ssize_t n = pread(descriptor, start.data(), start.size(), static_cast<off_t>(place));
  return start;
}

struct Superblock {
  std::uint64_t place;  // the library counts addresses from here, whatever the file says
  Start bytes;
};

/// Behind a user block it stands at 512 or at a power of two above.
std::optional<Superblock> find_superblock(int descriptor, std::uint64_t file_bytes) {
  for (std::uint64_t place = 0; place < file_bytes; place = place == 0 ? 512 : 2 * place) {
    const Start start = start_at(descriptor, place);
    if (std::equal(kSignature.begin(), kSignature.end(), start.begin(),
                   [](char a, unsigned char b) { return static_cast<unsigned char>(a) == b; }))
      return Superblock{place, start};
  }
  return {};
}

/// Of a header that the library reads while it opens the file.
void require_header_of_usual_length(int descriptor, std::uint64_t place) {
  const Start start = start_at(descriptor, place);
  try {
    (void)header_start(std::span(start).first(kLongestHeaderStart));
  } catch (const NotUnderstood&) {
  }
}

// The root group, and what the superblock has no place for.
void check_new_superblock(int descriptor, std::uint64_t place, std::uint64_t file_bytes, Fields fields) {
  const std::uint64_t address_bytes = fields.number(1);
  if (address_bytes != kLargestAddress) return;  // nobody writes others; FileBytes refuses them
  fields.take(2);
  fields.address();  // of this block
  const std::uint64_t extension = fields.address();
  fields.address();  // end of the file
  const std::uint64_t root = fields.address();
  for (const std::uint64_t address : {extension, root})
    if (address < file_bytes - place) require_header_of_usual_length(descriptor, place + address);
}

}  // namespace

// File format specification 3.0, II.A (superblocks) and II.B (driver information).
void require_sound_superblock(int descriptor) {
  struct stat now {};
  if (fstat(descriptor, &now) != 0) return;
  const auto file_bytes = static_cast<std::uint64_t>(now.st_size);
  const std::optional<Superblock> superblock = find_superblock(descriptor, file_bytes);
  if (!superblock) return;
  Fields fields(superblock->bytes);
  fields.take(kSignature.size());
  const std::uint64_t version = fields.number(1);
  if (version > 1) return check_new_superblock(descriptor, superblock->place, file_bytes, fields);
  fields.take(4);
  const auto address_bytes = static_cast<std::size_t>(fields.number(1));
  if (address_bytes > kLargestAddress) throw Damaged{};
  fields.take(version == 0 ? 10 : 14);
  fields.number(address_bytes);  // of this block
  fields.number(address_bytes);  // of free space
  fields.number(address_bytes);  // end of the file
  const std::uint64_t address = fields.number(address_bytes);
  fields.number(address_bytes);  // of the root group's name
  const std::uint64_t root = fields.number(address_bytes);
  if (root < file_bytes - superblock->place) require_header_of_usual_length(descriptor, superblock->place + root);
  const std::uint64_t nowhere = address_bytes == 8 ? kNowhere : (std::uint64_t{1} << 8 * address_bytes) - 1;
  if (address == nowhere) return;
  constexpr std::uint64_t kHeadBytes = 16;
  const std::uint64_t behind = file_bytes - superblock->place;
  require(address <= behind && kHeadBytes <= behind - address);
  const Start information = start_at(descriptor, superblock->place + address);
  Fields head(information);
  head.take(4);
  require(head.number(4) <= behind - address - kHeadBytes);
}

}  // namespace xrai::hdf5
