// The only door to the HDF5 library: move-only owners of files and data sets, whole-file errors as sentences.
// Every call takes one lock for all files of the process: the library as distributions build it is not thread-safe,
// and a loader thread may be reading while the trainer writes a checkpoint. What the data mean is not known here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "runtime/hdf5/storage.h"

namespace xrai::hdf5 {

enum class Type {
  kInt8,
  kUint8,
  kInt16,
  kUint16,
  kInt32,
  kUint32,
  kInt64,
  kUint64,
  kFloat16,  // read as stored only; the library converts it to the other types
  kFloat32,
  kFloat64,
  kString,
  kBytes,   // as many as each value likes: h5py's vlen_dtype('uint8')
  kOpaque,  // as many for each, of no type: h5py's void
  kOther
};

/// "uint8", as NumPy and h5py call it.
std::string_view type_name(Type type);
/// Of numbers; 0 for other types.
std::size_t element_bytes(Type type);

template <class T>
constexpr Type type_of() {
  if constexpr (std::is_same_v<T, float>) return Type::kFloat32;
  if constexpr (std::is_same_v<T, double>) return Type::kFloat64;
  constexpr bool kSigned = std::is_signed_v<T>;
  switch (sizeof(T)) {
    case 1:
      return kSigned ? Type::kInt8 : Type::kUint8;
    case 2:
      return kSigned ? Type::kInt16 : Type::kUint16;
    case 4:
      return kSigned ? Type::kInt32 : Type::kUint32;
    default:
      return kSigned ? Type::kInt64 : Type::kUint64;
  }
}

struct DatasetInfo {
  std::vector<std::uint64_t> shape;  // outermost first
  Type type = Type::kOther;
  std::uint64_t element_bytes = 0;
  bool big_endian = false;
  bool any_length = false;                 // strings that are as long as each likes
  std::vector<std::uint64_t> chunk_shape;  // empty when contiguous
  std::vector<std::string> filters;        // e.g. "deflate(4)", "shuffle"
  std::uint64_t stored_bytes = 0;
  bool values_elsewhere = false;  // in other files (virtual or external data set); stored_bytes says nothing then

  [[nodiscard]] std::uint64_t row_bytes() const;  // of one index of the outermost axis
};

struct CreateOptions {
  std::vector<std::uint64_t> chunk_shape;  // empty: contiguous
  int deflate_level = 0;                   // 0: none; needs a chunk_shape
  bool growable = false;                   // the first axis can be extended by append_rows (needs a chunk_shape)
};

using Attribute = std::variant<std::int64_t, double, std::string, std::vector<std::string>, std::vector<double>>;

/// Other files that a file may lead to, by external links, external values or virtual data sets.
enum class Links { kInFolder, kAnywhere };

/// An open HDF5 file. Paths are absolute inside the file ("/train/images"); missing groups are made on writing.
/// Every method throws Error (kBadData on reading, kStorage on writing) with the file's name and the path in it.
class File {
 public:
  /// Opens for reading; does not insist on a file lock (network mounts refuse them). What leads to files that `links`
  /// does not allow is refused when it is looked at.
  static File open(const std::filesystem::path& path, Links links = Links::kInFolder);
  /// Makes a new file for writing; refuses to overwrite.
  static File create(const std::filesystem::path& path);

  File(File&&) noexcept;
  File& operator=(File&&) noexcept;
  ~File();

  [[nodiscard]] const std::filesystem::path& path() const;
  [[nodiscard]] bool has(std::string_view object) const;
  /// Names directly under a group, in name order.
  [[nodiscard]] std::vector<std::string> names_in(std::string_view group) const;
  [[nodiscard]] bool is_dataset(std::string_view object) const;
  /// What is neither is a named type.
  [[nodiscard]] bool is_group(std::string_view object) const;
  [[nodiscard]] DatasetInfo info(std::string_view dataset) const;

  /// Whole data set, converted to T by the library (values outside T's range are clamped to it). A shape that the
  /// stored bytes cannot hold is refused before anything is allocated.
  template <class T>
  [[nodiscard]] std::vector<T> read(std::string_view dataset) const;
  /// Strings of fixed and variable length alike.
  [[nodiscard]] std::vector<std::string> read_strings(std::string_view dataset) const;
  /// All bytes of a data set that holds a file: opaque, a string of fixed length, or integers of 8 bits.
  [[nodiscard]] std::vector<std::uint8_t> read_bytes(std::string_view dataset) const;
  /// One value of a data set (N) of kBytes, as large as that value is.
  [[nodiscard]] std::vector<std::uint8_t> read_bytes_of_row(std::string_view dataset, std::uint64_t row) const;
  /// Rows [first, first + count) of the outermost axis into `out` (count * product of the other axes elements).
  template <class T>
  void read_rows(std::string_view dataset, std::uint64_t first, std::uint64_t count, T* out) const;
  /// The same without converting anything: the type and the byte order of the file. Not for values that are references
  /// (strings of variable length).
  void read_stored_rows(std::string_view dataset, std::uint64_t first, std::uint64_t count, std::byte* out) const;
  /// The same of one index of each of the two outermost axes.
  void read_stored_row(std::string_view dataset, std::uint64_t first, std::uint64_t second, std::byte* out) const;

  /// Where the data set's bytes lie, for readers that go around the library and its lock.
  [[nodiscard]] Storage storage(std::string_view dataset) const;
  /// Reads bytes of the file itself, without the library; needs no lock.
  void read_bytes(std::string_view dataset, const Storage& storage, std::uint64_t offset, std::size_t n_bytes,
                  std::byte* out) const;
  /// Whether the system has a byte of the file in memory; true where it does not tell. Needs no lock.
  [[nodiscard]] static bool is_in_memory(const Storage& storage, std::uint64_t offset);
  /// Asks the system to fetch bytes that will be read soon, and waits for nothing.
  static void fetch(const Storage& storage, std::uint64_t offset, std::uint64_t n_bytes);
  /// Throws when the file was truncated, written to or replaced since it was opened for reading. To be asked after
  /// read_bytes.
  void require_unchanged(std::string_view dataset) const;

  template <class T>
  void write(std::string_view dataset, const std::vector<std::uint64_t>& shape, const T* values,
             const CreateOptions& = {});
  void write_strings(std::string_view dataset, const std::vector<std::string>& values);
  /// Makes an empty data set to be filled by write_rows.
  template <class T>
  void create_dataset(std::string_view dataset, const std::vector<std::uint64_t>& shape, const CreateOptions& = {});
  template <class T>
  void write_rows(std::string_view dataset, std::uint64_t first, std::uint64_t count, const T* values);
  /// Extends the first axis of a growable data set by `count` rows and fills them.
  template <class T>
  void append_rows(std::string_view dataset, std::uint64_t count, const T* values);
  /// The same of rows that lie apart in memory. What fills exactly one uncompressed chunk goes to the file from where
  /// it lies, around the library.
  template <class T>
  void append_rows(std::string_view dataset, std::span<const T* const> rows);

  /// Whether the name is a soft or an external link.
  [[nodiscard]] bool is_link(std::string_view object) const;
  /// What it is known by in the file, whatever it is called: objects with two names have one. Not for symbolic links.
  [[nodiscard]] std::uint64_t address(std::string_view object) const;
  /// Gives an object of this file another name.
  void link(std::string_view existing, std::string_view name);
  /// The object of the same name in `source` with its attributes, of a group all that is in it; a symbolic link as a
  /// link. Values stand one after the other then; references, which mean nothing in another file, are left out with a
  /// warning.
  void copy(const File& source, std::string_view object);
  /// Throws when its shape is more than the bytes that are stored can hold.
  void require_plausible(std::string_view dataset) const;
  /// The group ("/" too) with its attributes, without what is in it.
  void create_group_like(const File& source, std::string_view group);
  /// An empty data set of the same shape, stored type and attributes.
  void create_dataset_like(const File& source, std::string_view dataset, const CreateOptions& options);
  /// Rows as read_stored_rows gives them.
  void write_stored_rows(std::string_view dataset, std::uint64_t first, std::uint64_t count, const std::byte* rows);

  /// Attribute of the object at `object` ("/" for the file); replaces one of the same name.
  void set_attribute(std::string_view object, const std::string& name, const Attribute& value);
  /// Nothing where there is none, and where it holds neither numbers nor strings.
  [[nodiscard]] std::optional<Attribute> attribute(std::string_view object, const std::string& name) const;

  /// Flushes, closes and reports what the disk said; the destructor only logs. The object is empty afterwards.
  void close();

  struct State;  // of the files of this folder

 private:
  explicit File(std::unique_ptr<State> state);
  [[nodiscard]] State& state() const;  // throws when closed
  std::unique_ptr<State> state_;
};

/// "1.10.8", of the library that is linked.
std::string library_version();

}  // namespace xrai::hdf5
