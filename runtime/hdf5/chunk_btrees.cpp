// Indexes that are trees: version 1, which nearly every file has, and version 2, where two axes may grow without limit.
// Keys must rise from leaf to leaf, as the library's search needs them to; so no node is visited twice.
#include <limits>

#include "runtime/hdf5/btree2.h"
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

/// Chunks in the records of a tree of version 2, types 10 and 11 (III.A.2).
class ChunkRecords {
 public:
  ChunkRecords(const FileBytes& file, std::uint64_t address, ChunkGrid& grid)
      : tree_(file, address, grid.spec().filtered ? 11 : 10), grid_(grid) {
    const std::uint64_t place_bytes = 8 * grid.rank();
    if (tree_.record_bytes() <= place_bytes) throw Damaged{};
    entry_bytes_ = tree_.record_bytes() - place_bytes;
  }

  void read() {
    tree_.walk([&](Fields record) { put(record); });
  }

 private:
  void put(Fields& record) {
    const IndexEntry entry = parse_entry(record, entry_bytes_, grid_);
    Key place(grid_.rank());
    for (std::uint64_t& axis : place) axis = record.number(8);
    if (last_ && place <= *last_) throw Damaged{};
    grid_.put(place, entry);
    last_ = std::move(place);
  }

  const Tree2 tree_;
  ChunkGrid& grid_;
  std::size_t entry_bytes_ = 0;
  std::optional<Key> last_;
};

}  // namespace

void read_btree1(const FileBytes& file, std::uint64_t address, std::uint64_t node_entries, ChunkGrid& grid) {
  const Key low(grid.rank() + 1, 0), high(grid.rank() + 1, std::numeric_limits<std::uint64_t>::max());
  Tree1(file, node_entries, grid).read(address, std::nullopt, low, high);
}

void read_btree2(const FileBytes& file, std::uint64_t address, ChunkGrid& grid) {
  ChunkRecords(file, address, grid).read();
}

}  // namespace xrai::hdf5
