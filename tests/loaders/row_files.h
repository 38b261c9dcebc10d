// HDF5 files in every layout that the format knows, written with the library itself: what xrai's own writer never
// makes.
#pragma once

#include <hdf5.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/random.h"

namespace xrai::testing {

inline constexpr hsize_t kAnyLength = H5S_UNLIMITED;

struct RowFile {
  std::vector<hsize_t> shape;
  std::vector<hsize_t> largest;        // empty: may not grow
  std::vector<hsize_t> chunk;          // empty: not chunked
  std::vector<H5Z_filter_t> filters;   // in order; deflate, shuffle, fletcher32, nbit, scaleoffset
  std::vector<std::uint64_t> written;  // rows; the others hold the fill value
  hid_t type = H5T_STD_U8LE;
  bool newest_format = false, allocate_early = false, compact = false;
  bool plain_edges = false;  // chunks past the shape are not filtered; newest format only
  hsize_t user_block = 0;
  std::uint8_t fill = 0;
  int scale = 0;             // of scaleoffset: bits of an integer (0: as many as needed), decimal digits of a float
  std::uint64_t stream = 1;  // of the values

  [[nodiscard]] std::string text() const {
    const auto list = [](const auto& numbers) {
      std::string joined;
      for (const auto number : numbers) joined += (joined.empty() ? "" : ", ") + std::to_string(number);
      return "{" + joined + "}";
    };
    return "shape " + list(shape) + " largest " + list(largest) + " chunk " + list(chunk) + " filters " +
           list(filters) + " written " + std::to_string(written.size()) + " element " +
           std::to_string(H5Tget_size(type)) + (newest_format ? " newest" : "") + (allocate_early ? " early" : "") +
           (compact ? " compact" : "") + (plain_edges ? " plain edges" : "") + " user block " +
           std::to_string(user_block) + " scale " + std::to_string(scale) + " stream " + std::to_string(stream);
  }
};

inline void require(bool true_of_library) {
  if (!true_of_library) throw std::runtime_error("the HDF5 library refused what the test wanted");
}

/// Some bytes that deflate well and some that do not, so that it is left out for some chunks.
inline std::vector<std::byte> row_values(std::uint64_t n_bytes, std::uint64_t stream, std::uint64_t row) {
  Random random(stream * 1000003 + row);
  const bool smooth = random.coin();
  std::vector<std::byte> values(n_bytes);
  for (std::byte& value : values) value = static_cast<std::byte>(smooth ? row & 7 : random.whole(0, 255));
  return values;
}

inline void write_rows(hid_t dataset, const RowFile& wanted) {
  const hid_t file_space = H5Dget_space(dataset);
  std::vector<hsize_t> start(wanted.shape.size(), 0), extent = wanted.shape;
  extent[0] = 1;
  const hid_t memory_space = H5Screate_simple(static_cast<int>(extent.size()), extent.data(), nullptr);
  std::uint64_t row_bytes = H5Tget_size(wanted.type);
  for (std::size_t axis = 1; axis < extent.size(); ++axis) row_bytes *= extent[axis];
  for (const std::uint64_t row : wanted.written) {
    start[0] = row;
    const auto values = row_values(row_bytes, wanted.stream, row);
    require(H5Sselect_hyperslab(file_space, H5S_SELECT_SET, start.data(), nullptr, extent.data(), nullptr) >= 0);
    require(H5Dwrite(dataset, wanted.type, memory_space, file_space, H5P_DEFAULT, values.data()) >= 0);
  }
  H5Sclose(memory_space);
  H5Sclose(file_space);
}

/// Writes the data set "/values".
inline void make_row_file(const std::filesystem::path& path, const RowFile& wanted) {
  const hid_t creation = H5Pcreate(H5P_FILE_CREATE), access = H5Pcreate(H5P_FILE_ACCESS);
  require(H5Pset_userblock(creation, wanted.user_block) >= 0);
  if (wanted.newest_format) require(H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST) >= 0);
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation, access);
  const hid_t space = H5Screate_simple(static_cast<int>(wanted.shape.size()), wanted.shape.data(),
                                       wanted.largest.empty() ? nullptr : wanted.largest.data());
  const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
  if (!wanted.chunk.empty()) {
    require(H5Pset_chunk(properties, static_cast<int>(wanted.chunk.size()), wanted.chunk.data()) >= 0);
  }
  if (wanted.plain_edges) require(H5Pset_chunk_opts(properties, H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS) >= 0);
  if (wanted.compact) require(H5Pset_layout(properties, H5D_COMPACT) >= 0);
  if (wanted.allocate_early) require(H5Pset_alloc_time(properties, H5D_ALLOC_TIME_EARLY) >= 0);
  if (wanted.fill != 0) require(H5Pset_fill_value(properties, H5T_STD_U8LE, &wanted.fill) >= 0);
  for (const H5Z_filter_t filter : wanted.filters) {
    if (filter == H5Z_FILTER_DEFLATE) require(H5Pset_deflate(properties, 4) >= 0);
    if (filter == H5Z_FILTER_SHUFFLE) require(H5Pset_shuffle(properties) >= 0);
    if (filter == H5Z_FILTER_FLETCHER32) require(H5Pset_fletcher32(properties) >= 0);
    if (filter == H5Z_FILTER_NBIT) require(H5Pset_nbit(properties) >= 0);
    const bool is_float = H5Tget_class(wanted.type) == H5T_FLOAT;
    if (filter == H5Z_FILTER_SCALEOFFSET) {
      require(H5Pset_scaleoffset(properties, is_float ? H5Z_SO_FLOAT_DSCALE : H5Z_SO_INT, wanted.scale) >= 0);
    }
  }
  const hid_t dataset = H5Dcreate2(file, "values", wanted.type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
  require(dataset >= 0);
  write_rows(dataset, wanted);
  H5Dclose(dataset);
  H5Pclose(properties);
  H5Sclose(space);
  require(H5Fclose(file) >= 0);
  H5Pclose(access);
  H5Pclose(creation);
}

}  // namespace xrai::testing
