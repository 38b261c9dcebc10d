// Strings of variable length lie in "global heap collections" of the file (HDF5 File Format Specification 3.0,
// III.E), where nothing is protected by a checksum; the library copies from them by sizes that it does not check, so
// that one wrong byte can crash it. Here it is only asked for the references, and the heap is read with checks.
#include "runtime/hdf5/strings.h"

#include <unistd.h>

#include <cstring>
#include <map>

namespace xrai::hdf5 {
namespace {

constexpr std::size_t kReferenceBytes = 16;  // length (4), address of the collection (8), index in it (4)
constexpr std::size_t kHeaderBytes = 16;     // of a collection, and of each object in it
constexpr const char* kDamaged = "its strings are damaged";

template <class T>
T little_endian(const unsigned char* bytes) {
  T value{};
  for (std::size_t i = 0; i < sizeof(T); ++i) value = static_cast<T>(value | static_cast<T>(T{bytes[i]} << (8 * i)));
  return value;
}

/// A conversion that keeps the bytes: strings of variable length as they lie in the file.
herr_t keep_bytes(hid_t, hid_t, H5T_cdata_t*, std::size_t, std::size_t, std::size_t, void*, void*, hid_t) {
  return 0;
}

void register_conversion(hid_t string, hid_t bytes, const Task& task) {
  static bool done = false;  // as global as the library's own table, under its lock
  if (done) return;
  check(H5Tregister(H5T_PERS_SOFT, "string references", string, bytes, keep_bytes), task);
  done = true;
}

/// The collections of one file that were read so far.
class Heap {
 public:
  Heap(const File::State& state, const Task& task) : task_(task) {
    void* descriptor = nullptr;
    check(H5Fget_vfd_handle(state.file.get(), H5P_DEFAULT, &descriptor), task);
    descriptor_ = *static_cast<int*>(descriptor);
    check(H5Fget_filesize(state.file.get(), &file_bytes_), task);
    const Handle creation = own(H5Fget_create_plist(state.file.get()), H5Pclose, task);
    check(H5Pget_userblock(creation.get(), &base_), task);
    std::size_t address_bytes = 0, size_bytes = 0;
    check(H5Pget_sizes(creation.get(), &address_bytes, &size_bytes), task);
    if (address_bytes != 8 || size_bytes != 8) fail(task, "it is an HDF5 file with addresses that are not of 64 bits");
  }

  std::string at(const unsigned char* reference) {
    const auto length = little_endian<std::uint32_t>(reference);
    const auto address = little_endian<std::uint64_t>(reference + 4);
    const auto index = little_endian<std::uint32_t>(reference + 12);
    if (length == 0 || address == 0) return "";
    const auto& objects = collection(address);
    const auto found = objects.find(index);
    if (found == objects.end() || found->second.size() < length) fail(task_, kDamaged, kCopyAgain);
    total_bytes_ += length;
    // Each string was written once; more of them than the file has bytes means that references are wrong.
    if (total_bytes_ > file_bytes_) fail(task_, kDamaged, kCopyAgain);
    return trimmed(found->second.data(), length, false);
  }

 private:
  using Objects = std::map<std::uint32_t, std::string_view>;

  void read(std::uint64_t address, std::uint64_t bytes, char* out) {
    if (address > file_bytes_ || bytes > file_bytes_ - address) fail(task_, kDamaged, kCopyAgain);
    const ssize_t n = pread(descriptor_, out, bytes, static_cast<off_t>(address));
    if (n < 0 || static_cast<std::uint64_t>(n) != bytes) fail(task_, kDamaged, kCopyAgain);
  }

  const Objects& collection(std::uint64_t address) {
    const auto known = collections_.find(address);
    if (known != collections_.end()) return known->second.objects;
    if (address > file_bytes_) fail(task_, kDamaged, kCopyAgain);
    char header[kHeaderBytes];
    read(base_ + address, sizeof header, header);
    const auto bytes = little_endian<std::uint64_t>(reinterpret_cast<unsigned char*>(header) + 8);
    if (std::memcmp(header, "GCOL\1", 5) != 0 || bytes > file_bytes_) fail(task_, kDamaged, kCopyAgain);
    Collection& made = collections_[address];
    made.bytes.resize(bytes);
    read(base_ + address, bytes, made.bytes.data());
    // An object: index (2), references to it (2), nothing (4), bytes (8), then its bytes, padded to 8. Index 0 is
    // the free space at the end.
    for (std::uint64_t at = kHeaderBytes; bytes - at >= kHeaderBytes;) {
      const auto* const object = reinterpret_cast<const unsigned char*>(made.bytes.data() + at);
      const auto index = little_endian<std::uint16_t>(object);
      const auto object_bytes = little_endian<std::uint64_t>(object + 8);
      at += kHeaderBytes;
      if (index == 0) break;
      if (object_bytes > bytes - at) fail(task_, kDamaged, kCopyAgain);
      made.objects.emplace(index, std::string_view(made.bytes.data() + at, object_bytes));
      at = std::min(at + (object_bytes + 7) / 8 * 8, bytes);
    }
    return made.objects;
  }

  struct Collection {
    std::vector<char> bytes;
    Objects objects;
  };
  const Task& task_;
  int descriptor_ = -1;
  hsize_t file_bytes_ = 0, base_ = 0;
  std::uint64_t total_bytes_ = 0;
  std::map<std::uint64_t, Collection> collections_;
};

std::vector<std::string> read_variable(const File::State& state, hid_t stored, std::uint64_t n, const Task& task,
                                       const ReadAll& read) {
  const Handle bytes = own(H5Tcreate(H5T_OPAQUE, kReferenceBytes), H5Tclose, task);
  register_conversion(stored, bytes.get(), task);
  if (!state.opened_as) check(H5Fflush(state.file.get(), H5F_SCOPE_LOCAL), task);  // being written: heap is in memory
  Heap heap(state, task);
  std::vector<unsigned char> references(n * kReferenceBytes);
  check(read(bytes.get(), references.data()), task);
  std::vector<std::string> strings;
  strings.reserve(n);
  for (std::uint64_t i = 0; i < n; ++i) strings.push_back(heap.at(&references[i * kReferenceBytes]));
  return strings;
}

}  // namespace

std::vector<std::string> read_all_strings(const File::State& state, hid_t stored, std::uint64_t n, const Task& task,
                                          const ReadAll& read) {
  if (n == 0) return {};
  if (check(H5Tis_variable_str(stored), task) > 0) return read_variable(state, stored, n, task, read);
  const std::size_t length = H5Tget_size(stored);
  const bool space_padded = H5Tget_strpad(stored) == H5T_STR_SPACEPAD;
  std::vector<char> characters(n * length);
  check(read(stored, characters.data()), task);
  std::vector<std::string> strings;
  strings.reserve(n);
  for (std::uint64_t i = 0; i < n; ++i) strings.push_back(trimmed(&characters[i * length], length, space_padded));
  return strings;
}

}  // namespace xrai::hdf5
