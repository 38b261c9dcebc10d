// Parameters and streams of both filters as HDF5 1.10 writes them, found by looking at what it makes of known numbers;
// tests hold every kind of number against its own reading.
#include "runtime/hdf5/packed_numbers.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace xrai::hdf5 {
namespace {

constexpr const char* kDamagedPacking = "its packed values are damaged";

/// Parameters of nbit: how many there are, whether all bits are in use, values of a chunk, kind of type, and of a
/// number its bytes, byte order, bits in use and the lowest of them.
enum Nbit : std::size_t { kUnpacked = 1, kNbitValues, kNbitClass, kNbitBytes, kNbitOrder, kBits, kFirstBit, kNbitEnd };
constexpr unsigned kNumbers = 1;  // of the kinds of type

/// Parameters of scale-offset: what is scaled, by how many bits (0: as many as each chunk needs) or decimal digits,
/// values of a chunk, and of a number its kind, bytes, sign, byte order, and the value of what was never written.
enum ScaleOffset : std::size_t { kScale, kFactor, kValues, kClass, kBytes, kSign, kOrder, kHasFill, kFill, kEnd = 20 };
constexpr unsigned kDecimalDigits = 0, kBinaryDigits = 1, kIntegers = 2;  // what is scaled

constexpr unsigned kMostDigits = 400;  // the range of a double

/// A chunk of scale-offset begins with the bits of a value (4), the bytes of the least value (1), that value (8), and
/// nothing (8).
constexpr std::size_t kHeaderBytes = 21, kLeastValueAt = 5;

bool is_width_of_a_word(unsigned bytes) {
  return bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
}

std::uint64_t mask(unsigned n_bits) {
  return n_bits >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << n_bits) - 1;
}

std::uint64_t little_endian(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) value |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
  return value;
}

/// Numbers of so many bits one after the other, the highest bit first. The stream holds all that are asked for.
class Bits {
 public:
  Bits(std::span<const std::byte> bytes, unsigned n_bits) : bytes_(bytes), n_bits_(n_bits) {}

  std::uint64_t next() {
    const std::size_t byte = at_ / 8;
    const auto skipped = static_cast<unsigned>(at_ % 8);
    at_ += n_bits_;
    if (skipped + n_bits_ > 64 || bytes_.size() - byte < sizeof(std::uint64_t)) return slowly(byte, skipped);
    std::uint64_t word = 0;
    std::memcpy(&word, bytes_.data() + byte, sizeof word);
    if constexpr (std::endian::native == std::endian::little) word = __builtin_bswap64(word);
    return word << skipped >> (64 - n_bits_);
  }

 private:
  [[nodiscard]] std::uint64_t slowly(std::size_t byte, unsigned skipped) const {
    std::uint64_t value = 0;
    for (unsigned left = n_bits_; left > 0; ++byte, skipped = 0) {
      const unsigned here = std::min(8 - skipped, left);
      const unsigned bits = std::to_integer<unsigned>(bytes_[byte]) >> (8 - skipped - here);
      value = value << here | (bits & ((1U << here) - 1));
      left -= here;
    }
    return value;
  }

  std::span<const std::byte> bytes_;
  unsigned n_bits_;
  std::size_t at_ = 0;  // in bits
};

/// What stands in the file for a chunk.
struct Packed {
  std::span<const std::byte> stream;
  std::uint64_t n_values;
  unsigned n_bits, n_bytes;  // of a value in the stream, and restored
  bool big_endian;
};

bool is_whole(const Packed& packed, std::size_t room) {
  if (packed.n_bits > 8 * packed.n_bytes || packed.n_values > room / packed.n_bytes) return false;
  return (packed.n_values * packed.n_bits + 7) / 8 <= packed.stream.size();
}

template <class Word>
Word in_order(Word word, bool swaps) {
  if constexpr (sizeof word == 2) return swaps ? __builtin_bswap16(word) : word;
  if constexpr (sizeof word == 4) return swaps ? __builtin_bswap32(word) : word;
  if constexpr (sizeof word == 8) return swaps ? __builtin_bswap64(word) : word;
  return word;
}

template <class Word, class Restore>
void fill_with_words(const Packed& packed, std::byte* out, const Restore& restore) {
  const bool swaps = packed.big_endian == (std::endian::native == std::endian::little);
  Bits bits(packed.stream, packed.n_bits);
  for (std::uint64_t i = 0; i < packed.n_values; ++i) {
    const std::uint64_t code = packed.n_bits == 0 ? 0 : bits.next();
    const Word word = in_order(static_cast<Word>(restore(code)), swaps);
    std::memcpy(out + i * sizeof word, &word, sizeof word);
  }
}

/// `restore` makes of a number in the stream the bits of a value.
template <class Restore>
std::span<const std::byte> fill(const Packed& packed, std::span<std::byte> room, const Restore& restore) {
  if (packed.n_bytes == 1) fill_with_words<std::uint8_t>(packed, room.data(), restore);
  if (packed.n_bytes == 2) fill_with_words<std::uint16_t>(packed, room.data(), restore);
  if (packed.n_bytes == 4) fill_with_words<std::uint32_t>(packed, room.data(), restore);
  if (packed.n_bytes == 8) fill_with_words<std::uint64_t>(packed, room.data(), restore);
  return room.first(packed.n_values * packed.n_bytes);
}

std::string unpack_nbit(const std::vector<unsigned>& parameters, std::span<const std::byte>& bytes,
                        std::span<std::byte> room) {
  const Packed packed{bytes, parameters[kNbitValues], parameters[kBits], parameters[kNbitBytes],
                      parameters[kNbitOrder] != 0};
  if (!is_whole(packed, room.size())) return kDamagedPacking;
  const unsigned first_bit = parameters[kFirstBit];
  bytes = fill(packed, room, [first_bit](std::uint64_t code) { return code << first_bit; });
  return "";
}

/// A number of the stream counts steps of the last decimal digit, from the least value on.
template <class Float, class Word>
std::span<const std::byte> fill_with_floats(const Packed& packed, std::span<std::byte> room, std::uint64_t least_bits,
                                            int n_digits, std::uint64_t fill_code, std::uint64_t fill_bits) {
  const auto least = std::bit_cast<Float>(static_cast<Word>(least_bits));
  const auto scale = static_cast<Float>(std::pow(10.0, n_digits));
  return fill(packed, room, [=](std::uint64_t code) {
    if (code == fill_code) return fill_bits;
    return std::uint64_t{std::bit_cast<Word>(static_cast<Float>(code) / scale + least)};
  });
}

std::string unpack_scale_offset(const std::vector<unsigned>& parameters, std::span<const std::byte>& bytes,
                                std::span<std::byte> room) {
  if (bytes.size() < kHeaderBytes) return kDamagedPacking;
  const std::uint64_t n_bits = little_endian(bytes.first(4));
  const auto least_bytes = std::min<std::size_t>(8, std::to_integer<std::size_t>(bytes[4]));
  const std::uint64_t least = little_endian(bytes.subspan(kLeastValueAt, least_bytes));
  if (n_bits > 64) return kDamagedPacking;
  const Packed packed{bytes.subspan(kHeaderBytes), parameters[kValues], static_cast<unsigned>(n_bits),
                      parameters[kBytes], parameters[kOrder] != 0};
  if (!is_whole(packed, room.size())) return kDamagedPacking;
  if (n_bits == 8 * packed.n_bytes) {  // stored as they are, the lowest byte first
    const std::size_t width = packed.n_bytes;
    const std::byte* from = packed.stream.data();
    bytes = fill({{}, packed.n_values, 0, packed.n_bytes, packed.big_endian}, room, [&](std::uint64_t) {
      const std::uint64_t value = little_endian({from, width});
      from += width;
      return value;
    });
    return "";
  }
  // The highest number stands for what was never written.
  constexpr std::uint64_t kNoCode = ~std::uint64_t{0};
  const std::uint64_t fill_code = parameters[kHasFill] == 1 ? mask(packed.n_bits) : kNoCode;
  const std::uint64_t fill_bits = parameters[kFill] | std::uint64_t{parameters[kFill + 1]} << 32;
  const auto n_digits = static_cast<int>(parameters[kFactor]);
  if (parameters[kClass] == 0) {
    bytes = fill(packed, room, [=](std::uint64_t code) { return code == fill_code ? fill_bits : code + least; });
  } else if (packed.n_bytes == 4) {
    bytes = fill_with_floats<float, std::uint32_t>(packed, room, least, n_digits, fill_code, fill_bits);
  } else {
    bytes = fill_with_floats<double, std::uint64_t>(packed, room, least, n_digits, fill_code, fill_bits);
  }
  return "";
}

std::string obstacle_in_nbit(const std::vector<unsigned>& parameters) {
  constexpr const char* kSaysTooLittle = "its filter 'nbit' does not say what it packs";
  if (parameters.size() <= kNbitValues) return kSaysTooLittle;
  if (parameters[kUnpacked] != 0) return "";
  if (parameters.size() <= kNbitClass) return kSaysTooLittle;
  if (parameters[kNbitClass] != kNumbers) return "its filter 'nbit' packs values that are not plain numbers";
  if (parameters.size() != kNbitEnd) return kSaysTooLittle;
  const unsigned bytes = parameters[kNbitBytes], bits = parameters[kBits], first = parameters[kFirstBit];
  if (!is_width_of_a_word(bytes)) return "its filter 'nbit' packs numbers of an unusual width";
  const bool is_possible = bits > 0 && bits <= 8 * bytes && first <= 8 * bytes - bits && parameters[kNbitOrder] <= 1;
  return is_possible ? "" : "its filter 'nbit' keeps bits that the values do not have";
}

std::string obstacle_in_scale_offset(const std::vector<unsigned>& parameters) {
  if (parameters.size() != kEnd) return "its filter 'scaleoffset' does not say what it packs";
  const bool is_float = parameters[kClass] == 1;
  if (is_float && parameters[kScale] == kBinaryDigits) return "its filter 'scaleoffset' scales by powers of two";
  const bool is_possible = parameters[kClass] <= 1 && parameters[kScale] == (is_float ? kDecimalDigits : kIntegers) &&
                           is_width_of_a_word(parameters[kBytes]) && (!is_float || parameters[kBytes] >= 4) &&
                           parameters[kOrder] <= 1 &&
                           parameters[kFactor] <= (is_float ? kMostDigits : 8 * parameters[kBytes]);
  return is_possible ? "" : "its filter 'scaleoffset' packs numbers of an unusual kind";
}

}  // namespace

std::string obstacle_in_packing(const StoredFilter& filter) {
  return filter.id == kNbit ? obstacle_in_nbit(filter.parameters) : obstacle_in_scale_offset(filter.parameters);
}

bool packs_nothing(const StoredFilter& filter) {
  if (filter.id == kNbit) return filter.parameters[kUnpacked] != 0;
  return filter.parameters[kScale] == kIntegers && filter.parameters[kFactor] == 8 * filter.parameters[kBytes];
}

bool fits_type(const StoredFilter& filter, const NumberType& type, std::uint64_t n_values) {
  const std::vector<unsigned>& parameters = filter.parameters;
  if (filter.id == kNbit) {
    if (parameters[kNbitValues] != n_values) return false;
    if (packs_nothing(filter)) return true;
    return type.is_number && parameters[kNbitBytes] == type.bytes && parameters[kBits] == type.bits &&
           parameters[kFirstBit] == type.first_bit && (parameters[kNbitOrder] != 0) == type.big_endian;
  }
  return type.is_number && parameters[kValues] == n_values && (parameters[kClass] == 1) == type.is_float &&
         parameters[kBytes] == type.bytes && (parameters[kOrder] != 0) == type.big_endian &&
         (type.is_float || (parameters[kSign] != 0) == type.is_signed);
}

std::string unpack_numbers(const StoredFilter& filter, std::span<const std::byte>& bytes, std::span<std::byte> room) {
  return filter.id == kNbit ? unpack_nbit(filter.parameters, bytes, room)
                            : unpack_scale_offset(filter.parameters, bytes, room);
}

}  // namespace xrai::hdf5
