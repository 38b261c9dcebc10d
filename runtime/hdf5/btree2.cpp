#include "runtime/hdf5/btree2.h"

#include <bit>
#include <limits>

namespace xrai::hdf5 {
namespace {

constexpr std::uint64_t kDeepestTree = 16;
constexpr std::uint64_t kAround = 10;              // signature, version, type, checksum of a node
constexpr std::uint64_t kMostNodeBytes = 1 << 20;  // the library makes room for one before it reads any
constexpr std::uint64_t kTreeHeaderBytes = 38;

/// Bytes that a number up to `most` takes in a file.
std::size_t bytes_of_number(std::uint64_t most) {
  return static_cast<std::size_t>(std::bit_width(most) - 1) / 8 + 1;
}

}  // namespace

Tree2::Tree2(const FileBytes& file, std::uint64_t address, std::uint64_t type) : file_(file), type_(type) {
  const auto block = file.read_checked(address, kTreeHeaderBytes);
  Fields header(block);
  header.expect(std::string_view("BTHD\0", 5));
  require(header.number(1) == type);
  node_bytes_ = header.number(4);
  record_bytes_ = header.number(2);
  root_.depth = header.number(2);
  header.take(2);  // when nodes are split and merged
  root_.address = header.address();
  root_.n_records = header.number(2);
  n_records_ = header.number(8);
  require(root_.depth <= kDeepestTree && node_bytes_ >= 64 && node_bytes_ <= kMostNodeBytes);
  require(record_bytes_ > 0 && record_bytes_ <= node_bytes_ / 2);
  require(n_records_ <= file.size() / record_bytes_ && (n_records_ == 0) == (root_.address == kNowhere));
  size_nodes();
}

// How wide the fields of a node are follows from how many records can lie below it.
void Tree2::size_nodes() {
  const std::uint64_t leaf_records = (node_bytes_ - kAround) / record_bytes_;
  levels_.push_back({leaf_records, leaf_records, 0});
  count_bytes_ = bytes_of_number(leaf_records);
  for (std::uint64_t depth = 1; depth <= root_.depth; ++depth) {
    const Level below = levels_.back();
    const std::uint64_t pointer_bytes = 8 + count_bytes_ + below.below_bytes;
    require(node_bytes_ > kAround + pointer_bytes + record_bytes_);
    const std::uint64_t records = (node_bytes_ - kAround - pointer_bytes) / (record_bytes_ + pointer_bytes);
    require(below.most_below <= std::numeric_limits<std::uint64_t>::max() / (records + 2));
    const std::uint64_t all = (records + 1) * below.most_below + records;
    levels_.push_back({records, all, bytes_of_number(all)});
  }
}

class Tree2::Walk {
 public:
  Walk(const Tree2& tree, const std::function<void(Fields)>& take) : tree_(tree), take_(take) {}

  /// Gives back how many records it and the nodes below have. No node is without any, so as many as the tree's header
  /// counts are an end of nodes that lead to one another, too.
  std::uint64_t read(const Node& at) {
    const Level& level = tree_.levels_[at.depth];
    require(at.n_records > 0 && at.n_records <= level.most_records);
    const std::size_t below_bytes = at.depth == 0 ? 0 : tree_.levels_[at.depth - 1].below_bytes;
    const std::uint64_t pointer_bytes = at.depth == 0 ? 0 : (at.n_records + 1) * (8 + tree_.count_bytes_ + below_bytes);
    const auto block =
        tree_.file_.read_checked(at.address, kAround + at.n_records * tree_.record_bytes_ + pointer_bytes);
    Fields node(block);
    node.expect(at.depth == 0 ? std::string_view("BTLF\0", 5) : std::string_view("BTIN\0", 5));
    require(node.number(1) == tree_.type_);
    Fields records(node.take(at.n_records * tree_.record_bytes_));
    std::uint64_t n_records = at.n_records;
    for (std::uint64_t i = 0; i <= at.n_records; ++i) {
      if (at.depth > 0) {
        const Node child{node.address(), node.number(tree_.count_bytes_), at.depth - 1};
        const std::uint64_t below = below_bytes == 0 ? child.n_records : node.number(below_bytes);
        require(read(child) == below);
        n_records += below;
      }
      if (i == at.n_records) break;
      require(n_left_-- > 0);
      take_(Fields(records.take(tree_.record_bytes_)));
    }
    return n_records;
  }

 private:
  const Tree2& tree_;
  const std::function<void(Fields)>& take_;
  std::uint64_t n_left_ = tree_.n_records_;
};

void Tree2::walk(const std::function<void(Fields record)>& take) const {
  if (root_.address == kNowhere) return;
  require(Walk(*this, take).read(root_) == n_records_);
}

}  // namespace xrai::hdf5
