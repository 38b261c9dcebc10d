#include "runtime/hdf5/fractal_heap.h"

#include <bit>

#include "runtime/hdf5/btree2.h"

namespace xrai::hdf5 {
namespace {

constexpr std::uint64_t kFractalHeaderBytes = 146;  // without filters
constexpr std::uint64_t kBlockSumBytes = 4;
constexpr std::uint64_t kMostBlockBytes = std::uint64_t{1} << 31;  // the library counts them in 32 bits

std::uint64_t log2_of(std::uint64_t power) {
  return static_cast<std::uint64_t>(std::bit_width(power) - 1);
}

/// `n_bytes`: fewer than eight.
std::uint64_t low_bytes(std::uint64_t number, std::size_t n_bytes) {
  return number & ((std::uint64_t{1} << 8 * n_bytes) - 1);
}

}  // namespace

FractalHeap::FractalHeap(const FileBytes& file, std::uint64_t address, std::uint64_t id_bytes)
    : file_(file), address_(address) {
  const auto block = file.read(address, kFractalHeaderBytes);
  Fields header(block);
  header.expect(std::string_view("FRHP\0", 5));
  require(header.number(2) == id_bytes);
  if (header.number(2) != 0) throw NotUnderstood{"the list of what it has is compressed"};
  require(has_right_checksum(block));
  has_checksums_ = (header.number(1) & 2) != 0;
  most_managed_bytes_ = header.number(4);
  header.take(8);  // number of the next huge object
  const std::uint64_t huge_tree = header.address();
  header.take(10 * 8);  // free space, counts and sizes of what it holds
  width_ = header.number(2);
  first_bytes_ = header.number(8);
  most_direct_bytes_ = header.number(8);
  heap_bits_ = header.number(2);
  header.take(2);  // rows that a first indirect block has
  const std::uint64_t root = header.address(), n_rows = header.number(2);
  check_table();
  direct_rows_ = log2_of(most_direct_bytes_ / first_bytes_) + 2;
  offset_bytes_ = (heap_bits_ + 7) / 8;
  length_bytes_ = std::min<std::size_t>((log2_of(most_direct_bytes_) + 7) / 8, log2_of(most_managed_bytes_) / 8 + 1);
  const std::uint64_t most_rows = heap_bits_ - log2_of(first_bytes_ * width_) + 1;
  require(id_bytes <= 8 && 1 + offset_bytes_ + length_bytes_ <= id_bytes && direct_rows_ <= most_rows &&
          n_rows <= most_rows);
  if (root != kNowhere && n_rows == 0) read_direct(root, 0, first_bytes_);
  if (root != kNowhere && n_rows > 0) read_indirect(root, 0, n_rows);
  if (huge_tree != kNowhere) read_huge_objects(huge_tree);
}

// The library takes logarithms of them, and makes tables of as many rows as follow.
void FractalHeap::check_table() const {
  for (const std::uint64_t number : {width_, first_bytes_, most_direct_bytes_}) require(std::has_single_bit(number));
  require(first_bytes_ <= most_direct_bytes_ && most_direct_bytes_ <= kMostBlockBytes);
  require(most_managed_bytes_ > 0 && most_managed_bytes_ <= most_direct_bytes_);
  require(heap_bits_ <= 64 && log2_of(first_bytes_ * width_) <= heap_bits_);
}

std::uint64_t FractalHeap::block_bytes(std::uint64_t row) const {
  return row == 0 ? first_bytes_ : first_bytes_ << (row - 1);
}

std::uint64_t FractalHeap::row_offset(std::uint64_t row) const {
  return row == 0 ? 0 : width_ * first_bytes_ << (row - 1);
}

// Every byte of the file is in one block at most; blocks that lie over one another would be read without end.
Fields FractalHeap::read_block(std::string_view signature, Block& block, std::uint64_t address, std::uint64_t n_bytes) {
  file_.require(address, n_bytes);
  n_read_ += n_bytes;
  require(n_read_ <= file_.size());
  block.bytes = file_.read(address, n_bytes);
  Fields fields(block.bytes);
  fields.expect(signature);
  require(fields.number(1) == 0 && fields.address() == address_ && fields.number(offset_bytes_) == block.offset);
  return fields;
}

void FractalHeap::read_direct(std::uint64_t address, std::uint64_t offset, std::uint64_t n_bytes) {
  Block block{offset, {}};
  Fields rest = read_block("FHDB", block, address, n_bytes);
  if (has_checksums_) {  // of the block with zeros in its place
    const std::size_t at = n_bytes - rest.left();
    const std::uint64_t sum = rest.number(kBlockSumBytes);
    std::fill_n(block.bytes.begin() + static_cast<std::ptrdiff_t>(at), kBlockSumBytes, 0);
    require(sum == checksum(block.bytes));
  }
  blocks_.push_back(std::move(block));
}

void FractalHeap::read_indirect(std::uint64_t address, std::uint64_t offset, std::uint64_t n_rows) {
  Block block{offset, {}};
  const std::uint64_t start_bytes = 4 + 1 + 8 + offset_bytes_;
  Fields children = read_block("FHIB", block, address, start_bytes + 8 * width_ * n_rows + kBlockSumBytes);
  require(has_right_checksum(block.bytes));
  for (std::uint64_t row = 0; row < n_rows; ++row) {
    for (std::uint64_t column = 0; column < width_; ++column) {
      const std::uint64_t child = children.address(), n_bytes = block_bytes(row);
      if (child == kNowhere) continue;
      const std::uint64_t place = offset + row_offset(row) + column * n_bytes;
      if (row < direct_rows_) {
        read_direct(child, place, n_bytes);
      } else {
        require(n_bytes >= width_ * first_bytes_);
        read_indirect(child, place, log2_of(n_bytes / (width_ * first_bytes_)) + 1);  // fewer than are here
      }
    }
  }
}

// Records of type 1 (III.A.2): without filters, and found by a number, since the identifiers have no room for a place.
void FractalHeap::read_huge_objects(std::uint64_t tree) {
  constexpr std::uint64_t kType = 1, kRecordBytes = 24;
  const Tree2 places(file_, tree, kType);
  require(places.record_bytes() == kRecordBytes);
  places.walk([this](Fields record) {
    const Place place{record.address(), record.number(8)};
    file_.require(place.address, place.n_bytes);
    require(huge_.emplace(record.number(8), place).second);
  });
}

/// `rest`: of the identifier, an offset and a length.
std::span<const unsigned char> FractalHeap::managed_object(std::uint64_t rest) const {
  const std::uint64_t offset = low_bytes(rest, offset_bytes_);
  const std::uint64_t n_bytes = low_bytes(rest >> (8 * offset_bytes_), length_bytes_);
  require(n_bytes > 0 && n_bytes <= most_managed_bytes_);
  const auto behind = std::upper_bound(blocks_.begin(), blocks_.end(), offset,
                                       [](std::uint64_t at, const Block& block) { return at < block.offset; });
  require(behind != blocks_.begin());
  const Block& block = *std::prev(behind);
  const std::uint64_t start_bytes = 4 + 1 + 8 + offset_bytes_ + (has_checksums_ ? kBlockSumBytes : 0);
  const std::uint64_t at = offset - block.offset, size = block.bytes.size();
  require(at >= start_bytes && at < size && n_bytes <= size - at);
  return std::span(block.bytes).subspan(at, n_bytes);
}

std::span<const unsigned char> FractalHeap::object(std::uint64_t id) {
  enum : std::uint64_t { kManaged, kHuge };
  const std::uint64_t version = id >> 6 & 3, kind = id >> 4 & 3, rest = id >> 8;
  require(version == 0);
  if (kind == kManaged) return managed_object(rest);
  require(kind == kHuge);
  const auto found = huge_.find(rest);
  require(found != huge_.end());
  huge_object_ = file_.read(found->second.address, found->second.n_bytes);
  return huge_object_;
}

}  // namespace xrai::hdf5
