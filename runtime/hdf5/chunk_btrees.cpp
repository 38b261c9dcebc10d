// Indexes that are trees: version 1, which nearly every file has, and version 2, where two axes may grow without limit.
// Keys must rise from leaf to leaf, as the library's search needs them to; so no node is visited twice.
#include <bit>
#include <limits>

#include "runtime/hdf5/chunk_index.h"

namespace xrai::hdf5 {
namespace {

using Key = std::vector<std::uint64_t>;  // element offsets of a chunk, one an axis and 0 for the element itself

class Tree1 {
 public:
  Tree1(const FileBytes& file, std::uint64_t node_entries, ChunkGrid& grid)
      : file_(file), node_entries_(node_entries), grid_(grid) {
    const std::uint64_t key_bytes = 8 + 8 * (grid.rank() + 1);
    node_bytes_ = 24 + node_entries * (key_bytes + 8) + key_bytes;
  }

  /// Everything below a node must lie in [low, high); `level`: what the node must be, 0 for a leaf.
  void read(std::uint64_t address, std::optional<std::uint64_t> level, const Key& low, const Key& high) {
    const auto block = file_.read(address, node_bytes_);
    Fields node(block);
    node.expect(std::string_view("TREE\1", 5));
    const std::uint64_t own_level = node.number(1), n_entries = node.number(2);
    if (own_level > kDeepest || n_entries > node_entries_ || own_level != level.value_or(own_level)) throw Damaged{};
    if (n_entries == 0 && level) throw Damaged{};
    node.take(16);  // siblings
    IndexEntry entry;
    Key begin = key(node, entry), end;
    for (std::uint64_t i = 0; i < n_entries; ++i, begin = end) {
      IndexEntry child = entry;
      child.address = node.address();
      end = key(node, entry);
      if (begin < low || begin >= end || end > high) throw Damaged{};
      if (own_level > 0) {
        read(child.address, own_level - 1, begin, end);
      } else {
        put(begin, child);
      }
    }
  }

 private:
  static constexpr std::uint64_t kDeepest = 16;

  [[nodiscard]] Key key(Fields& node, IndexEntry& entry) const {
    entry.bytes = node.number(4);
    entry.skipped_filters = node.number(4);
    Key key(grid_.rank() + 1);
    for (std::uint64_t& offset : key) offset = node.number(8);
    return key;
  }

  void put(const Key& key, const IndexEntry& entry) const {
    Key place(grid_.rank());
    for (std::size_t axis = 0; axis < place.size(); ++axis) {
      const std::uint64_t length = grid_.spec().chunk_shape[axis];
      if (key[axis] % length != 0) throw Damaged{};
      place[axis] = key[axis] / length;
    }
    if (key.back() != 0 || entry.address == kNowhere) throw Damaged{};
    grid_.put(place, entry);
  }

  const FileBytes& file_;
  const std::uint64_t node_entries_;
  ChunkGrid& grid_;
  std::uint64_t node_bytes_ = 0;
};

/// Bytes that a number up to `most` takes in a file.
std::size_t bytes_of_number(std::uint64_t most) {
  return static_cast<std::size_t>(std::bit_width(most) - 1) / 8 + 1;
}

class Tree2 {
 public:
  Tree2(const FileBytes& file, std::uint64_t address, ChunkGrid& grid) : file_(file), grid_(grid) {
    const auto block = file.read_checked(address, 38);
    Fields header(block);
    header.expect(std::string_view("BTHD\0", 5));
    type_ = header.number(1);
    if (type_ != (grid.spec().filtered ? 11 : 10)) throw Damaged{};
    node_bytes_ = header.number(4);
    record_bytes_ = header.number(2);
    depth_ = header.number(2);
    header.take(2);  // when nodes are split and merged
    root_ = header.address();
    root_records_ = header.number(2);
    const std::uint64_t place_bytes = 8 * grid.rank();
    if (depth_ > kDeepest || node_bytes_ < 64 || record_bytes_ <= place_bytes || record_bytes_ > node_bytes_ / 2) {
      throw Damaged{};
    }
    entry_bytes_ = record_bytes_ - place_bytes;
    size_nodes();
  }

  void read() {
    if (root_ != kNowhere) read(root_, root_records_, depth_);
  }

 private:
  static constexpr std::uint64_t kDeepest = 16;
  static constexpr std::uint64_t kAround = 10;  // signature, version, type, checksum of a node

  struct Level {
    std::uint64_t most_records = 0;  // in one node
    std::uint64_t most_below = 0;    // in it and all nodes below
    std::size_t below_bytes = 0;     // of a number of these
  };

  // How wide the fields of a node are follows from how many records can lie below it.
  void size_nodes() {
    const std::uint64_t leaf_records = (node_bytes_ - kAround) / record_bytes_;
    levels_.push_back({leaf_records, leaf_records, 0});
    count_bytes_ = bytes_of_number(leaf_records);
    for (std::uint64_t depth = 1; depth <= depth_; ++depth) {
      const Level below = levels_.back();
      const std::uint64_t pointer_bytes = 8 + count_bytes_ + below.below_bytes;
      if (node_bytes_ <= kAround + pointer_bytes + record_bytes_) throw Damaged{};
      const std::uint64_t records = (node_bytes_ - kAround - pointer_bytes) / (record_bytes_ + pointer_bytes);
      if (below.most_below > std::numeric_limits<std::uint64_t>::max() / (records + 2)) throw Damaged{};
      const std::uint64_t all = (records + 1) * below.most_below + records;
      levels_.push_back({records, all, bytes_of_number(all)});
    }
  }

  void read(std::uint64_t address, std::uint64_t n_records, std::uint64_t depth) {
    const Level& level = levels_[depth];
    if (n_records == 0 || n_records > level.most_records) throw Damaged{};
    const std::size_t below_bytes = depth == 0 ? 0 : levels_[depth - 1].below_bytes;
    const std::uint64_t pointer_bytes = depth == 0 ? 0 : (n_records + 1) * (8 + count_bytes_ + below_bytes);
    const auto block = file_.read_checked(address, kAround + n_records * record_bytes_ + pointer_bytes);
    Fields node(block);
    node.expect(depth == 0 ? std::string_view("BTLF\0", 5) : std::string_view("BTIN\0", 5));
    if (node.number(1) != type_) throw Damaged{};
    Fields records(node.take(n_records * record_bytes_));
    for (std::uint64_t i = 0; i <= n_records; ++i) {
      if (depth > 0) {
        const std::uint64_t child = node.address(), child_records = node.number(count_bytes_);
        node.take(below_bytes);
        read(child, child_records, depth - 1);
      }
      if (i < n_records) put(records);
    }
  }

  void put(Fields& record) {
    const IndexEntry entry = parse_entry(record, entry_bytes_, grid_);
    Key place(grid_.rank());
    for (std::uint64_t& axis : place) axis = record.number(8);
    if (last_ && place <= *last_) throw Damaged{};
    grid_.put(place, entry);
    last_ = std::move(place);
  }

  const FileBytes& file_;
  ChunkGrid& grid_;
  std::uint64_t type_ = 0, node_bytes_ = 0, record_bytes_ = 0, depth_ = 0, root_ = kNowhere, root_records_ = 0;
  std::size_t entry_bytes_ = 0, count_bytes_ = 0;
  std::vector<Level> levels_;  // from the leaves up
  std::optional<Key> last_;
};

}  // namespace

void read_btree1(const FileBytes& file, std::uint64_t address, std::uint64_t node_entries, ChunkGrid& grid) {
  const Key low(grid.rank() + 1, 0), high(grid.rank() + 1, std::numeric_limits<std::uint64_t>::max());
  Tree1(file, node_entries, grid).read(address, std::nullopt, low, high);
}

void read_btree2(const FileBytes& file, std::uint64_t address, ChunkGrid& grid) {
  Tree2(file, address, grid).read();
}

}  // namespace xrai::hdf5
