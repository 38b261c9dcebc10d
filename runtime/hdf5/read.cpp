// Values out of a file: whole data sets, rows, strings.
#include <algorithm>
#include <new>

#include "runtime/hdf5/chunk_check.h"
#include "runtime/hdf5/state.h"
#include "runtime/hdf5/strings.h"
#include "runtime/hdf5/virtual_sources.h"

namespace xrai::hdf5 {

namespace {

/// Rows of the outermost axis that a selection (or H5S_ALL) touches.
struct Rows {
  std::uint64_t first, count;
};

Rows rows_of(const OpenDataset& dataset, hid_t selection, const Task& task) {
  if (dataset.shape.empty()) return {0, 1};
  if (selection == H5S_ALL) return {0, dataset.shape[0]};
  if (check(H5Sget_select_npoints(selection), task) == 0) return {0, 0};
  std::vector<hsize_t> first(dataset.shape.size()), last(dataset.shape.size());
  check(H5Sget_select_bounds(selection, first.data(), last.data()), task);
  return {first[0], last[0] - first[0] + 1};
}

/// The library converts a megabyte at a time, and takes and clears that much for six labels, too. Here it takes as much
/// as there is to convert, and a page at least: sources of a virtual data set may have wider values.
Handle conversion(const OpenDataset& dataset, hid_t type, hid_t selection, const Task& task) {
  constexpr std::uint64_t kMostBytes = 1 << 20, kLeastBytes = 4096;
  const std::uint64_t element_bytes = std::max(H5Tget_size(type), H5Tget_size(dataset.type.get()));
  hssize_t n = 0;
  if (selection == H5S_ALL) {
    const Handle space = own(H5Dget_space(dataset.id.get()), H5Sclose, task);
    n = check(H5Sget_simple_extent_npoints(space.get()), task);
  } else {
    n = check(H5Sget_select_npoints(selection), task);
  }
  const std::uint64_t most = kMostBytes / std::max<std::uint64_t>(element_bytes, 1);
  const std::uint64_t at_once = std::max<std::uint64_t>(1, std::min(most, static_cast<std::uint64_t>(n)));
  Handle transfer = own(H5Pcreate(H5P_DATASET_XFER), H5Pclose, task);
  check(H5Pset_buffer(transfer.get(), std::max(at_once * element_bytes, kLeastBytes), nullptr, nullptr), task);
  return transfer;
}

}  // namespace

void File::State::read_values(OpenDataset& dataset, hid_t type, hid_t memory_space, hid_t file_space, void* out,
                              const Task& task) const {
  if (opened_as && (!dataset.chunk.empty() || dataset.sources)) {
    const Rows rows = rows_of(dataset, file_space, task);
    require_sound_chunks(dataset, rows.first, rows.count, task);
    if (dataset.sources) dataset.sources->require_sound(rows.first, rows.count, task);
  }
  const Handle transfer = type == dataset.type.get() ? Handle() : conversion(dataset, type, file_space, task);
  const hid_t how = transfer.get() < 0 ? H5P_DEFAULT : transfer.get();
  const herr_t status = H5Dread(dataset.id.get(), type, memory_space, file_space, how, out);
  check_unchanged(task);
  for (const WatchedFile& other : dataset.others) require_as_opened(other, task);
  if (dataset.sources) dataset.sources->require_unchanged(task);
  if (status < 0 && !dataset.missing_filter.empty()) fail_without_filter(dataset, task);
  check(status, task);
}

void File::State::read(OpenDataset& dataset, hid_t memory_space, hid_t file_space, std::uint64_t n, Type type,
                       void* out, const Task& task) const {
  if (n == 0) return;
  const H5T_class_t kind = H5Tget_class(dataset.type.get());
  if (kind == H5T_BITFIELD && classify(dataset.type.get()) == Type::kUint8) {  // PyTables' bool; nothing is converted
    std::vector<std::uint8_t> values(n * std::max<std::size_t>(1, H5Tget_size(memory_type(type))));
    read_values(dataset, dataset.type.get(), memory_space, file_space, values.data(), task);
    check(H5Tconvert(H5T_NATIVE_UINT8, memory_type(type), n, values.data(), nullptr, H5P_DEFAULT), task);
    std::copy_n(values.data(), n * H5Tget_size(memory_type(type)), static_cast<std::uint8_t*>(out));
    return;
  }
  if (kind != H5T_INTEGER && kind != H5T_FLOAT && kind != H5T_ENUM) fail(task, "its values are not numbers");
  if (kind != H5T_ENUM) return read_values(dataset, memory_type(type), memory_space, file_space, out, task);
  // The library converts integers, not enumerations: read them as they are and convert what they are made of.
  const Handle enumeration = own(H5Tget_native_type(dataset.type.get(), H5T_DIR_ASCEND), H5Tclose, task);
  const Handle integers = own(H5Tget_super(enumeration.get()), H5Tclose, task);
  const std::size_t out_bytes = H5Tget_size(memory_type(type));
  std::vector<std::uint8_t> values(n * std::max(H5Tget_size(enumeration.get()), out_bytes));
  read_values(dataset, enumeration.get(), memory_space, file_space, values.data(), task);
  check(H5Tconvert(integers.get(), memory_type(type), n, values.data(), nullptr, H5P_DEFAULT), task);
  std::copy_n(values.data(), n * out_bytes, static_cast<std::uint8_t*>(out));
}

template <class T>
std::vector<T> File::read(std::string_view name) const {
  const LibraryLock lock;
  const Task task = state().reading(name);
  OpenDataset& dataset = state().dataset(name, task);
  const std::uint64_t n = state().elements_that_fit(dataset, task);
  try {
    std::vector<T> values(n);
    state().read(dataset, H5S_ALL, H5S_ALL, n, type_of<T>(), values.data(), task);
    return values;
  } catch (const std::bad_alloc&) {
    throw Error(ExitCode::kOutOfMemory, fmt::format("reading {} of {} needs {} MiB of memory, more than there is free; "
                                                    "close other programs or use a smaller file",
                                                    name, state().path.string(), (n * sizeof(T)) >> 20));
  }
}

template <class T>
void File::read_rows(std::string_view name, std::uint64_t first, std::uint64_t count, T* out) const {
  const LibraryLock lock;
  const Task task = state().reading(name);
  OpenDataset& dataset = state().dataset(name, task);
  const Handle file_space = state().select_rows(dataset, first, count, task);
  const std::uint64_t n = count * dataset.row_elements();
  if (n == 0) return;
  const Handle memory_space = rows_in_memory(dataset, count, task);
  state().read(dataset, memory_space.get(), file_space.get(), n, type_of<T>(), out, task);
}

void File::read_stored_rows(std::string_view name, std::uint64_t first, std::uint64_t count, std::byte* out) const {
  const LibraryLock lock;
  const Task task = state().reading(name);
  OpenDataset& dataset = state().dataset(name, task);
  const hid_t type = dataset.type.get();
  if (holds_references(type)) fail(task, "its values are references to where the values are");
  const Handle file_space = state().select_rows(dataset, first, count, task);
  if (count * dataset.row_elements() == 0) return;
  const Handle memory_space = rows_in_memory(dataset, count, task);
  state().read_values(dataset, type, memory_space.get(), file_space.get(), out, task);
}

void File::read_stored_row(std::string_view name, std::uint64_t first, std::uint64_t second, std::byte* out) const {
  const LibraryLock lock;
  const Task task = state().reading(name);
  OpenDataset& dataset = state().dataset(name, task);
  const hid_t type = dataset.type.get();
  if (holds_references(type)) fail(task, "its values are references to where the values are");
  const Handle file_space = state().select_rows(dataset, first, 1, task);
  std::vector<hsize_t> start(dataset.shape.size(), 0), extent = dataset.shape;
  if (extent.size() < 2 || second >= extent[1]) fail(task, fmt::format("it has no row {} in {}", second, first));
  start[0] = first, start[1] = second;
  extent[0] = extent[1] = 1;
  check(H5Sselect_hyperslab(file_space.get(), H5S_SELECT_SET, start.data(), nullptr, extent.data(), nullptr), task);
  const Handle memory_space =
      own(H5Screate_simple(static_cast<int>(extent.size()), extent.data(), nullptr), H5Sclose, task);
  state().read_values(dataset, type, memory_space.get(), file_space.get(), out, task);
}

// There may be hundreds of thousands of these, so none is kept open.
std::vector<std::uint8_t> File::read_bytes(std::string_view name) const {
  const LibraryLock lock;
  const Task task = state().reading(name);
  OpenDataset dataset = state().open_dataset(name, task);
  const hid_t type = dataset.type.get();
  const H5T_class_t kind = H5Tget_class(type);
  const bool is_fixed_string = kind == H5T_STRING && H5Tis_variable_str(type) == 0;
  if (kind != H5T_OPAQUE && !is_fixed_string && !(kind == H5T_INTEGER && H5Tget_size(type) == 1)) {
    fail(task, "its values are not the bytes of a file");
  }
  std::vector<std::uint8_t> bytes(state().elements_that_fit(dataset, task) * H5Tget_size(type));
  if (bytes.empty()) return bytes;
  state().read_values(dataset, type, H5S_ALL, H5S_ALL, bytes.data(), task);
  return bytes;
}

std::vector<std::uint8_t> File::read_bytes_of_row(std::string_view name, std::uint64_t row) const {
  const LibraryLock lock;
  const Task task = state().reading(name);
  OpenDataset& dataset = state().dataset(name, task);
  if (classify(dataset.type.get()) != Type::kBytes || dataset.shape.size() != 1) {
    fail(task, "its values are not the bytes of a file each");
  }
  const Handle file_space = state().select_rows(dataset, row, 1, task), memory_space = rows_in_memory(dataset, 1, task);
  const auto sequences = read_sequences(dataset.id.get(), 1, 1, task, [&](hid_t type, void* out) {
    state().read_values(dataset, type, memory_space.get(), file_space.get(), out, task);
  });
  return sequences.front();
}

std::vector<std::string> File::read_strings(std::string_view name) const {
  const LibraryLock lock;
  const Task task = state().reading(name);
  OpenDataset& dataset = state().dataset(name, task);
  if (classify(dataset.type.get()) != Type::kString) fail(task, "its values are not strings");
  const std::uint64_t n = state().elements_that_fit(dataset, task);
  return read_all_strings(dataset.id.get(), dataset.type.get(), n, task, [&](hid_t type, void* out) {
    state().read_values(dataset, type, H5S_ALL, H5S_ALL, out, task);
  });
}

#define XRAI_HDF5_READ(T)                                        \
  template std::vector<T> File::read<T>(std::string_view) const; \
  template void File::read_rows<T>(std::string_view, std::uint64_t, std::uint64_t, T*) const;
XRAI_HDF5_READ(std::int8_t)
XRAI_HDF5_READ(std::uint8_t)
XRAI_HDF5_READ(std::int16_t)
XRAI_HDF5_READ(std::uint16_t)
XRAI_HDF5_READ(std::int32_t)
XRAI_HDF5_READ(std::uint32_t)
XRAI_HDF5_READ(std::int64_t)
XRAI_HDF5_READ(std::uint64_t)
XRAI_HDF5_READ(float)
XRAI_HDF5_READ(double)
#undef XRAI_HDF5_READ

}  // namespace xrai::hdf5
