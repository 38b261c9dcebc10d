#include "runtime/hdf5/chunk_filters.h"

#include <fmt/format.h>
#include <libdeflate.h>
#include <lzf.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <new>

#include "kernels/vectorise.h"
#include "runtime/core/host_memory.h"
#include "runtime/hdf5/packed_numbers.h"

namespace xrai::hdf5 {
namespace {

// Numbers of the HDF Group's registry.
constexpr int kDeflate = 1, kShuffle = 2, kFletcher32 = 3, kLzf = 32000;
constexpr std::size_t kSumBytes = 4;
constexpr std::size_t kMostAdded = 32;  // bytes by which a filter makes a chunk longer that it cannot make shorter

constexpr const char* kWrongSum = "its values are damaged (a checksum does not match)";
constexpr const char* kNotInflated = "its compressed values are damaged";
constexpr const char* kTooMuch = "a chunk of it inflates to more than the data set declares";

/// Modulo 65535, in which only 0 itself is 0.
std::uint32_t folded(std::uint64_t sum) {
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint32_t>(sum);
}

struct Sums {
  std::uint64_t low, high;
};

constexpr std::uint32_t kLanes = 16, kMostSteps = 256;  // with more steps the sums of sums overflow

/// What kLanes * n_steps words of 16 bits, first byte high, add to the two sums that start at 0: word i is in `high` as
/// often as words follow it, and once more. Each lane sums every sixteenth word and its own sums, without multiplying.
XRAI_VECTORISE Sums sums_of_words(const std::byte* bytes, std::uint32_t n_steps) {
  using Words = std::uint16_t __attribute__((vector_size(2 * kLanes)));
  using Lanes = std::uint32_t __attribute__((vector_size(4 * kLanes)));
  Lanes low{}, high{};
  for (std::uint32_t step = 0; step < n_steps; ++step) {
    Words words;
    std::memcpy(&words, bytes + sizeof words * step, sizeof words);
    if constexpr (std::endian::native == std::endian::little) words = words << 8 | words >> 8;
    high += low;
    low += __builtin_convertvector(words, Lanes);
  }
  Sums sums{0, 0};
  for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
    sums.low += low[lane];
    sums.high += std::uint64_t{kLanes} * high[lane] + std::uint64_t{kLanes - lane} * low[lane];
  }
  return sums;
}

/// Fletcher's checksum of words of 16 bits, sums modulo 65535 (J. G. Fletcher, "An arithmetic checksum for serial
/// transmissions", 1982), as HDF5 stores it.
std::uint32_t fletcher32(std::span<const std::byte> bytes) {
  std::uint32_t low = 0, high = 0;
  const auto add = [&](std::uint64_t n, const Sums& sums) {
    high = folded(high + n * low + sums.high);
    low = folded(low + sums.low);
  };
  constexpr std::size_t kStepBytes = std::size_t{2} * kLanes;
  while (bytes.size() >= kStepBytes) {
    const auto n_steps = static_cast<std::uint32_t>(std::min<std::size_t>(bytes.size() / kStepBytes, kMostSteps));
    add(std::uint64_t{kLanes} * n_steps, sums_of_words(bytes.data(), n_steps));
    bytes = bytes.subspan(kStepBytes * n_steps);
  }
  while (!bytes.empty()) {  // the last one may be half a word
    const std::uint32_t second = bytes.size() > 1 ? std::to_integer<std::uint32_t>(bytes[1]) : 0;
    const std::uint32_t word = std::to_integer<std::uint32_t>(bytes[0]) << 8 | second;
    add(1, {word, word});
    bytes = bytes.subspan(std::min<std::size_t>(bytes.size(), 2));
  }
  return high << 16 | low;
}

/// Shuffling elements of one byte changes nothing.
bool does_nothing(const StoredFilter& filter) {
  if (packs_numbers(filter)) return packs_nothing(filter);
  return filter.id == kShuffle && filter.parameters[0] == 1;
}

/// Version 1.6.2 of the library stored the bytes of both halves in the other order; it still accepts those.
std::uint32_t with_halves_swapped(std::uint32_t sum) {
  return (sum & 0x00ff00ff) << 8 | (sum >> 8 & 0x00ff00ff);
}

template <std::size_t kSize>
void gather_bytes(const std::byte* planes, std::size_t n, std::byte* elements) {
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t byte = 0; byte < kSize; ++byte) elements[i * kSize + byte] = planes[byte * n + i];
  }
}

/// Bytes were stored by their place in the element: all first bytes, then all second ones; a rest shorter than an
/// element follows as it is. That may be all: a file can say that elements have billions of bytes.
void unshuffle(std::span<const std::byte> bytes, std::size_t element_bytes, std::byte* out) {
  const std::size_t n = bytes.size() / element_bytes;
  if (element_bytes == 2) {
    gather_bytes<2>(bytes.data(), n, out);
  } else if (element_bytes == 4) {
    gather_bytes<4>(bytes.data(), n, out);
  } else if (element_bytes == 8) {
    gather_bytes<8>(bytes.data(), n, out);
  } else if (n > 0) {
    for (std::size_t byte = 0; byte < element_bytes; ++byte) {
      for (std::size_t i = 0; i < n; ++i) out[i * element_bytes + byte] = bytes[byte * n + i];
    }
  }
  std::copy(bytes.begin() + static_cast<std::ptrdiff_t>(n * element_bytes), bytes.end(), out + n * element_bytes);
}

}  // namespace

std::string obstacle_in_filters(const std::vector<StoredFilter>& filters) {
  int compressions = 0;
  for (const StoredFilter& filter : filters) {
    switch (filter.id) {
      case kDeflate:
      case kLzf:
        ++compressions;
        break;
      case kShuffle:
        if (filter.parameters.empty() || filter.parameters[0] == 0) return "its filter 'shuffle' has no element size";
        break;
      case kFletcher32:
        break;
      case kNbit:
      case kScaleOffset:
        if (std::string obstacle = obstacle_in_packing(filter); !obstacle.empty()) return obstacle;
        break;
      default:
        return fmt::format("its filter {} is none of deflate, shuffle, fletcher32, LZF, nbit and scaleoffset",
                           filter.name.empty() ? fmt::format("{}", filter.id) : "'" + filter.name + "'");
    }
  }
  return compressions > 1 ? "it is compressed twice" : "";
}

bool can_become(const std::vector<StoredFilter>& filters, std::uint64_t stored_bytes, std::uint64_t chunk_bytes) {
  if (chunk_bytes / kMostInflation <= stored_bytes) return true;
  return chunk_bytes <= kMostChunkOfNothing && std::any_of(filters.begin(), filters.end(), packs_numbers);
}

struct ChunkDecoder::Inflater {
  Inflater() : handle(libdeflate_alloc_decompressor()) {
    if (handle == nullptr) throw std::bad_alloc();
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { libdeflate_free_decompressor(handle); }
  libdeflate_decompressor* handle;
};

ChunkDecoder::ChunkDecoder(const std::vector<StoredFilter>& filters)
    : filters_(filters), inflater_(std::make_unique<Inflater>()) {}
ChunkDecoder::~ChunkDecoder() = default;

std::span<std::byte> ChunkDecoder::Scratch::of(std::size_t n_bytes) {
  if (n_bytes > room) {
    bytes.reset();
    room = 0;
    bytes = uninitialised_memory(n_bytes);
    room = n_bytes;
  }
  return {bytes.get(), n_bytes};
}

std::span<std::byte> ChunkDecoder::stored(std::size_t n_bytes) {
  stored_ = scratch_.of(n_bytes);
  return stored_;
}

std::string ChunkDecoder::restore(std::uint32_t skipped, std::span<std::byte> chunk) {
  std::vector<const StoredFilter*> applied;
  for (std::size_t i = 0; i < filters_.size(); ++i) {
    if ((i >= 32 || (skipped >> i & 1) == 0) && !does_nothing(filters_[i])) applied.push_back(&filters_[i]);
  }
  std::span<const std::byte> bytes = stored_;
  std::size_t unused = 0;  // of the two spare rooms: the other one may hold what the next filter reads
  for (std::size_t left = applied.size(); left-- > 0;) {
    // The last one writes where the chunk is wanted; before it there may be checksums behind the values, and what
    // packing added.
    const std::span<std::byte> room = left > 0 ? spare_[unused].of(chunk.size() + left * kMostAdded) : chunk;
    const std::string wrong = undo(*applied[left], bytes, room);
    if (!wrong.empty()) return wrong;
    if (bytes.data() == room.data()) unused = 1 - unused;  // a checksum leaves the bytes where they are
  }
  if (bytes.size() != chunk.size()) {
    return fmt::format("a chunk of it holds {} bytes instead of {}", bytes.size(), chunk.size());
  }
  if (bytes.data() != chunk.data()) std::copy(bytes.begin(), bytes.end(), chunk.begin());
  return "";
}

std::string ChunkDecoder::undo(const StoredFilter& filter, std::span<const std::byte>& bytes,
                               std::span<std::byte> room) {
  std::size_t n_bytes = bytes.size();
  switch (filter.id) {
    case kDeflate: {
      const libdeflate_result result =
          libdeflate_zlib_decompress(inflater_->handle, bytes.data(), bytes.size(), room.data(), room.size(), &n_bytes);
      if (result == LIBDEFLATE_INSUFFICIENT_SPACE) return kTooMuch;
      if (result != LIBDEFLATE_SUCCESS) return kNotInflated;
      break;
    }
    case kLzf:
      n_bytes = lzf_decompress(bytes.data(), static_cast<unsigned>(bytes.size()), room.data(),
                               static_cast<unsigned>(room.size()));
      if (n_bytes == 0) return errno == E2BIG ? kTooMuch : kNotInflated;
      break;
    case kFletcher32: {
      if (bytes.size() < kSumBytes) return kWrongSum;
      std::uint32_t stored_sum = 0;
      for (std::size_t i = 0; i < kSumBytes; ++i) {
        stored_sum |= std::to_integer<std::uint32_t>(bytes[bytes.size() - kSumBytes + i]) << (8 * i);
      }
      bytes = bytes.first(bytes.size() - kSumBytes);
      const std::uint32_t sum = fletcher32(bytes);
      return stored_sum == sum || stored_sum == with_halves_swapped(sum) ? "" : kWrongSum;
    }
    case kNbit:
    case kScaleOffset:
      return unpack_numbers(filter, bytes, room);
    default:  // shuffle
      if (bytes.size() > room.size()) return kTooMuch;
      unshuffle(bytes, filter.parameters[0], room.data());
  }
  bytes = room.first(n_bytes);
  return "";
}

}  // namespace xrai::hdf5
