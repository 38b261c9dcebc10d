// HDF5 File Format Specification 3.0, III.H ("Virtual Dataset Block") and VIII.A ("Dataspace Selection").
#include "runtime/hdf5/virtual_mapping.h"

#include <optional>

#include "runtime/hdf5/global_heap.h"

namespace xrai::hdf5 {
namespace {

constexpr std::uint64_t kMostSourceAxes = 32;     // H5S_MAX_RANK
constexpr std::uint64_t kLeastMappingBytes = 36;  // two names of a byte each and their ends, two selections
// The library joins the blocks of a part one by one, each with all before it: 10,000 take it 2 s, 20,000 take 10
// (measured).
constexpr std::uint64_t kMostBlocks = 10000;

/// Blocks along each axis: from `first` on, `count` of `block` values, `stride` from one to the next.
struct Axis {
  std::uint64_t first, stride, count, block;
};

/// Where selections may lie; sources are looked at when they are opened.
struct Space {
  std::optional<std::span<const std::uint64_t>> shape;

  void require_rank(std::uint64_t rank) const {
    require(rank > 0 && rank <= kMostSourceAxes && (!shape || rank == shape->size()));
  }
  void require_within(std::size_t axis, const Axis& blocks) const {
    require(blocks.count > 0 && blocks.block > 0 && (blocks.count == 1 || blocks.stride >= blocks.block));
    const std::uint64_t most = shape ? (*shape)[axis] : std::uint64_t{1} << 62;
    require(blocks.first < most && blocks.block <= most - blocks.first);
    require(blocks.count == 1 || (blocks.count - 1) <= (most - blocks.first - blocks.block) / blocks.stride);
  }
};

class Mappings {
 public:
  Mappings(Fields block, std::span<const std::uint64_t> shape) : block_(block), shape_{shape} {}

  void check() {
    if (block_.number(1) != 0) throw NotUnderstood{"its list of sources is of a newer version"};
    const std::uint64_t n_mappings = block_.number(8);
    require(n_mappings <= block_.left() / kLeastMappingBytes);
    for (std::uint64_t i = 0; i < n_mappings; ++i) {
      check_name();
      check_name();
      check_selection({});
      check_selection(shape_);
    }
    require(block_.left() == 4);  // the checksum
  }

 private:
  void check_name() {
    std::uint64_t length = 0;
    for (std::uint64_t byte = block_.number(1); byte != 0; byte = block_.number(1), ++length) {
      if (byte == '%') throw NotUnderstood{"its sources are named by a pattern"};
    }
    require(length > 0);
  }

  void check_selection(const Space& space) {
    enum : std::uint64_t { kNone, kPoints, kBlocks, kAll };
    const std::uint64_t kind = block_.number(4), version = block_.number(4);
    if (kind == kNone || kind == kPoints) throw NotUnderstood{"its parts are not blocks of values"};
    require(kind == kBlocks || kind == kAll);
    if (kind == kAll) {
      require(version == 1);
      block_.take(8);
    } else if (version == 1) {
      check_corners(space);
    } else if (version == 2) {
      check_regular(space);
    } else {
      throw NotUnderstood{"its parts are described in the way of HDF5 2.0"};
    }
  }

  void count_blocks(std::uint64_t n_blocks) {
    if (n_blocks <= kMostBlocks) n_joined_ += n_blocks * n_blocks;
    if (n_blocks > kMostBlocks || n_joined_ > 2 * kMostBlocks * kMostBlocks) {
      throw NotUnderstood{"its parts are of too many blocks"};
    }
  }

  /// Two corners of each block.
  void check_corners(const Space& space) {
    block_.take(8);  // nothing, and the length of the rest
    const std::uint64_t rank = block_.number(4), n_blocks = block_.number(4);
    space.require_rank(rank);
    require(n_blocks > 0 && n_blocks <= block_.left() / (8 * rank));
    count_blocks(n_blocks);
    std::vector<std::uint64_t> first(rank);
    for (std::uint64_t i = 0; i < n_blocks; ++i) {
      for (std::uint64_t& corner : first) corner = block_.number(4);
      for (std::size_t axis = 0; axis < rank; ++axis) {
        const std::uint64_t last = block_.number(4);
        require(last >= first[axis]);
        space.require_within(axis, {first[axis], 1, 1, last - first[axis] + 1});
      }
    }
  }

  void check_regular(const Space& space) {
    require(block_.number(1) == 1);
    block_.take(4);
    const std::uint64_t rank = block_.number(4);
    space.require_rank(rank);
    std::uint64_t n_blocks = 1;
    for (std::size_t axis = 0; axis < rank; ++axis) {
      Axis blocks{};
      for (std::uint64_t* number : {&blocks.first, &blocks.stride, &blocks.count, &blocks.block}) {
        *number = block_.number(8);
      }
      if (blocks.count == kNowhere || blocks.block == kNowhere) {
        throw NotUnderstood{"it grows with its sources"};
      }
      space.require_within(axis, blocks);
      if (blocks.count > kMostBlocks / n_blocks) throw NotUnderstood{"its parts are of too many blocks"};
      n_blocks *= blocks.count;
    }
    count_blocks(n_blocks);
  }

  Fields block_;
  Space shape_;
  std::uint64_t n_joined_ = 0;
};

}  // namespace

void check_virtual_mapping(const FileBytes& file, std::uint64_t heap, std::uint64_t index,
                           std::span<const std::uint64_t> shape) {
  if (heap == kNowhere) return;  // no sources yet
  GlobalHeap objects(file);
  const auto block = objects.object(heap, index);
  objects.require_sound_for_library(heap);
  Mappings(Fields(block), shape).check();
  require(has_right_checksum(block));
}

}  // namespace xrai::hdf5
