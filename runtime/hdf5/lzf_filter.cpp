#include "runtime/hdf5/lzf_filter.h"

#include <hdf5.h>
#include <lzf.h>

#include <cstddef>

namespace xrai::hdf5 {
namespace {

constexpr H5Z_filter_t kLzfFilter = 32000;      // registered with the HDF Group for h5py
constexpr std::size_t kMostLzfInflation = 100;  // LZF reaches 88 : 1

/// H5Z_func_t; asked to compress, it says that it could not, and the chunk is stored as it is. The third of the
/// filter's values is the bytes of a chunk. 0: it failed.
std::size_t inflate(unsigned flags, std::size_t n_values, const unsigned* values, std::size_t n_bytes,
                    std::size_t* buffer_bytes, void** buffer) {
  if ((flags & H5Z_FLAG_REVERSE) == 0 || n_values < 3) return 0;
  const std::size_t chunk_bytes = values[2];
  if (chunk_bytes / kMostLzfInflation > n_bytes) return 0;  // nothing is allocated for what cannot be true
  void* const chunk = H5allocate_memory(chunk_bytes, false);
  if (chunk == nullptr) return 0;
  const unsigned n = lzf_decompress(*buffer, static_cast<unsigned>(n_bytes), chunk, static_cast<unsigned>(chunk_bytes));
  if (n == 0) {
    H5free_memory(chunk);
    return 0;
  }
  H5free_memory(*buffer);
  *buffer = chunk;
  *buffer_bytes = chunk_bytes;
  return n;
}

}  // namespace

void register_lzf_filter() {
  // Without the word that it compresses, too, the library refuses to make a data set like one that was read.
  constexpr unsigned kCompresses = 1, kInflates = 1;
  const H5Z_class2_t filter{H5Z_CLASS_T_VERS, kLzfFilter, kCompresses, kInflates, "lzf", nullptr, nullptr, inflate};
  H5Zregister(&filter);
}

}  // namespace xrai::hdf5
