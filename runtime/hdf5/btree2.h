// B-trees of version 2 (HDF5 File Format Specification 3.0, III.A.2). They hold the chunks of a data set with two axes
// that may grow, the members of a large group, and an object's many attributes. What a record says is its reader's.
#pragma once

#include <functional>

#include "runtime/hdf5/file_bytes.h"

namespace xrai::hdf5 {

class Tree2 {
 public:
  /// Reads the header at `address`. `file` must live as long. Throws Damaged when it is none of that type, or says that
  /// it has more records than there is room for.
  Tree2(const FileBytes& file, std::uint64_t address, std::uint64_t type);

  [[nodiscard]] std::uint64_t record_bytes() const { return record_bytes_; }
  [[nodiscard]] std::uint64_t n_records() const { return n_records_; }
  /// Calls `take` with every record, in the tree's order. Throws Damaged when a node is not what the one above says, or
  /// below it lie more or fewer records: the library makes room for as many as are counted, and fills in those that are
  /// there.
  void walk(const std::function<void(Fields record)>& take) const;

 private:
  struct Level {
    std::uint64_t most_records = 0;  // in one node
    std::uint64_t most_below = 0;    // in it and all nodes below
    std::size_t below_bytes = 0;     // of a number of these
  };
  struct Node {
    std::uint64_t address, n_records, depth;
  };
  class Walk;
  void size_nodes();

  const FileBytes& file_;
  std::uint64_t type_ = 0, node_bytes_ = 0, record_bytes_ = 0, n_records_ = 0;
  Node root_{};
  std::size_t count_bytes_ = 0;  // of the number of records in a node
  std::vector<Level> levels_;    // from the leaves up
};

}  // namespace xrai::hdf5
