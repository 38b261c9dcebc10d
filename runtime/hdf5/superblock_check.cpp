#include "runtime/hdf5/superblock_check.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <optional>

#include "runtime/hdf5/object_header.h"

namespace xrai::hdf5 {
namespace {

constexpr std::string_view kSignature = "\x89HDF\r\n\x1a\n";

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

/// Where the library goes first, from either kind of superblock.
struct FirstPlaces {
  std::uint64_t base, end, root;  // what the file says of where it begins and ends; the root group's header
  std::uint64_t driver = kNowhere, extension = kNowhere;
};

// II.A. Versions 0 and 1 have sizes of trees, free space and driver information, later ones an extension.
FirstPlaces read_places(std::uint64_t version, Fields fields) {
  if (version < 2) fields.take(4);
  const std::uint64_t address_bytes = fields.number(1), size_bytes = fields.number(1);
  if (address_bytes != 8 || size_bytes != 8) throw NotUnderstood{"its addresses are not of 64 bits"};
  FirstPlaces places{};
  if (version >= 2) {
    fields.take(1);
    places.base = fields.address();
    places.extension = fields.address();
    places.end = fields.address();
    places.root = fields.address();
    return places;
  }
  fields.take(version == 0 ? 9 : 13);
  places.base = fields.address();
  fields.address();  // of free space
  places.end = fields.address();
  places.driver = fields.address();
  fields.address();  // of the root group's name
  places.root = fields.address();
  return places;
}

// II.B. The library makes room for as much as its head says.
void check_driver_information(const FileBytes& file, std::uint64_t address) {
  constexpr std::uint64_t kHeadBytes = 16;
  const auto bytes = file.read(address, kHeadBytes);
  Fields head(bytes);
  head.take(4);
  file.require(address + kHeadBytes, head.number(4));
}

}  // namespace

// File format specification 3.0, II.
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
  const FirstPlaces places = read_places(version, fields);
  // The library counts as the file lies, wherever it says that it begins, and refuses one that is cut off.
  if (file_bytes < places.end + superblock->place - places.base) return;
  const FileBytes file(descriptor, superblock->place, file_bytes - superblock->place);
  if (places.driver != kNowhere) check_driver_information(file, places.driver);
  if (places.extension != kNowhere) {
    walk_header(file, places.extension, [](const HeaderMessage& message) {
      require(!message.is_shared);
      check_extension_message(message);
      return true;
    });
  }
  walk_header(file, places.root, [](const HeaderMessage&) { return true; });  // how long it is, and where it goes on
}

}  // namespace xrai::hdf5
