// Values into a file: whole data sets, rows, growing data sets, strings.
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "runtime/hdf5/state.h"

namespace xrai::hdf5 {
namespace {

/// The rows that the growing adds; throws for a single value.
std::uint64_t extend(OpenDataset& dataset, std::uint64_t count, const Task& task) {
  if (dataset.shape.empty()) fail(task, "a single value has no rows to append to");
  const std::uint64_t first = dataset.shape[0];
  std::vector<hsize_t> larger = dataset.shape;
  larger[0] += count;
  check(H5Dset_extent(dataset.id.get(), larger.data()), task);
  dataset.shape = larger;
  return first;
}

/// Where in the file the chunk lies that consists of the rows [first, first + count) and nothing else, stored as
/// `type` without filters. Nothing where there is none, or where only the library knows how to write.
std::optional<off_t> place_of_chunk(const OpenDataset& dataset, std::uint64_t first, std::uint64_t count, hid_t type,
                                    const Task& task) {
  if (dataset.filtered || dataset.chunk.empty() || count != dataset.chunk[0] || first % count != 0) return {};
  if (!std::equal(dataset.chunk.begin() + 1, dataset.chunk.end(), dataset.shape.begin() + 1)) return {};
  if (check(H5Tequal(dataset.type.get(), type), task) == 0) return {};
  std::vector<hsize_t> corner(dataset.shape.size(), 0);
  corner[0] = first;
  haddr_t address = HADDR_UNDEF;
  hsize_t n_bytes = 0;
  unsigned skipped_filters = 0;
  check(H5Dget_chunk_info_by_coord(dataset.id.get(), corner.data(), &skipped_filters, &address, &n_bytes), task);
  if (address == HADDR_UNDEF || n_bytes != count * dataset.row_elements() * H5Tget_size(type)) return {};
  return static_cast<off_t>(address);  // files that are made here begin with no user block
}

/// Writes rows of `row_bytes` one after the other from `offset` on.
void write_gathered(int descriptor, off_t offset, std::span<const std::byte* const> rows, std::size_t row_bytes,
                    const Task& task) {
  constexpr std::size_t kMostAtOnce = 1024;  // IOV_MAX of Linux
  std::vector<iovec> pieces(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) pieces[i] = {const_cast<std::byte*>(rows[i]), row_bytes};
  std::span<iovec> left(pieces);
  while (!left.empty()) {
    const ssize_t n = pwritev(descriptor, left.data(), static_cast<int>(std::min(left.size(), kMostAtOnce)), offset);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail(task, std::strerror(n < 0 ? errno : ENOSPC), kCheckSpace);
    offset += n;
    auto written = static_cast<std::size_t>(n);
    while (!left.empty() && written >= left.front().iov_len) {
      written -= left.front().iov_len;
      left = left.subspan(1);
    }
    if (written == 0) continue;
    left.front().iov_base = static_cast<std::byte*>(left.front().iov_base) + written;
    left.front().iov_len -= written;
  }
}

void check_options(const std::vector<std::uint64_t>& shape, const CreateOptions& options, const Task& task) {
  if ((options.deflate_level > 0 || options.growable) && options.chunk_shape.empty()) {
    fail(task, "compressing or growing was asked for without a chunk shape");
  }
  if (!options.chunk_shape.empty() && options.chunk_shape.size() != shape.size()) {
    fail(task, fmt::format("the chunk shape has {} axes and the data {}", options.chunk_shape.size(), shape.size()));
  }
}

}  // namespace

template <class T>
void File::create_dataset(std::string_view name, const std::vector<std::uint64_t>& shape,
                          const CreateOptions& options) {
  const LibraryLock lock;
  check_options(shape, options, state().writing(name));
  state().make_dataset(name, stored_type(type_of<T>()), shape, options);
}

template <class T>
void File::write(std::string_view name, const std::vector<std::uint64_t>& shape, const T* values,
                 const CreateOptions& options) {
  const LibraryLock lock;
  const Task task = state().writing(name);
  check_options(shape, options, task);
  const OpenDataset& dataset = state().make_dataset(name, stored_type(type_of<T>()), shape, options);
  if (!shape.empty() && dataset.shape[0] * dataset.row_elements() == 0) return;
  check(H5Dwrite(dataset.id.get(), memory_type(type_of<T>()), H5S_ALL, H5S_ALL, H5P_DEFAULT, values), task);
}

template <class T>
void File::write_rows(std::string_view name, std::uint64_t first, std::uint64_t count, const T* values) {
  const LibraryLock lock;
  const Task task = state().writing(name);
  const OpenDataset& dataset = state().dataset(name, task);
  const Handle file_space = state().select_rows(dataset, first, count, task);
  const std::uint64_t n = count * dataset.row_elements();
  if (n == 0) return;
  const Handle memory_space = rows_in_memory(dataset, count, task);
  check(
      H5Dwrite(dataset.id.get(), memory_type(type_of<T>()), memory_space.get(), file_space.get(), H5P_DEFAULT, values),
      task);
}

template <class T>
void File::append_rows(std::string_view name, std::uint64_t count, const T* values) {
  std::uint64_t first = 0;
  {
    const LibraryLock lock;
    const Task task = state().writing(name);
    first = extend(state().dataset(name, task), count, task);
  }
  write_rows(name, first, count, values);
}

template <class T>
void File::append_rows(std::string_view name, std::span<const T* const> rows) {
  std::uint64_t first = 0;
  std::size_t row_elements = 0;
  {
    const LibraryLock lock;
    const Task task = state().writing(name);
    OpenDataset& dataset = state().dataset(name, task);
    first = extend(dataset, rows.size(), task);
    row_elements = dataset.row_elements();
    const hid_t type = memory_type(type_of<T>());
    const auto place = state().written ? place_of_chunk(dataset, first, rows.size(), type, task) : std::nullopt;
    if (place) {
      std::vector<const std::byte*> bytes;
      for (const T* row : rows) bytes.push_back(reinterpret_cast<const std::byte*>(row));
      return write_gathered(*state().written, *place, bytes, row_elements * sizeof(T), task);
    }
  }
  std::vector<T> together;
  together.reserve(rows.size() * row_elements);
  for (const T* row : rows) together.insert(together.end(), row, row + row_elements);
  write_rows(name, first, rows.size(), together.data());
}

void File::write_strings(std::string_view name, const std::vector<std::string>& values) {
  const LibraryLock lock;
  const Task task = state().writing(name);
  const Handle type = string_type(task);
  const OpenDataset& dataset = state().make_dataset(name, type.get(), {values.size()}, {});
  if (values.empty()) return;
  std::vector<const char*> pointers;
  pointers.reserve(values.size());
  for (const std::string& value : values) pointers.push_back(value.c_str());
  check(H5Dwrite(dataset.id.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, pointers.data()), task);
}

#define XRAI_HDF5_WRITE(T)                                                                                           \
  template void File::create_dataset<T>(std::string_view, const std::vector<std::uint64_t>&, const CreateOptions&);  \
  template void File::write<T>(std::string_view, const std::vector<std::uint64_t>&, const T*, const CreateOptions&); \
  template void File::write_rows<T>(std::string_view, std::uint64_t, std::uint64_t, const T*);                       \
  template void File::append_rows<T>(std::string_view, std::uint64_t, const T*);                                     \
  template void File::append_rows<T>(std::string_view, std::span<const T* const>);
XRAI_HDF5_WRITE(std::int8_t)
XRAI_HDF5_WRITE(std::uint8_t)
XRAI_HDF5_WRITE(std::int16_t)
XRAI_HDF5_WRITE(std::uint16_t)
XRAI_HDF5_WRITE(std::int32_t)
XRAI_HDF5_WRITE(std::uint32_t)
XRAI_HDF5_WRITE(std::int64_t)
XRAI_HDF5_WRITE(std::uint64_t)
XRAI_HDF5_WRITE(float)
XRAI_HDF5_WRITE(double)
#undef XRAI_HDF5_WRITE

}  // namespace xrai::hdf5
