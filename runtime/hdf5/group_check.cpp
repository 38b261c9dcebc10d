#include "runtime/hdf5/group_check.h"

namespace xrai::hdf5 {
namespace {

constexpr std::uint64_t kMostHeapBytes = std::uint64_t{256} << 20;
constexpr std::uint64_t kHighestLevel = 8;    // each has at least a handful of children
constexpr std::uint64_t kMostNodes = 500000;  // of some eight members each
constexpr std::uint64_t kEntryBytes = 40;

/// The names of a group's members, one after the other.
class LocalHeap {
 public:
  LocalHeap(const FileBytes& file, std::uint64_t address) {
    const auto start = file.read(address, 32);
    Fields header(start);
    header.expect("HEAP");
    require(header.number(1) == 0);
    header.take(3);
    const std::uint64_t n_bytes = header.number(8), first_free = header.number(8);
    require(n_bytes <= kMostHeapBytes);
    bytes_ = file.read(header.address(), n_bytes);
    walk_free_list(first_free);
    // From there on a name would not end.
    const auto last = std::find(bytes_.rbegin(), bytes_.rend(), 0);
    end_of_names_ = static_cast<std::uint64_t>(bytes_.rend() - last);
  }

  void require_name(std::uint64_t offset) const { require(offset < end_of_names_); }

 private:
  /// Gaps, each with the place of the next (1: none) and its own length.
  void walk_free_list(std::uint64_t at) const {
    constexpr std::uint64_t kNone = 1, kGapBytes = 16;
    for (std::uint64_t n_left = bytes_.size() / kGapBytes; at != kNone; --n_left) {
      require(n_left > 0 && at < bytes_.size());
      Fields gap{std::span<const unsigned char>(bytes_).subspan(at)};
      const std::uint64_t next = gap.number(8), length = gap.number(8);
      require(length >= kGapBytes && length <= bytes_.size() - at);
      at = next;
    }
  }

  std::vector<unsigned char> bytes_;
  std::uint64_t end_of_names_ = 0;
};

class GroupWalk {
 public:
  GroupWalk(const FileBytes& file, std::uint64_t heap) : file_(file), heap_(file, heap) {}

  void walk(std::uint64_t address) {
    const auto start = file_.read(address, 24);
    walk_node(address, Fields(std::span(start).subspan(5)).number(1));
  }

 private:
  void walk_node(std::uint64_t address, std::uint64_t level) {
    require(level <= kHighestLevel && ++n_nodes_ <= kMostNodes);
    const auto start = file_.read(address, 24);
    Fields header(start);
    header.expect("TREE");
    require(header.number(1) == 0 && header.number(1) == level);
    const std::uint64_t n_children = header.number(2);
    const auto body = file_.read(address + 24, 16 * n_children + 8);
    Fields fields(body);
    for (std::uint64_t i = 0; i < n_children; ++i) {
      heap_.require_name(fields.number(8));
      const std::uint64_t child = fields.address();
      if (level > 0) {
        walk_node(child, level - 1);
      } else {
        look_at_members(child);
      }
    }
    if (n_children > 0) heap_.require_name(fields.number(8));
  }

  void look_at_members(std::uint64_t address) {
    require(++n_nodes_ <= kMostNodes);
    const auto start = file_.read(address, 8);
    Fields header(start);
    header.expect("SNOD");
    require(header.number(1) == 1);
    header.take(1);
    const auto entries = file_.read(address + 8, kEntryBytes * header.number(2));
    for (std::size_t at = 0; at < entries.size(); at += kEntryBytes) {
      constexpr std::uint64_t kSoftLink = 2;
      Fields entry{std::span<const unsigned char>(entries).subspan(at, kEntryBytes)};
      heap_.require_name(entry.number(8));
      const std::uint64_t object = entry.address(), kind = entry.number(4);
      entry.take(4);
      require(kind <= kSoftLink);
      if (kind == kSoftLink) {
        heap_.require_name(entry.number(4));
      } else {
        file_.require(object, 1);
      }
    }
  }

  const FileBytes& file_;
  const LocalHeap heap_;
  std::uint64_t n_nodes_ = 0;
};

}  // namespace

void check_symbol_table(const FileBytes& file, Fields message) {
  const std::uint64_t tree = message.address(), heap = message.address();
  GroupWalk(file, heap).walk(tree);
}

void check_external_files(const FileBytes& file, Fields message) {
  require(message.number(1) == 1);
  message.take(3);
  const std::uint64_t n_allocated = message.number(2), n_used = message.number(2);
  require(n_used > 0 && n_used <= n_allocated);
  const LocalHeap names(file, message.address());
  constexpr std::uint64_t kLastOffset = std::uint64_t{1} << 62, kToTheEnd = kNowhere;
  for (std::uint64_t i = 0; i < n_used; ++i) {
    names.require_name(message.number(8));
    const std::uint64_t offset = message.number(8), n_bytes = message.number(8);
    require(offset <= kLastOffset && (n_bytes == kToTheEnd ? i + 1 == n_used : n_bytes <= kLastOffset));
  }
}

void check_link(Fields message) {
  enum : std::uint64_t { kHard, kSoft, kExternal = 64 };
  require(message.number(1) == 1);
  const std::uint64_t flags = message.number(1), kind = (flags & 8) != 0 ? message.number(1) : kHard;
  if ((flags & 4) != 0) message.take(8);   // order of creation
  if ((flags & 16) != 0) message.take(1);  // encoding of the name
  const std::uint64_t name_bytes = message.number(std::size_t{1} << (flags & 3));
  require(name_bytes > 0);
  message.take(name_bytes);
  if (kind == kHard) {
    message.take(8);
    return;
  }
  const std::uint64_t value_bytes = message.number(2);
  require(kind != kSoft || value_bytes > 0);
  const auto value = message.take(value_bytes);
  if (kind != kExternal) return;
  // A byte of flags, the name of a file and one of an object in it. Of a link without any the library reads the byte.
  require(!value.empty() && value.back() == 0 && std::count(value.begin() + 1, value.end(), 0) >= 2);
}

}  // namespace xrai::hdf5
