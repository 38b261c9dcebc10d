#include "runtime/hdf5/datatype_message.h"

#include <bit>

namespace xrai::hdf5 {
namespace {

enum class Class : std::uint64_t {
  kInteger,
  kFloat,
  kTime,
  kString,
  kBitField,
  kOpaque,
  kCompound,
  kReference,
  kEnumeration,
  kVariable,
  kArray
};

constexpr int kDeepest = 16;                  // types in types; the library goes down as far as it is led
constexpr std::uint64_t kLargestNumber = 32;  // bytes; the library converts on a stack of 64
constexpr std::uint64_t kMostAxes = 32;       // H5S_MAX_RANK
constexpr std::uint64_t kVariableBytes = 16;  // length (4), address of the heap (8), index (4)

/// What all types begin with.
struct Start {
  Class kind;
  std::uint64_t version, flags, bytes;
};

Start read_start(Fields& message) {
  const std::uint64_t first = message.number(1);
  const Start start{static_cast<Class>(first & 15), first >> 4, message.number(3), message.number(4)};
  require(start.version >= 1 && start.bytes > 0);
  if (start.version > 4 || start.kind > Class::kArray) throw NotUnderstood{"its type is one of HDF5 2.0"};
  return start;
}

/// A text that ends with a NUL, which before version 3 fills up to a multiple of eight bytes.
void skip_name(Fields& message, std::uint64_t version) {
  std::uint64_t length = 1;
  while (message.number(1) != 0) ++length;
  if (version < 3) message.take((8 - length % 8) % 8);
}

void check_bits(Fields& message, const Start& start) {
  require(start.bytes <= kLargestNumber);
  const std::uint64_t first = message.number(2), n_bits = message.number(2);
  require(n_bits > 0 && first + n_bits <= 8 * start.bytes);
}

void check_float(Fields& message, const Start& start) {
  check_bits(message, start);
  const std::uint64_t exponent = message.number(1), exponent_bits = message.number(1);
  const std::uint64_t mantissa = message.number(1), mantissa_bits = message.number(1);
  message.take(4);  // bias of the exponent
  const std::uint64_t bits = 8 * start.bytes, sign = start.flags >> 8 & 0xff;
  require(sign < bits && exponent + exponent_bits <= bits && mantissa + mantissa_bits <= bits);
}

Start check(Fields& message, int depth);

/// Since version 3 as many bytes as the size of the whole needs.
std::uint64_t read_offset(Fields& message, const Start& whole) {
  if (whole.version < 3) return message.number(4);
  return message.number((static_cast<std::size_t>(std::bit_width(whole.bytes)) - 1) / 8 + 1);
}

void check_compound(Fields& message, const Start& start, int depth) {
  for (std::uint64_t n_left = start.flags & 0xffff; n_left > 0; --n_left) {
    skip_name(message, start.version);
    const std::uint64_t offset = read_offset(message, start);
    std::uint64_t n_values = 1;
    if (start.version == 1) {  // a member may be an array
      const std::uint64_t n_axes = message.number(1);
      require(n_axes <= 4);
      message.take(11);
      for (std::uint64_t axis = 0; axis < 4; ++axis) {
        const std::uint64_t length = message.number(4);
        if (axis < n_axes) n_values *= length;
        require(n_values <= start.bytes);
      }
    }
    const std::uint64_t bytes = n_values * check(message, depth + 1).bytes;
    require(offset <= start.bytes && bytes <= start.bytes - offset);
  }
}

void check_enumeration(Fields& message, const Start& start, int depth) {
  const Start integers = check(message, depth + 1);
  require(integers.kind == Class::kInteger && integers.bytes == start.bytes);
  const std::uint64_t n_members = start.flags & 0xffff;
  for (std::uint64_t i = 0; i < n_members; ++i) skip_name(message, start.version);
  message.take(n_members * start.bytes);
}

void check_array(Fields& message, const Start& start, int depth) {
  const std::uint64_t n_axes = message.number(1);
  require(n_axes > 0 && n_axes <= kMostAxes);
  if (start.version < 3) message.take(3);
  std::uint64_t n_values = 1;
  for (std::uint64_t axis = 0; axis < n_axes; ++axis) {
    n_values *= message.number(4);
    require(n_values > 0 && n_values <= start.bytes);
  }
  if (start.version < 3) message.take(4 * n_axes);  // order of the axes
  require(start.bytes == n_values * check(message, depth + 1).bytes);
}

Start check(Fields& message, int depth) {
  require(depth < kDeepest);
  const Start start = read_start(message);
  switch (start.kind) {
    case Class::kInteger:
    case Class::kBitField:
      check_bits(message, start);
      break;
    case Class::kFloat:
      check_float(message, start);
      break;
    case Class::kTime:
      message.take(2);
      break;
    case Class::kString:
    case Class::kReference:
      break;
    case Class::kOpaque:
      message.take(start.flags & 0xff);  // a word about it
      break;
    case Class::kCompound:
      check_compound(message, start, depth);
      break;
    case Class::kEnumeration:
      check_enumeration(message, start, depth);
      break;
    case Class::kVariable:
      require(start.bytes == kVariableBytes);
      (void)check(message, depth + 1);
      break;
    case Class::kArray:
      check_array(message, start, depth);
      break;
  }
  return start;
}

}  // namespace

std::uint64_t check_datatype(Fields& message) {
  return check(message, 0).bytes;
}

}  // namespace xrai::hdf5
