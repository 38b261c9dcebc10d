// The grid of chunks, which reader an index has, and the two indexes that are only an address.
#include "runtime/hdf5/chunk_index.h"

#include <limits>

namespace xrai::hdf5 {
namespace {

constexpr std::uint64_t kFewChunks = 1 << 20;  // always kept: 16 MB
constexpr std::uint64_t kLeastIndexBytes = 8;  // that an index spends on a chunk
constexpr std::uint32_t kAllFilters = 0xffffffff;

std::uint64_t chunks_along(std::uint64_t length, std::uint64_t chunk_length) {
  return length / chunk_length + (length % chunk_length != 0 ? 1 : 0);
}

void read_implicit(const FileBytes& file, std::uint64_t address, ChunkGrid& grid) {
  const std::uint64_t chunk_bytes = grid.spec().chunk_bytes;
  if (grid.spec().filtered) throw Damaged{};  // such chunks cannot have sizes of their own
  file.require(address, 0);
  const std::uint64_t most_chunks = (file.size() - address) / chunk_bytes;  // or fewer, and something else behind
  grid.visit([&](ChunkGrid::Place place, std::uint64_t number) {
    require(number < most_chunks);
    grid.put(place, {address + number * chunk_bytes, chunk_bytes, 0});
  });
}

}  // namespace

ChunkGrid::ChunkGrid(const FileBytes& file, ChunkGridSpec spec) : file_(file), spec_(std::move(spec)) {
  const std::uint64_t most = std::max(kFewChunks, file.size() / kLeastIndexBytes);
  std::uint64_t n_chunks = 1;
  for (std::size_t axis = 0; axis < spec_.shape.size(); ++axis) {
    counts_.push_back(chunks_along(spec_.shape[axis], spec_.chunk_shape[axis]));
    const bool limited = spec_.largest[axis] != kNowhere;
    largest_counts_.push_back(limited ? chunks_along(spec_.largest[axis], spec_.chunk_shape[axis]) : kNowhere);
    if (counts_[axis] != 0 && n_chunks > most / counts_[axis]) throw NotUnderstood{"it has more chunks than bytes"};
    n_chunks *= counts_[axis];
  }
  order_axes();
  chunks_.resize(n_chunks);
}

void ChunkGrid::order_axes() {
  std::size_t outermost = 0;
  for (std::size_t axis = 0; axis < rank(); ++axis) {
    if (largest_counts_[axis] == kNowhere) outermost = axis;
  }
  for (std::size_t axis = rank(); axis-- > 0;) {
    if (axis != outermost) numbered_axes_.push_back(axis);
  }
  numbered_axes_.push_back(outermost);
}

bool ChunkGrid::reaches_past_the_shape(Place place) const {
  for (std::size_t axis = 0; axis < rank(); ++axis) {
    if (place[axis] + 1 == counts_[axis] && spec_.shape[axis] % spec_.chunk_shape[axis] != 0) return true;
  }
  return false;
}

void ChunkGrid::put(Place place, const IndexEntry& entry) {
  if (entry.address == kNowhere) return;
  std::uint64_t index = 0;
  for (std::size_t axis = 0; axis < rank(); ++axis) {
    if (place[axis] >= counts_[axis]) return;
    index = index * counts_[axis] + place[axis];
  }
  if (entry.bytes == 0 || entry.bytes > std::numeric_limits<std::uint32_t>::max()) throw Damaged{};
  const bool is_plain = !spec_.filtered || (spec_.plain_edges && reaches_past_the_shape(place));
  if (is_plain && entry.bytes != spec_.chunk_bytes) throw Damaged{};
  file_.require(entry.address, entry.bytes);
  if (chunks_[index].bytes != 0) throw Damaged{};  // named twice
  chunks_[index] = {file_.base() + entry.address, static_cast<std::uint32_t>(entry.bytes),
                    is_plain ? kAllFilters : static_cast<std::uint32_t>(entry.skipped_filters)};
}

void ChunkGrid::visit(const std::function<void(Place place, std::uint64_t number)>& take) const {
  std::vector<std::uint64_t> place(rank());
  for (std::size_t i = 0; i < chunks_.size(); ++i) {
    take(place, number_of(place));
    for (std::size_t axis = rank(); axis-- > 0 && ++place[axis] == counts_[axis];) place[axis] = 0;
  }
}

std::uint64_t ChunkGrid::number_of(Place place) const {
  std::uint64_t number = 0;
  for (std::size_t i = rank(); i-- > 0;) {
    const std::size_t axis = numbered_axes_[i];
    const std::uint64_t count = i + 1 == rank() ? 1 : std::max<std::uint64_t>(largest_counts_[axis], 1);
    if (__builtin_mul_overflow(number, count, &number) || __builtin_add_overflow(number, place[axis], &number)) {
      return kNowhere;
    }
  }
  return number;
}

void ChunkGrid::put(std::uint64_t number, const IndexEntry& entry) {
  std::vector<std::uint64_t> place(rank());
  for (const std::size_t axis : numbered_axes_) {
    const bool outermost = axis == numbered_axes_.back();
    const std::uint64_t count = outermost ? kNowhere : std::max<std::uint64_t>(largest_counts_[axis], 1);
    place[axis] = number % count;
    number /= count;
  }
  put(place, entry);
}

IndexEntry parse_entry(Fields& fields, std::size_t entry_bytes, const ChunkGrid& grid) {
  IndexEntry entry{fields.address(), grid.spec().chunk_bytes, 0};
  if (!grid.spec().filtered) {
    if (entry_bytes != 8) throw Damaged{};
    return entry;
  }
  if (entry_bytes < 8 + 1 + 4 || entry_bytes > 8 + 8 + 4) throw Damaged{};
  entry.bytes = fields.number(entry_bytes - 12);
  entry.skipped_filters = fields.number(4);
  return entry;
}

void read_chunk_index(const FileBytes& file, const LayoutMessage& layout, std::uint64_t node_entries, ChunkGrid& grid) {
  if (layout.address == kNowhere) return;  // nothing was written yet
  switch (layout.kind) {
    case IndexKind::kBTree1:
      return read_btree1(file, layout.address, node_entries, grid);
    case IndexKind::kSingle:
      return grid.put(0,
                      {layout.address,
                       grid.spec().filtered && layout.single_bytes != 0 ? layout.single_bytes : grid.spec().chunk_bytes,
                       layout.single_skipped});
    case IndexKind::kImplicit:
      return read_implicit(file, layout.address, grid);
    case IndexKind::kFixedArray:
      return read_fixed_array(file, layout.address, grid);
    case IndexKind::kExtensibleArray:
      return read_extensible_array(file, layout.address, grid);
    case IndexKind::kBTree2:
      return read_btree2(file, layout.address, grid);
  }
}

}  // namespace xrai::hdf5
