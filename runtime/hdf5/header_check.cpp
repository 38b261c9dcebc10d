#include "runtime/hdf5/header_check.h"

#include <map>
#include <optional>
#include <set>

#include "runtime/hdf5/datatype_message.h"
#include "runtime/hdf5/dense_storage.h"
#include "runtime/hdf5/group_check.h"
#include "runtime/hdf5/object_header.h"
#include "runtime/hdf5/virtual_mapping.h"

namespace xrai::hdf5 {
namespace {

constexpr std::uint64_t kMostAxes = 32;     // H5S_MAX_RANK
constexpr std::uint64_t kMostFilters = 32;  // H5Z_MAX_NFILTERS
constexpr std::uint64_t kNoFillValue = 0xffffffff;

/// Types with objects of their own: each is looked at once, however many attributes refer to it.
struct CommittedTypes {
  std::map<std::uint64_t, std::uint64_t> value_bytes;  // by address
  std::uint64_t n_read = 0;
};

/// What is said at several places of a header and must agree.
struct Described {
  std::optional<std::uint64_t> value_bytes, n_axes, n_values;  // of the first type and the first shape
  std::optional<std::uint64_t> fill_bytes, compact_bytes;
  std::optional<std::uint64_t> chunk_axes, chunk_value_bytes;
  std::vector<std::uint64_t> shape;  // the same
  struct InHeap {
    std::uint64_t address, index;
  };
  std::optional<InHeap> sources;  // of a virtual data set
  std::set<MessageType> leading;  // messages that lead to more than themselves
  CommittedTypes committed;
};

/// A type that has an object of its own, which a message refers to (IV.A.2, "shared message").
std::uint64_t check_committed_type(const FileBytes& file, Fields reference, CommittedTypes& committed) {
  const std::uint64_t version = reference.number(1), kind = reference.number(1);
  if (version < 2 || version > 3) throw NotUnderstood{"its type is shared in a way of another version"};
  if (version == 3 && kind != 2) throw NotUnderstood{"its type is in the file's table of shared messages"};
  const std::uint64_t address = reference.address();
  if (const auto known = committed.value_bytes.find(address); known != committed.value_bytes.end())
    return known->second;
  std::optional<std::uint64_t> bytes;
  committed.n_read += walk_header(file, address, [&](const HeaderMessage& message) {
    if (message.type != MessageType::kDatatype) return true;
    require(!message.is_shared);
    Fields body(message.body);
    bytes = check_datatype(body);
    return false;
  });
  require(bytes.has_value() && committed.n_read <= file.size());  // no two lie over one another
  return committed.value_bytes[address] = *bytes;
}

std::uint64_t check_type(const FileBytes& file, Fields body, bool is_shared, CommittedTypes& committed) {
  return is_shared ? check_committed_type(file, body, committed) : check_datatype(body);
}

struct Extent {
  std::uint64_t n_axes, n_values;
  std::vector<std::uint64_t> shape;
};

/// IV.A.2.b. Values past 2^63 count as that many.
Extent check_dataspace(Fields body) {
  const std::uint64_t version = body.number(1), n_axes = body.number(1), flags = body.number(1);
  require((version == 1 || version == 2) && n_axes <= kMostAxes);
  constexpr std::uint64_t kNull = 2, kMost = std::uint64_t{1} << 63;
  const bool is_null = body.number(1) == kNull && version == 2;
  if (version == 1) body.take(4);
  std::uint64_t n_values = is_null ? 0 : 1;
  std::vector<std::uint64_t> shape;
  for (std::uint64_t axis = 0; axis < n_axes; ++axis) {
    const std::uint64_t length = body.number(8);
    shape.push_back(length);
    n_values = length != 0 && n_values > kMost / length ? kMost : n_values * length;
  }
  if ((flags & 1) != 0) body.take(8 * n_axes);
  return {n_axes, n_values, shape};
}

/// IV.A.2.e and f: the bytes of the fill value, if there is one.
std::optional<std::uint64_t> check_fill_value(Fields body, bool is_old) {
  if (!is_old) {
    const std::uint64_t version = body.number(1);
    require(version >= 1 && version <= 3);
    const std::uint64_t flags = body.number(1);
    if (version == 3 && (flags & 0x20) == 0) return std::nullopt;
    if (version < 3) {
      body.take(1);
      if (body.number(1) == 0 && version == 2) return std::nullopt;
    }
    if (version == 1 && body.left() < 4) return std::nullopt;
  }
  const std::uint64_t bytes = body.number(4);
  if (bytes == 0 || bytes == kNoFillValue) return std::nullopt;
  body.take(bytes);
  return bytes;
}

/// IV.A.2.l.
void check_filters(Fields body) {
  const std::uint64_t version = body.number(1), n_filters = body.number(1);
  require((version == 1 || version == 2) && n_filters <= kMostFilters);
  if (version == 1) body.take(6);
  for (std::uint64_t i = 0; i < n_filters; ++i) {
    const std::uint64_t id = body.number(2);
    const std::uint64_t name_bytes = version == 1 || id >= 256 ? body.number(2) : 0;
    body.take(2);
    const std::uint64_t n_parameters = body.number(2);
    const auto name = body.take(name_bytes);
    require(name.empty() || std::find(name.begin(), name.end(), 0) != name.end());
    body.take(4 * n_parameters);
    if (version == 1 && n_parameters % 2 != 0) body.take(4);
  }
}

void check_chunk(Fields& body, std::uint64_t n_axes, std::size_t length_bytes, Described& described) {
  require(n_axes >= 2 && n_axes <= kMostAxes + 1 && length_bytes >= 1 && length_bytes <= 8);
  for (std::uint64_t axis = 0; axis < n_axes; ++axis) {
    described.chunk_value_bytes = body.number(length_bytes);  // that of the last
    require(*described.chunk_value_bytes != 0);
  }
  described.chunk_axes = n_axes - 1;
}

/// IV.A.2.i. Layouts before version 3 are those of libraries before 1.6.3.
void check_layout(Fields body, Described& described) {
  enum : std::uint64_t { kCompact, kContiguous, kChunked, kVirtual };
  const std::uint64_t version = body.number(1);
  require(version >= 1);
  if (version > 4) throw NotUnderstood{"its layout is one of HDF5 2.0"};
  if (version < 3) {
    const std::uint64_t n_axes = body.number(1), kind = body.number(1);
    require(n_axes <= kMostAxes + 1);
    body.take(kind == kCompact ? 5 : 13);
    if (kind == kChunked) return check_chunk(body, n_axes, 4, described);
    body.take(4 * n_axes);
    if (kind == kCompact) described.compact_bytes = body.take(body.number(4)).size();
    return;
  }
  const std::uint64_t kind = body.number(1);
  if (kind == kCompact) described.compact_bytes = body.take(body.number(2)).size();
  if (kind == kContiguous) body.take(16);
  if (kind == kVirtual) {
    require(version == 4 && !described.sources);
    const std::uint64_t address = body.address();
    described.sources = {address, body.number(4)};
  }
  if (kind != kChunked) return;
  if (version == 4) body.take(1);
  const std::uint64_t n_axes = body.number(1);
  if (version == 3) body.take(8);
  const std::uint64_t length_bytes = version == 3 ? 4 : body.number(1);
  check_chunk(body, n_axes, length_bytes, described);
}

/// IV.A.2.m. Version 1 fills its parts up to multiples of eight bytes.
void check_attribute(const FileBytes& file, Fields body, CommittedTypes& committed) {
  const std::uint64_t version = body.number(1), flags = body.number(1);
  require(version >= 1 && version <= 3);
  const std::uint64_t name_bytes = body.number(2), type_bytes = body.number(2), space_bytes = body.number(2);
  if (version == 3) body.take(1);  // encoding of the name
  const auto part = [&](std::uint64_t n_bytes) {
    const auto bytes = body.take(n_bytes);
    if (version == 1) body.take((8 - n_bytes % 8) % 8);
    return bytes;
  };
  const auto name = part(name_bytes);
  require(!name.empty() && std::find(name.begin(), name.end(), 0) == name.end() - 1);
  const std::uint64_t value_bytes =
      check_type(file, Fields(part(type_bytes)), version > 1 && (flags & 1) != 0, committed);
  if (version > 1 && (flags & 2) != 0) throw NotUnderstood{"an attribute's shape is shared"};
  const Extent extent = check_dataspace(Fields(part(space_bytes)));
  require(extent.n_values <= body.left() / value_bytes);
}

/// IV.A.2.k.
void check_group_info(Fields body) {
  require(body.number(1) == 0);
  const std::uint64_t flags = body.number(1);
  if ((flags & 1) != 0) body.take(4);  // when links move elsewhere
  if ((flags & 2) != 0) body.take(4);  // how many there may be, and how long their names
}

void look_at(const FileBytes& file, const HeaderMessage& message, Described& described) {
  Fields body(message.body);
  const auto is_own = [&](const char* what) {
    if (message.is_shared) throw NotUnderstood{std::string(what) + " in the file's table of shared messages"};
  };
  // A header has one of each; a thousand would have the whole group looked at as often.
  const auto is_only = [&](const char* what) {
    is_own(what);
    require(described.leading.insert(message.type).second);
  };
  switch (message.type) {
    case MessageType::kDatatype: {
      const std::uint64_t bytes = check_type(file, body, message.is_shared, described.committed);
      require(described.value_bytes.value_or(bytes) == bytes);
      described.value_bytes = bytes;
      break;
    }
    case MessageType::kDataspace: {
      is_own("its shape is");
      const Extent extent = check_dataspace(body);
      require(described.n_axes.value_or(extent.n_axes) == extent.n_axes);
      require(!described.n_axes || described.shape == extent.shape);
      described.n_axes = extent.n_axes, described.n_values = extent.n_values, described.shape = extent.shape;
      break;
    }
    case MessageType::kOldFillValue:
    case MessageType::kFillValue:
      is_own("its fill value is");
      if (const auto bytes = check_fill_value(body, message.type == MessageType::kOldFillValue)) {
        require(described.fill_bytes.value_or(*bytes) == *bytes);
        described.fill_bytes = bytes;
      }
      break;
    case MessageType::kExternalFiles:
      is_only("the list of files with its values is");
      check_external_files(file, body);
      break;
    case MessageType::kLayout:
      is_own("its layout is");
      check_layout(body, described);
      break;
    case MessageType::kFilters:
      is_own("the list of its filters is");
      check_filters(body);
      break;
    case MessageType::kAttribute:
      is_own("an attribute is");
      check_attribute(file, body, described.committed);
      break;
    case MessageType::kAttributeInfo:
      is_only("the place of its attributes is");
      check_attribute_info(file, body,
                           [&](Fields attribute) { check_attribute(file, attribute, described.committed); });
      break;
    case MessageType::kLink:
      is_own("a link is");
      check_link(body);
      break;
    case MessageType::kLinkInfo:
      is_only("the place of its members is");
      check_link_info(file, body, check_link);
      break;
    case MessageType::kGroupInfo:
      check_group_info(body);
      break;
    case MessageType::kSymbolTable:
      is_only("its list of members is");
      check_symbol_table(file, body);
      break;
    // IV.A.2.n, o, s and w: the library reads as far as these go, wherever the message ends.
    case MessageType::kComment:
      require(std::find(message.body.begin(), message.body.end(), 0) != message.body.end());
      break;
    case MessageType::kOldTime:
      body.take(14);
      break;
    case MessageType::kTime:
      body.take(8);
      break;
    case MessageType::kReferences:
      body.take(5);
      break;
    // Those of the superblock's extension (superblock_check.cpp); elsewhere the library does not ask for them.
    case MessageType::kSharedTable:
    case MessageType::kTreeWidths:
    case MessageType::kDriverInformation:
    case MessageType::kFreeSpace:
    case MessageType::kCacheImage:
    case MessageType::kContinuation:
      break;
  }
}

}  // namespace

void require_sound_header(const FileBytes& file, std::uint64_t address) {
  Described described;
  walk_header(file, address, [&](const HeaderMessage& message) {
    look_at(file, message, described);
    return true;
  });
  const std::uint64_t value_bytes = described.value_bytes.value_or(0);
  require(described.fill_bytes.value_or(value_bytes) == value_bytes);
  require(described.chunk_value_bytes.value_or(value_bytes) == value_bytes);
  require(described.chunk_axes.value_or(described.n_axes.value_or(0)) == described.n_axes.value_or(0));
  if (described.compact_bytes && value_bytes > 0) {
    require(described.n_values.value_or(0) <= *described.compact_bytes / value_bytes);
  }
  if (described.sources) {
    if (described.shape.empty()) throw NotUnderstood{"it is virtual and a single value"};
    check_virtual_mapping(file, described.sources->address, described.sources->index, described.shape);
  }
}

}  // namespace xrai::hdf5
