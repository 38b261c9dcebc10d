// What nbit and scale-offset made of numbers, restored: as the library reads it, and never past the end of anything.
#include "runtime/hdf5/packed_numbers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>

#include <cmath>
#include <fstream>
#include <functional>

#include "runtime/hdf5/chunk_filters.h"
#include "runtime/hdf5/file.h"
#include "tests/support/errors.h"
#include "tests/support/run_command.h"
#include "tests/support/temporary_folder.h"

namespace xrai::hdf5 {
namespace packed_numbers_test {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using xrai::testing::TemporaryFolder;

std::vector<std::byte> bytes_of(const std::vector<int>& numbers) {
  std::vector<std::byte> bytes;
  for (const int number : numbers) bytes.push_back(static_cast<std::byte>(number));
  return bytes;
}

/// Eight numbers of 16 bits, highest byte first, of which 0x0102 was never written.
StoredFilter scale_offset() {
  return {kScaleOffset, "scaleoffset", {2, 0, 8, 0, 2, 1, 1, 1, 0x0102, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}};
}

StoredFilter nbit() {
  return {kNbit, "nbit", {8, 0, 8, 1, 2, 0, 12, 2}};
}

/// As h5py stored 33, 36, 39, 42 in a chunk that reaches past the shape: distances of 4 bits to 33.
std::vector<int> stored_distances() {
  std::vector<int> bytes{4, 0, 0, 0, 8, 33};
  bytes.resize(21);
  for (const int byte : {0x03, 0x69, 0xff, 0xff, 0}) bytes.push_back(byte);
  return bytes;
}

struct Restored {
  std::string wrong;
  std::vector<std::byte> bytes;
};

Restored restored(const StoredFilter& filter, const std::vector<int>& stored, std::size_t room_bytes) {
  const auto bytes = bytes_of(stored);
  std::vector<std::byte> room(room_bytes);
  std::span<const std::byte> values(bytes);
  Restored result{unpack_numbers(filter, values, room), {}};
  if (result.wrong.empty()) result.bytes.assign(values.begin(), values.end());
  return result;
}

TEST(PackedNumbers, DistancesAreAddedToTheLeastValue) {
  const Restored chunk = restored(scale_offset(), stored_distances(), 16);
  EXPECT_EQ(chunk.wrong, "");
  EXPECT_EQ(chunk.bytes, bytes_of({0, 33, 0, 36, 0, 39, 0, 42, 1, 2, 1, 2, 1, 2, 1, 2}));
}

TEST(PackedNumbers, BitsInUseGoWhereTheyWere) {
  // As h5py stored 0, 300, 600, 900, 1200, 1500, 1800, 2100: 12 bits of each, from the third of 16 on.
  const std::vector<int> stored{0x00, 0x01, 0x2c, 0x25, 0x83, 0x84, 0x4b, 0x05, 0xdc, 0x70, 0x88, 0x34, 0x00};
  const Restored chunk = restored(nbit(), stored, 16);
  EXPECT_EQ(chunk.wrong, "");
  std::vector<int> expected;
  for (int i = 0; i < 8; ++i) {
    for (const int byte : {4 * 300 * i % 256, 4 * 300 * i / 256}) expected.push_back(byte);
  }
  EXPECT_EQ(chunk.bytes, bytes_of(expected));
}

TEST(PackedNumbers, StreamsThatEndTooEarlyAreRefused) {
  for (std::size_t length = 0; length < 25; ++length) {
    std::vector<int> stored = stored_distances();
    stored.resize(length);
    EXPECT_THAT(restored(scale_offset(), stored, 16).wrong, HasSubstr("packed values are damaged")) << length;
    if (length < 12) {
      stored.resize(length);
      EXPECT_THAT(restored(nbit(), stored, 16).wrong, HasSubstr("packed values are damaged")) << length;
    }
  }
  EXPECT_NE(restored(scale_offset(), stored_distances(), 15).wrong, "") << "more values than there is room";
  EXPECT_NE(restored(nbit(), std::vector<int>(13), 15).wrong, "");
}

TEST(PackedNumbers, MoreBitsThanANumberHasAreRefused) {
  for (const int bits : {17, 64, 255}) {
    std::vector<int> stored = stored_distances();
    stored.resize(2000);
    stored[0] = bits;
    EXPECT_THAT(restored(scale_offset(), stored, 16).wrong, HasSubstr("packed values are damaged")) << bits;
    stored[3] = bits;  // 2^24 times as many
    EXPECT_THAT(restored(scale_offset(), stored, 16).wrong, HasSubstr("packed values are damaged")) << bits;
  }
}

TEST(PackedNumbers, ParametersThatAreNotUnderstoodAreAnObstacle) {
  EXPECT_EQ(obstacle_in_packing(scale_offset()), "");
  EXPECT_EQ(obstacle_in_packing(nbit()), "");
  const auto with = [](StoredFilter filter, std::size_t place, unsigned value) {
    filter.parameters[place] = value;
    return obstacle_in_packing(filter);
  };
  for (const auto& [place, value] : std::vector<std::pair<std::size_t, unsigned>>{{0, 0},
                                                                                  {0, 1},
                                                                                  {0, 3},
                                                                                  {1, 17},
                                                                                  {1, 0xffffffff},
                                                                                  {3, 1},
                                                                                  {3, 2},
                                                                                  {4, 0},
                                                                                  {4, 3},
                                                                                  {4, 16},
                                                                                  {4, 0xffffffff},
                                                                                  {6, 2}}) {
    EXPECT_NE(with(scale_offset(), place, value), "") << place << " " << value;
  }
  for (const auto& [place, value] : std::vector<std::pair<std::size_t, unsigned>>{{3, 2},
                                                                                  {3, 3},
                                                                                  {3, 4},
                                                                                  {4, 0},
                                                                                  {4, 3},
                                                                                  {4, 1},
                                                                                  {5, 2},
                                                                                  {6, 0},
                                                                                  {6, 15},
                                                                                  {6, 0xffffffff},
                                                                                  {7, 5},
                                                                                  {7, 0xffffffff}}) {
    EXPECT_NE(with(nbit(), place, value), "") << place << " " << value;
  }
  for (StoredFilter filter : {scale_offset(), nbit()}) {
    while (!filter.parameters.empty()) {
      filter.parameters.pop_back();
      EXPECT_NE(obstacle_in_packing(filter), "") << filter.parameters.size();
    }
  }
  EXPECT_EQ(obstacle_in_packing({kNbit, "nbit", {3, 1, 8}}), "") << "nothing was packed";
}

TEST(PackedNumbers, ParametersAreHeldAgainstTheTypeAndTheChunk) {
  const NumberType shorts{.is_signed = true, .big_endian = true, .bytes = 2, .bits = 16};
  EXPECT_TRUE(fits_type(scale_offset(), shorts, 8));
  EXPECT_FALSE(fits_type(scale_offset(), shorts, 9));
  NumberType other = shorts;
  other.is_signed = false;
  EXPECT_FALSE(fits_type(scale_offset(), other, 8));
  other = shorts, other.big_endian = false;
  EXPECT_FALSE(fits_type(scale_offset(), other, 8));
  other = shorts, other.bytes = 4;
  EXPECT_FALSE(fits_type(scale_offset(), other, 8));
  other = shorts, other.is_number = false;
  EXPECT_FALSE(fits_type(scale_offset(), other, 8));
  const NumberType sparse{.bytes = 2, .bits = 12, .first_bit = 2};
  EXPECT_TRUE(fits_type(nbit(), sparse, 8));
  EXPECT_FALSE(fits_type(nbit(), sparse, 7));
  other = sparse, other.first_bit = 3;
  EXPECT_FALSE(fits_type(nbit(), other, 8));
  other = sparse, other.bits = 13;
  EXPECT_FALSE(fits_type(nbit(), other, 8));
}

constexpr int kValues = 40;

/// A data set of so many numbers in chunks of 16, written with the library.
void write_packed(const std::filesystem::path& path, hid_t type, const std::vector<double>& values, bool nbit,
                  int scale, const double* fill) {
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hsize_t n = values.size(), chunk = 16;
  const hid_t space = H5Screate_simple(1, &n, nullptr), creation = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(creation, 1, &chunk);
  if (fill != nullptr) H5Pset_fill_value(creation, H5T_NATIVE_DOUBLE, fill);
  const bool is_float = H5Tget_class(type) == H5T_FLOAT;
  if (nbit) {
    H5Pset_nbit(creation);
  } else {
    H5Pset_scaleoffset(creation, is_float ? H5Z_SO_FLOAT_DSCALE : H5Z_SO_INT, scale);
  }
  const hid_t dataset = H5Dcreate2(file, "values", type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
  ASSERT_GE(H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), 0);
  H5Dclose(dataset);
  H5Pclose(creation);
  H5Sclose(space);
  ASSERT_GE(H5Fclose(file), 0);
}

/// Every chunk restored here, and the same values read by the library, both as they are stored.
void expect_as_the_library_reads(const std::filesystem::path& path, const std::string& what) {
  const hid_t by_hand = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);  // around all checks
  const hid_t dataset = H5Dopen2(by_hand, "values", H5P_DEFAULT), type = H5Dget_type(dataset);
  std::vector<std::byte> by_library(kValues * H5Tget_size(type)), here;
  ASSERT_GE(H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, by_library.data()), 0);
  H5Tclose(type);
  H5Dclose(dataset);
  H5Fclose(by_hand);
  const File file = File::open(path);
  const Storage storage = file.storage("/values");
  ASSERT_EQ(storage.obstacle + obstacle_in_filters(storage.filters), "") << what;
  const std::uint64_t chunk_bytes = storage.chunk_shape[0] * storage.element_bytes;
  ChunkDecoder decoder(storage.filters);
  for (const StoredChunk& stored : storage.chunks) {
    const auto bytes = decoder.stored(stored.bytes);
    file.read_bytes("/values", storage, stored.offset, bytes.size(), bytes.data());
    std::vector<std::byte> chunk(chunk_bytes);
    ASSERT_EQ(decoder.restore(stored.skipped_filters, chunk), "") << what;
    here.insert(here.end(), chunk.begin(), chunk.end());
  }
  here.resize(by_library.size());
  EXPECT_EQ(here, by_library) << what;
}

/// From the least to the greatest of `bits`, and some all the same, which need no bits at all.
std::vector<double> spread(double least, double step, int n_steps) {
  std::vector<double> values;
  for (int i = 0; i < kValues; ++i) values.push_back(i < 16 ? least : least + step * (i * 7 % n_steps));
  return values;
}

TEST(PackedNumbers, IntegersOfEveryWidthAreWhatTheLibraryReads) {
  const TemporaryFolder folder;
  const auto path = folder / "a.h5";
  const double fill = 3;
  for (const hid_t type : {H5T_STD_U8LE, H5T_STD_I8BE, H5T_STD_U16BE, H5T_STD_I16LE, H5T_STD_U32LE, H5T_STD_I32BE,
                           H5T_STD_U64BE, H5T_STD_I64LE}) {
    const int bits = static_cast<int>(8 * H5Tget_size(type));
    const bool is_signed = H5Tget_sign(type) == H5T_SGN_2;
    for (int scale = 0; scale <= bits; scale += scale < 9 ? 1 : 7) {
      for (const int width : {1, 3, bits / 2, bits - 1, bits}) {
        const double least = is_signed ? -std::ldexp(1.0, width - 1) : 0;
        const auto values = spread(least, (std::ldexp(1.0, width) - 1) / 39, 40);
        write_packed(path, type, values, false, scale, scale % 2 == 0 ? &fill : nullptr);
        expect_as_the_library_reads(path, fmt::format("{} bits, minimum {}, width {}", bits, scale, width));
      }
    }
  }
}

TEST(PackedNumbers, FloatsOfDecimalDigitsAreWhatTheLibraryReads) {
  const TemporaryFolder folder;
  const auto path = folder / "a.h5";
  const double fill = -0.25;
  for (const hid_t type : {H5T_IEEE_F32LE, H5T_IEEE_F32BE, H5T_IEEE_F64LE, H5T_IEEE_F64BE}) {
    for (int digits = 0; digits <= 12; ++digits) {
      for (const double step : {1e-9, 0.01, 0.3, 17.0, 1e12}) {
        write_packed(path, type, spread(-3.3 * step, step, 40), false, digits, digits % 2 == 0 ? &fill : nullptr);
        expect_as_the_library_reads(path, fmt::format("{} digits, step {}", digits, step));
      }
    }
  }
}

TEST(PackedNumbers, BitsOfEveryPrecisionAreWhatTheLibraryReads) {
  const TemporaryFolder folder;
  const auto path = folder / "a.h5";
  for (const hid_t whole : {H5T_STD_U8LE, H5T_STD_I16BE, H5T_STD_U32BE, H5T_STD_I64LE}) {
    const std::size_t bits = 8 * H5Tget_size(whole);
    for (std::size_t precision = 1; precision <= bits; precision += precision < 17 ? 1 : 11) {
      for (const std::size_t first : {std::size_t{0}, (bits - precision) / 2, bits - precision}) {
        const hid_t type = H5Tcopy(whole);
        H5Tset_precision(type, precision);
        H5Tset_offset(type, first);
        write_packed(path, type, spread(0, 1, std::min(40, 1 << std::min<int>(static_cast<int>(precision) - 1, 6))),
                     true, 0, nullptr);
        expect_as_the_library_reads(path, fmt::format("{} of {} bits from {}", precision, bits, first));
        H5Tclose(type);
      }
    }
  }
}

/// A filter whose numbers were changed in the file, by the sentence it is refused with.
struct Change {
  std::size_t place;  // of its parameters
  char value;
  const char* sentence;
};

TEST(PackedNumbers, AFilterForOtherValuesIsRefusedBeforeTheLibraryUsesIt) {
  using namespace std::string_literals;
  const TemporaryFolder folder;
  const auto path = folder / "a.h5";
  const auto values = spread(0, 1, 40);
  for (const bool nbit : {false, true}) {
    const hid_t type = H5Tcopy(H5T_STD_I32LE);
    if (nbit) H5Tset_precision(type, 12);
    const std::string found = nbit ? "\x08\0\0\0\0\0\0\0\x10\0\0\0"s : "\x02\0\0\0\0\0\0\0\x10\0\0\0"s;
    std::vector<Change> changes{{2, 17, "is for other values"}, {2, 15, "is for other values"}, {4, 2, "other values"}};
    if (nbit) {
      changes.insert(changes.end(), {{3, 2, "not plain numbers"}, {6, 33, "bits that the values do not have"}});
    } else {
      changes.insert(changes.end(), {{0, 1, "an unusual kind"}, {4, 3, "an unusual kind"}, {5, 0, "other values"}});
    }
    for (const Change& change : changes) {
      write_packed(path, type, values, nbit, 0, nullptr);
      EXPECT_EQ(File::open(path).read<double>("/values"), values);
      std::string bytes = xrai::testing::text_of(path);
      const std::size_t at = bytes.find(found);
      ASSERT_NE(at, std::string::npos);
      bytes[at + 4 * change.place] = change.value;
      std::ofstream(path, std::ios::binary) << bytes;
      EXPECT_THAT(xrai::testing::refused(ExitCode::kBadData, [&] { (void)File::open(path).read<double>("/values"); }),
                  HasSubstr(change.sentence))
          << nbit << " " << change.place;
    }
    H5Tclose(type);
  }
}

TEST(PackedNumbers, AChunkOfTheSameNumberMayBeMuchLargerThanWhatIsStored) {
  const std::vector<StoredFilter> packed{scale_offset()}, deflated{{1, "deflate", {6}}};
  EXPECT_TRUE(can_become(packed, 22, 1 << 20));
  EXPECT_FALSE(can_become(packed, 22, kMostChunkBytes));
  EXPECT_FALSE(can_become(deflated, 22, 1 << 20));
  EXPECT_TRUE(can_become(deflated, 1000, 1 << 20));
}

}  // namespace packed_numbers_test
}  // namespace xrai::hdf5
