// Every stored type, byte order and order of channels against a loop in double.
#include "loaders/pixel_conversion.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "tests/support/random.h"

namespace xrai {
namespace pixel_conversion_test {

using testing::Random;

struct Case {
  hdf5::Type type;
  double low, high;
};

/// Value of a binary16 by its definition.
double half_value(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  const double magnitude = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

template <class T>
void put(std::byte* at, double value) {
  const T number = static_cast<T>(value);
  std::memcpy(at, &number, sizeof number);
}

/// Stores about `value` in native order and gives back what it became.
double store(hdf5::Type type, double value, std::uint16_t half_bits, std::byte* at) {
  switch (type) {
    case hdf5::Type::kUint8:
      put<std::uint8_t>(at, std::floor(value));
      return std::floor(value);
    case hdf5::Type::kInt16:
      put<std::int16_t>(at, std::floor(value));
      return std::floor(value);
    case hdf5::Type::kUint16:
      put<std::uint16_t>(at, std::floor(value));
      return std::floor(value);
    case hdf5::Type::kInt32:
      put<std::int32_t>(at, std::floor(value));
      return std::floor(value);
    case hdf5::Type::kUint32:
      put<std::uint32_t>(at, std::floor(value));
      return std::floor(value);
    case hdf5::Type::kInt64:
      put<std::int64_t>(at, std::floor(value));
      return std::floor(value);
    case hdf5::Type::kUint64:
      put<std::uint64_t>(at, std::floor(value));
      return std::floor(value);
    case hdf5::Type::kFloat16:
      std::memcpy(at, &half_bits, sizeof half_bits);
      return half_value(half_bits);
    case hdf5::Type::kFloat32:
      put<float>(at, value);
      return static_cast<double>(static_cast<float>(value));
    default:
      put<double>(at, value);
      return value;
  }
}

class PixelConversion : public ::testing::TestWithParam<Case> {
 protected:
  static constexpr std::int64_t kHeight = 7, kWidth = 11;

  /// Grey levels by the textbook; `uncertain` where the exact value lies so near to a half that rounding may differ.
  static double level(double value, const Case& c, bool& uncertain) {
    const double exact = std::clamp(255 * (value - c.low) / (c.high - c.low), 0.0, 255.0);
    uncertain = uncertain || std::abs(exact - std::floor(exact) - 0.5) < 1e-3;
    return std::floor(exact + 0.5);
  }

  void compare(Axes axes, std::int64_t channels, bool big_endian, Random& random) {
    const Case& c = GetParam();
    const auto bytes = static_cast<std::int64_t>(hdf5::element_bytes(c.type));
    const PixelFormat format{c.type, big_endian, axes, kHeight, kWidth, channels, c.low, c.high};
    std::vector<std::byte> stored(static_cast<std::size_t>(format.elements() * bytes));
    std::vector<double> values, widened(static_cast<std::size_t>(format.elements()));
    for (std::int64_t i = 0; i < format.elements(); ++i) {
      std::byte* const at = stored.data() + i * bytes;
      // Past both ends; finite halves of any sign and exponent.
      const double wish = std::max(random.real(1.2 * c.low - 0.2 * c.high, 1.2 * c.high - 0.2 * c.low),
                                   c.low < 0 || hdf5::element_bytes(c.type) > 8 ? -1e300 : 0.0);
      values.push_back(
          store(c.type, wish, static_cast<std::uint16_t>(random.whole(0, 0x7BFF) | random.whole(0, 1) << 15), at));
      if (big_endian) std::reverse(at, at + bytes);
    }
    to_doubles(c.type, big_endian, stored.data(), format.elements(), widened.data());
    EXPECT_EQ(widened, values);
    std::vector<std::uint8_t> scratch(static_cast<std::size_t>(format.elements())), grey(kHeight * kWidth + 1, 0xEE);
    ASSERT_TRUE(to_grey8(format, stored.data(), scratch.data(), grey.data()));
    for (std::int64_t pixel = 0; pixel < kHeight * kWidth; ++pixel) {
      bool uncertain = false;
      std::vector<double> levels;
      for (std::int64_t channel = 0; channel < std::min<std::int64_t>(channels, 3); ++channel) {
        const std::int64_t at = axes == Axes::kNCHW ? channel * kHeight * kWidth + pixel : pixel * channels + channel;
        levels.push_back(level(values[static_cast<std::size_t>(at)], c, uncertain));
      }
      const double luma =
          levels.size() == 1 ? levels[0] : std::floor(0.299 * levels[0] + 0.587 * levels[1] + 0.114 * levels[2] + 0.5);
      // Weights in 1/65536 are within 1e-5 of Rec. 601's.
      ASSERT_NEAR(grey[static_cast<std::size_t>(pixel)], luma, uncertain || channels > 1 ? 1 : 0) << pixel;
    }
    EXPECT_EQ(grey.back(), 0xEE);
  }
};

TEST_P(PixelConversion, EqualsTheLoopInDouble) {
  Random random(static_cast<std::uint64_t>(GetParam().type));
  for (const bool big_endian : {false, true}) {
    compare(Axes::kNHW, 1, big_endian, random);
    compare(Axes::kNHWC, 3, big_endian, random);
    compare(Axes::kNHWC, 4, big_endian, random);
    compare(Axes::kNCHW, 3, big_endian, random);
  }
}

INSTANTIATE_TEST_SUITE_P(Types, PixelConversion,
                         ::testing::Values(Case{hdf5::Type::kUint8, 0, 200}, Case{hdf5::Type::kInt16, -1024, 1024},
                                           Case{hdf5::Type::kUint16, 0, 4095}, Case{hdf5::Type::kInt32, -5, 70000},
                                           Case{hdf5::Type::kUint32, 0, 3e9}, Case{hdf5::Type::kInt64, -9e9, 9e9},
                                           Case{hdf5::Type::kUint64, 0, 1e12}, Case{hdf5::Type::kFloat16, -1, 1},
                                           Case{hdf5::Type::kFloat32, -2.1, 2.6}, Case{hdf5::Type::kFloat64, 0, 1}),
                         [](const auto& types) { return std::string(hdf5::type_name(types.param.type)); });

TEST(PixelConversionLimits, EqualChannelsStayWhatTheyAre) {
  for (int level = 0; level < 256; ++level) {
    const std::vector<std::byte> stored(3, static_cast<std::byte>(level));
    std::uint8_t scratch[3], grey = 0;
    ASSERT_TRUE(to_grey8({.axes = Axes::kNHWC, .height = 1, .width = 1, .channels = 3}, stored.data(), scratch, &grey));
    EXPECT_EQ(grey, level);
  }
}

TEST(PixelConversionLimits, ValuesThatAreNoNumbersAreNoticedWhereverTheyStand) {
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
                           -std::numeric_limits<double>::infinity()}) {
    for (std::int64_t at = 0; at < 37; ++at) {
      std::vector<float> values(37, 0.5f);
      std::vector<std::uint16_t> halves(37, 0x3800);
      values[static_cast<std::size_t>(at)] = static_cast<float>(bad);
      halves[static_cast<std::size_t>(at)] = std::isnan(bad) ? 0x7E01 : bad > 0 ? 0x7C00 : 0xFC00;
      std::vector<std::uint8_t> grey(37);
      const auto converts = [&](hdf5::Type type, const auto& stored) {
        const PixelFormat format{.type = type, .height = 1, .width = 37, .low = 0, .high = 1};
        return to_grey8(format, reinterpret_cast<const std::byte*>(stored.data()), nullptr, grey.data());
      };
      EXPECT_FALSE(converts(hdf5::Type::kFloat32, values)) << bad << " at " << at;
      EXPECT_FALSE(converts(hdf5::Type::kFloat16, halves)) << bad << " at " << at;
    }
  }
}

TEST(PixelConversion, PicturesStoredColumnByColumnAreTurned) {
  for (const auto& [height, width] : {std::pair<std::int64_t, std::int64_t>{1, 1}, {32, 64}, {45, 70}, {70, 3}}) {
    const PixelFormat format{.height = height, .width = width, .transposed = true};
    const auto n = static_cast<std::size_t>(height * width);
    std::vector<std::byte> stored(n);
    for (std::size_t i = 0; i < n; ++i) stored[i] = static_cast<std::byte>(i * 7 % 251);
    std::vector<std::uint8_t> grey(n);
    ASSERT_FALSE(format.is_grey8());
    ASSERT_TRUE(to_grey8(format, stored.data(), nullptr, grey.data()));
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t x = 0; x < width; ++x) {
        ASSERT_EQ(grey[static_cast<std::size_t>(y * width + x)], (x * height + y) * 7 % 251) << y << " " << x;
      }
    }
  }
}

}  // namespace pixel_conversion_test
}  // namespace xrai
