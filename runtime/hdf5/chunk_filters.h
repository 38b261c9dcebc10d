// What HDF5 did to the bytes of a chunk before it stored them, undone without the library: deflate (by libdeflate),
// shuffle, Fletcher's checksum, LZF, and numbers packed to fewer bits (packed_numbers.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/hdf5/storage.h"

namespace xrai::hdf5 {

/// Deflate reaches 1032 : 1 at most (RFC 1951: 258 bytes for two bits), LZF 88 : 1.
inline constexpr std::uint64_t kMostInflation = 1100;
/// Larger ones are refused: a chunk is restored as a whole, in memory.
inline constexpr std::uint64_t kMostChunkBytes = std::uint64_t{1} << 30;

/// Up to here a chunk of packed numbers that are all the same can be stored in nothing.
inline constexpr std::uint64_t kMostChunkOfNothing = std::uint64_t{64} << 20;

/// Why chunks with these filters cannot be restored here, as in "because ..."; empty: they can.
std::string obstacle_in_filters(const std::vector<StoredFilter>& filters);
/// Whether a chunk stored in so many bytes can be as large as `chunk_bytes`, so that memory may be spent on it.
bool can_become(const std::vector<StoredFilter>& filters, std::uint64_t stored_bytes, std::uint64_t chunk_bytes);

/// Restores chunks, one at a time; belongs to one thread at a time.
class ChunkDecoder {
 public:
  /// `filters` must outlive it and have no obstacle.
  explicit ChunkDecoder(const std::vector<StoredFilter>& filters);
  ChunkDecoder(const ChunkDecoder&) = delete;
  ChunkDecoder& operator=(const ChunkDecoder&) = delete;
  ~ChunkDecoder();

  /// Room for the stored bytes of a chunk, to be filled before restore().
  std::span<std::byte> stored(std::size_t n_bytes);
  /// Undoes the filters of what stands in stored() into `chunk`, which it must fill exactly. Bit i of `skipped`: filter
  /// i was not applied. Returns what is wrong with the bytes, as in "its values are damaged (...)"; empty: nothing.
  std::string restore(std::uint32_t skipped, std::span<std::byte> chunk);

 private:
  struct Inflater;
  std::string undo(const StoredFilter& filter, std::span<const std::byte>& bytes, std::span<std::byte> room);

  const std::vector<StoredFilter>& filters_;
  /// Grows, and is never cleared.
  struct Scratch {
    std::shared_ptr<std::byte[]> bytes;
    std::size_t room = 0;
    std::span<std::byte> of(std::size_t n_bytes);
  };
  std::span<std::byte> stored_;
  Scratch scratch_, spare_[2];
  std::unique_ptr<Inflater> inflater_;
};

}  // namespace xrai::hdf5
