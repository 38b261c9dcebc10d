// Where the bytes of a data set lie in its file, for readers that go around the library.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/core/mapped_file.h"

namespace xrai::hdf5 {

/// A chunk as it is stored.
struct StoredChunk {
  std::uint64_t offset = 0;           // bytes from the beginning of the file
  std::uint32_t bytes = 0;            // 0: never written, holds the fill value
  std::uint32_t skipped_filters = 0;  // bit i: filter i was not applied to it
};

struct StoredFilter {
  int id = 0;  // as registered with the HDF Group: 1 deflate, 2 shuffle, 3 fletcher32, 32000 LZF
  std::string name;
  std::vector<unsigned> parameters;
};

/// Every number was held against the file: offsets and sizes lie in it, the shape's product is no overflow.
struct Storage {
  int descriptor = -1;  // the library's own of the open file
  // Of smaller files: a copy from it takes three quarters of pread's time (measured, 50 kB rows from the page cache).
  // Of larger ones it would make the whole file count as this process's memory.
  std::shared_ptr<const MappedFile> mapping;
  std::string obstacle;              // why only the library can read it, as in "because ..."; empty: nothing
  std::vector<std::uint64_t> shape;  // outermost first
  std::uint64_t element_bytes = 0;
  std::vector<std::byte> fill;             // (element_bytes), what was never written
  std::vector<StoredFilter> filters;       // in the order in which they were applied
  std::vector<std::uint64_t> chunk_shape;  // empty: contiguous
  std::vector<StoredChunk> chunks;         // one a chunk in C order of the grid of chunks; contiguous: none
  std::uint64_t offset = 0;                // contiguous: bytes from the beginning of the file
  bool written = false;                    // contiguous: there is something at that offset
};

}  // namespace xrai::hdf5
