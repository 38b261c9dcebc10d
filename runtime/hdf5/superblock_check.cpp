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

// IV.A.2.x. The file's free space is of no use to a reader, but the library reads its message.
void check_free_space(Fields body) {
  const std::uint64_t version = body.number(1), strategy = body.number(1);
  constexpr std::uint64_t kLeastPageBytes = 512;
  if (version == 0) {
    body.take(8);
    if (strategy == 1) body.take(6 * 8);
  } else {
    const bool is_kept = body.number(1) != 0;
    body.take(8);
    require(body.number(8) >= kLeastPageBytes);
    body.take(2 + 8 + (is_kept ? 12 * 8 : 0));
  }
}

// The library has room for eight lists of shared messages, and fills in as many as the message says (IV.A.2.p). An
// image of its cache (IV.A.2.y) would have it see others than the messages that are looked at here.
void check_extension_message(const HeaderMessage& message) {
  constexpr std::uint64_t kMostLists = 8;
  Fields body(message.body);
  switch (message.type) {
    case MessageType::kSharedTable: {
      body.take(9);
      const std::uint64_t n_lists = body.number(1);
      require(n_lists >= 1 && n_lists <= kMostLists);
      break;
    }
    case MessageType::kTreeWidths:  // IV.A.2.t
      body.take(1);
      for (int i = 0; i < 3; ++i) require(body.number(2) > 0);
      break;
    case MessageType::kDriverInformation:  // IV.A.2.u
      body.take(9);
      body.take(body.number(2));
      break;
    case MessageType::kFreeSpace:
      check_free_space(body);
      break;
    case MessageType::kCacheImage:
      throw NotUnderstood{"it holds an image of the cache of whoever wrote it"};
    default:
      break;
  }
}

// The root group, and what the superblock has no place for.
void check_new_superblock(int descriptor, std::uint64_t place, std::uint64_t file_bytes, Fields fields) {
  const std::uint64_t address_bytes = fields.number(1), size_bytes = fields.number(1);
  if (address_bytes != kLargestAddress || size_bytes != 8) throw NotUnderstood{"its addresses are not of 64 bits"};
  fields.take(1);
  fields.address();  // of this block
  const std::uint64_t extension = fields.address();
  fields.address();  // end of the file
  const std::uint64_t root = fields.address();
  if (root < file_bytes - place) require_header_of_usual_length(descriptor, place + root);
  if (extension == kNowhere) return;
  walk_header(FileBytes(descriptor, place, file_bytes - place), extension, [](const HeaderMessage& message) {
    require(!message.is_shared);
    check_extension_message(message);
    return true;
  });
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
  if (version > 3) return;  // the library says that it is newer
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
