// Small files in the layouts that people have, written with the library itself, as h5py and others write them.
#pragma once

#include <hdf5.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "loaders/reader.h"
#include "tests/support/errors.h"
#include "tests/support/picture_files.h"

namespace xrai::testing {

inline constexpr std::int64_t kPictures = 6, kHeight = 10, kWidth = 8, kPixels = kHeight * kWidth;

/// Grey level of a pixel. 0 and 255 occur in the first picture, so that ranges show.
inline int grey(std::int64_t picture, std::int64_t pixel) {
  return pixel < 2 ? static_cast<int>(pixel) * 255 : static_cast<int>((picture * 41 + pixel * 5) % 256);
}

/// Writes HDF5 files from numbers in double; the library converts them to the type in the file.
class LayoutFile {
 public:
  using Shape = std::vector<hsize_t>;

  explicit LayoutFile(const std::filesystem::path& path)
      : id_(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT)) {
    if (id_ < 0) throw std::runtime_error("no test file");
  }
  LayoutFile(const LayoutFile&) = delete;
  LayoutFile& operator=(const LayoutFile&) = delete;
  ~LayoutFile() { H5Fclose(id_); }

  [[nodiscard]] hid_t id() const { return id_; }

  void numbers(const std::string& name, const Shape& shape, const std::vector<double>& values,
               hid_t type = H5T_STD_U8LE, int deflate = 0, const Shape& chunk = {}) const {
    write(name, shape, values.data(), H5T_NATIVE_DOUBLE, type, deflate, chunk);
  }
  void labels(const std::string& name, hid_t type = H5T_STD_I64LE, const Shape& shape = {kPictures}) const {
    std::vector<double> values;
    for (std::int64_t i = 0; i < kPictures; ++i) values.push_back(static_cast<double>(i % 2));
    numbers(name, shape, values, type);
  }
  /// Strings of fixed length, as NumPy's S9.
  void words(const std::string& name, const std::vector<std::string>& words) const {
    constexpr std::size_t kLength = 9;
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, kLength);
    std::string bytes;
    for (const std::string& word : words) bytes += word + std::string(kLength - word.size(), '\0');
    write(name, {words.size()}, bytes.data(), type, type, 0, {});
    H5Tclose(type);
  }
  /// Bytes of their own length a row, as h5py's vlen_dtype('uint8').
  void byte_rows(const std::string& name, const std::vector<Bytes>& rows) const {
    const hid_t type = H5Tvlen_create(H5T_STD_U8LE);
    std::vector<hvl_t> values;
    for (const Bytes& row : rows) values.push_back({row.size(), const_cast<unsigned char*>(row.data())});
    write(name, {rows.size()}, values.data(), type, type, 0, {});
    H5Tclose(type);
  }
  /// What MATLAB says of each array that it saves.
  void matlab_class(const std::string& object, const std::string& name) const {
    const hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    H5Tset_size(type, name.size());
    const hid_t attribute =
        H5Acreate_by_name(id_, object.c_str(), "MATLAB_class", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(attribute, type, name.data());
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
  }
  /// One string of any length, as h5py writes Python's.
  void text(const std::string& name, const char* words) const {
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    write(name, {}, &words, type, type, 0, {});
    H5Tclose(type);
  }
  /// A scalar of opaque bytes, as h5py writes numpy.void.
  void bytes(const std::string& name, const Bytes& content) const {
    const hid_t type = H5Tcreate(H5T_OPAQUE, content.size());
    write(name, {}, content.data(), type, type, 0, {});
    H5Tclose(type);
  }

 private:
  void write(const std::string& name, const Shape& shape, const void* values, hid_t memory, hid_t type, int deflate,
             const Shape& chunk) const {
    const hid_t links = H5Pcreate(H5P_LINK_CREATE), creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    if (!chunk.empty()) H5Pset_chunk(creation, static_cast<int>(chunk.size()), chunk.data());
    if (deflate > 0) H5Pset_deflate(creation, static_cast<unsigned>(deflate));
    const hid_t space =
        shape.empty() ? H5Screate(H5S_SCALAR) : H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr);
    const hid_t dataset = H5Dcreate2(id_, name.c_str(), type, space, links, creation, H5P_DEFAULT);
    const herr_t status = H5Dwrite(dataset, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    H5Dclose(dataset);
    H5Sclose(space);
    H5Pclose(links);
    H5Pclose(creation);
    if (status < 0) throw std::runtime_error("the library did not write " + name);
  }

  hid_t id_;
};

/// Grey levels g as low + g (high - low) / 255, in any order of axes ("NHW", "NHWC", "NCHW").
inline std::vector<double> pictures(double low = 0, double high = 255, const std::string& axes = "NHW",
                                    std::int64_t channels = 1) {
  std::vector<double> values;
  for (std::int64_t n = 0; n < kPictures; ++n) {
    for (std::int64_t i = 0; i < kPixels * channels; ++i) {
      const std::int64_t pixel = axes == "NCHW" ? i % kPixels : i / channels;
      values.push_back(low + grey(n, pixel) * (high - low) / 255);
    }
  }
  return values;
}

inline const LayoutFile::Shape kNHW{kPictures, kHeight, kWidth};
inline const LayoutFile::Shape kNHWC{kPictures, kHeight, kWidth, 3};
inline const LayoutFile::Shape kNCHW{kPictures, 3, kHeight, kWidth};

/// binary16, as NumPy's float16 is stored. To be closed.
inline hid_t half_type() {
  const hid_t type = H5Tcopy(H5T_IEEE_F32LE);
  H5Tset_fields(type, 15, 10, 5, 0, 10);
  H5Tset_size(type, 2);
  H5Tset_ebias(type, 15);
  return type;
}

/// A layout by its name, and what describe() must say of its first split.
struct KnownLayout {
  std::string name, described;
  std::function<std::filesystem::path(const std::filesystem::path& folder)> write;  // gives back the file to open
};

inline std::vector<KnownLayout> known_layouts();

/// Why a file is not opened as a data set.
inline std::string refusal(const std::filesystem::path& path, const LayoutOptions& options = {}) {
  return refused(ExitCode::kBadData, [&] { (void)open_dataset(path, options); });
}

}  // namespace xrai::testing

#include "tests/loaders/known_layouts.h"
