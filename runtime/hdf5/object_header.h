// The messages of an object header, read from the file's own bytes (HDF5 File Format Specification 3.0, IV.A.1), for
// those who must see them before the library does, or more of them than it tells.
#pragma once

#include <functional>

#include "runtime/hdf5/file_bytes.h"

namespace xrai::hdf5 {

/// Types of messages that are looked at here (IV.A.2).
enum class MessageType : std::uint64_t {
  kDataspace = 1,
  kLinkInfo = 2,
  kDatatype = 3,
  kOldFillValue = 4,
  kFillValue = 5,
  kLink = 6,
  kExternalFiles = 7,
  kLayout = 8,
  kGroupInfo = 10,
  kFilters = 11,
  kAttribute = 12,
  kComment = 13,
  kOldTime = 14,
  kSharedTable = 15,
  kContinuation = 16,
  kSymbolTable = 17,
  kTime = 18,
  kTreeWidths = 19,
  kDriverInformation = 20,
  kAttributeInfo = 21,
  kReferences = 22,
  kFreeSpace = 23,
  kCacheImage = 24
};

struct HeaderMessage {
  MessageType type;
  bool is_shared;                       // the body says where the message is
  std::span<const unsigned char> body;  // for as long as the call lasts
};

/// The first piece of a header, by its own words: nothing of it was looked at yet.
struct HeaderStart {
  int version = 1;                 // 1 or 2
  bool counts_messages = false;    // in version 2, each says how many came before
  std::uint64_t prefix_bytes = 0;  // before its messages
  std::uint64_t n_bytes = 0;       // of its messages
};
constexpr std::size_t kLongestHeaderStart = 34;
/// A piece that says it is longer is damaged.
constexpr std::uint64_t kMostHeaderBytes = 1 << 20;

/// `start`: kLongestHeaderStart bytes from where the header begins, or as many as the file has. Throws Damaged for one
/// that is longer than any is, or none, and NotUnderstood for a newer version.
HeaderStart header_start(std::span<const unsigned char> start);

/// Calls `take` with every message of the header at `address` but continuations, until it returns false. Gives back how
/// many bytes it has read. Throws Damaged, or NotUnderstood for a header of a newer version.
std::uint64_t walk_header(const FileBytes& file, std::uint64_t address,
                          const std::function<bool(const HeaderMessage&)>& take);

}  // namespace xrai::hdf5
