// Hot loops: one a stored type, compiled for several instruction sets, without branches so that they vectorise.
#include "loaders/pixel_conversion.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <type_traits>
#include <vector>

#include "kernels/vectorise.h"
#include "runtime/core/error.h"

namespace xrai {
namespace {

/// IEEE 754 binary16 by its bits. An exponent of all ones (infinity, NaN) comes out as infinity.
struct Half {
  std::uint16_t bits;
};

template <class T>
[[gnu::always_inline]] inline T load(const std::byte* at, bool swap) {
  if constexpr (sizeof(T) == 1) {
    return static_cast<T>(*at);
  } else {
    using Bits = std::conditional_t<sizeof(T) == 2, std::uint16_t,
                                    std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>>;
    Bits bits;
    std::memcpy(&bits, at, sizeof bits);
    if (swap) {
      if constexpr (sizeof(T) == 2) bits = __builtin_bswap16(bits);
      if constexpr (sizeof(T) == 4) bits = __builtin_bswap32(bits);
      if constexpr (sizeof(T) == 8) bits = __builtin_bswap64(bits);
    }
    return std::bit_cast<T>(bits);
  }
}

/// Float holds 24 bits exactly, enough for what is 16 bits wide; wider types go through double.
template <class T>
using Number = std::conditional_t<sizeof(T) <= 2 || std::is_same_v<T, float>, float, double>;

template <class T>
[[gnu::always_inline]] inline Number<T> number(T value) {
  if constexpr (std::is_same_v<T, Half>) {
    // The 15 bits below the sign, put where binary32 has them, are 2^-112 of the value; subnormals too.
    const auto magnitude = std::bit_cast<float>(static_cast<std::uint32_t>(value.bits & 0x7FFF) << 13) * 0x1p112f;
    const float kept = (value.bits & 0x7C00) == 0x7C00 ? __builtin_inff() : magnitude;
    return (value.bits & 0x8000) != 0 ? -kept : kept;
  } else {
    return static_cast<Number<T>>(value);
  }
}

template <class T>
[[gnu::always_inline]] inline bool quantise(const std::byte* stored, std::int64_t n, bool swap, double low, double high,
                                            std::uint8_t* out) {
  using N = Number<T>;
  const N offset = static_cast<N>(low), scale = static_cast<N>(255.0 / (high - low));
  int finite = 1;
  for (std::int64_t i = 0; i < n; ++i) {
    const N value = number(load<T>(stored + i * static_cast<std::int64_t>(sizeof(T)), swap));
    if constexpr (!std::is_integral_v<T>) finite &= static_cast<int>(value - value == 0);
    N level = (value - offset) * scale + N(0.5);
    level = level > 0 ? level : 0;  // NaN as well
    level = level < N(255.5) ? level : N(255.5);
    out[i] = static_cast<std::uint8_t>(static_cast<std::int32_t>(level));
  }
  return finite != 0;
}

struct Values {
  const std::byte* stored;
  std::int64_t n;
  bool swap;
  double low, high;
};

// Named functions and no lambdas or templates: the attribute counts only for the function that it stands on.
#define XRAI_QUANTISE(NAME, T)                                             \
  XRAI_VECTORISE bool NAME(const Values& v, std::uint8_t* out) {           \
    return v.swap ? quantise<T>(v.stored, v.n, true, v.low, v.high, out)   \
                  : quantise<T>(v.stored, v.n, false, v.low, v.high, out); \
  }
XRAI_QUANTISE(quantise_uint8, std::uint8_t)
XRAI_QUANTISE(quantise_int16, std::int16_t)
XRAI_QUANTISE(quantise_uint16, std::uint16_t)
XRAI_QUANTISE(quantise_int32, std::int32_t)
XRAI_QUANTISE(quantise_uint32, std::uint32_t)
XRAI_QUANTISE(quantise_int64, std::int64_t)
XRAI_QUANTISE(quantise_uint64, std::uint64_t)
XRAI_QUANTISE(quantise_float16, Half)
XRAI_QUANTISE(quantise_float32, float)
XRAI_QUANTISE(quantise_float64, double)
#undef XRAI_QUANTISE

/// Rec. 601 luma in 1/65536; the weights add up to one, so equal channels stay what they are.
[[gnu::always_inline]] inline std::uint8_t luma(std::uint32_t red, std::uint32_t green, std::uint32_t blue) {
  return static_cast<std::uint8_t>((19595U * red + 38470U * green + 7471U * blue + 32768U) >> 16);
}

XRAI_VECTORISE void luma_of_triples(const std::uint8_t* pixels, std::int64_t n, std::uint8_t* grey) {
  for (std::int64_t i = 0; i < n; ++i) grey[i] = luma(pixels[3 * i], pixels[3 * i + 1], pixels[3 * i + 2]);
}

XRAI_VECTORISE void luma_of_quadruples(const std::uint8_t* pixels, std::int64_t n, std::uint8_t* grey) {
  for (std::int64_t i = 0; i < n; ++i) grey[i] = luma(pixels[4 * i], pixels[4 * i + 1], pixels[4 * i + 2]);
}

XRAI_VECTORISE void luma_of_planes(const std::uint8_t* planes, std::int64_t n, std::uint8_t* grey) {
  for (std::int64_t i = 0; i < n; ++i) grey[i] = luma(planes[i], planes[n + i], planes[2 * n + i]);
}

template <class T>
void widen(const std::byte* stored, std::int64_t n, bool swap, double* out) {
  for (std::int64_t i = 0; i < n; ++i) {
    out[i] = static_cast<double>(number(load<T>(stored + i * static_cast<std::int64_t>(sizeof(T)), swap)));
  }
}

struct Conversion {
  hdf5::Type type;
  bool (*quantise)(const Values&, std::uint8_t*);
  void (*widen)(const std::byte*, std::int64_t, bool, double*);
};
constexpr std::array kConversions{
    Conversion{hdf5::Type::kInt8, quantise_uint8, widen<std::int8_t>},  // pixels that wrapped: their bytes are right
    Conversion{hdf5::Type::kUint8, quantise_uint8, widen<std::uint8_t>},
    Conversion{hdf5::Type::kInt16, quantise_int16, widen<std::int16_t>},
    Conversion{hdf5::Type::kUint16, quantise_uint16, widen<std::uint16_t>},
    Conversion{hdf5::Type::kInt32, quantise_int32, widen<std::int32_t>},
    Conversion{hdf5::Type::kUint32, quantise_uint32, widen<std::uint32_t>},
    Conversion{hdf5::Type::kInt64, quantise_int64, widen<std::int64_t>},
    Conversion{hdf5::Type::kUint64, quantise_uint64, widen<std::uint64_t>},
    Conversion{hdf5::Type::kFloat16, quantise_float16, widen<Half>},
    Conversion{hdf5::Type::kFloat32, quantise_float32, widen<float>},
    Conversion{hdf5::Type::kFloat64, quantise_float64, widen<double>},
};

const Conversion& conversion_of(hdf5::Type type) {
  for (const Conversion& conversion : kConversions) {
    if (conversion.type == type) return conversion;
  }
  throw Error(ExitCode::kFailure, "values that are no numbers were to become pixels; please report this");
}

bool is_byte(hdf5::Type type) {
  return type == hdf5::Type::kUint8 || type == hdf5::Type::kInt8;
}

}  // namespace

bool PixelFormat::is_grey8() const {
  return is_byte(type) && channels == 1 && low == 0 && high == 255 && !transposed;
}

void to_doubles(hdf5::Type type, bool big_endian, const std::byte* stored, std::int64_t n, double* out) {
  conversion_of(type).widen(stored, n, big_endian, out);
}

namespace {

/// (width, height) to (height, width), in squares that stay in the nearest cache.
void turn(const std::uint8_t* columns, std::int64_t height, std::int64_t width, std::uint8_t* rows) {
  constexpr std::int64_t kSide = 32;
  for (std::int64_t top = 0; top < height; top += kSide) {
    for (std::int64_t left = 0; left < width; left += kSide) {
      for (std::int64_t x = left; x < std::min(left + kSide, width); ++x) {
        for (std::int64_t y = top; y < std::min(top + kSide, height); ++y)
          rows[y * width + x] = columns[x * height + y];
      }
    }
  }
}

bool to_grey8_as_stored(const PixelFormat& format, const std::byte* stored, std::uint8_t* scratch, std::uint8_t* grey) {
  const std::int64_t n = format.height * format.width;
  std::uint8_t* const levels = format.channels == 1 ? grey : scratch;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(stored);
  if (!is_byte(format.type) || format.low != 0 || format.high != 255) {
    const Values values{stored, format.elements(), format.big_endian, format.low, format.high};
    if (!conversion_of(format.type).quantise(values, levels)) return false;
    bytes = levels;
  }
  if (format.channels == 1) {
    if (bytes != grey) std::memcpy(grey, bytes, static_cast<std::size_t>(n));
  } else if (format.axes == Axes::kNCHW) {
    luma_of_planes(bytes, n, grey);
  } else if (format.channels == 4) {
    luma_of_quadruples(bytes, n, grey);
  } else {
    luma_of_triples(bytes, n, grey);
  }
  return true;
}

}  // namespace

bool to_grey8(const PixelFormat& format, const std::byte* stored, std::uint8_t* scratch, std::uint8_t* grey) {
  if (!format.transposed) return to_grey8_as_stored(format, stored, scratch, grey);
  std::vector<std::uint8_t> columns(static_cast<std::size_t>(format.height * format.width));
  if (!to_grey8_as_stored(format, stored, scratch, columns.data())) return false;
  turn(columns.data(), format.height, format.width, grey);
  return true;
}

}  // namespace xrai
