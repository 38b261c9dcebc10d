// Numbers of which a filter kept only the bits that differ: nbit (the bits in use) and scale-offset (distances to the
// least number of the chunk, or decimal digits). HDF5 1.10 reads them by numbers of the file that it does not check.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "runtime/hdf5/storage.h"

namespace xrai::hdf5 {

/// Numbers of the HDF Group's registry.
inline constexpr int kNbit = 5, kScaleOffset = 6;
inline bool packs_numbers(const StoredFilter& filter) {
  return filter.id == kNbit || filter.id == kScaleOffset;
}

/// A type of integers or floats, as both filters are told of it.
struct NumberType {
  bool is_number = true;  // false: any other type
  bool is_float = false, is_signed = false, big_endian = false;
  std::uint64_t bytes = 0, bits = 0, first_bit = 0;  // `bits` in use, from the lowest on
};

/// Why chunks that such a filter packed cannot be restored here, as in "because ..."; empty: they can.
std::string obstacle_in_packing(const StoredFilter& filter);
/// Whether the filter left the chunks as they were, because all bits are in use.
bool packs_nothing(const StoredFilter& filter);
/// Whether what the filter says of the values is true of chunks of `n_values` of that type.
bool fits_type(const StoredFilter& filter, const NumberType& type, std::uint64_t n_values);

/// Restores a chunk into `room` and makes `bytes` what was filled of it. The filter has no obstacle. Returns what is
/// wrong with the bytes; empty: nothing.
std::string unpack_numbers(const StoredFilter& filter, std::span<const std::byte>& bytes, std::span<std::byte> room);

}  // namespace xrai::hdf5
