// Fractal heaps (HDF5 File Format Specification 3.0, III.G), in which many links of a group or many attributes of an
// object are kept: objects lie in "direct" blocks, these under "indirect" ones, row by row twice as large; an object
// too large for that has a place of its own in the file.
#pragma once

#include <map>

#include "runtime/hdf5/file_bytes.h"

namespace xrai::hdf5 {

/// All blocks of one heap, read and held against each other when it is made. `file` must live as long.
class FractalHeap {
 public:
  /// `id_bytes`: what identifiers of its objects must have, up to 8. Throws Damaged, or NotUnderstood for a compressed
  /// heap.
  FractalHeap(const FileBytes& file, std::uint64_t address, std::uint64_t id_bytes);

  /// Bytes of the object with that identifier, until the next call. Throws Damaged when it is not in the heap, or in
  /// the identifier itself, as no message can be ("tiny").
  std::span<const unsigned char> object(std::uint64_t id);

 private:
  struct Block {
    std::uint64_t offset;  // in the heap
    std::vector<unsigned char> bytes;
  };
  struct Place {
    std::uint64_t address, n_bytes;  // in the file
  };
  void check_table() const;
  [[nodiscard]] std::uint64_t block_bytes(std::uint64_t row) const;
  [[nodiscard]] std::uint64_t row_offset(std::uint64_t row) const;
  Fields read_block(std::string_view signature, Block& block, std::uint64_t address, std::uint64_t n_bytes);
  void read_direct(std::uint64_t address, std::uint64_t offset, std::uint64_t n_bytes);
  void read_indirect(std::uint64_t address, std::uint64_t offset, std::uint64_t n_rows);
  void read_huge_objects(std::uint64_t tree);
  [[nodiscard]] std::span<const unsigned char> managed_object(std::uint64_t rest) const;

  const FileBytes& file_;
  const std::uint64_t address_;
  bool has_checksums_ = false;  // on direct blocks
  // The doubling table: blocks in a row, bytes of those of the first row and of the largest direct ones.
  std::uint64_t width_ = 0, first_bytes_ = 0, most_direct_bytes_ = 0, heap_bits_ = 0;
  std::uint64_t most_managed_bytes_ = 0, direct_rows_ = 0;
  std::size_t offset_bytes_ = 0, length_bytes_ = 0;  // of an offset in the heap; of an object's length
  std::uint64_t n_read_ = 0;
  std::vector<Block> blocks_;  // direct ones, by offset
  std::map<std::uint64_t, Place> huge_;
  std::vector<unsigned char> huge_object_;
};

}  // namespace xrai::hdf5
