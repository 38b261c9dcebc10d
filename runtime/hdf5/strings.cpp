// Values of variable length lie in "global heap collections" of the file (HDF5 File Format Specification 3.0,
// III.E), where nothing is protected by a checksum; the library copies from them by sizes that it does not check, so
// that one wrong byte can crash it. Here it is only asked for the references, and the heap is read with checks.
#include "runtime/hdf5/strings.h"

#include "runtime/hdf5/global_heap.h"

namespace xrai::hdf5 {
namespace {

constexpr std::size_t kReferenceBytes = 16;  // length (4), address of the collection (8), index in it (4)

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

/// Where a value lies; `length` counts what the value is made of.
struct Reference {
  std::uint64_t length, address, index;
};

/// `unit`: bytes of what the value is made of.
std::span<const unsigned char> value_at(GlobalHeap& heap, const Reference& reference, std::size_t unit = 1) {
  const auto [length, address, index] = reference;
  if (length == 0 || address == 0) return {};
  const auto object = heap.object(address, index);
  require(length <= object.size() / unit);
  heap.count_once_written(length * unit);
  return object.first(length * unit);
}

/// Calls `take` with the heap and each of n references of `object`. They count in the file that it is in, to which a
/// link may have led.
void read_variable(hid_t object, std::uint64_t n, const Task& task, const ReadAll& read,
                   const std::function<void(GlobalHeap&, const Reference&)>& take) {
  const Handle bytes = own(H5Tcreate(H5T_OPAQUE, kReferenceBytes), H5Tclose, task);
  register_conversion(bytes.get(), task);
  const Handle home = own(H5Iget_file_id(object), H5Fclose, task);
  unsigned intent = 0;
  check(H5Fget_intent(home.get(), &intent), task);
  if (intent != H5F_ACC_RDONLY) check(H5Fflush(home.get(), H5F_SCOPE_LOCAL), task);  // the heap is in memory
  std::vector<unsigned char> references(n * kReferenceBytes);
  read(bytes.get(), references.data());
  try {
    const FileBytes file(home.get(), task);
    GlobalHeap heap(file);
    Fields all(references);
    for (std::uint64_t i = 0; i < n; ++i) {
      const std::uint64_t length = all.number(4), address = all.address();
      take(heap, {length, address, all.number(4)});
    }
  } catch (const Damaged&) {
    fail(task, "its values of variable length are damaged", kCopyAgain);
  } catch (const NotUnderstood& kind) {
    fail(task, "its values cannot be found, because " + kind.reason);
  }
}

}  // namespace

std::vector<std::string> read_all_strings(hid_t object, hid_t stored, std::uint64_t n, const Task& task,
                                          const ReadAll& read) {
  if (n == 0) return {};
  std::vector<std::string> strings;
  strings.reserve(n);
  if (check(H5Tis_variable_str(stored), task) > 0) {
    read_variable(object, n, task, read, [&](GlobalHeap& heap, const Reference& reference) {
      const auto bytes = value_at(heap, reference);
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

std::vector<std::vector<std::uint8_t>> read_sequences(hid_t object, std::size_t unit, std::uint64_t n, const Task& task,
                                                      const ReadAll& read) {
  std::vector<std::vector<std::uint8_t>> values;
  read_variable(object, n, task, read, [&](GlobalHeap& heap, const Reference& reference) {
    const auto bytes = value_at(heap, reference, unit);
    values.emplace_back(bytes.begin(), bytes.end());
  });
  return values;
}

}  // namespace xrai::hdf5
