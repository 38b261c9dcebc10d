#include "loaders/image_decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "runtime/core/error.h"
#include "tests/support/picture_files.h"

namespace xrai {
namespace image_decoder_test {

using testing::Bytes;
using ::testing::HasSubstr;
using testing::jpeg_bytes;
using testing::png_bytes;
using testing::smooth_grey;

constexpr DecodeTarget kFull{4096, Fit::kSquash};  // larger than the pictures here: decoded at their own size

std::string refusal(const Bytes& bytes) {
  try {
    decode_picture(bytes, kFull);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadData);
    return error.what();
  }
  return "was decoded";
}

int largest_difference(const Bytes& a, const Bytes& b) {
  EXPECT_EQ(a.size(), b.size());
  int largest = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

TEST(ImageDecoder, GreyJpegKeepsItsPixels) {
  const Bytes pixels = smooth_grey(70, 50);
  const DecodedPicture picture = decode_picture(jpeg_bytes(pixels, 70, 50), kFull);
  EXPECT_EQ(picture.image.width, 70);
  EXPECT_EQ(picture.image.height, 50);
  EXPECT_LE(largest_difference(picture.image.pixels, pixels), 2);  // quality 100 rounds coefficients, no more
}

TEST(ImageDecoder, ColourJpegGivesItsLuma) {
  Bytes rgb;
  for (int i = 0; i < 32 * 32; ++i) rgb.insert(rgb.end(), {200, 100, 50});
  const DecodedPicture picture = decode_picture(jpeg_bytes(rgb, 32, 32, TJPF_RGB), kFull);
  const int luma = static_cast<int>(0.299 * 200 + 0.587 * 100 + 0.114 * 50 + 0.5);
  EXPECT_NEAR(picture.image.pixels[500], luma, 1);
}

TEST(ImageDecoder, CmykJpegGivesItsLuma) {
  Bytes cmyk;  // Adobe's sense: 255 is no ink; half black over a grey paper
  for (int i = 0; i < 32 * 32; ++i) cmyk.insert(cmyk.end(), {200, 200, 200, 128});
  const DecodedPicture picture = decode_picture(jpeg_bytes(cmyk, 32, 32, TJPF_CMYK), kFull);
  EXPECT_NEAR(picture.image.pixels[500], 200 * 128 / 255, 3);
}

TEST(ImageDecoder, LargeJpegIsDecodedReducedButNeverBelowTheTarget) {
  const Bytes jpeg = jpeg_bytes(smooth_grey(1200, 900), 1200, 900);
  for (const Fit fit : {Fit::kSquash, Fit::kPad, Fit::kCrop}) {
    for (const int size : {64, 112, 224, 500, 899, 2000}) {
      const DecodedPicture picture = decode_picture(jpeg, {size, fit});
      const Extent needed = scaled_extent({1200, 900}, size, fit);
      EXPECT_EQ(picture.source.width, 1200);
      if (needed.width <= 1200 && needed.height <= 900) {
        EXPECT_GE(picture.image.width, needed.width) << size;
        EXPECT_GE(picture.image.height, needed.height) << size;
      } else {
        EXPECT_EQ(picture.image.width, 1200) << size;  // the resize enlarges, not the decoder
      }
      if (size == 64) {
        EXPECT_LE(picture.image.width, 150);
      }
    }
  }
}

TEST(ImageDecoder, EveryExifOrientationComesOutUpright) {
  // Dark at the left, bright at the right, brighter still at the bottom right: all eight positions differ.
  const Bytes upright = smooth_grey(48, 32);
  const auto at = [&](int x, int y) { return upright[static_cast<std::size_t>(y) * 48 + static_cast<std::size_t>(x)]; };
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const bool swapped = orientation >= 5;
    const int width = swapped ? 32 : 48, height = swapped ? 48 : 32;
    Bytes stored;  // where each stored pixel is seen, straight from the table of the EXIF standard
    for (int row = 0; row < height; ++row) {
      for (int column = 0; column < width; ++column) {
        int x = column, y = row;
        switch (orientation) {
          case 2:
            x = 47 - column;
            break;
          case 3:
            x = 47 - column, y = 31 - row;
            break;
          case 4:
            y = 31 - row;
            break;
          case 5:
            x = row, y = column;
            break;  // row 0 is the left side, column 0 the top
          case 6:
            x = 47 - row, y = column;
            break;  // row 0 is the right side, column 0 the top
          case 7:
            x = 47 - row, y = 31 - column;
            break;  // row 0 is the right side, column 0 the bottom
          case 8:
            x = row, y = 31 - column;
            break;  // row 0 is the left side, column 0 the bottom
          default:
            break;
        }
        stored.push_back(at(x, y));
      }
    }
    const Bytes jpeg =
        testing::with_orientation(jpeg_bytes(stored, width, height), static_cast<std::uint8_t>(orientation));
    const DecodedPicture picture = decode_picture(jpeg, kFull);
    EXPECT_EQ(picture.source.width, 48) << orientation;
    EXPECT_LE(largest_difference(picture.image.pixels, upright), 3) << orientation;
  }
}

TEST(ImageDecoder, PngOfEveryKindGivesRec601Grey) {
  const Bytes grey = smooth_grey(40, 30);
  EXPECT_EQ(decode_picture(png_bytes(grey, 40, 30), kFull).image.pixels, grey);
  Bytes rgb, rgba, grey_alpha;
  for (const std::uint8_t value : grey) {
    rgb.insert(rgb.end(), {value, value, value});
    rgba.insert(rgba.end(), {value, value, value, 255});
    grey_alpha.insert(grey_alpha.end(), {value, 255});
  }
  EXPECT_EQ(decode_picture(png_bytes(rgb, 40, 30, {SPNG_COLOR_TYPE_TRUECOLOR}), kFull).image.pixels, grey);
  EXPECT_EQ(decode_picture(png_bytes(rgba, 40, 30, {SPNG_COLOR_TYPE_TRUECOLOR_ALPHA}), kFull).image.pixels, grey);
  EXPECT_EQ(decode_picture(png_bytes(grey_alpha, 40, 30, {SPNG_COLOR_TYPE_GRAYSCALE_ALPHA}), kFull).image.pixels, grey);
  const Bytes colour{200, 100, 50};
  EXPECT_EQ(decode_picture(png_bytes(colour, 1, 1, {SPNG_COLOR_TYPE_TRUECOLOR}), kFull).image.pixels[0], 124);
}

TEST(ImageDecoder, TransparencyLiesOnBlack) {
  const Bytes samples{200, 255, 200, 128, 200, 0};
  const auto pixels = decode_picture(png_bytes(samples, 3, 1, {SPNG_COLOR_TYPE_GRAYSCALE_ALPHA}), kFull).image.pixels;
  EXPECT_EQ(pixels, (Bytes{200, 100, 0}));
}

TEST(ImageDecoder, SixteenBitsAreScaledToTheFullRange) {
  const std::vector<std::uint16_t> deep{0, 128, 129, 32767, 32896, 65535};
  const DecodedPicture picture =
      decode_picture(png_bytes(testing::bytes_of(deep), 6, 1, {SPNG_COLOR_TYPE_GRAYSCALE, 16}), kFull);
  EXPECT_EQ(picture.image.pixels, (Bytes{0, 0, 1, 127, 128, 255}));
  EXPECT_EQ(picture.bits, 16);
  EXPECT_FALSE(picture.faint_16_bit);
}

TEST(ImageDecoder, TwelveBitsInSixteenAreNoticed) {
  const std::vector<std::uint16_t> faint{0, 2000, 4095, 17};
  EXPECT_TRUE(
      decode_picture(png_bytes(testing::bytes_of(faint), 4, 1, {SPNG_COLOR_TYPE_GRAYSCALE, 16}), kFull).faint_16_bit);
}

TEST(ImageDecoder, SixteenBitColourGivesLuma) {
  const std::vector<std::uint16_t> deep{51400, 25700, 12850};  // 257 times 200, 100, 50
  const auto png = png_bytes(testing::bytes_of(deep), 1, 1, {SPNG_COLOR_TYPE_TRUECOLOR, 16});
  EXPECT_EQ(decode_picture(png, kFull).image.pixels[0], 124);
}

TEST(ImageDecoder, PaletteAndFewBitsAreSpreadOverTheFullRange) {
  const Bytes two_bits{0b00011011};  // 0 1 2 3
  EXPECT_EQ(decode_picture(png_bytes(two_bits, 4, 1, {SPNG_COLOR_TYPE_GRAYSCALE, 2}), kFull).image.pixels,
            (Bytes{0, 85, 170, 255}));
  const std::vector<spng_plte_entry> palette{{10, 10, 10, 255}, {240, 240, 240, 255}};
  const Bytes indices{1, 0, 1};
  EXPECT_EQ(decode_picture(png_bytes(indices, 3, 1, {SPNG_COLOR_TYPE_INDEXED, 8, false, palette}), kFull).image.pixels,
            (Bytes{240, 10, 240}));
}

TEST(ImageDecoder, EveryTruncationOfAJpegIsRefused) {
  const Bytes whole = jpeg_bytes(smooth_grey(64, 64), 64, 64);
  for (std::size_t size = 0; size + 4 < whole.size(); size += 7) {
    const std::string reason = refusal(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
    EXPECT_NE(reason, "was decoded") << size << " of " << whole.size();
  }
}

TEST(ImageDecoder, AWholeJpegBehindADamagedOneIsDecoded) {
  const Bytes whole = testing::jpeg_bytes(testing::smooth_grey(40, 30), 40, 30);
  const auto expected = square_picture(whole, {.size = 16}).image.pixels;
  for (std::size_t at = 2; at < 200; ++at) {
    Bytes damaged = whole;
    damaged[at] = static_cast<std::uint8_t>(damaged[at] ^ 0x55);
    try {
      (void)square_picture(damaged, {.size = 16});
    } catch (const Error&) {
    }
    ASSERT_EQ(square_picture(whole, {.size = 16}).image.pixels, expected) << "behind a wrong byte " << at;
  }
}

TEST(ImageDecoder, EveryTruncationOfAPngIsRefused) {
  const Bytes whole = png_bytes(smooth_grey(64, 64), 64, 64);
  const std::size_t end_chunk = 12;
  for (std::size_t size = 0; size + end_chunk + 8 < whole.size(); size += 5) {
    const std::string reason = refusal(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
    EXPECT_NE(reason, "was decoded") << size << " of " << whole.size();
  }
}

TEST(ImageDecoder, OtherFilesAreNamedForWhatTheyAre) {
  Bytes dicom(200, 0);
  dicom[128] = 'D', dicom[129] = 'I', dicom[130] = 'C', dicom[131] = 'M';
  EXPECT_THAT(refusal({}), HasSubstr("empty"));
  EXPECT_THAT(refusal(dicom), HasSubstr("DICOM"));
  EXPECT_THAT(refusal({'G', 'I', 'F', '8', '9', 'a'}), HasSubstr("GIF"));
  EXPECT_THAT(refusal(Bytes(100, 0)), HasSubstr("zeros"));
  EXPECT_THAT(refusal({'<', 'h', 't', 'm', 'l'}), HasSubstr("web page"));
  EXPECT_THAT(refusal({1, 2, 3}), HasSubstr("unknown kind"));
  EXPECT_THAT(refusal({'n', 'o', ' ', 'X', '-', 'r', 'a', 'y', '\n'}), HasSubstr("a text file"));
}

TEST(ImageDecoder, AbsurdSizesAreRefusedBeforeMemoryIsTaken) {
  Bytes png = png_bytes(smooth_grey(8, 8), 8, 8);
  // Width and height of the header chunk, then its checksum (CRC-32 of the 17 bytes from "IHDR" on).
  const Bytes side{0x00, 0x01, 0x86, 0xA0};  // 100000
  std::copy(side.begin(), side.end(), png.begin() + 16);
  std::copy(side.begin(), side.end(), png.begin() + 20);
  std::uint32_t crc = 0xFFFFFFFFU;
  for (std::size_t i = 12; i < 29; ++i) {
    crc ^= png[i];
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0U);
  }
  crc = ~crc;
  for (int i = 0; i < 4; ++i) png[29 + static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(crc >> (24 - 8 * i));
  EXPECT_THAT(refusal(png), HasSubstr("100000 x 100000"));
}

TEST(ImageDecoder, AnyBytesAreAnsweredOrRefused) {
  const std::vector<Bytes> seeds{
      jpeg_bytes(smooth_grey(40, 40), 40, 40), jpeg_bytes(smooth_grey(40, 40), 40, 40, TJPF_GRAY, TJFLAG_PROGRESSIVE),
      testing::with_orientation(jpeg_bytes(smooth_grey(24, 16), 24, 16), 6), png_bytes(smooth_grey(40, 40), 40, 40),
      png_bytes(smooth_grey(40, 20), 20, 20, {SPNG_COLOR_TYPE_GRAYSCALE, 16})};
  std::mt19937 random(7);  // NOLINT: the same bytes every time
  for (int round = 0; round < 1500; ++round) {
    Bytes bytes = seeds[static_cast<std::size_t>(round) % seeds.size()];
    const std::size_t changes = 1 + random() % 8;
    for (std::size_t i = 0; i < changes; ++i)
      bytes[2 + random() % (bytes.size() - 2)] = static_cast<std::uint8_t>(random());
    try {
      const DecodedPicture picture = decode_picture(bytes, {32, Fit::kSquash});
      EXPECT_EQ(picture.image.pixels.size(),
                static_cast<std::size_t>(picture.image.width) * static_cast<std::size_t>(picture.image.height));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kBadData);
    }
  }
}

}  // namespace image_decoder_test
}  // namespace xrai
