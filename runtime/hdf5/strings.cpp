// Values of variable length lie in "global heap collections" of the file (HDF5 File Format Specification 3.0,
// III.E), where nothing is protected by a checksum; the library copies from them by sizes that it does not check, so
// that one wrong byte can crash it. Here it is only asked for the references, and the heap is read with checks.
#include "runtime/hdf5/strings.h"

#include <map>

#include "runtime/hdf5/file_bytes.h"

namespace xrai::hdf5 {
namespace {

constexpr std::size_t kReferenceBytes = 16;  // length (4), address of the collection (8), index in it (4)
constexpr std::size_t kHeaderBytes = 16;     // of a collection, and of each object in it

/// A conversion that keeps the bytes: references to values of variable length as they lie in the file.
herr_t keep_bytes(hid_t, hid_t, H5T_cdata_t*, std::size_t, std::size_t, std::size_t, void*, void*, hid_t) {
  return 0;
}

// The library looks for it by class, and counts strings of variable length among the sequences.
void register_conversion(hid_t bytes, const Task& task) {
  static bool done = false;  // as global as the library's own table, under its lock
  if (done) return;
  const Handle sequence = own(H5Tvlen_create(H5T_STD_U8LE), H5Tclose, task);
  check(H5Tregister(H5T_PERS_SOFT, "references", sequence.get(), bytes, keep_bytes), task);
  done = true;
}

/// The collections of one file that were read so far. Throws Damaged.
class Heap {
 public:
  explicit Heap(const FileBytes& file) : file_(file) {}

  std::span<const unsigned char> at(Fields reference) {
    const std::uint64_t length = reference.number(4), address = reference.address(), index = reference.number(4);
    if (length == 0 || address == 0) return {};
    const auto& objects = collection(address);
    const auto found = objects.find(index);
    if (found == objects.end() || found->second.size() < length) throw Damaged{};
    total_bytes_ += length;
    // Each value was written once; more of them than the file has bytes means that references are wrong.
    if (total_bytes_ > file_.size()) throw Damaged{};
    return found->second.first(length);
  }

 private:
  using Objects = std::map<std::uint64_t, std::span<const unsigned char>>;
  struct Collection {
    std::vector<unsigned char> bytes;
    Objects objects;
  };

  const Objects& collection(std::uint64_t address) {
    const auto known = collections_.find(address);
    if (known != collections_.end()) return known->second.objects;
    const auto start = file_.read(address, kHeaderBytes);
    Fields header(start);
    header.expect("GCOL\1");
    header.take(3);
    const std::uint64_t n_bytes = header.number(8);
    if (n_bytes < kHeaderBytes) throw Damaged{};
    Collection& made = collections_[address];
    made.bytes = file_.read(address, n_bytes);
    // An object: index (2), references to it (2), nothing (4), bytes (8), then its bytes, padded to 8. Index 0 is
    // the free space at the end.
    Fields rest(std::span<const unsigned char>(made.bytes).subspan(kHeaderBytes));
    while (rest.left() >= kHeaderBytes) {
      const std::uint64_t index = rest.number(2);
      rest.take(6);
      const std::uint64_t object_bytes = rest.number(8);
      if (index == 0) break;
      made.objects.emplace(index, rest.take(object_bytes));
      rest.take(std::min<std::uint64_t>((8 - object_bytes % 8) % 8, rest.left()));
    }
    return made.objects;
  }

  const FileBytes& file_;
  std::uint64_t total_bytes_ = 0;
  std::map<std::uint64_t, Collection> collections_;
};

/// Calls `take` with the bytes of each of n values.
void read_variable(const File::State& state, std::uint64_t n, const Task& task, const ReadAll& read,
                   const std::function<void(std::span<const unsigned char>)>& take) {
  const Handle bytes = own(H5Tcreate(H5T_OPAQUE, kReferenceBytes), H5Tclose, task);
  register_conversion(bytes.get(), task);
  if (!state.opened_as) check(H5Fflush(state.file.get(), H5F_SCOPE_LOCAL), task);  // being written: heap is in memory
  std::vector<unsigned char> references(n * kReferenceBytes);
  read(bytes.get(), references.data());
  try {
    const FileBytes file(state.file.get(), task);
    Heap heap(file);
    Fields all(references);
    for (std::uint64_t i = 0; i < n; ++i) take(heap.at(Fields(all.take(kReferenceBytes))));
  } catch (const Damaged&) {
    fail(task, "its values of variable length are damaged", kCopyAgain);
  } catch (const NotUnderstood& kind) {
    fail(task, "its values cannot be found, because " + kind.reason);
  }
}

}  // namespace

std::vector<std::string> read_all_strings(const File::State& state, hid_t stored, std::uint64_t n, const Task& task,
                                          const ReadAll& read) {
  if (n == 0) return {};
  std::vector<std::string> strings;
  strings.reserve(n);
  if (check(H5Tis_variable_str(stored), task) > 0) {
    read_variable(state, n, task, read, [&](std::span<const unsigned char> bytes) {
      strings.push_back(trimmed(reinterpret_cast<const char*>(bytes.data()), bytes.size(), false));
    });
    return strings;
  }
  const std::size_t length = H5Tget_size(stored);
  const bool space_padded = H5Tget_strpad(stored) == H5T_STR_SPACEPAD;
  std::vector<char> characters(n * length);
  read(stored, characters.data());
  for (std::uint64_t i = 0; i < n; ++i) strings.push_back(trimmed(&characters[i * length], length, space_padded));
  return strings;
}

std::vector<std::uint8_t> read_variable_bytes(const File::State& state, const Task& task, const ReadAll& read) {
  std::vector<std::uint8_t> value;
  read_variable(state, 1, task, read,
                [&](std::span<const unsigned char> bytes) { value.assign(bytes.begin(), bytes.end()); });
  return value;
}

}  // namespace xrai::hdf5
