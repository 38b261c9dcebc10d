// Indexes that are arrays of numbered chunks: of fixed length, where no axis may grow without limit, and extensible,
// where one may.
#include <bit>

#include "runtime/hdf5/chunk_index.h"

namespace xrai::hdf5 {
namespace {

constexpr std::size_t kChecksumBytes = 4;

/// Puts the entries of a block that lie one after the other; ends at the block's end.
void put_entries(Fields entries, std::uint64_t first, std::size_t entry_bytes, ChunkGrid& grid) {
  for (std::uint64_t number = first; entries.left() > 0; ++number) {
    grid.put(number, parse_entry(entries, entry_bytes, grid));
  }
}

/// Long blocks are cut into pages with checksums of their own; only those that were ever written are whole.
bool is_written(std::span<const unsigned char> bits, std::uint64_t page) {
  if (page / 8 >= bits.size()) throw Damaged{};
  return (bits[page / 8] & (0x80U >> (page % 8))) != 0;
}

/// What blocks of both kinds of array begin with, after their signature.
void expect_block_start(Fields& block, std::string_view signature, bool filtered, std::uint64_t header) {
  block.expect(signature);
  if (block.number(1) != 0) throw NotUnderstood{"its chunk index is of a newer version"};
  if (block.number(1) != (filtered ? 1 : 0)) throw Damaged{};
  if (header != kNowhere && block.address() != header) throw Damaged{};
}

std::uint64_t power_of_two(std::uint64_t bits) {
  if (bits > 62) throw Damaged{};
  return std::uint64_t{1} << bits;
}

class ExtensibleArray {
 public:
  ExtensibleArray(const FileBytes& file, std::uint64_t address, ChunkGrid& grid)
      : file_(file), grid_(grid), address_(address) {
    const auto block = file.read_checked(address, 72);
    Fields header(block);
    expect_block_start(header, "EAHD", grid.spec().filtered, kNowhere);
    entry_bytes_ = header.number(1);
    const std::uint64_t number_bits = header.number(1);
    index_entries_ = header.number(1);
    least_entries_ = header.number(1);
    least_pointers_ = header.number(1);
    page_entries_ = power_of_two(header.number(1));
    header.take(32);  // counts and sizes of secondary and data blocks
    end_ = header.number(8);
    header.take(8);  // room made so far
    index_block_ = header.address();
    if (!std::has_single_bit(least_entries_) || !std::has_single_bit(least_pointers_) || number_bits > 64 ||
        entry_bytes_ == 0) {
      throw Damaged{};
    }
    offset_bytes_ = (number_bits + 7) / 8;
    const auto least_bits = static_cast<std::uint64_t>(std::bit_width(least_entries_) - 1);
    if (number_bits < least_bits) throw Damaged{};
    n_groups_ = 1 + number_bits - least_bits;
  }

  // The index block holds the first entries, then the addresses of the data blocks of the first groups, then those of
  // the secondary blocks, one for each later group.
  void read() {
    if (index_block_ == kNowhere) return;
    const auto direct = 2 * static_cast<std::uint64_t>(std::bit_width(least_pointers_) - 1);  // groups without one
    if (direct > n_groups_) throw Damaged{};
    const std::uint64_t n_addresses = 2 * (least_pointers_ - 1) + (n_groups_ - direct);
    const auto bytes = read_block(index_block_, 14 + index_entries_ * entry_bytes_ + 8 * n_addresses + kChecksumBytes);
    Fields block(bytes);
    expect_block_start(block, "EAIB", grid_.spec().filtered, address_);
    put_entries(Fields(block.take(index_entries_ * entry_bytes_)), 0, entry_bytes_, grid_);
    std::uint64_t first = index_entries_;
    for (std::uint64_t group = 0; group < n_groups_ && first < end_; ++group) {
      const std::uint64_t n_blocks = power_of_two(group / 2);
      const std::uint64_t n_entries = least_entries_ * power_of_two((group + 1) / 2);
      if (group < direct) {
        for (std::uint64_t i = 0; i < n_blocks; ++i, first += n_entries) {
          read_data(block.address(), first, n_entries, {}, 0);
        }
        continue;
      }
      read_secondary(block.address(), first, n_blocks, n_entries);
      first += n_blocks * n_entries;
    }
  }

 private:
  /// Every byte of the file is in one block at most; without that, all addresses could name the same one.
  std::vector<unsigned char> read_block(std::uint64_t address, std::uint64_t n_bytes) {
    file_.require(address, n_bytes);
    n_read_ += n_bytes;
    require(n_read_ <= file_.size());
    return file_.read_checked(address, n_bytes);
  }

  void read_secondary(std::uint64_t address, std::uint64_t first, std::uint64_t n_blocks, std::uint64_t n_entries) {
    if (address == kNowhere) return;
    const std::uint64_t n_pages = n_entries > page_entries_ ? n_entries / page_entries_ : 0;
    const std::uint64_t bit_bytes = n_blocks * ((n_pages + 7) / 8);
    file_.require(address, n_blocks);  // before it is multiplied
    const auto bytes = read_block(address, 14 + offset_bytes_ + bit_bytes + 8 * n_blocks + kChecksumBytes);
    Fields block(bytes);
    expect_block_start(block, "EASB", grid_.spec().filtered, address_);
    block.take(offset_bytes_);
    const auto written = block.take(bit_bytes);
    for (std::uint64_t i = 0; i < n_blocks; ++i) {
      read_data(block.address(), first + i * n_entries, n_entries, written, i * n_pages);
    }
  }

  /// `written`: a bit for each page, this block's from `first_bit` on.
  void read_data(std::uint64_t address, std::uint64_t first, std::uint64_t n_entries,
                 std::span<const unsigned char> written, std::uint64_t first_bit) {
    if (address == kNowhere || first >= end_) return;
    file_.require(address, n_entries);  // before it is multiplied
    const std::uint64_t before = 14 + offset_bytes_;
    const bool paged = n_entries > page_entries_;
    const auto bytes = read_block(address, before + (paged ? 0 : n_entries * entry_bytes_) + kChecksumBytes);
    Fields block(bytes);
    expect_block_start(block, "EADB", grid_.spec().filtered, address_);
    block.take(offset_bytes_);
    if (!paged) return put_entries(Fields(block.take(n_entries * entry_bytes_)), first, entry_bytes_, grid_);
    const std::uint64_t page_bytes = page_entries_ * entry_bytes_ + kChecksumBytes;
    for (std::uint64_t page = 0; page < n_entries / page_entries_; ++page) {
      if (!is_written(written, first_bit + page)) continue;
      const auto entries = read_block(address + before + kChecksumBytes + page * page_bytes, page_bytes);
      put_entries(Fields(std::span(entries).first(page_bytes - kChecksumBytes)), first + page * page_entries_,
                  entry_bytes_, grid_);
    }
  }

  const FileBytes& file_;
  ChunkGrid& grid_;
  const std::uint64_t address_;
  std::size_t entry_bytes_ = 0;
  std::uint64_t index_entries_ = 0, least_entries_ = 0, least_pointers_ = 0, page_entries_ = 0, offset_bytes_ = 0;
  std::uint64_t n_groups_ = 0;  // of data blocks; each group holds twice the entries of the one before
  std::uint64_t end_ = 0;       // numbers below this were written
  std::uint64_t index_block_ = kNowhere;
  std::uint64_t n_read_ = 0;
};

}  // namespace

void read_fixed_array(const FileBytes& file, std::uint64_t address, ChunkGrid& grid) {
  const auto header_bytes = file.read_checked(address, 28);
  Fields header(header_bytes);
  expect_block_start(header, "FAHD", grid.spec().filtered, kNowhere);
  const std::size_t entry_bytes = header.number(1);
  const std::uint64_t page_entries = power_of_two(header.number(1)), n_entries = header.number(8);
  const std::uint64_t data = header.address();
  if (data == kNowhere) return;
  if (entry_bytes == 0) throw Damaged{};
  file.require(data, n_entries);  // before it is multiplied
  const bool paged = n_entries > page_entries;
  const std::uint64_t n_pages = paged ? (n_entries + page_entries - 1) / page_entries : 0;
  const std::uint64_t before = 14 + (n_pages + 7) / 8;
  const auto bytes = file.read_checked(data, before + (paged ? 0 : n_entries * entry_bytes) + kChecksumBytes);
  Fields block(bytes);
  expect_block_start(block, "FADB", grid.spec().filtered, address);
  const auto written = block.take((n_pages + 7) / 8);
  if (!paged) return put_entries(Fields(block.take(n_entries * entry_bytes)), 0, entry_bytes, grid);
  for (std::uint64_t page = 0; page < n_pages; ++page) {
    if (!is_written(written, page)) continue;
    const std::uint64_t first = page * page_entries, n = std::min(page_entries, n_entries - first);
    const std::uint64_t place = data + before + kChecksumBytes + page * (page_entries * entry_bytes + kChecksumBytes);
    const auto entries = file.read_checked(place, n * entry_bytes + kChecksumBytes);
    put_entries(Fields(std::span(entries).first(n * entry_bytes)), first, entry_bytes, grid);
  }
}

void read_extensible_array(const FileBytes& file, std::uint64_t address, ChunkGrid& grid) {
  ExtensibleArray(file, address, grid).read();
}

}  // namespace xrai::hdf5
